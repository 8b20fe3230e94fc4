/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What KVM offers a guest's scheduler and interrupts. A wake-up by kick is not lost: KVM keeps it
 * for a CPU that is not halted until that halts next, which then ends at once
 * (test/model/wakeup.pml has it). So the rule is that of the interrupt: push, then look whether the
 * CPU said it halts.
 */

#include "drivers/drivers.h"
#include "drivers/impl.h"
#include "drivers/kvm_plan.h"
#include "drivers/machine.h"
#include "cpu/apic.h"
#include "cpu/io.h"
#include "cpu/percpu.h"
#include "mem/page.h"
#include "sched/thread.h"

static struct kvm_plan plan; /* fixed after boot, like the rest; nothing unless on KVM */
static bool vmmcall;
static uint32_t *eoi_words; /* by CPU */
_Static_assert(MAX_CPUS * sizeof(uint32_t) <= PAGE_SIZE, "one page of them");

static long hypercall(unsigned long nr, unsigned long a0, unsigned long a1)
{
	long ret;

	if (vmmcall)
		__asm__ volatile("vmmcall" : "=a"(ret) : "a"(nr), "b"(a0), "c"(a1) : "memory");
	else
		__asm__ volatile("vmcall" : "=a"(ret) : "a"(nr), "b"(a0), "c"(a1) : "memory");
	return ret;
}

static void kick(uint32_t cpu)
{
	hypercall(KVM_HC_KICK_CPU, 0, cpu_of(cpu_locals, cpu)->apic_id);
}

void kvm_guest_init(void)
{
	struct page *page;
	struct cpuid r;

	if (hypervisor != HYPERVISOR_KVM || cpuid(CPUID_HYPERVISOR, 0).eax < CPUID_KVM_FEATURES)
		return;
	plan = kvm_plan(cpuid(CPUID_KVM_FEATURES, 0).eax, machine.cpu_count);
	r = cpuid(0, 0);
	vmmcall = kvm_has_vmmcall(r.ebx, r.ecx, r.edx);
	page = plan.eoi ? page_alloc_zeroed(0) : NULL;
	if (page)
		eoi_words = page_to_virt(page);
	if (plan.kick)
		sched_kick_halted = kick;
	kvm_guest_init_cpu();
}

void kvm_guest_init_cpu(void)
{
	uint32_t *word = eoi_words ? &eoi_words[cpu_id()] : NULL;

	if (plan.poll_control)
		wrmsr(MSR_KVM_POLL_CONTROL, 0);
	if (word) {
		apic_set_eoi_word(word);
		wrmsr(MSR_KVM_PV_EOI, virt_to_phys(word).raw | KVM_MSR_ENABLED);
	}
}
