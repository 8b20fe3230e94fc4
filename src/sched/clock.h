/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time. Nanoseconds everywhere. Monotonic starts at 0 at boot and never goes back on any CPU;
 * realtime = monotonic + an offset. Lock-free; callable from interrupt handlers.
 */
#pragma once

#include "lib/types.h"

/* A counter that all CPUs agree on. read() returns raw ticks. Registered by drivers/. */
struct clock_source {
	const char *name;
	unsigned rating; /* the highest wins */
	uint64_t (*read)(void);
	bool is_tsc; /* the vDSO may read it with rdtsc */
};

/*
 * Uses a source of hz ticks a second if it is better than the one before, without a jump in time.
 * While the boot CPU is alone.
 */
void clock_register(const struct clock_source *source, uint64_t hz);
/* Better knowledge of the current source's rate; applied from now on, no jump. */
void clock_set_rate(uint64_t hz);

uint64_t clock_now(void);	      /* CLOCK_MONOTONIC, ns */
uint64_t clock_realtime(void);	      /* CLOCK_REALTIME, ns since 1970 */
void clock_set_realtime(uint64_t ns); /* now is ns */

/*
 * What a program's vDSO reads, in a page of its own that process/ maps read-only into the program
 * (page-aligned object): monotonic ns = base_ns + ((tsc - base_tsc) * mult >> CLOCK_VDSO_SHIFT).
 * A reader that finds seq odd, or another one afterwards, makes the system call.
 */
#define CLOCK_VDSO_SHIFT 32
struct clock_vdso_data {
	uint32_t seq;  /* odd while changing */
	uint32_t mode; /* 0: make the system call, 1: rdtsc */
	uint64_t base_tsc;
	uint64_t base_ns;
	uint64_t realtime_offset;
	uint64_t mult;
};
extern union clock_vdso_page {
	struct clock_vdso_data data;
	char page[4096];
} clock_vdso_page;
