/* SPDX-License-Identifier: BSD-2-Clause */
/* The Linux "zero page" (Documentation/arch/x86/zero-page.rst), as far as it is read here. */
#pragma once

#include <stdint.h>

#define BOOTPARAM_HEADER_MAGIC 0x53726448 /* "HdrS" */
#define E820_RAM	       1

struct boot_e820_entry {
	uint64_t address, size;
	uint32_t type;
} __attribute__((packed));

struct boot_params {
	uint8_t pad0[0x70];
	uint64_t rsdp; /* 0x70 */
	uint8_t pad1[0xc0 - 0x78];
	uint32_t ext_ramdisk_image, ext_ramdisk_size, ext_cmdline; /* 0xc0 */
	uint8_t pad2[0x1e8 - 0xcc];
	uint8_t e820_count; /* 0x1e8 */
	uint8_t pad3[0x202 - 0x1e9];
	uint32_t header_magic; /* 0x202 */
	uint8_t pad4[0x218 - 0x206];
	uint32_t ramdisk_image, ramdisk_size; /* 0x218 */
	uint8_t pad5[0x228 - 0x220];
	uint32_t cmdline; /* 0x228 */
	uint8_t pad6[0x2d0 - 0x22c];
	struct boot_e820_entry e820[128]; /* 0x2d0 */
} __attribute__((packed));

_Static_assert(__builtin_offsetof(struct boot_params, ext_ramdisk_image) == 0xc0, "zero page");
_Static_assert(__builtin_offsetof(struct boot_params, e820_count) == 0x1e8, "zero page");
_Static_assert(__builtin_offsetof(struct boot_params, ramdisk_image) == 0x218, "zero page");
_Static_assert(__builtin_offsetof(struct boot_params, cmdline) == 0x228, "zero page");
_Static_assert(__builtin_offsetof(struct boot_params, e820) == 0x2d0, "zero page");
