/* SPDX-License-Identifier: BSD-2-Clause */
/* tsan */
/* Readers against an owner that sets, clears and drops: freed once, never too early. */
#include "t.h"
#include "bug_host.h"
#include <pthread.h>
#include <sched.h>
#include "lockfree/refslot.h"

#define READERS 3
#define ROUNDS	20000
#define SLOTS	2

struct object {
	long magic;
	uint32_t refcount;
	long check;
};
#define COUNT_AT offsetof(struct object, refcount)

static struct refslot slots[SLOTS];
static atomic_bool stop;
static atomic_long made, freed, found;

static void put(struct object *o)
{
	if (atomic_sub(&o->refcount, 1) != 1)
		return;
	CHECK(o->magic == 42 && o->check == (long)o);
	o->magic = 0;
	atomic_fetch_add(&freed, 1);
	free(o);
}

static void *reader(void *arg)
{
	unsigned turn = (unsigned)(long)arg;

	while (!atomic_load(&stop)) {
		struct object *o = refslot_get(&slots[turn++ % SLOTS], COUNT_AT);

		if (!o)
			continue;
		if (o->magic != 42 || o->check != (long)o)
			T_FAIL("not an object");
		atomic_fetch_add(&found, 1);
		if (turn % 64 == 0)
			sched_yield();
		put(o);
	}
	return NULL;
}

static void *owner(void *arg)
{
	struct refslot *s = arg;

	for (int i = 0; i < ROUNDS; i++) {
		struct object *o = malloc(sizeof(*o));

		*o = (struct object){ .magic = 42, .refcount = 1, .check = (long)o };
		atomic_fetch_add(&made, 1);
		refslot_set(s, o, COUNT_AT);
		if (i % 32 == 0)
			sched_yield();
		refslot_exchange(s, NULL, COUNT_AT);
		if (i % 4 == 0) { /* the same one again */
			refslot_set(s, o, COUNT_AT);
			refslot_exchange(s, NULL, COUNT_AT);
		}
		put(o);
	}
	return NULL;
}

TEST(refslot_readers_and_owners)
{
	pthread_t r[READERS], w[SLOTS];

	for (long i = 0; i < READERS; i++)
		pthread_create(&r[i], NULL, reader, (void *)i);
	for (int i = 0; i < SLOTS; i++)
		pthread_create(&w[i], NULL, owner, &slots[i]);
	for (int i = 0; i < SLOTS; i++)
		pthread_join(w[i], NULL);
	atomic_store(&stop, true);
	for (int i = 0; i < READERS; i++)
		pthread_join(r[i], NULL);
	CHECK(atomic_load(&made) == atomic_load(&freed));
	CHECK(slots[0].word == 0 && slots[1].word == 0);
}

/* Several set and exchange one slot: each object that was in it is handed to one of them. */
static void *exchanger(void *arg)
{
	struct refslot *s = &slots[0];

	for (int i = 0; i < ROUNDS; i++) {
		struct object *o = malloc(sizeof(*o)), *old;

		*o = (struct object){ .magic = 42, .refcount = 1, .check = (long)o };
		atomic_fetch_add(&made, 1);
		if (i % 2)
			old = refslot_exchange(s, o, COUNT_AT);
		else
			old = refslot_set(s, o, COUNT_AT) ? NULL : o;
		if (old)
			put(old);
		old = i % 4 ? NULL : refslot_exchange(s, NULL, COUNT_AT);
		if (old)
			put(old);
	}
	return NULL;
}

TEST(refslot_exchangers)
{
	pthread_t r, w[2];
	struct object *last;

	atomic_store(&stop, false);
	pthread_create(&r, NULL, reader, (void *)0);
	for (int i = 0; i < 2; i++)
		pthread_create(&w[i], NULL, exchanger, NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(w[i], NULL);
	atomic_store(&stop, true);
	pthread_join(r, NULL);
	last = refslot_exchange(&slots[0], NULL, COUNT_AT);
	if (last)
		put(last);
	CHECK(atomic_load(&made) == atomic_load(&freed));
}

TEST(refslot_alone)
{
	struct object o = { .refcount = 1 };
	struct refslot s = { 0 };

	CHECK(!refslot_get(&s, COUNT_AT));
	refslot_exchange(&s, NULL, COUNT_AT);
	refslot_set(&s, &o, COUNT_AT);
	CHECK(refslot_get(&s, COUNT_AT) == &o);
	CHECK(o.refcount == 2 + REFSLOT_BIAS);
	CHECK(!refslot_set(&s, &o, COUNT_AT) && refslot_peek(&s) == &o);
	CHECK(o.refcount == 2 + REFSLOT_BIAS);
	refslot_exchange(&s, NULL, COUNT_AT);
	CHECK(o.refcount == 2);
	CHECK(!refslot_get(&s, COUNT_AT));
}
