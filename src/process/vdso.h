/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the vDSO reads, in the order of the pages that lie in front of it: the clock's page
 * (sched/clock.h), then this one. Shared between the kernel and vdso/vdso.c.
 */
#pragma once

#include "lib/types.h"

#define VVAR_PAGES 2

struct vvar_cpu {
	uint32_t has_tsc_aux; /* RDTSCP gives CPU number and node << 12 */
};
