/* SPDX-License-Identifier: BSD-2-Clause */
/* adjtimex(2), timerfd_create(2), times(2). */
#pragma once

#include "abi/time.h"

#ifndef SKIFF_HOST
#define ADJ_OFFSET	   0x0001
#define ADJ_FREQUENCY	   0x0002
#define ADJ_SETOFFSET	   0x0100
#define ADJ_OFFSET_SS_READ 0xa001
#define TIME_OK		   0
#define TIME_ERROR	   5
#define STA_UNSYNC	   0x0040

struct timex {
	uint32_t modes;
	int32_t pad0;
	int64_t offset, freq, maxerror, esterror;
	int32_t status, pad1;
	int64_t constant, precision, tolerance;
	struct timeval time;
	int64_t tick, ppsfreq, jitter;
	int32_t shift, pad2;
	int64_t stabil, jitcnt, calcnt, errcnt, stbcnt;
	int32_t tai;
	int32_t pad3[11];
};
_Static_assert(sizeof(struct timex) == 208, "adjtimex(2)");
#endif

#define TFD_NONBLOCK		04000
#define TFD_CLOEXEC		02000000
#define TFD_TIMER_ABSTIME	1
#define TFD_TIMER_CANCEL_ON_SET 2
#define EFD_SEMAPHORE		1
#define EFD_NONBLOCK		04000
#define EFD_CLOEXEC		02000000

struct tms {
	int64_t tms_utime, tms_stime, tms_cutime, tms_cstime;
};
#define USER_HZ 100
