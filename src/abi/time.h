/* SPDX-License-Identifier: BSD-2-Clause */
/* Linux time structs and clock numbers (clock_gettime(2), setitimer(2), timer_create(2)). */
#pragma once

#ifdef SKIFF_HOST
#include <sys/time.h>
#include <time.h>
#else
#include "lib/types.h"

struct timespec {
	int64_t tv_sec;
	int64_t tv_nsec;
};
struct timeval {
	int64_t tv_sec;
	int64_t tv_usec;
};
struct itimerspec {
	struct timespec it_interval, it_value;
};
struct itimerval {
	struct timeval it_interval, it_value;
};
struct timezone {
	int tz_minuteswest, tz_dsttime;
};

#define CLOCK_REALTIME		 0
#define CLOCK_MONOTONIC		 1
#define CLOCK_PROCESS_CPUTIME_ID 2
#define CLOCK_THREAD_CPUTIME_ID	 3
#define CLOCK_MONOTONIC_RAW	 4
#define CLOCK_REALTIME_COARSE	 5
#define CLOCK_MONOTONIC_COARSE	 6
#define CLOCK_BOOTTIME		 7
#define CLOCK_REALTIME_ALARM	 8
#define CLOCK_BOOTTIME_ALARM	 9
#define CLOCK_TAI		 11

#define TIMER_ABSTIME 1

#define ITIMER_REAL    0
#define ITIMER_VIRTUAL 1
#define ITIMER_PROF    2
#endif
