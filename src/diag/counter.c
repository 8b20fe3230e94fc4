/* SPDX-License-Identifier: BSD-2-Clause */
#include "diag/counter.h"
#include "cpu/barrier.h"

extern const struct counter_desc __counters_start[], __counters_end[];

bool counter_read(unsigned i, const char **name, uint64_t *value)
{
	const struct counter_desc *d = __counters_start + i;

	if (d >= __counters_end)
		return false;
	*name = d->name;
	*value = 0;
	for_each_cpu (n)
		*value += load_relaxed(cpu_of(*d->template_value, n));
	return true;
}
