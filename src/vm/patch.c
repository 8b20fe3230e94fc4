/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Patched call sites: `mov $nr,%eax; syscall` whose mov has become a jump to a stub that enters the
 * kernel without a trap (entry/syscall.S). doc/traps.md has the argument; in short:
 *
 *  1. The page is replaced by a patched copy with one store to its leaf, so a CPU fetches the old
 *     five bytes or the new ones. The syscall instruction stays: who jumps to it finds it.
 *  2. A thread that is interrupted inside a stub goes on at that syscall instruction
 *     (vm_patch_leave, first thing in every trap). So only a CPU that has not been interrupted
 *     since can be in a stub.
 *  3. Hence a shoot-down of the patched page, which interrupts every CPU that runs the program, is
 *     a grace period: its stubs are free when it returns.
 *  4. Whoever changes areas or their pages has a change for the range (impl.h) and undoes the
 * patches there first: vm_patch_undo. None is made there meanwhile, as vm_patch_site enters a
 * change for its page, or gives up.
 *
 * Who has nothing to do with patches pays next to nothing: a trap looks at a few bits of RIP
 * (vm_maybe_stub), a change of areas searches a short sorted list.
 */

#include "diag/counter.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "vm/impl.h"

#define MAX_STUB_PAGES	  4u
#define MAX_PATCHED_PAGES 64u
#define STUBS		  (PAGE_SIZE / sizeof(struct stub))
#define NEAR		  GIB(1)   /* of what rel32 reaches: stubs are no farther away */
#define APART		  MIB(512) /* room below a program for what it maps there itself */
#define SITE_SIZE	  7
#define SYSCALL_SIZE	  2
#define SITE_PROT	  (PROT_READ | PROT_EXEC)

COUNTER(patch_made);
COUNTER(patch_undone);

/* What the program executes; its nr and return address are read back from here. */
struct stub {
	uint8_t mov; /* mov $nr,%eax */
	uint32_t nr;
	uint8_t lea[3]; /* lea after(%rip),%rcx: as syscall leaves it */
	int32_t after;	/* from after_base */
	uint8_t cli;
	uint8_t jmp[2]; /* jmp *entry(%rip) */
	int32_t entry_distance;
	uint8_t pad[5];
	uint64_t entry;
} __packed;
_Static_assert(sizeof(struct stub) == 32 && offsetof(struct stub, entry) == 24, "stub");
#define AFTER_BASE offsetof(struct stub, cli)
#define ENTRY_BASE offsetof(struct stub, pad)

struct stub_page {
	uintptr_t base; /* atomic; 0: none, or the program has unmapped it */
	struct page *page;
	uint64_t used[STUBS / 64];
};

struct patched_page {
	uintptr_t va;
	struct stub_page *stubs; /* of all its sites */
};

/* Guarded by space->patch_lock, except what is said to be atomic. Goes with the space. */
struct vm_patches {
	struct stub_page stubs[MAX_STUB_PAGES];
	struct patched_page page[MAX_PATCHED_PAGES]; /* ascending */
	unsigned pages;
};

/* The first patched page at or above va; all->pages: none. */
static unsigned first_page(const struct vm_patches *all, uintptr_t va)
{
	unsigned low = 0, high = all->pages;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (all->page[mid].va < va)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct stub *stub_at(const struct stub_page *p, unsigned i)
{
	return (struct stub *)page_to_virt(p->page) + i;
}

static uintptr_t stub_after(const struct stub_page *p, unsigned i)
{
	return p->base + i * sizeof(struct stub) + AFTER_BASE + (intptr_t)stub_at(p, i)->after;
}

bool vm_patch_leave(struct vm_space *s, uintptr_t rip, uintptr_t *site, uint32_t *nr)
{
	struct vm_patches *all = load_acquire(&s->patches);

	if (!all)
		return false;
	for (unsigned i = 0; i < MAX_STUB_PAGES; i++) {
		struct stub_page *p = &all->stubs[i];
		uintptr_t base = load_acquire(&p->base);

		if (!base || rip - base >= PAGE_SIZE)
			continue;
		rip = (rip - base) / sizeof(struct stub);
		if (stub_at(p, rip)->mov == 0) /* the program's own idea to jump there */
			return false;
		*nr = stub_at(p, rip)->nr;
		*site = stub_after(p, rip) - SYSCALL_SIZE;
		return true;
	}
	return false;
}

/* ---- undo ---- */

static void free_stubs(struct stub_page *p, uintptr_t va)
{
	for (unsigned i = 0; i < STUBS; i++)
		if ((p->used[i / 64] >> i % 64 & 1) &&
			ALIGN_DOWN(stub_after(p, i) - 1, PAGE_SIZE) == va) {
			p->used[i / 64] &= ~(1ull << i % 64);
			counter_inc(patch_undone);
		}
}

/*
 * It may be outside of the caller's change, if the caller takes its stubs away. Nobody else works
 * on the page: who has a change there has undone it, or will, and waits for patch_lock.
 */
static void undo_page(struct vm_space *s, unsigned n)
{
	struct vm_patches *all = s->patches;
	uintptr_t va = all->page[n].va;
	struct vm_gather g;
	bool flushed;

	gather_init(&g, s);
	g.from = va; /* S11 */
	g.to = va + PAGE_SIZE;
	zap_range(&g, va, va + PAGE_SIZE); /* the next fault brings the file's page back */
	flushed = g.start < g.end;
	gather_finish(&g);
	if (!flushed) /* the leaf was PROT_NONE by now: 3 above */
		tlb_flush(s, va, va + PAGE_SIZE);
	free_stubs(all->page[n].stubs, va);
	all->pages--;
	memmove(&all->page[n], &all->page[n + 1], (all->pages - n) * sizeof(all->page[0]));
}

static void drop_stub_page(struct vm_space *s, struct stub_page *p)
{
	struct vm_patches *all = s->patches;

	for (unsigned n = all->pages; n-- > 0;)
		if (all->page[n].stubs == p)
			undo_page(s, n);
	store_release(&p->base, 0);
	page_put(p->page);
	p->page = NULL;
}

void vm_patch_undo_range(struct vm_space *s, uintptr_t start, uintptr_t end)
{
	struct vm_patches *all = s->patches;
	unsigned n;

	mutex_lock(&s->patch_lock);
	n = first_page(all, start);
	while (n < all->pages && all->page[n].va < end)
		undo_page(s, n);
	/* Most ranges have no room for a stub page. */
	for (unsigned i = 0; unlikely(ALIGN_UP(start, VM_STUB_ALIGN) < end) && i < MAX_STUB_PAGES;
		i++) {
		uintptr_t base = all->stubs[i].base;

		if (base && base < end && base >= start)
			drop_stub_page(s, &all->stubs[i]);
	}
	mutex_unlock(&s->patch_lock);
}

void vm_patch_destroy(struct vm_space *s)
{
	heap_free(s->patches); /* vm_space_clear has undone all */
}

/* ---- make ---- */

/* What is to be patched. The file stays, as the change for the page keeps the area. */
struct site {
	struct vm_space *s;
	struct vm_backing *backing;
	uintptr_t at;
	uint32_t nr;
	uint64_t entry;
};

static bool map_stub_page(struct vm_space *s, struct stub_page *p, uintptr_t site)
{
	uintptr_t low = site > NEAR ? site - NEAR : MMAP_MIN_ADDR;
	uintptr_t high = site > APART + MMAP_MIN_ADDR + PAGE_SIZE ? site - APART : site, at;
	struct vma like = {
		.prot = PROT_READ | PROT_EXEC,
		.max_prot = PROT_READ | PROT_EXEC,
		.space = s,
		.name = (char *)"[skiff]",
	};
	struct page *page = page_alloc_zeroed(0);
	pte_t *e = NULL;

	if (!page)
		return false;
	space_lock(s);
	at = vma_find_gap(s, PAGE_SIZE, VM_STUB_ALIGN, MAX(ALIGN_UP(low, PAGE_SIZE), 0x10000ul),
		ALIGN_DOWN(high, PAGE_SIZE));
	if (at && !change_at(s, at, at + PAGE_SIZE) && vm_may_grow(s, &like, 1))
		e = pagetable_walk(&s->pt, at, 1, true);
	like.start = at;
	like.end = at + PAGE_SIZE;
	if (!e || vma_add(s, &like)) { /* an empty table stays for the next mapping there */
		space_unlock(s);
		page_put(page);
		return false;
	}
	page_get(page); /* one for the leaf, one for p */
	p->page = page;
	/* Before the area can be seen: no fault is faster. */
	(void)atomic_xchg(e, page_to_phys(page).raw | leaf_bits(like.prot) | PTE_SW_ANON);
	count(&vm_cpu(s)->anon, 1);
	store_release(&p->base, at);
	space_unlock(s);
	return true;
}

static int free_stub(const struct stub_page *p)
{
	for (unsigned i = 0; i < STUBS / 64; i++)
		if (~p->used[i])
			return i * 64 + __builtin_ctzll(~p->used[i]);
	return -ENOSPC;
}

static bool is_near(uintptr_t base, uintptr_t site)
{
	return base && (base < site ? site - base : base - site) <= NEAR + PAGE_SIZE;
}

/* 'must': the page's other sites are with this one. */
static struct stub_page *choose_stubs(struct vm_space *s, uintptr_t site, struct stub_page *must)
{
	struct vm_patches *all = s->patches;

	if (must)
		return free_stub(must) >= 0 ? must : NULL;
	for (unsigned i = 0; i < MAX_STUB_PAGES; i++)
		if (is_near(all->stubs[i].base, site) && free_stub(&all->stubs[i]) >= 0)
			return &all->stubs[i];
	for (unsigned i = 0; i < MAX_STUB_PAGES; i++)
		if (!all->stubs[i].base)
			return map_stub_page(s, &all->stubs[i], site) ? &all->stubs[i] : NULL;
	return NULL;
}

/* The address of the stub. */
static uintptr_t write_stub(
	struct stub_page *p, unsigned i, uintptr_t site, uint32_t nr, uint64_t entry)
{
	uintptr_t at = p->base + i * sizeof(struct stub);

	*stub_at(p, i) = (struct stub){
		.mov = 0xb8,
		.nr = nr,
		.lea = { 0x48, 0x8d, 0x0d },
		.after = (int32_t)(site + SITE_SIZE - (at + AFTER_BASE)),
		.cli = 0xfa,
		.jmp = { 0xff, 0x25 },
		.entry_distance = (int32_t)(offsetof(struct stub, entry) - ENTRY_BASE),
		.pad = { 0xcc, 0xcc, 0xcc, 0xcc, 0xcc },
		.entry = entry,
	};
	return at;
}

/*
 * Is that really this mov? The caller has seen nr in rax at the syscall; what is left are longer
 * instructions that end like it: a prefix of another register (41 b8), or b8 as a displacement
 * behind a ModRM or SIB byte. Bytes before it that could be one of these refuse a few sites more.
 */
bool vm_patch_site_ok(const uint8_t *at, uint32_t nr)
{
	uint32_t value;

	memcpy(&value, at + 1, sizeof(value));
	return at[0] == 0xb8 && value == nr && at[5] == 0x0f && at[6] == 0x05 &&
	       (at[-1] & 0xc0) != 0x40 && (at[-2] & 0xc7) != 0x44;
}

/* The copy with the jump in it takes the leaf's place; -EAGAIN: that is not old any more. */
static int switch_page(const struct site *p, pte_t *e, pte_t old, uintptr_t stub)
{
	pte_t expect, mask = ~(pte_t)(PTE_ACCESSED | PTE_TRACK);
	struct page *from = leaf_page(old), *page = page_alloc(0);
	int32_t distance = (int32_t)(stub - (p->at + 5));
	uint8_t *jump;
	bool same;

	if (!page)
		return -ENOMEM;
	jump = (uint8_t *)page_to_virt(page) + p->at % PAGE_SIZE;
	/* With this lock vm_backing_unmap does not free what is being copied. */
	mutex_lock(&p->backing->lock);
	expect = load_acquire(e);
	same = !((expect ^ old) & mask);
	if (same) {
		page_copy(page, from, 0);
		same = vm_patch_site_ok(jump, p->nr);
		jump[0] = 0xe9;
		memcpy(jump + 1, &distance, sizeof(distance));
	}
	while (same && !atomic_cas(e, &expect,
			       page_to_phys(page).raw | leaf_bits(SITE_PROT) | PTE_SW_ANON |
				       (expect & PTE_TRACK)))
		same = !((expect ^ old) & mask);
	mutex_unlock(&p->backing->lock);
	if (!same) {
		page_put(page);
		return -EAGAIN;
	}
	if (!(old & PTE_SW_ANON)) {
		count(&vm_cpu(p->s)->anon, 1);
		count(&vm_cpu(p->s)->file, -1);
	}
	tlb_flush(p->s, ALIGN_DOWN(p->at, PAGE_SIZE), ALIGN_DOWN(p->at, PAGE_SIZE) + PAGE_SIZE);
	page_put(from);
	return 0;
}

static int patch_locked(const struct site *p)
{
	struct vm_space *s = p->s;
	uintptr_t va = ALIGN_DOWN(p->at, PAGE_SIZE);
	struct vm_patches *all = s->patches;
	struct stub_page *stubs, *must = NULL;
	unsigned n = first_page(all, va);
	int i, err;
	pte_t *e, old;

	e = pagetable_walk(&s->pt, va, 1, false);
	old = e ? load_acquire(e) : 0;
	if (!(old & PTE_PRESENT))
		return -EAGAIN;
	if (n < all->pages && all->page[n].va == va)
		must = all->page[n].stubs;
	/* A private copy that is not ours has been written once: hands off. */
	if ((old & PTE_WRITE) ||
		(!must && ((old & PTE_SW_ANON) || all->pages == MAX_PATCHED_PAGES)))
		return -EPERM;
	if (!vm_patch_site_ok((uint8_t *)page_to_virt(leaf_page(old)) + p->at % PAGE_SIZE, p->nr))
		return -EPERM;
	stubs = choose_stubs(s, p->at, must);
	if (!stubs)
		return -ENOMEM;
	i = free_stub(stubs);
	err = switch_page(p, e, old, write_stub(stubs, i, p->at, p->nr, p->entry));
	if (err)
		return err;
	stubs->used[i / 64] |= 1ull << i % 64;
	if (!must) {
		memmove(&all->page[n + 1], &all->page[n], (all->pages - n) * sizeof(all->page[0]));
		all->page[n] = (struct patched_page){ va, stubs };
		all->pages++;
	}
	counter_inc(patch_made);
	return 0;
}

/* With the lock. The file of which that is a site, or NULL. */
static struct vm_backing *site_backing(struct vm_space *s, uintptr_t site)
{
	struct vma *v = vma_find(s, site);

	if (!v || v->start > site || v->name || (v->flags & VMA_SHARED) || v->prot != SITE_PROT ||
		site % PAGE_SIZE < 2 || site % PAGE_SIZE > PAGE_SIZE - SITE_SIZE)
		return NULL;
	return v->backing;
}

int vm_patch_site(struct vm_space *s, uintptr_t site, uint32_t nr, uint64_t entry)
{
	uintptr_t va = ALIGN_DOWN(site, PAGE_SIZE);
	struct vm_change c = { .start = va, .end = va + PAGE_SIZE };
	struct site p = { .s = s, .at = site, .nr = nr, .entry = entry };
	int err = 0;

	space_lock(s);
	if (change_at(s, va, va + PAGE_SIZE)) /* whoever that is may wait for patch_lock */
		err = -EAGAIN;
	else if (!(p.backing = site_backing(s, site)))
		err = -EPERM;
	if (err || !change_enter(s, &c)) {
		space_unlock(s);
		return err ? err : -EAGAIN;
	}
	space_unlock(s);
	mutex_lock(&s->patch_lock);
	if (!s->patches)
		store_release(&s->patches, heap_alloc_zeroed(sizeof(*s->patches)));
	err = s->patches ? patch_locked(&p) : -ENOMEM;
	mutex_unlock(&s->patch_lock);
	space_lock(s);
	change_leave(s, &c);
	return err;
}
