/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The trace ring: the last events of each CPU, for crash reports and debugging. One writer per
 * ring (its CPU, interrupts included: an entry that an interrupt overtakes is merely out of order).
 */
#pragma once

#include "lib/types.h"

enum trace_event {
	TRACE_NONE,
	TRACE_SWITCH,	 /* a: from tid, b: to tid */
	TRACE_WAKE,	 /* a: tid, b: cpu */
	TRACE_IRQ,	 /* a: vector */
	TRACE_FAULT,	 /* a: address, b: rip */
	TRACE_SYSCALL,	 /* a: number, b: result */
	TRACE_SIGNAL,	 /* a: signal, b: tid */
	TRACE_IDLE,	 /* a: ns until the next timer */
	TRACE_USER = 64, /* from here on: for whoever hunts a bug */
};

void trace(uint16_t event, uint64_t a, uint64_t b);
/* The newest entries of all CPUs to the log. */
void trace_print(int level);
