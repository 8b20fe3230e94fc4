/* SPDX-License-Identifier: BSD-2-Clause */
/* References on objects that readers may find when the last one is gone already. */
#pragma once

#include "cpu/barrier.h"
#include "lib/types.h"

/* One more if there is one; false: the object is at its end. Its memory must stay meanwhile. */
static inline bool refcount_get_live(uint32_t *refcount)
{
	uint32_t n = load_relaxed(refcount);

	do
		if (!n)
			return false;
	while (!atomic_cas(refcount, &n, n + 1));
	return true;
}
