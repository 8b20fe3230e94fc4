/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers that assembly shares with C; each is checked in cpu/percpu.c. */
#pragma once

#define LOCAL_SELF	  0
#define LOCAL_KSTACK_TOP  8
#define LOCAL_SCRATCH	  16
#define LOCAL_CURRENT	  24
#define LOCAL_SAMPLE	  56
#define LOCAL_CALL_SAMPLE 60

#define CONTEXT_RSP 0

#define SEL_KERNEL_CODE 0x08
#define SEL_KERNEL_DATA 0x10
#define SEL_USER_BASE	0x18 /* sysret adds 8 for data and 16 for code */
#define SEL_USER_DATA	0x23
#define SEL_USER_CODE	0x2b
#define SEL_TSS		0x30

/* In trap_frame.vector, beside the numbers of exceptions and interrupts. */
#define VECTOR_SYSCALL 0x100 /* the syscall instruction */
#define VECTOR_CALL    0x101 /* a function call (cpu/fpu.h) */

/* THREAD_EXIT_WORK of sched/thread.h, for the fast exit of a system call. */
#define EXIT_WORK_MASK 11
