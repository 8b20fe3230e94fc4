/* SPDX-License-Identifier: BSD-2-Clause */
/* Exceptions and interrupts, once trap.S has the frame on the thread's kernel stack. */

#include "entry/entry.h"
#include "abi/signal.h"
#include "cpu/io.h"
#include "cpu/irq.h"
#include "cpu/irqflags.h"
#include "cpu/percpu.h"
#include "cpu/trapframe.h"
#include "cpu/uaccess.h"
#include "diag/crash.h"
#include "diag/trace.h"
#include "process/process.h"
#include "sched/cputime.h"
#include "sched/thread.h"
#include "vm/vm.h"

enum {
	DIVIDE = 0,
	DEBUG = 1,
	BREAKPOINT = 3,
	OVERFLOW = 4,
	BOUND = 5,
	INVALID_OPCODE = 6,
	NO_DEVICE = 7,
	STACK_SEGMENT = 12,
	GENERAL_PROTECTION = 13,
	PAGE_FAULT = 14,
	X87_ERROR = 16,
	ALIGNMENT = 17,
	SIMD_ERROR = 19
};
#define FIRST_INTERRUPT 0x20

/* Page fault error code (SDM vol. 3, 4.7). */
#define FAULT_WRITE 2
#define FAULT_RSVD  8
#define FAULT_FETCH 16

void trap_exit_work(struct trap_frame *frame)
{
	struct thread *t = thread_current();

	/* Interrupts are off at the test, so that nothing is missed between it and the return. */
	while (load_acquire(&t->flags) & THREAD_EXIT_WORK) {
		irq_enable();
		if (load_relaxed(&t->flags) & THREAD_NEED_RESCHED) {
			schedule();
			if (t->told_cpu) /* preempted: perhaps in a restartable sequence */
				(void)atomic_or(&t->flags, THREAD_NOTIFY);
		}
		if (load_relaxed(&t->flags) & THREAD_NOTIFY)
			task_resume(frame);
		if (load_relaxed(&t->flags) & THREAD_SIGNAL)
			signal_deliver(frame);
		irq_disable();
	}
}

static unsigned fault_access(uint64_t error)
{
	if (error & FAULT_FETCH)
		return VM_EXEC;
	return error & FAULT_WRITE ? VM_WRITE : VM_READ;
}

static void fault_signal(struct trap_frame *f, uintptr_t addr, int err)
{
	switch (err) {
	case -EACCES: process_fault(f, SIGSEGV, SEGV_ACCERR, addr); break;
	case -EIO: process_fault(f, SIGBUS, BUS_ADRERR, addr); break;
	case -ENOMEM: process_out_of_memory(); break;
	default: process_fault(f, SIGSEGV, SEGV_MAPERR, addr); break;
	}
}

/* Continues a checked copy at its error exit, if that is where the fault came from. */
static bool take_fixup(struct trap_frame *f)
{
	uintptr_t resume = uaccess_fixup(f->rip);

	if (resume)
		f->rip = resume;
	return resume != 0;
}

static void page_fault(struct trap_frame *f)
{
	uintptr_t addr = read_cr2();
	bool program = trap_from_program(f);
	struct vm_space *space = program ? process_current()->vm : vm_current();
	struct cputime_fault fault;
	int err = -EFAULT;

	trace_sched(TRACE_FAULT, addr, f->rip);
	/* The kernel touches program memory with interrupts on, outside handlers, through uaccess.
	 */
	if (!program && (!(f->rflags & RFLAGS_IF) || !uaccess_fixup(f->rip)))
		crash(f, "page fault in the kernel at %lx", addr);
	irq_enable();
	fault = cputime_fault_begin();
	if (space && addr < USER_MAX && !(f->error & FAULT_RSVD))
		err = vm_fault(space, addr, fault_access(f->error));
	if (program) /* else it is a part of the call */
		cputime_fault_end(fault);
	if (unlikely(err)) {
		trace(TRACE_FAULT, addr, f->rip);
		if (program)
			fault_signal(f, addr, err);
		else
			take_fixup(f);
	}
	irq_disable();
}

struct fault_signal {
	uint8_t signal, code;
};

static struct fault_signal exception_signal(unsigned vector)
{
	switch (vector) {
	case DIVIDE: return (struct fault_signal){ SIGFPE, FPE_INTDIV };
	case DEBUG: return (struct fault_signal){ SIGTRAP, TRAP_TRACE };
	case BREAKPOINT: return (struct fault_signal){ SIGTRAP, 0x80 }; /* SI_KERNEL */
	case INVALID_OPCODE: return (struct fault_signal){ SIGILL, ILL_ILLOPN };
	case ALIGNMENT: return (struct fault_signal){ SIGBUS, BUS_ADRALN };
	default: return (struct fault_signal){ SIGSEGV, 0x80 };
	}
}

/* MXCSR or the x87 status word says which arithmetic error it was. */
static int arithmetic_code(unsigned vector)
{
	uint32_t mxcsr;
	uint16_t status, control, errors;

	if (vector == SIMD_ERROR) {
		__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
		errors = mxcsr & ~(mxcsr >> 7) & 0x3f;
	} else {
		__asm__ volatile("fnstsw %0; fnstcw %1" : "=m"(status), "=m"(control));
		errors = status & ~control & 0x3f;
	}
	if (errors & 1)
		return FPE_FLTINV;
	if (errors & 4)
		return FPE_FLTDIV;
	if (errors & 8)
		return FPE_FLTOVF;
	if (errors & (2 | 16))
		return FPE_FLTUND;
	return FPE_FLTRES;
}

static __noinline void exception(struct trap_frame *f)
{
	struct fault_signal s = exception_signal(f->vector);
	uintptr_t addr = 0;

	if (!trap_from_program(f)) {
		if (take_fixup(f))
			return;
		crash(f, "exception %lu in the kernel", f->vector);
	}
	if (f->vector == X87_ERROR || f->vector == SIMD_ERROR) {
		s.signal = SIGFPE;
		s.code = arithmetic_code(f->vector);
	}
	if (s.signal == SIGFPE || s.signal == SIGILL || f->vector == DEBUG)
		addr = f->rip;
	irq_enable();
	process_fault(f, s.signal, s.code, addr);
	irq_disable();
}

/* From trap.S, interrupts off; returns with interrupts off. */
void trap_handle(struct trap_frame *f)
{
	if (unlikely(vm_maybe_stub(f->rip)) && trap_from_program(f))
		patch_leave(f);
	if (f->vector == PAGE_FAULT)
		page_fault(f);
	else if (f->vector >= FIRST_INTERRUPT)
		irq_dispatch(f->vector);
	else
		exception(f);
	if (trap_from_program(f)) {
		if (unlikely(!(f->rflags & RFLAGS_IF))) /* an exception on the way through a gate */
			process_leave_door(f);
		if (unlikely(load_acquire(&thread_current()->flags) & THREAD_EXIT_WORK))
			trap_exit_work(f);
	}
}

/* NMI, double fault, machine check: GS was set anew from the emergency stack. */
void trap_fatal(struct trap_frame *f)
{
	static const char *const names[] = {
		[2] = "NMI", [8] = "double fault", [18] = "machine check"
	};

	crash(f, "%s", f->vector < ARRAY_SIZE(names) && names[f->vector] ? names[f->vector] : "?");
}

uintptr_t trap_emergency_stack(void)
{
	return this_cpu(cpu_locals)->kstack_top -
	       64; /* the overflowing stack's own top: it is lost anyway */
}

/* pad: rdx, rax, vector, error, rip, cs, rflags, rsp, ss as trap_common left them. */
void trap_report_overflow(struct trap_frame *f, const uint64_t *pad)
{
	memset(f, 0, sizeof(*f));
	f->rax = pad[1];
	f->rdx = pad[0];
	f->vector = pad[2];
	f->error = pad[3];
	f->rip = pad[4];
	f->cs = pad[5];
	f->rflags = pad[6];
	f->rsp = pad[7];
	f->ss = pad[8];
	crash(f, "kernel stack overflow");
}
