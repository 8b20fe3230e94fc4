/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Linux system call table. Each family has a file syscall/NAME.c and a list
 * syscall/NAME.list.h of lines `SYSCALL(number, name)`; table.c includes every list.
 *
 *	SYSCALL_DEFINE3(read, int, fd, void *, buf, size_t, n) { ... }
 *
 * defines sys_read. Handlers check everything before they change anything and return the result or
 * -errno. The frame of the caller is syscall_frame().
 */
#pragma once

#include "abi/errno.h"
#include "abi/syscall_nr.h"
#include "cpu/trapframe.h"
#include "cpu/uaccess.h"
#include "lib/types.h"
#include "sched/thread.h"

typedef long syscall_fn(long a, long b, long c, long d, long e, long f);

static inline struct trap_frame *syscall_frame(void)
{
	return (struct trap_frame *)thread_current()->kstack_top - 1;
}

#define SYSCALL_DEFINE0(name)                                                                      \
	static long do_##name(void);                                                               \
	long sys_##name(long a, long b, long c, long d, long e, long f);                           \
	long sys_##name(long a, long b, long c, long d, long e, long f)                            \
	{                                                                                          \
		return do_##name();                                                                \
	}                                                                                          \
	static long do_##name(void)
#define SYSCALL_DEFINE1(name, T1, a1)                                                              \
	static long do_##name(T1 a1);                                                              \
	long sys_##name(long a, long b, long c, long d, long e, long f);                           \
	long sys_##name(long a, long b, long c, long d, long e, long f)                            \
	{                                                                                          \
		return do_##name((T1)a);                                                           \
	}                                                                                          \
	static long do_##name(T1 a1)
#define SYSCALL_DEFINE2(name, T1, a1, T2, a2)                                                      \
	static long do_##name(T1 a1, T2 a2);                                                       \
	long sys_##name(long a, long b, long c, long d, long e, long f);                           \
	long sys_##name(long a, long b, long c, long d, long e, long f)                            \
	{                                                                                          \
		return do_##name((T1)a, (T2)b);                                                    \
	}                                                                                          \
	static long do_##name(T1 a1, T2 a2)
#define SYSCALL_DEFINE3(name, T1, a1, T2, a2, T3, a3)                                              \
	static long do_##name(T1 a1, T2 a2, T3 a3);                                                \
	long sys_##name(long a, long b, long c, long d, long e, long f);                           \
	long sys_##name(long a, long b, long c, long d, long e, long f)                            \
	{                                                                                          \
		return do_##name((T1)a, (T2)b, (T3)c);                                             \
	}                                                                                          \
	static long do_##name(T1 a1, T2 a2, T3 a3)
#define SYSCALL_DEFINE4(name, T1, a1, T2, a2, T3, a3, T4, a4)                                      \
	static long do_##name(T1 a1, T2 a2, T3 a3, T4 a4);                                         \
	long sys_##name(long a, long b, long c, long d, long e, long f);                           \
	long sys_##name(long a, long b, long c, long d, long e, long f)                            \
	{                                                                                          \
		return do_##name((T1)a, (T2)b, (T3)c, (T4)d);                                      \
	}                                                                                          \
	static long do_##name(T1 a1, T2 a2, T3 a3, T4 a4)
#define SYSCALL_DEFINE5(name, T1, a1, T2, a2, T3, a3, T4, a4, T5, a5)                              \
	static long do_##name(T1 a1, T2 a2, T3 a3, T4 a4, T5 a5);                                  \
	long sys_##name(long a, long b, long c, long d, long e, long f);                           \
	long sys_##name(long a, long b, long c, long d, long e, long f)                            \
	{                                                                                          \
		return do_##name((T1)a, (T2)b, (T3)c, (T4)d, (T5)e);                               \
	}                                                                                          \
	static long do_##name(T1 a1, T2 a2, T3 a3, T4 a4, T5 a5)
#define SYSCALL_DEFINE6(name, T1, a1, T2, a2, T3, a3, T4, a4, T5, a5, T6, a6)                      \
	static long do_##name(T1 a1, T2 a2, T3 a3, T4 a4, T5 a5, T6 a6);                           \
	long sys_##name(long a, long b, long c, long d, long e, long f);                           \
	long sys_##name(long a, long b, long c, long d, long e, long f)                            \
	{                                                                                          \
		return do_##name((T1)a, (T2)b, (T3)c, (T4)d, (T5)e, (T6)f);                        \
	}                                                                                          \
	static long do_##name(T1 a1, T2 a2, T3 a3, T4 a4, T5 a5, T6 a6)

/* Called by entry/syscall.S with the frame on the kernel stack; sets frame->rax. */
void syscall_dispatch(struct trap_frame *frame);
void syscall_init(void); /* validates the table */
