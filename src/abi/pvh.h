/* SPDX-License-Identifier: BSD-2-Clause */
/* PVH boot: xen/include/public/arch-x86/hvm/start_info.h describes the layout. */
#pragma once

#include <stdint.h>

#define PVH_MAGIC      0x336ec578
#define PVH_NOTE_TYPE  18 /* XEN_ELFNOTE_PHYS32_ENTRY */
#define PVH_MEMMAP_RAM 1

struct pvh_start_info {
	uint32_t magic, version, flags, module_count;
	uint64_t modules, cmdline, rsdp;
	uint64_t memmap; /* from version 1 */
	uint32_t memmap_count, reserved;
};
struct pvh_module {
	uint64_t address, size, cmdline, reserved;
};
struct pvh_memmap_entry {
	uint64_t address, size;
	uint32_t type, reserved;
};
