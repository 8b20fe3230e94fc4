/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults of the program turned into signals, and what is said when it dies of one. */

#include "process/impl.h"
#include "abi/errno.h"
#include "diag/crash.h"
#include "diag/log.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "mem/page.h"

#define VECTOR_PAGE_FAULT    14
#define PAGE_FAULT_FROM_USER 4

void process_fault(struct trap_frame *frame, int sig, int code, uintptr_t addr)
{
	struct task *t = task_current();
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = sig;
	info.si_code = code;
	info.si_addr = (void *)addr;
	t->fault_trapno = frame->vector;
	t->fault_error = frame->error;
	if (frame->vector == VECTOR_PAGE_FAULT) {
		/* As a program in ring 3 would see it: handlers test the bits. */
		t->fault_error |= PAGE_FAULT_FROM_USER;
		t->fault_cr2 = addr;
	}
	signal_force(sig, &info);
}

void process_out_of_memory(void)
{
	struct process *p = process_current();
	struct page_stats pages = page_stats();
	struct vm_stats vm;

	/* The first task to find out reports; the others just end. */
	if (!__atomic_exchange_n(&p->out_of_memory, true, __ATOMIC_RELAXED)) {
		vm_stats(p->vm, &vm);
		log_err("out of memory: %s (pid %u) dies; of %lu KiB %lu are free",
			task_current()->thread.name, p->pid, pages.total * 4, pages.free * 4);
		log_err("  the program holds %lu KiB, the stacks of its %u threads in the kernel %lu KiB, the kernel's heap %lu KiB",
			vm.resident * 4, p->task_count, p->task_count * KSTACK_SIZE >> 10,
			heap_bytes_in_use() >> 10);
	}
	process_exit_group(SIGKILL);
}

static const char *const signal_names[] = {
	[SIGHUP] = "hangup",
	[SIGINT] = "interrupt",
	[SIGQUIT] = "quit",
	[SIGILL] = "illegal instruction",
	[SIGTRAP] = "trap",
	[SIGABRT] = "abort",
	[SIGBUS] = "bus error",
	[SIGFPE] = "arithmetic error",
	[SIGKILL] = "kill",
	[SIGSEGV] = "segmentation fault",
	[SIGPIPE] = "broken pipe",
	[SIGALRM] = "alarm",
	[SIGTERM] = "termination",
	[SIGSYS] = "bad system call",
	[SIGXCPU] = "CPU time limit",
	[SIGXFSZ] = "file size limit",
};

static void print_area(struct process *p, const char *what, uintptr_t addr)
{
	struct vm_area_info a;

	if (vm_area_next(p->vm, addr, false, &a) || a.start > addr) {
		log_err("  %s %#lx is in no mapping", what, addr);
		return;
	}
	log_err("  %s %#lx is in %lx-%lx %c%c%c %s+%#lx", what, addr, a.start, a.end,
		a.prot & 1 ? 'r' : '-', a.prot & 2 ? 'w' : '-', a.prot & 4 ? 'x' : '-',
		a.name[0] ? a.name : "(anonymous)", addr - a.start + a.offset);
}

static bool is_fault(int sig, const siginfo_t *info)
{
	return (sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE ||
		       sig == SIGTRAP) &&
	       info->si_code > 0;
}

void fault_report(const struct trap_frame *frame, int sig, const siginfo_t *info)
{
	struct task *t = task_current();
	const char *name = sig < (int)ARRAY_SIZE(signal_names) && signal_names[sig]
				   ? signal_names[sig]
				   : "signal";
	/* Being told to go is no accident: only faults and aborts are worth a report. */
	int level = is_fault(sig, info) || sig == SIGABRT || sig == SIGSYS ? LOG_ERR : LOG_INFO;

	log_at(level, "%s (pid %u, thread %u) dies of signal %d (%s), code %d", t->thread.name,
		t->process->pid, t->thread.id, sig, name, info->si_code);
	if (!is_fault(sig, info))
		return;
	crash_print_frame(LOG_ERR, frame);
	print_area(t->process, "instruction", frame->rip);
	if (sig == SIGSEGV || sig == SIGBUS)
		print_area(t->process, "address", (uintptr_t)info->si_addr);
	print_area(t->process, "stack", frame->rsp);
}
