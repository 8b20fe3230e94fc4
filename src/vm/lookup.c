/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding an area without the lock: the tree is walked while others may be changing it, and what
 * was found counts only if nothing has changed meanwhile (space->seq). Areas are recycled as areas
 * of the same space, or freed after a grace period, so a walker always looks at areas, if only at
 * wrong ones; links are NULL or lead to such. Writers store seq (odd) first and everything after it
 * with release; the loads here are acquire: who sees any of a change also sees seq moved.
 */

#include "vm/impl.h"

void vma_lookup(struct vm_space *s, uintptr_t addr, struct vma_view *out)
{
	struct vma *v;
	uint64_t seq;

	if (likely(lookup_fast(s, addr, out, &seq)))
		return;
	space_lock(s);
	change_wait_exclusive(s, addr, addr + 1);
	v = vma_find(s, addr);
	if (v)
		vma_copy(v, out);
	else
		out->end = 0;
	space_unlock(s);
}
