/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For "who sees this word may go, and take the memory along": a store_release may be a long time
 * before whatever its thread does next, so that the others are through by then. A test says
 *	flags: -include test/host/stall.h
 * and defines stalled(), which every such store calls afterwards with the word's address.
 */
#ifndef TEST_HOST_STALL_H
#define TEST_HOST_STALL_H
#include "cpu/barrier.h"

void stalled(const void *word);
#undef store_release
#define store_release(p, v)                                                                        \
	do {                                                                                       \
		__atomic_store_n(p, v, __ATOMIC_RELEASE);                                          \
		stalled(p);                                                                        \
	} while (0)
#endif
