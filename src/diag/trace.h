/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The trace ring: the last events of each CPU, for crash reports and debugging. One writer per
 * ring (its CPU, interrupts included: an entry that an interrupt overtakes is merely out of order).
 * Rare events are always there; those of the scheduler, and faults that were served, only while
 * trace_scheduling is set.
 * /proc/skiff/trace shows the rings: writing a number of entries makes them that long (once) and
 * turns these on, writing 0 turns them off.
 */
#pragma once

#include "cpu/barrier.h"
#include "lib/types.h"

enum trace_event {
	TRACE_NONE,
	TRACE_SWITCH,	 /* a decision. a: from tid << 32 | to tid (0: idle), b: queued here then */
	TRACE_WAKE,	 /* a thread was given to a CPU. a: tid, b: cpu */
	TRACE_IRQ,	 /* a: vector */
	TRACE_FAULT,	 /* a: address, b: rip */
	TRACE_SYSCALL,	 /* a: number, b: result */
	TRACE_SIGNAL,	 /* a: signal, b: tid */
	TRACE_IDLE,	 /* a: ns until the next timer */
	TRACE_USER = 64, /* from here on: for whoever hunts a bug */
};

struct trace_entry {
	uint64_t time, a, b;
	uint32_t event;
};

struct trace_ring {
	uint32_t next; /* counts on for ever */
	uint32_t mask; /* number of entries - 1, a power of two */
	struct trace_entry entry[];
};

extern bool trace_scheduling; /* atomic */

void trace(uint16_t event, uint64_t a, uint64_t b);
static inline void trace_sched(uint16_t event, uint64_t a, uint64_t b)
{
	if (__builtin_expect(__atomic_load_n(&trace_scheduling, __ATOMIC_RELAXED), false))
		trace(event, a, b);
}
/* Gives a CPU another ring, zeroed but for mask; it belongs to the trace from now on, for ever. */
void trace_set_ring(uint32_t cpu, struct trace_ring *r);
/* The i-th oldest entry of a CPU; false past the newest. A CPU that writes meanwhile tears it. */
bool trace_read(uint32_t cpu, uint32_t i, struct trace_entry *out);
const char *trace_event_name(uint16_t event);
/* The newest entries of all CPUs to the log. */
void trace_print(int level);
