/* SPDX-License-Identifier: BSD-2-Clause */
/* What a program is given: arguments, environment, auxiliary vector, an aligned stack. */
/* standalone */
/* args: one "two words" "" last */
/* env: FIRST=1 SECOND=with=equals */
#include <elf.h>
#include <sys/auxv.h>
#include "t.h"

static int constructed;
__attribute__((constructor)) static void construct(int argc, char **argv)
{
	constructed = argc;
}

static void at_exit_one(void)
{
	puts("exit one");
}

static void at_exit_two(void)
{
	puts("exit two");
}

__attribute__((destructor)) static void destruct(void)
{
	puts("destructor");
}

int main(int argc, char **argv)
{
	printf("constructed with %d\n", constructed);
	for (int i = 1; i < argc; i++)
		printf("[%s]\n", argv[i]);
	IS(argv[argc] == NULL);
	printf("%s %s\n", getenv("FIRST"), getenv("SECOND"));
	IS(getenv("ABSENT") == NULL);
	IS(getauxval(AT_PAGESZ) == 4096);
	IS(getauxval(AT_PHDR) != 0 && getauxval(AT_PHNUM) > 3 && getauxval(AT_ENTRY) != 0);
	IS(getauxval(AT_BASE) != 0);
	IS(getauxval(AT_RANDOM) != 0 && *(long *)getauxval(AT_RANDOM) != 0);
	IS(getauxval(AT_SYSINFO_EHDR) != 0);
	IS(memcmp((void *)getauxval(AT_SYSINFO_EHDR), ELFMAG, SELFMAG) == 0);
	IS(getauxval(AT_EXECFN) != 0 && strstr((char *)getauxval(AT_EXECFN), "program_start"));
	IS(strcmp((char *)getauxval(AT_PLATFORM), "x86_64") == 0);
	IS(getauxval(AT_CLKTCK) == 100 && getauxval(AT_HWCAP) != 0);
	IS(getauxval(AT_UID) == getuid() && getauxval(AT_SECURE) == 0);
	unsigned long sp;
	__asm__ volatile("mov %%rsp, %0" : "=r"(sp));
	IS(sp % 16 == 0);
	atexit(at_exit_one);
	atexit(at_exit_two);
	fflush(stdout);
	fprintf(stderr, "this is standard error\n");
	return 17;
}
