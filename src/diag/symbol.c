/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table: count, then count pairs of (offset from the kernel's base, offset of the name from
 * the table's start), by rising address, then the names.
 */
#include "diag/symbol.h"
#include "cpu/layout.h"

extern const uint32_t __symbols_start[], __symbols_end[];

const char *symbol_find(uintptr_t address, uintptr_t *offset)
{
	uint32_t count, low = 0, high, at = address - KERNEL_BASE;

	if (&__symbols_start[0] == &__symbols_end[0] || address < KERNEL_BASE)
		return NULL;
	count = __symbols_start[0];
	high = count;
	while (low < high) {
		uint32_t mid = (low + high) / 2;

		if (__symbols_start[1 + 2 * mid] <= at)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == 0 || low == count) /* below the first, or behind the last: the end mark */
		return NULL;
	*offset = at - __symbols_start[1 + 2 * (low - 1)];
	return (const char *)__symbols_start + __symbols_start[2 + 2 * (low - 1)];
}
