/* SPDX-License-Identifier: BSD-2-Clause */
/* The table behind door 2 of syscall.S, and how programs learn of it. */

#include "entry/entry.h"
#include "abi/syscall_nr.h"
#include "cpu/boot_info.h"
#include "lib/cmdline.h"
#include "process/process.h"
#include "sched/cputime.h"
#include "syscall/syscall.h"

#define SYSCALL(nr, name) syscall_fn sys_##name;
#include "syscall/all.list.h"
#undef SYSCALL

#define CALL_COUNT 512 /* syscall.S cuts numbers down to it */
_Static_assert(SYSCALL_COUNT <= CALL_COUNT, "call_table");

/*
 * As the table of syscall/table.c, but every entry may be called: numbers that nobody knows, and
 * calls that look at or change the caller's registers, go by way of a whole frame.
 */
#pragma GCC diagnostic ignored "-Woverride-init"
extern syscall_fn *const call_table[CALL_COUNT]; /* for syscall.S */
syscall_fn *const call_table[CALL_COUNT] = {
	[0 ... CALL_COUNT - 1] = call_full,
#define SYSCALL(nr, n) [nr] = sys_##n,
#include "syscall/all.list.h"
#undef SYSCALL
	[SYS_clone] = call_full,
	[SYS_clone3] = call_full,
	[SYS_fork] = call_full,
	[SYS_vfork] = call_full,
	[SYS_execve] = call_full,
	[SYS_execveat] = call_full,
	[SYS_rt_sigreturn] = call_full,
};

bool call_takes_arguments(uint64_t nr)
{
	return nr < CALL_COUNT && call_table[nr] != call_full;
}

void syscall_sampled(struct trap_frame *f)
{
	patch_sample(f);
	cputime_sample_begin();
	syscall_dispatch(f);
	cputime_sample_end();
}

void calls_init(void)
{
	char off[2];

	if (cmdline_get(boot_info.cmdline, "nodirect", 0, off, sizeof(off)) < 0)
		process_gates_page = gates_page;
}
