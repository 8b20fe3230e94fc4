/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads made by clone and clone3 themselves: ids stored and cleared, TLS, wrong flags. */
#include <asm/prctl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include "t.h"

#define THREAD_FLAGS                                                                               \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |        \
		CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)

static char stack[65536] __attribute__((aligned(16)));
static unsigned long tls[64] __attribute__((aligned(64)));
static volatile unsigned long seen_fs, ran;
static volatile int parent_tid, child_tid, child_saw;

/* Runs without a C library: only system calls by hand. */
static void body(void)
{
	unsigned long fs, r;
	int id;
	__asm__ volatile("mov %%fs:0, %0" : "=r"(fs));
	__asm__ volatile("syscall" : "=a"(id) : "0"(SYS_gettid) : "rcx", "r11", "memory");
	seen_fs = fs;
	child_saw = id == child_tid;
	ran++;
	__asm__ volatile("syscall" : "=a"(r) : "0"(SYS_exit), "D"(0) : "rcx", "r11", "memory");
	__builtin_unreachable();
}

static long clone3(struct clone_args *args, size_t size)
{
	long r;
	__asm__ volatile("syscall\n\t"
			 "test %0, %0\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "call *%4\n"
			 "1:"
			 : "=a"(r)
			 : "0"(SYS_clone3), "D"(args), "S"(size), "r"(body)
			 : "rcx", "r11", "memory");
	if (r < 0) {
		errno = -r;
		return -1;
	}
	return r;
}

static long clone_old(
	unsigned long flags, void *sp, volatile int *ptid, volatile int *ctid, void *tls_base)
{
	long r;
	register volatile int *r10 __asm__("r10") = ctid;
	register void *r8 __asm__("r8") = tls_base;
	__asm__ volatile(
		"syscall\n\t"
		"test %0, %0\n\t"
		"jnz 1f\n\t"
		"xor %%ebp, %%ebp\n\t"
		"call *%7\n"
		"1:"
		: "=a"(r)
		: "0"(SYS_clone), "D"(flags), "S"(sp), "d"(ptid), "r"(r10), "r"(r8), "r"(body)
		: "rcx", "r11", "memory");
	if (r < 0) {
		errno = -r;
		return -1;
	}
	return r;
}

static void wait_gone(long id)
{
	while (child_tid != 0)
		syscall(SYS_futex, &child_tid, FUTEX_WAIT, id, NULL, NULL, 0);
}

int main(void)
{
	struct clone_args args = { .flags = THREAD_FLAGS,
		.child_tid = (unsigned long)&child_tid,
		.parent_tid = (unsigned long)&parent_tid,
		.stack = (unsigned long)stack,
		.stack_size = sizeof(stack),
		.tls = (unsigned long)tls };
	tls[0] = 0x1234;
	child_tid = -1;
	long id = clone3(&args, sizeof(args));
	NEED(id > 0);
	IS(parent_tid == id);
	wait_gone(id);
	printf("ran %lu, tls %lx, own id %d\n", ran, seen_fs, child_saw);
	tls[0] = 0x5678;
	child_tid = -1;
	id = clone_old(THREAD_FLAGS, stack + sizeof(stack), &parent_tid, &child_tid, tls);
	NEED(id > 0);
	IS(parent_tid == id);
	wait_gone(id);
	printf("ran %lu, tls %lx, own id %d\n", ran, seen_fs, child_saw);

	RET(clone_old(CLONE_THREAD, stack + sizeof(stack), NULL, NULL, NULL));
	RET(clone_old(CLONE_THREAD | CLONE_SIGHAND, stack + sizeof(stack), NULL, NULL, NULL));
	RET(clone_old(CLONE_SIGHAND, stack + sizeof(stack), NULL, NULL, NULL));
	RET(clone3(&args, 8));
	RET(clone3(&args, 5000));
	RET(clone3(BAD_PTR, sizeof(args)));
	args.stack = 0;
	RET(clone3(&args, sizeof(args)));
	args.stack = (unsigned long)stack;
	args.stack_size = 0;
	RET(clone3(&args, sizeof(args)));
	args.stack_size = sizeof(stack);
	args.exit_signal = SIGCHLD;
	RET(clone3(&args, sizeof(args)));
	args.exit_signal = 0;
	args.tls = 1ul << 63;
	RET(clone3(&args, sizeof(args)));
	int word;
	IS(syscall(SYS_set_tid_address, &word) == syscall(SYS_gettid));
	unsigned long base = 0;
	RET(syscall(SYS_arch_prctl, ARCH_GET_FS, &base));
	IS(base != 0 && *(unsigned long *)base == base);
	RET(syscall(SYS_arch_prctl, ARCH_SET_FS, 1ul << 63));
	RET(syscall(SYS_arch_prctl, 0x9999, 0));
	unsigned long gs = 1;
	RET(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs));
	RET(syscall(SYS_arch_prctl, ARCH_SET_GS, tls));
	__asm__ volatile("mov %%gs:0, %0" : "=r"(gs));
	printf("gs:0 %lx\n", gs);
	t_sleep_ms(5);
	__asm__ volatile("mov %%gs:0, %0" : "=r"(gs));
	printf("gs:0 %lx\n", gs);
	RET(syscall(SYS_arch_prctl, ARCH_SET_GS, 0));
	return 0;
}
