/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random numbers for everybody: getrandom, AT_RANDOM, address layout, initial sequence numbers.
 * Never blocks, never sleeps, takes no lock; thread context on any CPU, from the first thread on.
 */
#pragma once

#include "lib/types.h"

void random_init(void); /* boot CPU, before anything asks */
void random_bytes(void *buf, size_t n);
uint64_t random_u64(void);
/* Stirs in what a device or a caller knows; every CPU picks it up at its next request. */
void random_add_entropy(const void *data, size_t n);
