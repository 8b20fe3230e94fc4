/* SPDX-License-Identifier: BSD-2-Clause */
/* What the boot loader told us, whichever protocol it spoke. Filled by entry/start.c, then fixed.
 */
#pragma once

#include "lib/types.h"

#define BOOT_MAX_RANGES 64

struct boot_range {
	uint64_t start, end; /* physical, half-open */
	bool usable;	     /* ordinary RAM */
};

struct boot_info {
	struct boot_range range[BOOT_MAX_RANGES];
	unsigned range_count;
	uint64_t initrd_start, initrd_end; /* root image; equal when there is none */
	uint64_t rsdp;			   /* ACPI root pointer, 0 = search for it */
	uint64_t kernel_start, kernel_end; /* physical */
	char cmdline[8192];
	const char *protocol; /* "pvh" or "linux" */
};

extern struct boot_info boot_info;
