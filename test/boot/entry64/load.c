/* SPDX-License-Identifier: BSD-2-Clause */
/* Puts the kernel's segments where they belong and tells it by boot_params what PVH told us. */
#include "abi/bootparam.h"
#include "abi/elf.h"
#include "abi/pvh.h"

extern const unsigned char kernel_image[];
extern struct boot_params zero_page;

unsigned long load(const struct pvh_start_info *info);

static void copy(void *to, const void *from, unsigned long len)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(len) : : "memory");
}

static void clear(void *to, unsigned long len)
{
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(len) : "a"(0) : "memory");
}

unsigned long load(const struct pvh_start_info *info)
{
	const struct elf64_ehdr *e = (const void *)kernel_image;
	const struct elf64_phdr *p = (const void *)(kernel_image + e->e_phoff);
	const struct pvh_module *module = (const void *)info->modules;
	const struct pvh_memmap_entry *map = (const void *)info->memmap;

	for (int i = 0; i < e->e_phnum; i++) {
		if (p[i].p_type != PT_LOAD)
			continue;
		copy((void *)p[i].p_paddr, kernel_image + p[i].p_offset, p[i].p_filesz);
		clear((void *)(p[i].p_paddr + p[i].p_filesz), p[i].p_memsz - p[i].p_filesz);
	}
	zero_page.header_magic = BOOTPARAM_HEADER_MAGIC;
	zero_page.rsdp = info->rsdp;
	zero_page.cmdline = info->cmdline;
	if (info->module_count) {
		zero_page.ramdisk_image = module->address;
		zero_page.ramdisk_size = module->size;
	}
	for (unsigned i = 0; i < info->memmap_count && i < 128; i++) {
		zero_page.e820[i].address = map[i].address;
		zero_page.e820[i].size = map[i].size;
		zero_page.e820[i].type = map[i].type;
		zero_page.e820_count = i + 1;
	}
	return e->e_entry;
}
