/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtual memory, from the bottom:
 *
 *   0000000000001000 - 00007ffffffff000   the program's
 *   ffff800000000000 - ffffbfffffffffff   PHYSMAP: all of physical memory, and device registers
 *   ffffc00000000000 - ffffc0ffffffffff   KSTACKS: kernel stacks, each with a guard page below
 *   ffffffff80000000 - ffffffffbfffffff   the kernel image, linked at image + its physical address
 */
#pragma once

#include "lib/types.h"

#define USER_MIN     0x1000ul
#define USER_MAX     0x00007ffffffff000ul
#define PHYSMAP_BASE 0xffff800000000000ul
#define KSTACKS_BASE 0xffffc00000000000ul
#define KERNEL_BASE  0xffffffff80000000ul

#define KSTACK_SIZE 16384ul

#ifndef SKIFF_HOST
static inline void *phys_to_virt(paddr_t pa)
{
	return (void *)(pa.raw + PHYSMAP_BASE);
}
/* For PHYSMAP addresses only. */
static inline paddr_t virt_to_phys(const void *va)
{
	return PADDR((uintptr_t)va - PHYSMAP_BASE);
}
/* For addresses inside the kernel image. */
static inline paddr_t image_to_phys(const void *va)
{
	return PADDR((uintptr_t)va - KERNEL_BASE);
}
#else
/* Host tests give physical memory a place of their own. */
extern char *host_physmap;
static inline void *phys_to_virt(paddr_t pa)
{
	return host_physmap + pa.raw;
}
static inline paddr_t virt_to_phys(const void *va)
{
	return PADDR((uintptr_t)((const char *)va - host_physmap));
}
#endif
