/* SPDX-License-Identifier: BSD-2-Clause */
/* sched(7): policies, struct sched_attr, rlimits of them; getpriority(2). */
#pragma once

#include "lib/types.h"

#ifdef SKIFF_HOST
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sched.h>
#ifndef SCHED_IDLE /* of _GNU_SOURCE, which came too late */
#define SCHED_BATCH 3
#define SCHED_IDLE  5
#endif
#else
#define SCHED_OTHER	    0
#define SCHED_FIFO	    1
#define SCHED_RR	    2
#define SCHED_BATCH	    3
#define SCHED_IDLE	    5
#define SCHED_DEADLINE	    6
#define SCHED_RESET_ON_FORK 0x40000000
#endif

#define SCHED_FLAG_RESET_ON_FORK 0x01
#define SCHED_FLAG_ALL		 0x7f
#define SCHED_ATTR_SIZE_VER0	 48
#define SCHED_ATTR_SIZE_VER1	 56

struct sched_attr {
	uint32_t size, sched_policy;
	uint64_t sched_flags;
	int32_t sched_nice;
	uint32_t sched_priority;
	uint64_t sched_runtime, sched_deadline, sched_period;
	uint32_t sched_util_min, sched_util_max;
};
_Static_assert(sizeof(struct sched_attr) == SCHED_ATTR_SIZE_VER1, "sched_setattr(2)");

#ifndef PRIO_PROCESS
#define PRIO_PROCESS 0
#define PRIO_PGRP    1
#define PRIO_USER    2
#endif
