/* SPDX-License-Identifier: BSD-2-Clause */
/* Address spaces: their life, the running one, and what /proc shows of them. */

#include "lib/string.h"
#include "mem/heap.h"
#include "sched/random.h"
#include "sched/thread.h"
#include "vm/impl.h"

#define STACK_ROOM_MIN	 MIB(128)
#define STACK_ROOM_MAX	 (USER_MAX / 6 * 5)
#define MMAP_RANDOM_BITS 28 /* pages, as Linux on x86-64 */

void vm_init(void)
{
	vm_zero_page = page_alloc_zeroed(0);
	if (!vm_zero_page)
		BUG("no memory for the zero page");
	vm_zero_page->flags = PAGE_RESERVED; /* get and put cost nothing */
	tlb_init();
}

/* Mappings start below the room that the stack may grow into, and a random distance. */
static void set_mmap_top(struct vm_space *s)
{
	uint64_t room = MIN(MAX(s->limit_stack, STACK_ROOM_MIN), STACK_ROOM_MAX);
	uint64_t random = random_u64() % (1ull << MMAP_RANDOM_BITS) * PAGE_SIZE;

	room = ALIGN_UP(room, PAGE_SIZE) + STACK_GUARD_GAP +
	       GIB(16); /* GIB(16): random stack top */
	s->mmap_top = USER_MAX - MIN(room + random, USER_MAX / 2);
}

static bool make_cpus(struct vm_space *s)
{
	s->cpu_known = cpu_count();
	s->cpu_memory = heap_alloc_zeroed(s->cpu_known * sizeof(*s->cpu) + CACHE_LINE);
	s->cpu = (struct vm_cpu *)ALIGN_UP((uintptr_t)s->cpu_memory, CACHE_LINE);
	return s->cpu_memory;
}

struct vm_space *vm_space_create(void)
{
	struct vm_space *s = heap_alloc_zeroed(sizeof(*s));

	if (!s)
		return NULL;
	if (!make_cpus(s) || pagetable_create(&s->pt) < 0) {
		heap_free(s->cpu_memory);
		heap_free(s);
		return NULL;
	}
	phys_to_page(s->pt.root)->private = (uintptr_t)s;
	s->refcount = s->holds = 1;
	mutex_init(&s->lock, "vm_space.lock");
	mutex_init(&s->brk_lock, "vm_space.brk_lock");
	mutex_init(&s->split_lock, "vm_space.split_lock");
	mutex_init(&s->patch_lock, "vm_space.patch_lock");
	list_init(&s->changes);
	list_init(&s->overflow);
	wait_init(&s->change_wait);
	wait_init(&s->slot_wait);
	s->areas.update = vma_update;
	s->limit_as = s->limit_data = UINT64_MAX;
	s->limit_stack = MIB(8);
	set_mmap_top(s);
	return s;
}

void vm_space_get(struct vm_space *s)
{
	(void)__atomic_fetch_add(&s->refcount, 1, __ATOMIC_RELAXED);
}

void vm_space_clear(struct vm_space *s)
{
	if (vm_unmap(s, 0, 1ul << 47)) /* the whole half: no bound that could need memory */
		BUG("cannot unmap everything");
	vm_set_brk_start(s, 0);
}

void vm_space_put(struct vm_space *s)
{
	if (atomic_sub(&s->refcount, 1) != 1)
		return;
	vm_space_clear(s);
	space_release(s);
}

/* Partners: flush_is_due, by who has read what was changed under this hold. */
void space_hold(struct vm_space *s)
{
	(void)__atomic_fetch_add(&s->holds, 1, __ATOMIC_SEQ_CST);
}

void space_release(struct vm_space *s)
{
	if (atomic_sub(&s->holds, 1) != 1)
		return;
	tlb_leave(s);
	vm_patch_destroy(s);
	pagetable_destroy(&s->pt);
	while (s->spare) /* nobody looks areas up any more */
		heap_free(vma_take(s));
	heap_free(s->cpu_memory);
	heap_free(s);
}

uint64_t vm_space_root(const struct vm_space *s)
{
	return s->pt.root.raw;
}

struct vm_space *vm_current(void)
{
	return thread_current()->page_root ? tlb_loaded() : NULL;
}

void vm_set_current(struct vm_space *s)
{
	thread_set_root(s ? vm_space_root(s) : 0);
}

void vm_set_limits(struct vm_space *s, uint64_t as, uint64_t data, uint64_t stack)
{
	space_lock(s);
	s->limit_as = as;
	s->limit_data = data;
	s->limit_stack = stack;
	if (!s->areas.root) /* exec: before anything is placed */
		set_mmap_top(s);
	space_unlock(s);
}

int vm_object_key(struct vm_space *s, uintptr_t addr, uint64_t *object, uint64_t *offset)
{
	struct vma_view v;
	bool shared;

	vma_lookup(s, addr, &v);
	if (v.end == 0 || v.start > addr)
		return -EFAULT;
	shared = v.flags & VMA_SHARED;
	/* Another name than the space's own, which private futexes use: as on Linux a private wake
	 * does not reach who waits without saying private. */
	*object = shared ? (uintptr_t)v.backing : (uintptr_t)s | 1;
	*offset = shared ? v.offset + (addr - v.start) : addr;
	return 0;
}

/* ---- what /proc shows ---- */

static void count_leaf(pte_t *pte, uintptr_t va, unsigned level, void *arg)
{
	uint64_t *n = arg;

	*n += level == 2 ? HUGE_SIZE >> PAGE_SHIFT : 1;
}

static int linux_flags(const struct vma *v)
{
	int f = v->flags & VMA_SHARED ? MAP_SHARED : MAP_PRIVATE;

	if (!v->backing)
		f |= MAP_ANONYMOUS;
	if (v->flags & VMA_GROWSDOWN)
		f |= MAP_GROWSDOWN;
	if (v->flags & VMA_NORESERVE)
		f |= MAP_NORESERVE;
	if (v->flags & VMA_LOCKED)
		f |= MAP_LOCKED;
	return f;
}

/* With the lock. What the backing says comes later. */
static void fill_info(struct vm_space *s, const struct vma *v, struct vm_area_info *out)
{
	memset(out, 0, offsetof(struct vm_area_info, name) + 1);
	out->start = v->start;
	out->end = v->end;
	out->prot = v->prot;
	out->flags = linux_flags(v);
	if (v->backing)
		out->offset = v->offset;
	if (v->name)
		str_copy(out->name, v->name, sizeof(out->name));
	else if (!v->backing && v->start < s->brk && v->end > s->brk_start)
		str_copy(out->name, "[heap]", sizeof(out->name));
}

static void count_resident(struct vm_space *s, struct vm_area_info *out)
{
	struct vm_change c = { .start = out->start, .end = out->end };

	space_lock(s);
	while (!change_enter(s, &c))
		;
	space_unlock(s);
	pagetable_for_each_leaf(&s->pt, c.start, c.end, count_leaf, &out->resident);
	space_lock(s);
	change_leave(s, &c);
}

/* Files are asked without the lock: their names have locks of their own. */
static void describe(struct vm_backing *b, struct vm_area_info *out)
{
	char name[sizeof(out->name)];

	if (b->ops->describe) {
		name[0] = '\0';
		b->ops->describe(b, name, sizeof(name), &out->device, &out->inode);
		if (!out->name[0])
			str_copy(out->name, name, sizeof(out->name));
	}
	b->ops->put(b);
}

int vm_area_next(struct vm_space *s, uintptr_t addr, bool count, struct vm_area_info *out)
{
	struct vm_backing *b = NULL;
	struct vma *v;

	space_lock(s);
	/* What an exclusive change has taken out and not replaced yet must not be missing. */
	while (v = vma_find(s, addr), change_excludes(s, addr, v ? v->end : USER_MAX))
		change_wait(s);
	if (v) {
		fill_info(s, v, out);
		b = v->backing;
		if (b)
			b->ops->get(b);
	}
	space_unlock(s);
	if (v && count)
		count_resident(s, out);
	if (b)
		describe(b, out);
	return v ? 0 : -ENOENT;
}

void vm_area_name(struct vm_space *s, uintptr_t addr, const char *name)
{
	char *copy = name && *name ? heap_strdup(name) : NULL;
	struct vma *v;

	space_lock(s);
	change_wait_exclusive(s, addr, addr + 1);
	v = vma_find(s, addr);
	if (v && v->start <= addr) {
		heap_free(v->name);
		v->name = copy;
		copy = NULL;
	}
	space_unlock(s);
	heap_free(copy);
}

void vm_stats(struct vm_space *s, struct vm_stats *out)
{
	uint64_t anon, file, faults = 0;

	sum_resident(s, &anon, &file);
	for (uint32_t n = 0; n < s->cpu_known; n++)
		faults += load_relaxed(&s->cpu[n].minor_faults);
	space_lock(s);
	*out = (struct vm_stats){
		.total = s->total,
		.peak = s->peak,
		.data = s->data,
		.stack = s->stack,
		.text = s->text,
		.shared = file,
		.resident = anon + file,
		.minor_faults = faults,
	};
	space_unlock(s);
	out->resident_peak = MAX(resident_peak(s), out->resident);
}
