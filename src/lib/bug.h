/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Broken invariants. Only these stop the machine: whatever a program or a device asks for is
 * answered with an error instead. bug_report prints the full report and never returns; the kernel
 * defines it in diag/crash.c, host tests in their harness.
 */
#pragma once

#include "lib/types.h"

__noreturn void bug_report(const char *file, int line, const char *what);

#define BUG(what) bug_report(__FILE__, __LINE__, what)
#define BUG_ON(cond)                                                                               \
	do {                                                                                       \
		if (unlikely(cond))                                                                \
			bug_report(__FILE__, __LINE__, #cond);                                     \
	} while (0)
