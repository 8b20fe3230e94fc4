/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signal frames on the host: what a handler finds, that sigreturn puts everything back, and that
 * nothing a program writes into a frame gets it more than it had. The vector unit is a buffer here.
 */
/* sources: src/process/frame.c */
/* flags: -D_GNU_SOURCE */

#include "t.h"
#include "abi/errno.h"
#include "cpu/context.h"
#include "cpu/layout.h"
#include "cpu/uaccess.h"
#include "process/impl.h"

#define FPU_SIZE     832
#define FPU_FEATURES 7
#define CS	     0x08
#define SS	     0x10

_Thread_local struct thread *host_current;
_Thread_local uint32_t host_cpu_id;

static struct process proc;
static struct task task;
static char fpu_live[FPU_SIZE], fpu_area[FPU_SIZE], fpu_bounce[FPU_SIZE];
static char stack[64 << 10] __attribute__((aligned(64)));
static int forced;

int copy_to_user(void *udst, const void *src, size_t n)
{
	char *at = udst;

	if (at < stack || at + n > stack + sizeof(stack))
		return -EFAULT;
	memcpy(at, src, n);
	return 0;
}
int copy_from_user(void *dst, const void *usrc, size_t n)
{
	const char *at = usrc;

	if (at < stack || at + n > stack + sizeof(stack))
		return -EFAULT;
	memcpy(dst, at, n);
	return 0;
}
size_t cpu_fpu_size(void)
{
	return FPU_SIZE;
}
uint64_t cpu_fpu_features(void)
{
	return FPU_FEATURES;
}
void cpu_fpu_init_area(void *area)
{
	memset(area, 0, FPU_SIZE);
	((uint64_t *)area)[64] = 3;
}
void cpu_fpu_save(void *area)
{
	memcpy(area, fpu_live, FPU_SIZE);
}
int cpu_fpu_restore(const void *area)
{
	if (((const uint64_t *)area)[64] & ~(uint64_t)FPU_FEATURES)
		return -EINVAL;
	memcpy(fpu_live, area, FPU_SIZE);
	return 0;
}
void signal_set_mask(uint64_t mask)
{
	task.blocked = mask;
}
void signal_force(int sig, const siginfo_t *info)
{
	forced = sig;
}
int signal_set_altstack(const stack_t *new, stack_t *old, uintptr_t sp)
{
	if (new)
		task.altstack = *new;
	return 0;
}

static struct trap_frame setup(void)
{
	struct trap_frame f;

	for (size_t i = 0; i < sizeof(f) / 8; i++)
		((uint64_t *)&f)[i] = 0x1000 + i;
	f.orig_rax = -1;
	f.rip = 0x401000;
	f.cs = CS;
	f.ss = SS;
	f.rflags = 0x202 | 0x40; /* ZF */
	f.rsp = (uintptr_t)stack + sizeof(stack) - 4099;
	memset(&task, 0, sizeof(task));
	memset(stack, 0x77, sizeof(stack));
	task.process = &proc;
	task.thread.context.fpu = fpu_area;
	task.fpu_bounce = fpu_bounce;
	task.altstack.ss_flags = SS_DISABLE;
	host_current = &task.thread;
	for (int i = 0; i < FPU_SIZE; i++)
		fpu_live[i] = i * 7;
	((uint64_t *)fpu_live)[64] = 5;
	memset(fpu_live + 520, 0, 56);
	forced = 0;
	return f;
}

static const struct sigaction_k action = { 0x402000, SA_RESTORER | SA_SIGINFO, 0x403000, 0 };

TEST(frame_as_a_handler_finds_it)
{
	struct trap_frame f = setup(), before = f;
	siginfo_t info = { .si_signo = SIGSEGV, .si_code = SEGV_MAPERR };
	struct rt_sigframe *s;
	struct fpx_sw_bytes *sw;

	task.fault_cr2 = 0xabc;
	REQUIRE(frame_push(&f, SIGSEGV, &action, &info, 0x5) == 0);
	s = (struct rt_sigframe *)f.rsp;
	CHECK_EQ(f.rsp % 16, 8);
	CHECK((uintptr_t)(s + 1) <= before.rsp - 128); /* the red zone is whole */
	CHECK_EQ(f.rip, action.handler);
	CHECK_EQ(f.rdi, SIGSEGV);
	CHECK_EQ(f.rsi, &s->info);
	CHECK_EQ(f.rdx, &s->uc);
	CHECK_EQ(f.rax, 0);
	CHECK_EQ(s->pretcode, action.restorer);
	CHECK_EQ(s->info.si_code, SEGV_MAPERR);
	CHECK_EQ(s->uc.uc_flags, UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS);
	CHECK_EQ(s->uc.uc_sigmask, 5);
	CHECK_EQ(s->uc.uc_mcontext.sp, before.rsp);
	CHECK_EQ(s->uc.uc_mcontext.r11, before.r11);
	CHECK_EQ(s->uc.uc_mcontext.cs, 0x33); /* as on Linux, whatever ring it is */
	CHECK_EQ(s->uc.uc_mcontext.cr2, 0xabc);
	CHECK_EQ(s->uc.uc_mcontext.fpstate % 64, 0);
	sw = (void *)(s->uc.uc_mcontext.fpstate + FPX_SW_OFFSET);
	CHECK_EQ(sw->magic1, FP_XSTATE_MAGIC1);
	CHECK_EQ(sw->xstate_size, FPU_SIZE);
	CHECK_EQ(*(uint32_t *)(s->uc.uc_mcontext.fpstate + FPU_SIZE), FP_XSTATE_MAGIC2);
	for (char *p = (char *)before.rsp - 128; p < stack + sizeof(stack); p++)
		CHECK(*p == 0x77);
}

TEST(frame_and_back)
{
	struct trap_frame f = setup(), before = f;
	char fpu[FPU_SIZE];
	siginfo_t info = { 0 };

	memcpy(fpu, fpu_live, sizeof(fpu));
	REQUIRE(frame_push(&f, SIGUSR1, &action, &info, 0x5) == 0);
	CHECK(memcmp(fpu, fpu_live, sizeof(fpu)) != 0); /* the handler starts with a clean unit */
	memset(fpu_live, 0x11, sizeof(fpu_live));
	memset(&f, 0x22, offsetof(struct trap_frame, rip));
	f.rsp += 8; /* the handler's ret */
	f.rip = action.restorer;
	f.orig_rax = 15;
	CHECK_EQ(signal_return(&f), before.rax);
	f.vector = before.vector;
	f.error = before.error;
	CHECK_MEM(&f, &before, sizeof(f));
	fpu[FPX_SW_OFFSET] = fpu_live[FPX_SW_OFFSET]; /* these 48 bytes are software's */
	CHECK_MEM(fpu, fpu_live, FPX_SW_OFFSET);
	CHECK_MEM(fpu + FXSAVE_SIZE, fpu_live + FXSAVE_SIZE, FPU_SIZE - FXSAVE_SIZE);
	CHECK_EQ(task.blocked, 5);
	CHECK_EQ(forced, 0);
	/* Short way out of a system call would lose rcx and r11. */
	CHECK(task.thread.flags & THREAD_EXIT_WORK);
}

TEST(frame_on_the_alternate_stack)
{
	struct sigaction_k onstack = action;
	struct trap_frame f = setup();
	siginfo_t info = { 0 };

	onstack.flags |= SA_ONSTACK;
	task.altstack = (stack_t){ stack + 64, 0, 8192 };
	REQUIRE(frame_push(&f, SIGUSR1, &onstack, &info, 0) == 0);
	CHECK(f.rsp > (uintptr_t)stack + 64 && f.rsp < (uintptr_t)stack + 64 + 8192);
	/* A second signal stays on it, until it is full. */
	for (int i = 0; i < 10; i++) {
		uintptr_t sp = f.rsp;

		if (frame_push(&f, SIGUSR2, &onstack, &info, 0))
			break;
		CHECK(f.rsp < sp && f.rsp > (uintptr_t)stack + 64);
		CHECK(i < 8);
	}
	/* Without SA_ONSTACK, or when it disarms itself. */
	f = setup();
	task.altstack = (stack_t){ stack + 64, SS_AUTODISARM, 8192 };
	REQUIRE(frame_push(&f, SIGUSR1, &onstack, &info, 0) == 0);
	CHECK(f.rsp < (uintptr_t)stack + 64 + 8192);
	CHECK_EQ(task.altstack.ss_flags, SS_DISABLE);
}

TEST(frame_that_does_not_fit)
{
	struct trap_frame f = setup();
	struct sigaction_k no_restorer = action;
	siginfo_t info = { 0 };

	f.rsp = (uintptr_t)stack + 500;
	CHECK_EQ(frame_push(&f, SIGUSR1, &action, &info, 0), -EFAULT);
	f.rsp = 0x10;
	CHECK_EQ(frame_push(&f, SIGUSR1, &action, &info, 0), -EFAULT);
	f = setup();
	no_restorer.flags = 0;
	CHECK_EQ(frame_push(&f, SIGUSR1, &no_restorer, &info, 0), -EFAULT);
}

/* A frame of random bytes, or a good one with damage, never changes what is the kernel's. */
TEST(frame_fuzz_return)
{
	unsigned long seed = 3;
	int good = 0;

	for (int round = 0; round < 30000; round++) {
		struct trap_frame f = setup();
		siginfo_t info = { 0 };
		struct rt_sigframe *s;
		uint64_t *word;

		REQUIRE(frame_push(&f, SIGUSR1, &action, &info, 0) == 0);
		s = (struct rt_sigframe *)f.rsp;
		word = (uint64_t *)&s->uc;
		for (int hits = t_random(&seed) % 4; hits > 0; hits--)
			word[t_random(&seed) % ((sizeof(s->uc) + FPU_SIZE) / 8)] =
				t_random(&seed) & 1 ? t_random(&seed)
						    : 1ull << t_random(&seed) % 64;
		f.rsp += 8;
		if (t_random(&seed) % 100 == 0)
			f.rsp = t_random(&seed);
		(void)signal_return(&f);
		good += !forced;
		CHECK(f.cs == CS && f.ss == SS);
		CHECK((f.rflags & 0x202) == 0x202);
		CHECK(!(f.rflags & ~(0x202ul | 0xcd5 | 0x100 | 0x10000 | 0x40000)));
		CHECK(f.rip < USER_MAX);
		if (atomic_load(&t_failures))
			return;
	}
	CHECK(good > 1000);
}
