/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For lock-free code whose steps are a few nanoseconds apart: every load_acquire may be a long time
 * coming, so that what others do meanwhile happens between any two. A test says
 *	flags: -include test/host/shake.h
 * and defines shake(), which every load calls first.
 */
#ifndef TEST_HOST_SHAKE_H
#define TEST_HOST_SHAKE_H
#include "cpu/barrier.h"

void shake(void);
#undef load_acquire
#define load_acquire(p)                                                                            \
	({                                                                                         \
		shake();                                                                           \
		__atomic_load_n(p, __ATOMIC_ACQUIRE);                                              \
	})
#endif
