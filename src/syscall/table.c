/* SPDX-License-Identifier: BSD-2-Clause */
/* The one dispatch table: number to handler. Numbers without a line answer -ENOSYS. */

#include "syscall/syscall.h"
#include "diag/log.h"
#include "lib/bug.h"
#include "syscall/file_util.h"
#include "syscall/procfs.h"
#include "syscall/socket_util.h"

#define SYSCALL(nr, name) syscall_fn sys_##name;
#include "syscall/all.list.h"
#undef SYSCALL

struct syscall_entry {
	syscall_fn *fn;
	const char *name;
};

static const struct syscall_entry table[SYSCALL_COUNT] = {
#define SYSCALL(nr, n) [nr] = { sys_##n, #n },
#include "syscall/all.list.h"
#undef SYSCALL
};

static bool said_unknown[SYSCALL_COUNT]; /* atomic: one log line per missing call */

static long unknown(uint64_t nr)
{
	if (nr >= SYSCALL_COUNT)
		log_once(LOG_WARNING, "system call %lu does not exist", nr);
	else if (!__atomic_exchange_n(&said_unknown[nr], true, __ATOMIC_RELAXED))
		log_warn("system call %lu is not supported", nr);
	return -ENOSYS;
}

/* Numbers that Linux does not have, from SKIFF_FIRST on: include/skiff.h tells programs. */
#define SKIFF_FIRST 100000u
syscall_fn sys_dirty_scan, sys_packet_open, sys_packet_run, sys_packet_alloc;
static syscall_fn *const skiff_table[] = { sys_dirty_scan, sys_packet_open, sys_packet_run,
	sys_packet_alloc };

void syscall_dispatch(struct trap_frame *f)
{
	uint64_t nr = f->orig_rax;

	if (unlikely(nr - SKIFF_FIRST < ARRAY_SIZE(skiff_table))) {
		f->rax =
			skiff_table[nr - SKIFF_FIRST](f->rdi, f->rsi, f->rdx, f->r10, f->r8, f->r9);
		return;
	}

	if (unlikely(nr >= SYSCALL_COUNT || !table[nr].fn)) {
		f->rax = unknown(nr);
		return;
	}
	f->rax = table[nr].fn(f->rdi, f->rsi, f->rdx, f->r10, f->r8, f->r9);
	if (unlikely(thread_current()->flags & THREAD_TRACE))
		log_at(LOG_DEBUG, "%s(%lx, %lx, %lx, %lx, %lx, %lx) = %ld", table[nr].name, f->rdi,
			f->rsi, f->rdx, f->r10, f->r8, f->r9, f->rax);
}

void syscall_init(void)
{
	procfs_system_init();
	procfs_skiff_init();
	procfs_process_init();
	sysfs_init();
	socket_hooks_init();
	file_hooks_init();
	BUG_ON(!table[SYS_read].fn || !table[SYS_mmap].fn || !table[SYS_exit_group].fn);
}
