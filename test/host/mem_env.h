/* SPDX-License-Identifier: BSD-2-Clause */
/* Physical memory and CPUs for host tests of src/mem and what stands on it. Include once, first. */
#pragma once

#include <pthread.h>

#include "abi/mman.h"
#include "cpu/boot_info.h"
#include "cpu/layout.h"
#include "cpu/percpu.h"
#include "lib/bug.h"
#include "lib/types.h"

/* <sys/mman.h> defines again what abi/mman.h has. */
void *mmap(void *addr, size_t len, int prot, int flags, int fd, long offset);
int munmap(void *addr, size_t len);

char *host_physmap;
_Thread_local uint32_t host_cpu_id;
uint32_t cpu_online_count = 1;
static size_t env_mapped;

__noreturn void bug_report(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: BUG %s\n", file, line, what);
	abort();
}

/* Address space for physical addresses below 'limit'; only what is touched costs memory. */
static void env_memory(uint64_t limit)
{
	if (host_physmap)
		munmap(host_physmap, env_mapped);
	host_physmap = mmap(NULL, limit, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (host_physmap == (void *)-1)
		abort();
	env_mapped = limit;
}

/* A plain machine of 'size' bytes with a kernel of 1 MiB at 2 MiB. */
static void env_machine(struct boot_info *b, uint64_t size)
{
	memset(b, 0, sizeof(*b));
	b->range[0] = (struct boot_range){ 0, 0x9fc00, true };
	b->range[1] = (struct boot_range){ 0xf0000, 0x100000, false };
	b->range[2] = (struct boot_range){ MIB(1), size, true };
	b->range_count = 3;
	b->kernel_start = MIB(2);
	b->kernel_end = MIB(3);
	env_memory(size);
}
