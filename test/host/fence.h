/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For what a driver and its device tell each other by a store, a fence and a look: at every fence
 * something may happen, before the driver's stores since the last one are seen. A test says
 *	flags: -include test/host/fence.h
 * and defines at_fence(), which every mb_device calls when it has passed.
 */
#ifndef TEST_HOST_FENCE_H
#define TEST_HOST_FENCE_H
#include "cpu/barrier.h"

void at_fence(void);
static inline void mb_device_and_more(void)
{
	mb_device();
	at_fence();
}
#define mb_device mb_device_and_more
#endif
