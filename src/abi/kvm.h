/* SPDX-License-Identifier: BSD-2-Clause */
/* What hypervisors tell a guest: CPUID leaves from 0x40000000, KVM's clocks, MSRs, hypercalls. */
#pragma once

#include "lib/types.h"

#define CPUID_HYPERVISOR	0x40000000u /* eax: highest leaf; ebx ecx edx: signature */
#define CPUID_KVM_FEATURES	0x40000001u
#define CPUID_HYPERVISOR_TIMING 0x40000010u /* eax: TSC kHz, ebx: local APIC timer kHz */

#define KVM_FEATURE_CLOCKSOURCE2	   (1u << 3)
#define KVM_FEATURE_PV_EOI		   (1u << 6)
#define KVM_FEATURE_PV_UNHALT		   (1u << 7)
#define KVM_FEATURE_POLL_CONTROL	   (1u << 12)
#define KVM_FEATURE_CLOCKSOURCE_STABLE_BIT (1u << 24)

#define MSR_KVM_WALL_CLOCK_NEW	0x4b564d00u
#define MSR_KVM_SYSTEM_TIME_NEW 0x4b564d01u /* bit 0: enable */
/* Address of a word of this CPU, | KVM_MSR_ENABLED: where bit 0 is set no end of interrupt is due.
 */
#define MSR_KVM_PV_EOI	     0x4b564d04u
#define KVM_MSR_ENABLED	     1u
#define MSR_KVM_POLL_CONTROL 0x4b564d05u /* 1 (at first): the host polls before it blocks us */

/* nr in rax, then rbx, rcx; by vmcall or vmmcall */
#define KVM_HC_KICK_CPU 5 /* flags (0), APIC id: ends its halt, this one or the next */

/* Written by the hypervisor for one CPU; version is odd while it writes. */
struct pvclock_time {
	uint32_t version;
	uint32_t pad0;
	uint64_t tsc_timestamp;
	uint64_t system_time; /* ns at tsc_timestamp */
	uint32_t tsc_to_system_mul;
	int8_t tsc_shift;
	uint8_t flags;
	uint8_t pad[2];
};
_Static_assert(sizeof(struct pvclock_time) == 32, "pvclock is 32 bytes");
#define PVCLOCK_TSC_STABLE 1u

struct pvclock_wall_clock {
	uint32_t version;
	uint32_t sec, nsec; /* since 1970, when system_time was 0 */
};
