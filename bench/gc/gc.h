/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small generational collector, to show and to measure how it may learn which old objects point
 * to young ones:
 *
 *	heap.c	two generations, the mutators, the minor collection
 *	ways.c	cards, dirty bits (include/skiff.h), PAGEMAP_SCAN, soft-dirty
 *	main.c	runs the same program by each way, and proves that all found the same pointers
 *
 * The world stands still during a collection. Objects are 64 bytes; none crosses a card or a page.
 */
#ifndef GC_H
#define GC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GC_PAGE		4096ul
#define GC_CARD		512ul
#define GC_FIELDS	7
#define GC_MUTATORS_MAX (GC_FIELDS - 1)

struct object {
	struct object *forward; /* of a young object: where it went, in this collection */
	struct object *field[GC_FIELDS];
};

struct range {
	char *start, *end;
};

/* How the collector learns where the mutators wrote. */
struct way {
	const char *name, *what;
	bool cards; /* mutators mark a card at each store of a pointer */
	bool pages; /* it is told pages: large ones would tell too little */
	/* False: this kernel does not have it. */
	bool (*begin)(void);
	/* gc_wrote for all memory of the old generation that was written since the last call. */
	void (*ask)(void);
	void (*end)(void);
};
extern const struct way gc_ways[]; /* ends with a name of NULL; the first asks nobody */

struct heap {
	char *old, *young;
	size_t old_size, young_size;
	uint8_t *cards; /* one for each GC_CARD bytes of the old generation */
};
extern struct heap gc_heap;

void gc_wrote(char *start, char *end);

struct setting {
	size_t old_mib;
	unsigned mutators, cycles;
	unsigned long stores; /* of pointers, of all mutators, between two collections */
	unsigned long spread; /* one in so many goes anywhere, the others to the hot 1 MiB */
};

/* Clock ticks: instructions, time-stamp counts or nanoseconds, see main.c. */
struct cost {
	uint64_t storing, asking, collecting; /* sums; storing: of all mutators */
	uint64_t bytes;			      /* looked at by collections */
	uint64_t pointers;		      /* found from old to young */
	uint64_t hash;			      /* of where they were and what they pointed to */
};

/* False: this kernel does not have this way. */
bool gc_run(const struct setting *s, const struct way *way, struct cost *cost);

uint64_t gc_clock(void);
void gc_die(const char *what) __attribute__((noreturn));

#endif
