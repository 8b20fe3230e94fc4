/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frame on the program's stack that a signal handler runs on, and the way back from it. The
 * layout is Linux's to the byte: unwinders, debuggers, garbage collectors and Go's runtime read it.
 *
 *	old sp | 128 bytes red zone | XSAVE image (64-aligned) + MAGIC2 | siginfo, ucontext, return
 *	address  <- sp, 8 below a multiple of 16, as at a function's entry
 *
 * Everything that comes back through rt_sigreturn is the program's to choose and is checked.
 */

#include "process/impl.h"
#include "abi/errno.h"
#include "cpu/context.h"
#include "cpu/layout.h"
#include "cpu/uaccess.h"
#include "lib/string.h"

#define RED_ZONE 128

/* rflags: what a program may set (status, TF, DF, RF, AC), and what it always runs with. */
#define RFLAGS_PROGRAM (0xcd5ul | 0x100ul | 0x10000ul | 0x40000ul)
#define RFLAGS_ALWAYS  0x202ul /* IF and the bit that is always 1 */
#define RFLAGS_TF      0x100ul
#define RFLAGS_DF      0x400ul
#define RFLAGS_RF      0x10000ul

/* What a program sees in sigcontext: Linux's selectors for 64-bit programs, whichever ring it is
 * in. */
#define LINUX_USER_CS 0x33
#define LINUX_USER_SS 0x2b

/* Of the XSAVE image. */
#define XSTATE_BV_OFFSET 512
#define XSTATE_HEADER	 64

void frame_init(struct trap_frame *f, uintptr_t rip, uintptr_t rsp)
{
	uint64_t cs, ss;

	/* The program runs in the kernel's ring: on the selectors that are loaded now. */
	__asm__("mov %%cs, %0" : "=r"(cs));
	__asm__("mov %%ss, %0" : "=r"(ss));
	memset(f, 0, sizeof(*f));
	f->orig_rax = -1;
	f->rip = rip;
	f->rsp = rsp;
	f->cs = cs & 0xffff;
	f->ss = ss & 0xffff;
	f->rflags = RFLAGS_ALWAYS;
}

static bool has_xsave(void)
{
	return cpu_fpu_features() != 0;
}

static size_t image_size(void)
{
	return cpu_fpu_size() + (has_xsave() ? FP_XSTATE_MAGIC2_SIZE : 0);
}

size_t frame_min_stack(void)
{
	return ALIGN_UP(sizeof(struct rt_sigframe) + image_size() + 64 + 16 + RED_ZONE, 16);
}

static bool within(const stack_t *s, uintptr_t sp)
{
	return sp > (uintptr_t)s->ss_sp && sp - (uintptr_t)s->ss_sp <= s->ss_size;
}

/* Where the handler's stack starts. *alternate: that is the alternate stack, which must not
 * overflow. */
static uintptr_t stack_for(
	const struct trap_frame *f, const struct sigaction_k *action, bool *alternate)
{
	const stack_t *s = &task_current()->altstack;
	uintptr_t sp = f->rsp - RED_ZONE;

	*alternate = !(s->ss_flags & (SS_DISABLE | SS_AUTODISARM)) && within(s, sp);
	if (*alternate || !(action->flags & SA_ONSTACK) || (s->ss_flags & SS_DISABLE))
		return sp;
	*alternate = true;
	return (uintptr_t)s->ss_sp + s->ss_size;
}

/* The live vector registers to the program's stack, marked so that sigreturn knows its own. */
static int put_fpu(uintptr_t at)
{
	struct fpx_sw_bytes sw = { 0 };
	uint32_t magic2 = FP_XSTATE_MAGIC2;
	void *area = task_current()->thread.context.fpu;

	/*
	 * context.fpu is free while we run; should the copy sleep, the switch saves the same
	 * registers to the same place.
	 */
	cpu_fpu_save(area);
	if (copy_to_user((void *)at, area, cpu_fpu_size()))
		return -EFAULT;
	if (!has_xsave())
		return 0;
	sw.magic1 = FP_XSTATE_MAGIC1;
	sw.xstate_size = cpu_fpu_size();
	sw.extended_size = image_size();
	sw.xfeatures = cpu_fpu_features();
	if (copy_to_user((void *)(at + FPX_SW_OFFSET), &sw, sizeof(sw)))
		return -EFAULT;
	return copy_to_user((void *)(at + cpu_fpu_size()), &magic2, sizeof(magic2));
}

static void fill_sigcontext(struct sigcontext *c, const struct trap_frame *f, uint64_t mask)
{
	const struct task *t = task_current();

	*c = (struct sigcontext){
		.r8 = f->r8,
		.r9 = f->r9,
		.r10 = f->r10,
		.r11 = f->r11,
		.r12 = f->r12,
		.r13 = f->r13,
		.r14 = f->r14,
		.r15 = f->r15,
		.di = f->rdi,
		.si = f->rsi,
		.bp = f->rbp,
		.bx = f->rbx,
		.dx = f->rdx,
		.ax = f->rax,
		.cx = f->rcx,
		.sp = f->rsp,
		.ip = f->rip,
		.flags = f->rflags,
		.cs = LINUX_USER_CS,
		.ss = LINUX_USER_SS,
		.err = t->fault_error,
		.trapno = t->fault_trapno,
		.cr2 = t->fault_cr2,
		.oldmask = mask,
	};
}

int frame_push(struct trap_frame *f, int sig, const struct sigaction_k *action,
	const siginfo_t *info, uint64_t mask)
{
	struct task *t = task_current();
	struct rt_sigframe s;
	bool alternate;
	uintptr_t sp = stack_for(f, action, &alternate), fpu;

	if (!(action->flags & SA_RESTORER))
		return -EFAULT;
	fpu = ALIGN_DOWN(sp - image_size(), 64);
	sp = ALIGN_DOWN(fpu - sizeof(s), 16) - 8;
	if (alternate && !within(&t->altstack, sp))
		return -EFAULT;
	if (put_fpu(fpu))
		return -EFAULT;

	memset(&s, 0, sizeof(s));
	s.pretcode = action->restorer;
	s.uc.uc_flags = (has_xsave() ? UC_FP_XSTATE : 0) | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	s.uc.uc_stack = t->altstack;
	s.uc.uc_sigmask = mask;
	fill_sigcontext(&s.uc.uc_mcontext, f, mask);
	s.uc.uc_mcontext.fpstate = fpu;
	s.info = *info;
	if (copy_to_user((void *)sp, &s, sizeof(s)))
		return -EFAULT;

	if (t->altstack.ss_flags & SS_AUTODISARM)
		t->altstack = (stack_t){ .ss_flags = SS_DISABLE };
	/* A handler starts with a clean FPU. This image is ours, so it cannot be refused. */
	cpu_fpu_init_area(t->fpu_bounce);
	(void)cpu_fpu_restore(t->fpu_bounce);
	f->rip = action->handler;
	f->rsp = sp;
	f->rdi = sig;
	f->rsi = sp + offsetof(struct rt_sigframe, info);
	f->rdx = sp + offsetof(struct rt_sigframe, uc);
	f->rax = 0;
	f->rflags &= ~(RFLAGS_DF | RFLAGS_RF | RFLAGS_TF);
	f->rflags |= RFLAGS_ALWAYS;
	return 0;
}

/*
 * The image at 'at' into fpu_bounce: all of it if its marks say that it is ours, else the FXSAVE
 * part with the rest initial. Through fpu_bounce, as the copy may sleep and context.fpu is then
 * used.
 */
static int get_fpu(uintptr_t at)
{
	struct task *t = task_current();
	char *area = t->fpu_bounce;
	struct fpx_sw_bytes sw;
	uint32_t magic2 = 0;
	size_t size = cpu_fpu_size();

	cpu_fpu_init_area(area);
	if (!at)
		return 0;
	if (!IS_ALIGNED(at, 64) && has_xsave())
		return -EFAULT;
	if (!has_xsave())
		return copy_from_user(area, (void *)at, FXSAVE_SIZE);
	if (copy_from_user(&sw, (void *)(at + FPX_SW_OFFSET), sizeof(sw)))
		return -EFAULT;
	if (sw.magic1 == FP_XSTATE_MAGIC1 && sw.xstate_size == size &&
		sw.extended_size == image_size() &&
		(copy_from_user(&magic2, (void *)(at + size), sizeof(magic2)) ||
			magic2 == FP_XSTATE_MAGIC2)) {
		uint64_t *header = (uint64_t *)(area + XSTATE_BV_OFFSET);

		if (magic2 != FP_XSTATE_MAGIC2 || copy_from_user(area, (void *)at, size))
			return -EFAULT;
		header[0] &= cpu_fpu_features();
		return 0;
	}
	if (copy_from_user(area, (void *)at, FXSAVE_SIZE))
		return -EFAULT;
	memset(area + XSTATE_BV_OFFSET, 0, XSTATE_HEADER);
	*(uint64_t *)(area + XSTATE_BV_OFFSET) = 3; /* x87 and SSE */
	return 0;
}

static void restore_registers(struct trap_frame *f, const struct sigcontext *c)
{
	f->r8 = c->r8;
	f->r9 = c->r9;
	f->r10 = c->r10;
	f->r11 = c->r11;
	f->r12 = c->r12;
	f->r13 = c->r13;
	f->r14 = c->r14;
	f->r15 = c->r15;
	f->rdi = c->di;
	f->rsi = c->si;
	f->rbp = c->bp;
	f->rbx = c->bx;
	f->rdx = c->dx;
	f->rax = c->ax;
	f->rcx = c->cx;
	f->rsp = c->sp;
	f->rip = c->ip;
	f->rflags = (f->rflags & ~RFLAGS_PROGRAM) | (c->flags & RFLAGS_PROGRAM) | RFLAGS_ALWAYS;
	/* Selectors are the kernel's business: never taken from the program. */
}

long signal_return(struct trap_frame *f)
{
	struct task *t = task_current();
	struct ucontext uc;

	/* The handler's return has popped pretcode. */
	if (copy_from_user(&uc, (void *)f->rsp, sizeof(uc)) || uc.uc_mcontext.ip >= USER_MAX ||
		get_fpu(uc.uc_mcontext.fpstate) || cpu_fpu_restore(t->fpu_bounce)) {
		signal_force(SIGSEGV, NULL);
		return 0;
	}
	signal_set_mask(uc.uc_sigmask);
	restore_registers(f, &uc.uc_mcontext);
	f->orig_rax = -1; /* whatever rax holds is no restart code */
	/* The short way out of a system call does not restore rcx and r11: ask for the long one. */
	(void)atomic_or(&t->thread.flags, THREAD_NOTIFY);
	(void)signal_set_altstack(&uc.uc_stack, NULL, f->rsp);
	t->restart.fn = NULL;
	return f->rax;
}
