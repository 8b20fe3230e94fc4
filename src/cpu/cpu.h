/* SPDX-License-Identifier: BSD-2-Clause */
/* Bringing a CPU into the state the kernel runs in. */
#pragma once

#include "lib/types.h"

enum cpu_feature {
	CPU_XSAVE = 1 << 0,
	CPU_XSAVEOPT = 1 << 1,
	CPU_FSGSBASE = 1 << 2,
	CPU_X2APIC = 1 << 3,
	CPU_TSC_DEADLINE = 1 << 4,
	CPU_RDRAND = 1 << 5,
	CPU_RDSEED = 1 << 6,
	CPU_RDTSCP = 1 << 7,
	CPU_1G_PAGES = 1 << 8,
	CPU_HYPERVISOR = 1 << 9,
	CPU_ERMS = 1 << 10,
	CPU_XGETBV1 = 1 << 11, /* XGETBV tells which states are in use */
};
/* Of the boot CPU; fixed after cpu_init_boot. Hypervisors offer the same on all. */
extern uint32_t cpu_features;
static inline bool cpu_has(enum cpu_feature f)
{
	return cpu_features & f;
}

/*
 * Per-CPU segments, interrupt table, control registers, syscall MSRs, FPU. Afterwards this_cpu()
 * works and an exception is reported. syscall_entry and trap_table come from entry/.
 */
void cpu_init_boot(const uintptr_t *trap_table, uintptr_t syscall_entry, uintptr_t kstack_top);
/* Another CPU: percpu_block is its zeroed copy of the per-CPU section (cpu_percpu_size() bytes). */
void cpu_init_secondary(uint32_t id, void *percpu_block, uintptr_t kstack_top);
size_t cpu_percpu_size(void);
