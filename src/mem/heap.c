/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel heap: objects of a size class come from slabs, bigger ones are page runs.
 *
 * A slab is 4 KiB (objects up to 512 bytes) or 16 KiB, with its header in front. It belongs to the
 * CPU that made it: only threads on that CPU allocate from it and touch its fields, and kernel
 * code is not preempted, so nothing guards them. Any CPU frees (after mimalloc's sharded lists):
 *
 *	on the owner        push on slab->free
 *	elsewhere           push on slab->remote (CAS). Whoever makes it non-empty also pushes the
 *	                    slab on the owner's 'pending' stack (CAS).
 *	owner, out of objects   takes 'pending' whole (xchg), and each slab's 'remote' whole (xchg)
 *
 * Invariant 1: a slab is at most once on 'pending': it gets there when remote turns non-empty, and
 *   remote turns empty only in the owner's hands, after it was taken off. pending_next is read
 *   before that.
 * Invariant 2: the owner takes 'remote' only from slabs that it found on 'pending'. So as long as
 *   a push on 'pending' is to come, the freed object still counts as used, and the slab, used > 0,
 *   is not given back under the pusher's hands.
 * Both stacks are only ever taken whole, so there is no ABA problem.
 *
 * page->private of every page of a slab points to the slab; of the first page of a run it is 0.
 */

#include "mem/heap.h"
#include "cpu/barrier.h"
#include "cpu/percpu.h"
#include "lib/bug.h"
#include "lib/string.h"
#include "mem/impl.h"
#include "mem/page.h"

#define RUN_MAX	     MIB(2)
#define SMALL_OBJECT 512u /* the largest in 4 KiB slabs */
#define SLAB_MAGIC   0x51ab51abu

static const uint16_t class_size[] = { 16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
	384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048, 2560, 3072 };
#define CLASS_COUNT ARRAY_SIZE(class_size)
#define OBJECT_MAX  3072u

struct object {
	struct object *next;
};

struct slab {
	/* fixed */
	uint32_t magic;
	uint32_t owner; /* CPU */
	uint16_t class, size, capacity;
	uint16_t first; /* offset of object 0 */

	/* the owner's */
	struct object *free;
	struct slab *next, *prev; /* partial list of its class, while it has free objects */
	uint16_t used;		  /* handed out, or freed remotely and not yet collected */
	uint16_t carved;	  /* objects never handed out begin here */

	/* anybody's, atomic */
	struct object *remote __aligned(CACHE_LINE);
	struct slab *pending_next; /* of whoever made 'remote' non-empty, then of the owner */
};
_Static_assert(sizeof(struct slab) == 128, "two cache lines, the second is the remote CPUs'");

struct heap_cpu {				    /* all zero is a valid initial state */
	struct slab *partial[CLASS_COUNT];	    /* the head is allocated from */
	int64_t bytes;				    /* only the sum over CPUs means something */
	struct slab *pending __aligned(CACHE_LINE); /* atomic */
};
static DEFINE_PERCPU(struct heap_cpu, heap_cpu);

#ifdef SKIFF_HOST
void heap_forget_cpus(void)
{
	memset(heap_cpu_percpu, 0, sizeof(heap_cpu_percpu));
}
#endif

static uint8_t class_of_16[OBJECT_MAX / 16 + 1]; /* fixed after heap_init */

static inline unsigned size_to_class(size_t size)
{
	return class_of_16[DIV_ROUND_UP(size, 16)];
}

void heap_init(void)
{
	unsigned c = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(class_of_16); i++) {
		if (i * 16 > class_size[c])
			c++;
		class_of_16[i] = c;
	}
}

static unsigned size_to_order(size_t size)
{
	size_t n = (size - 1) >> PAGE_SHIFT;

	return n ? 64 - __builtin_clzl(n) : 0;
}

static inline void account(struct heap_cpu *h, int64_t n)
{
	store_relaxed(&h->bytes, h->bytes + n);
}

uint64_t heap_bytes_in_use(void)
{
	int64_t sum = 0;

	for_each_cpu (n)
		sum += load_relaxed(&cpu_of(heap_cpu, n)->bytes);
	return sum > 0 ? sum : 0;
}

/* ---- slabs, on the owner ---- */

static unsigned slab_order(unsigned size)
{
	return size <= SMALL_OBJECT ? 0 : 2;
}

static void partial_add(struct heap_cpu *h, struct slab *s)
{
	struct slab *head = h->partial[s->class];

	s->prev = NULL;
	s->next = head;
	if (head)
		head->prev = s;
	h->partial[s->class] = s;
}

static void partial_remove(struct heap_cpu *h, struct slab *s)
{
	if (s->prev)
		s->prev->next = s->next;
	else
		h->partial[s->class] = s->next;
	if (s->next)
		s->next->prev = s->prev;
}

static struct slab *slab_create(struct heap_cpu *h, unsigned class)
{
	unsigned size = class_size[class], order = slab_order(size);
	struct page *page = page_alloc(order);
	struct slab *s;

	if (!page)
		return NULL;
	s = page_to_virt(page);
	*s = (struct slab){
		.magic = SLAB_MAGIC,
		.owner = cpu_id(),
		.class = class,
		.size = size,
		/* powers of two are aligned to themselves */
		.first = size & (size - 1) ? sizeof(*s) : MAX((unsigned)sizeof(*s), size),
	};
	s->capacity = ((PAGE_SIZE << order) - s->first) / size;
	for (unsigned i = 0; i < 1u << order; i++)
		page[i].private = (uintptr_t)s;
	partial_add(h, s);
	return s;
}

static inline bool slab_is_full(const struct slab *s)
{
	return !s->free && s->carved == s->capacity;
}

static inline void *slab_take(struct heap_cpu *h, struct slab *s)
{
	struct object *o = s->free;

	if (o)
		s->free = o->next;
	else
		o = (void *)((char *)s + s->first + (size_t)s->size * s->carved++);
	s->used++;
	if (unlikely(slab_is_full(s)))
		partial_remove(h, s);
	return o;
}

/* n objects, chained from first to last, come home. */
static void slab_give(
	struct heap_cpu *h, struct slab *s, struct object *first, struct object *last, unsigned n)
{
	bool was_full = slab_is_full(s);

	BUG_ON(s->used < n); /* freed twice */
	last->next = s->free;
	s->free = first;
	s->used -= n;
	if (was_full)
		partial_add(h, s);
	/* One empty slab stays, if it is the only one of its class with room. */
	if (s->used == 0 && (s->next || s->prev)) {
		partial_remove(h, s);
		s->magic = 0;
		page_put(virt_to_page(s));
	}
}

static bool collect_remote(struct heap_cpu *h)
{
	struct slab *s, *next;

	if (!load_relaxed(&h->pending))
		return false;
	for (s = atomic_xchg(&h->pending, NULL); s; s = next) {
		struct object *first, *last;
		unsigned n = 1;

		next = s->pending_next;
		first = atomic_xchg(&s->remote, NULL); /* from here on s may be pushed again */
		for (last = first; last->next; last = last->next)
			n++;
		slab_give(h, s, first, last, n);
	}
	return true;
}

/* ---- slabs, elsewhere ---- */

static void free_remote(struct slab *s, struct object *o)
{
	struct object *old = load_relaxed(&s->remote);
	struct heap_cpu *owner;

	do {
		o->next = old;
	} while (!atomic_cas(&s->remote, &old, o));
	if (old)
		return;
	owner = cpu_of(heap_cpu, s->owner);
	s->pending_next = load_relaxed(&owner->pending);
	while (!atomic_cas(&owner->pending, &s->pending_next, s))
		;
}

/* ---- page runs ---- */

static void *run_alloc(struct heap_cpu *h, size_t size)
{
	unsigned order = size_to_order(size);
	struct page *page = page_alloc(order); /* private is 0 */

	if (!page)
		return NULL;
	account(h, PAGE_SIZE << order);
	return page_to_virt(page);
}

/* ---- the interface ---- */

/* No slab of the class has room, or there is no class. Apart, so that the usual way stays short. */
static __noinline void *alloc_slow(struct heap_cpu *h, size_t size)
{
	struct slab *s = NULL;
	unsigned class;

	if (size > RUN_MAX)
		return NULL;
	if (size > OBJECT_MAX)
		return run_alloc(h, size);
	class = size_to_class(size);
	if (collect_remote(h))
		s = h->partial[class];
	if (!s)
		s = slab_create(h, class);
	if (!s) /* no 16 KiB in one piece, but perhaps one page */
		return class_size[class] > SMALL_OBJECT ? run_alloc(h, size) : NULL;
	account(h, s->size);
	return slab_take(h, s);
}

void *heap_alloc(size_t size)
{
	struct heap_cpu *h = this_cpu(heap_cpu);
	struct slab *s;

	if (mem_alloc_fails())
		return NULL;
	if (unlikely(size > OBJECT_MAX) || unlikely(!(s = h->partial[size_to_class(size)])))
		return alloc_slow(h, size);
	account(h, s->size);
	return slab_take(h, s);
}

void *heap_alloc_zeroed(size_t size)
{
	void *p = heap_alloc(size);

	if (p)
		memset(p, 0, ALIGN_UP(MAX(size, (size_t)1), 8)); /* objects are multiples of 16 */
	return p;
}

void heap_free(void *p)
{
	struct heap_cpu *h = this_cpu(heap_cpu);
	struct page *page;
	struct slab *s;

	if (!p)
		return;
	page = virt_to_page(p);
	BUG_ON(!page);
	s = (struct slab *)page->private;
	if (!s) {
		BUG_ON((uintptr_t)p % PAGE_SIZE != 0);
		account(h, -(int64_t)(PAGE_SIZE << page->order));
		page_put(page);
		return;
	}
	BUG_ON(s->magic != SLAB_MAGIC);
	account(h, -(int64_t)s->size);
	if (likely(s->owner == cpu_id()))
		slab_give(h, s, p, p, 1);
	else
		free_remote(s, p);
}

size_t heap_usable_size(const void *p)
{
	struct page *page = virt_to_page(p);
	struct slab *s = (struct slab *)page->private;

	return s ? s->size : PAGE_SIZE << page->order;
}

void *heap_resize(void *p, size_t size)
{
	size_t have;
	void *q;

	if (!p)
		return heap_alloc(size);
	have = heap_usable_size(p);
	if (size <= have && size >= have / 2)
		return p;
	q = heap_alloc(size);
	if (!q)
		return size <= have ? p : NULL;
	memcpy(q, p, MIN(have, size));
	heap_free(p);
	return q;
}

char *heap_strdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = heap_alloc(n);

	if (copy)
		memcpy(copy, s, n);
	return copy;
}
