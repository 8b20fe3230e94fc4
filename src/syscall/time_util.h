/* SPDX-License-Identifier: BSD-2-Clause */
/* Times as programs give them. */
#pragma once

#include "abi/time.h"
#include "lib/types.h"

static inline bool timespec_valid(const struct timespec *ts)
{
	return ts->tv_sec >= 0 && (uint64_t)ts->tv_nsec < NSEC_PER_SEC;
}
/* Saturates where Linux's KTIME_MAX is. */
static inline uint64_t timespec_to_ns(const struct timespec *ts)
{
	if (ts->tv_sec >= (int64_t)(INT64_MAX / NSEC_PER_SEC))
		return INT64_MAX;
	return ts->tv_sec * NSEC_PER_SEC + ts->tv_nsec;
}
static inline struct timespec timespec_from_ns(uint64_t ns)
{
	return (struct timespec){ ns / NSEC_PER_SEC, ns % NSEC_PER_SEC };
}
/* An absolute time of a clock (realtime or monotonic) as monotonic ns. */
uint64_t deadline_of_clock(uint64_t ns, bool realtime);
