/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A place that holds a pointer to a counted object, or NULL: who finds it there gets a reference,
 * without a lock and without a grace period before the object's memory may be freed.
 *
 *	             get               set, exchange     peek
 *	get          safe              safe              safe
 *	set          safe              safe, one wins    safe
 *	exchange     safe              safe              safe
 *
 * A reference on the object goes with it: who sets it keeps one from before until after it is
 * exchanged for something else; who exchanges it answers for that one from then on. While it is
 * set the slot holds REFSLOT_BIAS references more.
 *
 * Argument (the counts are split in two, as for the atomic shared pointers of C++ libraries): the
 * word is the pointer and, in its upper 16 bits, how many readers are between their steps 1 and 3.
 *	1. a compare-and-swap adds one to the word's count, only while a pointer is there;
 *	2. the reader adds one to the object's own count;
 *	3. a compare-and-swap takes the one off the word's count again, if the word still has this
 *	   pointer and a count; else the reader takes one off the object's count.
 * exchange takes the word and adds its count to the object's, so that each reader that is
 * between 1 and 3 has a reference there instead. Hence from 1 on the object lives: until then by
 * the setter's reference, afterwards by the one that exchange gave. Step 3 finds out which it was.
 * Between exchange's two steps readers may take off already what they are given only then; the
 * slot's references, which go with the second step, keep the count above zero meanwhile. If
 * the same object was set again meanwhile, one reader may take the other's count off the word;
 * that one then takes its reference off the object: the sums are the same. Another object at the
 * same address is not possible, as the first one still has the reader's reference.
 * A compare-and-swap that fails does so because another reader's, or a setter's step, succeeded.
 * There are at most as many readers between 1 and 3 as CPUs, as the kernel is not preempted and
 * none of these steps sleeps: 16 bits are enough.
 */
#pragma once

#include "cpu/barrier.h"
#include "lib/bug.h"
#include "lib/types.h"

struct refslot {
	uint64_t word; /* atomic: count << 48 | low 48 bits of the pointer */
};

#define REFSLOT_ONE  (1ull << 48)
#define REFSLOT_BIAS (1u << 16) /* more than readers at a time */

static inline void *refslot_pointer(uint64_t word)
{
	return (void *)((int64_t)(word << 16) >> 16);
}

static inline uint32_t *refslot_count(void *object, size_t count_at)
{
	return (uint32_t *)((char *)object + count_at);
}

static inline uint64_t refslot_word(void *object, size_t count_at)
{
	uint64_t word = (uint64_t)object & (REFSLOT_ONE - 1);

	BUG_ON(refslot_pointer(word) != object);
	if (object)
		atomic_add(refslot_count(object, count_at), REFSLOT_BIAS);
	return word;
}

/*
 * count_at: where in the object its count is, a uint32_t, here and below. False: there is one
 * already. Pairs with the acquire of get's step 1: the object is seen as it was when it was set.
 */
static inline bool refslot_set(struct refslot *s, void *object, size_t count_at)
{
	uint64_t word = refslot_word(object, count_at), old = 0;

	if (atomic_cas(&s->word, &old, word))
		return true;
	atomic_sub(refslot_count(object, count_at), REFSLOT_BIAS);
	return false;
}

/* Sets object, or nothing with NULL. What was there, and the reference that went with it; or NULL.
 */
static inline void *refslot_exchange(struct refslot *s, void *object, size_t count_at)
{
	uint64_t old = atomic_xchg(&s->word, refslot_word(object, count_at));

	if (old)
		atomic_add(refslot_count(refslot_pointer(old), count_at),
			(uint32_t)(old >> 48) - REFSLOT_BIAS);
	return refslot_pointer(old);
}

/* What is there, to be compared and not to be looked at. */
static inline const void *refslot_peek(const struct refslot *s)
{
	return refslot_pointer(load_acquire(&s->word));
}

/* The object, with a reference for the caller; or NULL. */
static inline void *refslot_get(struct refslot *s, size_t count_at)
{
	uint64_t word = load_relaxed(&s->word), now;
	uint32_t *count;
	void *object;

	do
		if (!word)
			return NULL;
	while (!atomic_cas(&s->word, &word, word + REFSLOT_ONE));
	object = refslot_pointer(word);
	count = refslot_count(object, count_at);
	atomic_add(count, 1);
	now = load_relaxed(&s->word);
	do {
		if (refslot_pointer(now) != object || !(now >> 48)) {
			atomic_sub(count, 1); /* exchange gave us one as well: this leaves that */
			break;
		}
	} while (!atomic_cas(&s->word, &now, now - REFSLOT_ONE));
	return object;
}
