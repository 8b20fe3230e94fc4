/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel tells a program at its start, and the vDSO it maps. */
#include "t.h"
#include <elf.h>
#include <link.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/time.h>

static int has_load_and_dynamic(const ElfW(Ehdr) * e)
{
	const ElfW(Phdr) *p = (const void *)((const char *)e + e->e_phoff);
	int load = 0, dynamic = 0;
	for (int i = 0; i < e->e_phnum; i++) {
		load += p[i].p_type == PT_LOAD;
		dynamic += p[i].p_type == PT_DYNAMIC;
	}
	return load == 1 && dynamic == 1;
}

int main(void)
{
	const ElfW(Ehdr) *vdso = (const void *)getauxval(AT_SYSINFO_EHDR);
	const ElfW(Ehdr) *interpreter = (const void *)getauxval(AT_BASE);
	const unsigned char *random = (const void *)getauxval(AT_RANDOM);
	unsigned cpu = -1, node = -1;
	struct timespec a, b;
	struct timeval tv;
	int zeroes = 0;

	printf("page %lu, clock ticks %lu, secure %lu, flags %lu, entry size %lu\n",
		getauxval(AT_PAGESZ), getauxval(AT_CLKTCK), getauxval(AT_SECURE),
		getauxval(AT_FLAGS), getauxval(AT_PHENT));
	printf("platform %s\n", (const char *)getauxval(AT_PLATFORM));
	IS(getauxval(AT_UID) == getuid() && getauxval(AT_EUID) == geteuid());
	IS(getauxval(AT_GID) == getgid() && getauxval(AT_EGID) == getegid());
	IS(getauxval(AT_MINSIGSTKSZ) > 1000 && getauxval(AT_MINSIGSTKSZ) < 65536);
	IS(getauxval(AT_PHNUM) > 2 && getauxval(AT_ENTRY) != 0);
	IS(memcmp(interpreter->e_ident, ELFMAG, SELFMAG) == 0);
	for (int i = 0; i < 16; i++)
		zeroes += random[i] == 0;
	IS(zeroes < 8);
	IS(memcmp(vdso->e_ident, ELFMAG, SELFMAG) == 0);
	IS(vdso->e_type == ET_DYN && has_load_and_dynamic(vdso));
	RET(getcpu(&cpu, &node));
	IS(cpu < (unsigned)sysconf(_SC_NPROCESSORS_CONF) && node == 0);
	for (int i = 0; i < 1000; i++) {
		clock_gettime(CLOCK_MONOTONIC, &a);
		syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &b);
		if (a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec))
			printf("the vDSO is ahead of the kernel\n");
		clock_gettime(CLOCK_MONOTONIC, &a);
		if (a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec))
			printf("the kernel is ahead of the vDSO\n");
	}
	RET(gettimeofday(&tv, NULL));
	clock_gettime(CLOCK_REALTIME, &a);
	IS(a.tv_sec - tv.tv_sec <= 1 && time(NULL) - a.tv_sec <= 1);
	return 0;
}
