/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's half of every address space: PHYSMAP, the kernel image, device registers. Built once
 * at boot; later only map_device and the kernel stacks add to it, by CAS.
 *
 * PHYSMAP is writable and never executable. The image is executable only in its text, which is
 * read-only, in its PHYSMAP alias too, once pagetable_seal_kernel has run.
 */

#include "abi/errno.h"
#include "cpu/barrier.h"
#include "cpu/boot_info.h"
#include "cpu/io.h"
#include "cpu/irqflags.h"
#include "lib/bug.h"
#include "mem/impl.h"
#include "mem/page.h"
#include "mem/pagetable.h"

#define GIGA_SIZE GIB(1)
#define EFER	  0xc0000080u
#define EFER_NXE  (1ull << 11)
#define CR0_WP	  (1ull << 16)
#define CR4_PGE	  (1ull << 7)

/* From the linker script, page aligned. */
extern char __text_start[], __text_end[], __rodata_start[], __rodata_end[], __kernel_end[];

struct pagetable kernel_pagetable;
static bool have_giga; /* 1 GiB leaves */

/* Accessed and dirty are set beforehand: the CPU need not write into tables for them. */
#define KERNEL_BITS (PTE_PRESENT | PTE_GLOBAL | PTE_ACCESSED)
#define RW_BITS	    (KERNEL_BITS | PTE_WRITE | PTE_DIRTY | PTE_NX)

static uintptr_t physmap(uint64_t pa)
{
	return (uintptr_t)phys_to_virt(PADDR(pa));
}

static pte_t *entry_or_die(uintptr_t va, unsigned level)
{
	pte_t *e = pagetable_walk(&kernel_pagetable, va, level, true);

	if (!e)
		BUG("no memory for the kernel's page tables");
	return e;
}

/* [start, end): 2 MiB aligned physical memory. Overlaps are mapped once. */
static void map_physical(uint64_t start, uint64_t end)
{
	while (start < end) {
		bool giga = have_giga && IS_ALIGNED(start, GIGA_SIZE) && end - start >= GIGA_SIZE;
		uint64_t size = giga ? GIGA_SIZE : HUGE_SIZE;
		unsigned level;

		if (!pagetable_leaf(&kernel_pagetable, physmap(start), &level))
			*entry_or_die(physmap(start), giga ? 3 : 2) = start | RW_BITS | PTE_HUGE;
		start += size;
	}
}

/* Tables that firmware left below 4 GiB (ACPI) are in ranges that are not usable. */
static void map_firmware(const struct boot_info *boot)
{
	for (unsigned i = 0; i < boot->range_count && i < BOOT_MAX_RANGES; i++) {
		const struct boot_range *r = &boot->range[i];

		if (r->start < r->end && r->end <= GIB(4))
			for (uint64_t at = ALIGN_DOWN(r->start, HUGE_SIZE); at < r->end;
				at += HUGE_SIZE)
				map_physical(at, at + HUGE_SIZE);
	}
	map_physical(0, HUGE_SIZE);
}

static void map_image(const struct boot_info *boot)
{
	uintptr_t start = ALIGN_DOWN(boot->kernel_start, PAGE_SIZE) + KERNEL_BASE;

	for (uintptr_t va = start; va < (uintptr_t)__kernel_end; va += PAGE_SIZE) {
		bool text = va >= (uintptr_t)__text_start && va < (uintptr_t)__text_end;
		pte_t bits = text ? RW_BITS & ~PTE_NX : RW_BITS;

		*entry_or_die(va, 1) = image_to_phys((void *)va).raw | bits;
	}
}

void pagetable_init_kernel(const struct boot_info *boot)
{
	struct page *root = page_alloc_zeroed(0);
	uint64_t start, end;

	BUG_ON(!root);
	kernel_pagetable.root = page_to_phys(root);
	have_giga = cpuid(0x80000000, 0).eax >= 0x80000001 && (cpuid(0x80000001, 0).edx & 1u << 26);
	wrmsr(EFER, rdmsr(EFER) | EFER_NXE);
	write_cr0(read_cr0() | CR0_WP);

	for (unsigned i = 0; page_region(i, &start, &end); i++)
		map_physical(start, end);
	map_firmware(boot);
	map_image(boot);
	/* Roots copy the top level when they are made: the part that stacks use must be there. */
	entry_or_die(KSTACKS_BASE, 3);

	write_cr3(kernel_pagetable.root.raw);
	write_cr4(read_cr4() | CR4_PGE);
	page_open_high_memory();
}

/* The level-1 entry of a PHYSMAP or image address, with large leaves above it split. */
static pte_t *small_entry(uintptr_t va)
{
	unsigned level;
	pte_t *e;

	for (;;) {
		e = pagetable_leaf(&kernel_pagetable, va, &level);
		if (!e)
			return pagetable_walk(&kernel_pagetable, va, 1, true);
		if (level == 1)
			return e;
		if (pagetable_split_entry(e, level, NULL) < 0)
			return NULL;
		invlpg(va);
	}
}

volatile void *map_device(paddr_t base, size_t len)
{
	uint64_t start = ALIGN_DOWN(base.raw, PAGE_SIZE), end = ALIGN_UP(base.raw + len, PAGE_SIZE);

	if (end < start || end > 1ull << 46)
		return NULL;
	/* A root made before a new top-level entry would miss it. */
	for (uint64_t pa = start; pagetable_roots_made && pa < end; pa += GIGA_SIZE)
		if (!pagetable_walk(&kernel_pagetable, physmap(pa), 3, false))
			return NULL;
	for (uint64_t pa = start; pa < end;) {
		bool huge = IS_ALIGNED(pa, HUGE_SIZE) && end - pa >= HUGE_SIZE;
		pte_t bits = pa | RW_BITS | PTE_PCD | PTE_PWT;
		unsigned level;
		pte_t *e = NULL;

		if (huge && !pagetable_leaf(&kernel_pagetable, physmap(pa), &level)) {
			e = pagetable_walk(&kernel_pagetable, physmap(pa), 2, true);
			if (e && (load_acquire(e) & PTE_PRESENT)) /* a table stands there */
				e = NULL;
			else
				bits |= PTE_HUGE;
		}
		if (!e) {
			huge = false;
			bits = pa | RW_BITS | PTE_PCD | PTE_PWT;
			e = small_entry(physmap(pa));
			if (!e)
				return NULL;
		}
		atomic_xchg(e, bits);
		invlpg(physmap(pa));
		pa += huge ? HUGE_SIZE : PAGE_SIZE;
	}
	return phys_to_virt(base);
}

/* Sets the permissions of an image range, and forbids writing through its PHYSMAP alias. */
static void seal_range(char *start, char *end, bool executable)
{
	for (char *p = start; p < end; p += PAGE_SIZE) {
		paddr_t pa = image_to_phys(p);
		pte_t *image = pagetable_walk(&kernel_pagetable, (uintptr_t)p, 1, false);
		pte_t *alias = small_entry(physmap(pa.raw));

		BUG_ON(!image || !alias);
		atomic_xchg(image, pa.raw | KERNEL_BITS | (executable ? 0 : PTE_NX));
		atomic_xchg(alias, pa.raw | KERNEL_BITS | PTE_NX);
		invlpg((uintptr_t)p);
		invlpg(physmap(pa.raw));
	}
}

void pagetable_seal_kernel(void)
{
	seal_range(__text_start, __text_end, true);
	seal_range(__rodata_start, __rodata_end, false);
}
