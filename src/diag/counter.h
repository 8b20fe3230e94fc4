/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cheap permanent per-CPU counters for costs one hopes are rare. `COUNTER(tcp_retransmit);` at
 * file scope defines one, counter_inc(tcp_retransmit) costs one add to a line no other CPU writes.
 * All are listed by name in /proc/skiff/counters.
 */
#pragma once

#include "cpu/percpu.h"

struct counter_desc {
	const char *name;
	uint64_t *template_value;
};

#ifndef SKIFF_HOST
#define COUNTER(cname)                                                                             \
	static DEFINE_PERCPU(uint64_t, counter_##cname);                                           \
	static const struct counter_desc counter_desc_##cname __used __section(                    \
		".counters") = { #cname, &counter_##cname }
#define counter_add(cname, n) (*this_cpu(counter_##cname) += (n))
#else
#define COUNTER(cname)	      static uint64_t counter_##cname
#define counter_add(cname, n) ((void)__atomic_fetch_add(&counter_##cname, n, __ATOMIC_RELAXED))
#endif
#define counter_inc(cname) counter_add(cname, 1)

/* The i-th counter's name and sum over CPUs; false past the end. */
bool counter_read(unsigned i, const char **name, uint64_t *value);
