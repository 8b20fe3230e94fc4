/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults in flight, for those who change what they act on. impl.h has the argument (S1, S2). */

#include "diag/counter.h"
#include "vm/impl.h"

COUNTER(fault_slot_overflow);
COUNTER(fault_waited_for);

#define SLOT_BITS (SLOT_USED | SLOT_WAITED | SLOT_AROUND | SLOT_HUGE)

void slot_enter_slow(struct vm_space *s, struct fault_slot *slot, uint64_t value)
{
	struct vm_cpu *c = vm_cpu(s);

	for (unsigned i = 1; i < FAULT_SLOTS; i++) {
		uint64_t free = 0;

		slot->word = &c->slot[i];
		if (!load_relaxed(slot->word) && atomic_cas(slot->word, &free, value))
			return;
	}
	/* Many faults of this CPU sleep. Partner of the count: slots_quiet reads it after a change
	 * of the tree, which comes before or after this hold of the lock. */
	counter_inc(fault_slot_overflow);
	slot->word = &slot->own;
	space_lock(s);
	store_relaxed(&slot->own, value);
	list_add_tail(&s->overflow, &slot->link);
	store_relaxed(&s->overflow_count, s->overflow_count + 1);
	space_unlock(s);
}

void slot_leave_slow(struct vm_space *s, struct fault_slot *slot, uint64_t old)
{
	if (slot->word == &slot->own) {
		space_lock(s);
		list_del(&slot->link);
		store_relaxed(&s->overflow_count, s->overflow_count - 1);
		old = slot->own;
		space_unlock(s);
	}
	if (old & SLOT_WAITED)
		wait_wake_all(&s->slot_wait, 0);
}

void slot_wait_exclusive(
	struct vm_space *s, struct fault_slot *slot, uint64_t value, uintptr_t start, uintptr_t end)
{
	while (unlikely(change_excludes(s, start, end))) {
		uint32_t ended = s->changes_ended;

		space_unlock(s);
		slot_leave(s, slot); /* the change waits for it */
		change_wait_since(s, ended);
		slot_enter(s, slot, value);
		space_lock(s);
	}
}

static bool covers(uint64_t slot, uintptr_t start, uintptr_t end)
{
	uintptr_t size = slot & SLOT_HUGE     ? HUGE_SIZE
			 : slot & SLOT_AROUND ? AROUND_PAGES * PAGE_SIZE
					      : PAGE_SIZE;
	uintptr_t page = ALIGN_DOWN(slot & ~(uint64_t)SLOT_BITS, size);

	return (slot & SLOT_USED) && page < end && start < page + size;
}

/* True if nobody is there. Otherwise whoever is will wake us. */
static bool quiet(uint64_t *word, uintptr_t start, uintptr_t end)
{
	uint64_t old = __atomic_load_n(word, __ATOMIC_SEQ_CST);

	while (unlikely(covers(old, start, end)))
		if ((old & SLOT_WAITED) || atomic_cas(word, &old, old | SLOT_WAITED))
			return false;
	return true;
}

static bool overflow_quiet(struct vm_space *s, uintptr_t start, uintptr_t end)
{
	struct fault_slot *slot;
	bool all = true;

	space_lock(s);
	list_for_each_entry (slot, &s->overflow, link)
		all &= quiet(&slot->own, start, end);
	space_unlock(s);
	return all;
}

/* No fault at all on that CPU, as is usual. */
static inline bool all_free(uint64_t *word)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < FAULT_SLOTS; i++)
		any |= __atomic_load_n(&word[i], __ATOMIC_SEQ_CST);
	return any == 0;
}

static bool slots_quiet(struct vm_space *s, uintptr_t start, uintptr_t end)
{
	for (uint32_t n = 0; n < s->cpu_known; n++) {
		uint64_t *word = s->cpu[n].slot;

		if (likely(all_free(word)))
			continue;
		for (unsigned i = 0; i < FAULT_SLOTS; i++)
			if (!quiet(&word[i], start, end))
				return false;
	}
	return load_relaxed(&s->overflow_count) == 0 || overflow_quiet(s, start, end);
}

void slots_wait(struct vm_space *s, uintptr_t start, uintptr_t end)
{
	if (likely(slots_quiet(s, start, end)))
		return;
	counter_inc(fault_waited_for);
	wait_event(&s->slot_wait, slots_quiet(s, start, end));
}
