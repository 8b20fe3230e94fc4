/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the loader's description to struct boot_info. Runs on the boot page tables, before memory
 * management: nothing here allocates, and what the loader left in memory is copied, not kept.
 */
#include "entry/entry.h"
#include "abi/bootparam.h"
#include "abi/pvh.h"
#include "cpu/boot_info.h"
#include "cpu/layout.h"
#include "diag/console.h"
#include "lib/string.h"

struct boot_info boot_info;

extern char __kernel_start[], __kernel_end[];

/* The boot tables map the first 4 GiB; whatever the loader put above is out of reach here. */
static const void *low(uint64_t pa, uint64_t len)
{
	if (!pa || pa >= GIB(4) || len > GIB(4) - pa)
		return NULL;
	return phys_to_virt(PADDR(pa));
}

static void add_range(uint64_t start, uint64_t size, bool usable)
{
	struct boot_range *r = &boot_info.range[boot_info.range_count];

	if (boot_info.range_count == BOOT_MAX_RANGES || !size || start + size < start)
		return;
	*r = (struct boot_range){ start, start + size, usable };
	boot_info.range_count++;
}

static void set_cmdline(uint64_t pa)
{
	const char *text = low(pa, 1);
	uint64_t room = GIB(4) - pa;

	if (!text)
		return;
	memcpy(boot_info.cmdline, text, strnlen(text, MIN(room, sizeof(boot_info.cmdline) - 1)));
}

static void set_initrd(uint64_t start, uint64_t size)
{
	if (!size || start + size < start)
		return;
	boot_info.initrd_start = start;
	boot_info.initrd_end = start + size;
}

static bool read_pvh(uintptr_t pa)
{
	const struct pvh_start_info *info = low(pa, sizeof(*info));
	const struct pvh_memmap_entry *map;
	const struct pvh_module *module;

	if (!info || info->magic != PVH_MAGIC)
		return false;
	boot_info.protocol = "pvh";
	boot_info.rsdp = info->rsdp;
	set_cmdline(info->cmdline);
	module = low(info->modules, sizeof(*module));
	if (info->module_count && module)
		set_initrd(module->address, module->size);
	map = info->version ? low(info->memmap, (uint64_t)info->memmap_count * sizeof(*map)) : NULL;
	for (uint32_t i = 0; map && i < info->memmap_count; i++)
		add_range(map[i].address, map[i].size, map[i].type == PVH_MEMMAP_RAM);
	return boot_info.range_count > 0;
}

static bool read_linux(uintptr_t pa)
{
	const struct boot_params *p = low(pa, sizeof(*p));

	if (!p || p->header_magic != BOOTPARAM_HEADER_MAGIC)
		return false;
	boot_info.protocol = "linux";
	boot_info.rsdp = p->rsdp;
	set_cmdline(p->cmdline | (uint64_t)p->ext_cmdline << 32);
	set_initrd(p->ramdisk_image | (uint64_t)p->ext_ramdisk_image << 32,
		p->ramdisk_size | (uint64_t)p->ext_ramdisk_size << 32);
	for (unsigned i = 0; i < p->e820_count && i < ARRAY_SIZE(p->e820); i++)
		add_range(p->e820[i].address, p->e820[i].size, p->e820[i].type == E820_RAM);
	return boot_info.range_count > 0;
}

static __noreturn void give_up(const char *why)
{
	console_write(why, strlen(why));
	for (;;)
		__asm__ volatile("cli; hlt");
}

void start_kernel(int protocol, uintptr_t info)
{
	bool understood = protocol == 0 ? read_pvh(info) : read_linux(info);

	console_init();
	if (!understood)
		give_up("skiff: the boot loader left no memory map that I can read\n");
	boot_info.kernel_start = (uintptr_t)__kernel_start - KERNEL_BASE;
	boot_info.kernel_end = (uintptr_t)__kernel_end - KERNEL_BASE;
	kernel_main();
}
