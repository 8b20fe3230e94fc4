/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Puts the vDSO into a program: [vvar], the pages it reads, and right behind them [vdso], the
 * shared object that is built from vdso/ and lies in the kernel's image (vdso_image.S). Behind it
 * comes the page of gates (entry/gates.S), if entry/ has given one.
 */

#include "process/impl.h"
#include "abi/errno.h"
#include "abi/mman.h"
#include "cpu/cpu.h"
#include "cpu/layout.h"
#include "lib/format.h"
#include "process/vdso.h"
#include "sched/clock.h"

extern char vdso_image_start[], vdso_image_end[]; /* page aligned */

static union {
	struct vvar_cpu cpu;
	char page[PAGE_SIZE];
} vvar_cpu_page __aligned(PAGE_SIZE);

const void *process_gates_page;

static size_t object_size(void)
{
	return ALIGN_UP((size_t)(vdso_image_end - vdso_image_start), PAGE_SIZE);
}

static size_t vdso_size(void)
{
	return object_size() + (process_gates_page ? PAGE_SIZE : 0);
}

static int vdso_get_page(struct vm_backing *b, uint64_t index, bool write, struct page **out)
{
	const char *at;

	if (write || index >= VVAR_PAGES + vdso_size() / PAGE_SIZE)
		return -EFAULT;
	if (index == 0)
		at = clock_vdso_page.page;
	else if (index == 1)
		at = vvar_cpu_page.page;
	else if (index - VVAR_PAGES < object_size() / PAGE_SIZE)
		at = vdso_image_start + (index - VVAR_PAGES) * PAGE_SIZE;
	else
		at = process_gates_page;
	*out = phys_to_page(image_to_phys(at));
	if (!*out)
		return -EIO;
	page_get(*out);
	return 0;
}

static void vdso_no_reference(struct vm_backing *b)
{
}

static const struct vm_backing_ops vdso_ops = {
	.get_page = vdso_get_page,
	.get = vdso_no_reference, /* it is there for good */
	.put = vdso_no_reference,
};
static struct vm_backing vdso_backing;

intptr_t vdso_map(struct vm_space *s, uintptr_t *gates)
{
	size_t vvar = VVAR_PAGES * PAGE_SIZE;
	intptr_t at, err;

	if (!vdso_backing.ops) {
		vm_backing_init(&vdso_backing, &vdso_ops);
		vvar_cpu_page.cpu.has_tsc_aux = cpu_has(CPU_RDTSCP);
	}
	at = vm_mmap(s, 0, vvar + vdso_size(), PROT_READ, MAP_PRIVATE, &vdso_backing, 0, PROT_READ);
	if (at < 0)
		return at;
	err = vm_mmap(s, at + vvar, vdso_size(), PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED,
		&vdso_backing, vvar, PROT_READ | PROT_WRITE | PROT_EXEC);
	if (err < 0)
		return err;
	vm_area_name(s, at, "[vvar]");
	vm_area_name(s, at + vvar, "[vdso]");
	*gates = process_gates_page ? at + vvar + object_size() : 0;
	return at + vvar;
}
