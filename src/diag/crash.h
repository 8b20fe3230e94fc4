/* SPDX-License-Identifier: BSD-2-Clause */
/* The report that a broken kernel, or a program that dies of a fault, leaves behind. */
#pragma once

#include "cpu/trapframe.h"

/* Prints the full report for a kernel fault, stops every CPU, ends the machine. */
__noreturn void crash(const struct trap_frame *frame, const char *fmt, ...) __printf(2, 3);
/* Registers and, for kernel addresses, symbolised backtrace to the log at 'level'. */
void crash_print_frame(int level, const struct trap_frame *frame);

/* Ends the machine: status goes to `skiff run` (0..255). Set by drivers/power.c. */
extern void (*crash_power_off)(void);
/* Set by sched/: one line per thread into the log. */
extern void (*crash_print_threads)(int level);
__noreturn void machine_exit(int status);
