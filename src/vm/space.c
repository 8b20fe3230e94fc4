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

struct vm_space *vm_space_create(void)
{
	struct vm_space *s = heap_alloc_zeroed(sizeof(*s));

	if (!s)
		return NULL;
	if (pagetable_create(&s->pt) < 0) {
		heap_free(s);
		return NULL;
	}
	phys_to_page(s->pt.root)->private = (uintptr_t)s;
	s->refcount = 1;
	rwlock_init(&s->lock);
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
	write_lock(&s->lock);
	if (vm_unmap_locked(s, 0, 1ul << 47)) /* the whole half: no bound that could need memory */
		BUG("cannot unmap everything");
	s->brk = s->brk_start = 0;
	write_unlock(&s->lock);
}

void vm_space_put(struct vm_space *s)
{
	if (atomic_sub(&s->refcount, 1) != 1)
		return;
	vm_space_clear(s);
	tlb_leave(s);
	vm_patch_destroy(s);
	pagetable_destroy(&s->pt);
	heap_free(s);
}

uint64_t vm_space_root(const struct vm_space *s)
{
	return s->pt.root.raw;
}

struct vm_space *vm_current(void)
{
	uint64_t root = thread_current()->page_root;

	return root ? (struct vm_space *)phys_to_page(PADDR(root))->private : NULL;
}

void vm_set_current(struct vm_space *s)
{
	thread_set_root(s ? vm_space_root(s) : 0);
}

void vm_set_limits(struct vm_space *s, uint64_t as, uint64_t data, uint64_t stack)
{
	write_lock(&s->lock);
	s->limit_as = as;
	s->limit_data = data;
	s->limit_stack = stack;
	if (!s->areas.root) /* exec: before anything is placed */
		set_mmap_top(s);
	write_unlock(&s->lock);
}

int vm_object_key(struct vm_space *s, uintptr_t addr, uint64_t *object, uint64_t *offset)
{
	struct vma *v;
	int err = -EFAULT;

	read_lock(&s->lock);
	v = vma_find(s, addr);
	if (v && v->start <= addr) {
		bool shared = v->flags & VMA_SHARED;

		/* Another name than the space's own, which private futexes use: as on Linux a
		 * private wake does not reach who waits without saying private. */
		*object = shared ? (uintptr_t)v->backing : (uintptr_t)s | 1;
		*offset = shared ? v->offset + (addr - v->start) : addr;
		err = 0;
	}
	read_unlock(&s->lock);
	return err;
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

static void fill_info(struct vm_space *s, const struct vma *v, bool count, struct vm_area_info *out)
{
	memset(out, 0, offsetof(struct vm_area_info, name) + 1);
	out->start = v->start;
	out->end = v->end;
	out->prot = v->prot;
	out->flags = linux_flags(v);
	if (v->backing)
		out->offset = v->offset;
	if (count)
		pagetable_for_each_leaf(&s->pt, v->start, v->end, count_leaf, &out->resident);
	if (v->backing && v->backing->ops->describe)
		v->backing->ops->describe(
			v->backing, out->name, sizeof(out->name), &out->device, &out->inode);
	if (v->name)
		str_copy(out->name, v->name, sizeof(out->name));
	else if (!v->backing && v->start < s->brk && v->end > s->brk_start)
		str_copy(out->name, "[heap]", sizeof(out->name));
}

int vm_area_next(struct vm_space *s, uintptr_t addr, bool count_resident, struct vm_area_info *out)
{
	struct vma *v;

	read_lock(&s->lock);
	v = vma_find(s, addr);
	if (v)
		fill_info(s, v, count_resident, out);
	read_unlock(&s->lock);
	return v ? 0 : -ENOENT;
}

void vm_area_name(struct vm_space *s, uintptr_t addr, const char *name)
{
	char *copy = name && *name ? heap_strdup(name) : NULL;
	struct vma *v;

	write_lock(&s->lock);
	v = vma_find(s, addr);
	if (v && v->start <= addr) {
		heap_free(v->name);
		v->name = copy;
		copy = NULL;
	}
	write_unlock(&s->lock);
	heap_free(copy);
}

void vm_stats(struct vm_space *s, struct vm_stats *out)
{
	read_lock(&s->lock);
	*out = (struct vm_stats){
		.total = s->total,
		.peak = s->peak,
		.data = s->data,
		.stack = s->stack,
		.text = s->text,
		.shared = load_relaxed(&s->resident_file),
		.resident = load_relaxed(&s->resident_anon) + load_relaxed(&s->resident_file),
		.resident_peak = load_relaxed(&s->resident_peak),
		.minor_faults = load_relaxed(&s->minor_faults),
		.major_faults = load_relaxed(&s->major_faults),
	};
	read_unlock(&s->lock);
	out->resident_peak = MAX(out->resident_peak, out->resident);
}
