/* SPDX-License-Identifier: BSD-2-Clause */
/* Two generations. See gc.h. */
#include "gc.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HOT (1ul << 20)

struct heap gc_heap;

static struct object *old_objects;
static size_t old_count, promote_at; /* survivors replace the oldest survivors */

struct mutator {
	unsigned id;
	uint64_t random;
	struct object *next, *last; /* in its part of the nursery */
	uint64_t ticks;
	pthread_t thread;
};
static struct mutator mutators[GC_MUTATORS_MAX];
static const struct setting *setting;
static const struct way *way;
static pthread_barrier_t start_line, finish_line;

/* ---- mutators ---- */

static inline uint64_t next_random(struct mutator *m)
{
	m->random = m->random * 6364136223846793005ull + 1442695040888963407ull;
	return m->random >> 33;
}

static inline struct object *new_object(struct mutator *m, bool linked)
{
	struct object *o = m->next++;

	memset(o, 0, sizeof(*o));
	if (linked)
		o->field[0] = m->last;
	return m->last = o;
}

/* The write barrier: with dirty bits there is none. */
static inline __attribute__((always_inline)) void store(
	struct object **field, struct object *value, bool card)
{
	*field = value;
	if (card)
		gc_heap.cards[((uintptr_t)field - (uintptr_t)gc_heap.old) / GC_CARD] = 1;
}

/*
 * Each mutator has a field of its own in all old objects, so that what comes out does not depend on
 * who is faster. One store in eight is of a new object.
 */
static inline __attribute__((always_inline)) void mutate(struct mutator *m, bool card)
{
	unsigned long n = setting->stores / setting->mutators, until_far = setting->spread;
	size_t hot = HOT / sizeof(struct object);

	for (unsigned long i = 0; i < n; i++) {
		uint64_t r = next_random(m);
		struct object *value = i % 8 ? &old_objects[r % hot] : new_object(m, r & 1);
		size_t at = r / 2 % hot;

		if (--until_far == 0) {
			until_far = setting->spread;
			at = r % old_count;
		}
		store(&old_objects[at].field[1 + m->id], value, card);
	}
}

static __attribute__((noinline)) void mutate_plain(struct mutator *m)
{
	mutate(m, false);
}
static __attribute__((noinline)) void mutate_cards(struct mutator *m)
{
	mutate(m, true);
}

static void *mutator_thread(void *arg)
{
	struct mutator *m = arg;

	for (unsigned i = 0; i < setting->cycles; i++) {
		uint64_t from;

		pthread_barrier_wait(&start_line);
		from = gc_clock();
		if (way->cards)
			mutate_cards(m);
		else
			mutate_plain(m);
		m->ticks += gc_clock() - from;
		pthread_barrier_wait(&finish_line);
	}
	return NULL;
}

/* ---- the minor collection ---- */

static struct range *ranges;
static size_t range_count;
static struct object ***remembered;
static size_t remembered_count;

void gc_wrote(char *start, char *end)
{
	if (range_count && ranges[range_count - 1].end == start)
		ranges[range_count - 1].end = end;
	else
		ranges[range_count++] = (struct range){ start, end };
}

static inline bool is_young(const struct object *o)
{
	return (uintptr_t)o - (uintptr_t)gc_heap.young < gc_heap.young_size;
}

static void remember(const struct range *r, struct cost *cost)
{
	for (struct object *o = (struct object *)r->start; o < (struct object *)r->end; o++)
		for (int i = 0; i < GC_FIELDS; i++)
			if (is_young(o->field[i]))
				remembered[remembered_count++] = &o->field[i];
	cost->bytes += r->end - r->start;
}

/* Copies the young object and all young ones that it leads to; its new place. */
static struct object *promote(struct object *young)
{
	struct object *first = NULL, **link = &first;

	while (is_young(young) && !young->forward) {
		struct object *to = &old_objects[promote_at];

		promote_at = promote_at + 1 < old_count ? promote_at + 1 : old_count / 4 * 3;
		*to = *young;
		young->forward = *link = to;
		link = &to->field[0];
		young = *link;
	}
	*link = is_young(young) ? young->forward : young;
	return first;
}

static void collect(struct cost *cost)
{
	uint64_t from = gc_clock();

	range_count = remembered_count = 0;
	way->ask();
	cost->asking += gc_clock() - from;
	for (size_t i = 0; i < range_count; i++)
		remember(&ranges[i], cost);
	for (size_t i = 0; i < remembered_count; i++) {
		struct object **field = remembered[i];

		cost->hash = (cost->hash ^ ((char *)field - gc_heap.old)) * 1099511628211ull;
		cost->hash = (cost->hash ^ ((char *)*field - gc_heap.young)) * 1099511628211ull;
		if (is_young(*field)) /* not if a survivor took this object's place just now */
			*field = promote(*field);
	}
	cost->pointers += remembered_count;
	cost->collecting += gc_clock() - from;
}

/* ---- a run ---- */

static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		gc_die("mmap");
	return p;
}

static void make_heap(void)
{
	gc_heap.old_size = setting->old_mib << 20;
	gc_heap.young_size = (setting->stores / 8 + GC_MUTATORS_MAX) * sizeof(struct object);
	gc_heap.old = map(gc_heap.old_size);
	gc_heap.young = map(gc_heap.young_size);
	gc_heap.cards = map(gc_heap.old_size / GC_CARD);
	if (way->pages)
		madvise(gc_heap.old, gc_heap.old_size, MADV_NOHUGEPAGE);
	memset(gc_heap.old, 0, gc_heap.old_size);
	old_objects = (struct object *)gc_heap.old;
	old_count = gc_heap.old_size / sizeof(struct object);
	promote_at = old_count / 4 * 3;
	ranges = map(gc_heap.old_size / GC_CARD * sizeof(*ranges));
	remembered = map(setting->stores * sizeof(*remembered));
}

static void free_heap(void)
{
	munmap(gc_heap.old, gc_heap.old_size);
	munmap(gc_heap.young, gc_heap.young_size);
	munmap(gc_heap.cards, gc_heap.old_size / GC_CARD);
	munmap(ranges, gc_heap.old_size / GC_CARD * sizeof(*ranges));
	munmap(remembered, setting->stores * sizeof(*remembered));
}

static void start_mutators(void)
{
	size_t part = gc_heap.young_size / sizeof(struct object) / setting->mutators;

	pthread_barrier_init(&start_line, NULL, setting->mutators + 1);
	pthread_barrier_init(&finish_line, NULL, setting->mutators + 1);
	for (unsigned i = 0; i < setting->mutators; i++) {
		struct mutator *m = &mutators[i];

		*m = (struct mutator){ .id = i, .random = i + 1 };
		m->next = (struct object *)gc_heap.young + i * part;
		if (pthread_create(&m->thread, NULL, mutator_thread, m))
			gc_die("pthread_create");
	}
}

static void empty_nursery(void)
{
	size_t part = gc_heap.young_size / sizeof(struct object) / setting->mutators;

	for (unsigned i = 0; i < setting->mutators; i++) {
		mutators[i].next = (struct object *)gc_heap.young + i * part;
		mutators[i].last = NULL;
	}
}

bool gc_run(const struct setting *s, const struct way *w, struct cost *cost)
{
	*cost = (struct cost){ 0 };
	setting = s;
	way = w;
	make_heap();
	if (!way->begin()) {
		free_heap();
		return false;
	}
	range_count = 0;
	way->ask(); /* making it was no write of a mutator */
	start_mutators();
	for (unsigned i = 0; i < s->cycles; i++) {
		pthread_barrier_wait(&start_line);
		pthread_barrier_wait(&finish_line);
		collect(cost);
		empty_nursery();
	}
	for (unsigned i = 0; i < s->mutators; i++) {
		pthread_join(mutators[i].thread, NULL);
		cost->storing += mutators[i].ticks;
	}
	way->end();
	free_heap();
	return true;
}
