/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random numbers for everybody: getrandom, AT_RANDOM, address layout, initial sequence numbers.
 * Never blocks, never sleeps, takes no lock; thread context on any CPU, from the first thread on.
 */
#pragma once

#include "lib/types.h"

void random_bytes(void *buf, size_t n);
uint64_t random_u64(void);
/* Stirs in what a device or a caller knows; every CPU picks it up at its next request. Interrupt
 * handlers may call it. */
void random_add_entropy(const void *data, size_t n);
/* Does every seed hold what the CPU's own generator says (RDSEED, RDRAND), or only time? */
bool random_cpu_generates(void);
