/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which of KVM's offers we take, from its feature word; pure, test/host/kvm_plan_test.c. By Linux
 * Documentation/virt/kvm/x86/cpuid.rst, msr.rst and hypercalls.rst.
 */
#pragma once

#include "abi/kvm.h"

struct kvm_plan {
	bool kick;	   /* a halted CPU is woken by KVM_HC_KICK_CPU instead of an interrupt */
	bool poll_control; /* tells the host not to poll for halted CPUs, as we do it ourselves */
	bool eoi;	   /* the end of an interrupt is a bit in memory, where the host says so */
};

/*
 * A kick saves the woken CPU an interrupt and its end. KVM withdraws PV_UNHALT where `hlt` does not
 * leave the guest, which a kick could not end. Alone in the machine a CPU does not poll (only
 * interrupts bring work), so the host may.
 */
static inline struct kvm_plan kvm_plan(uint32_t features, unsigned cpus)
{
	return (struct kvm_plan){
		.kick = cpus > 1 && features & KVM_FEATURE_PV_UNHALT,
		.poll_control = cpus > 1 && features & KVM_FEATURE_POLL_CONTROL,
		.eoi = features & KVM_FEATURE_PV_EOI,
	};
}

/* AMD's CPUs and Hygon's have vmmcall, the others vmcall. The registers of CPUID leaf 0. */
static inline bool kvm_has_vmmcall(uint32_t ebx, uint32_t ecx, uint32_t edx)
{
	return (ebx == 0x68747541 && edx == 0x69746e65 && ecx == 0x444d4163) || /* AuthenticAMD */
	       (ebx == 0x6f677948 && edx == 0x6e65476e && ecx == 0x656e6975);	/* HygonGenuine */
}
