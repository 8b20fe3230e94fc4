/* SPDX-License-Identifier: BSD-2-Clause */
/* Which CPUs and interrupt controllers there are: ACPI, else the MP table, else QEMU's fw_cfg. */
#include "drivers/machine.h"
#include "drivers/drivers.h"
#include "drivers/impl.h"
#include "abi/errno.h"
#include "abi/fwcfg.h"
#include "abi/kvm.h"
#include "cpu/apic.h"
#include "cpu/boot_info.h"
#include "cpu/io.h"
#include "cpu/layout.h"
#include "diag/crash.h"
#include "diag/log.h"
#include "lib/string.h"
#include "mem/pagetable.h"

#define IOAPIC_DEFAULT_BASE 0xfec00000ul

struct machine machine;
enum hypervisor hypervisor;

void machine_reset_description(struct machine *m)
{
	memset(m, 0, sizeof(*m));
	for (unsigned i = 0; i < MACHINE_ISA_IRQS; i++)
		m->isa[i].gsi = i;
}

void machine_add_cpu(struct machine *m, uint32_t apic_id)
{
	for (unsigned i = 0; i < m->cpu_count; i++)
		if (m->cpu_apic_id[i] == apic_id)
			return;
	if (m->cpu_count < MAX_CPUS)
		m->cpu_apic_id[m->cpu_count++] = apic_id;
}

void machine_add_ioapic(struct machine *m, uint64_t base, uint32_t gsi_base)
{
	if (base && m->ioapic_count < MACHINE_MAX_IOAPICS)
		m->ioapic[m->ioapic_count++] = (struct machine_ioapic){ base, gsi_base };
}

const void *machine_map_firmware(uint64_t pa, size_t len)
{
	if (pa + len < pa || pa + len > 1ul << 46)
		return NULL;
	if (pa + len <= MIB(1)) /* always mapped */
		return phys_to_virt(PADDR(pa));
	for (unsigned i = 0; i < boot_info.range_count; i++) {
		const struct boot_range *r = &boot_info.range[i];

		/* RAM is mapped, and so are the reserved ranges below 4 GiB. */
		if (pa >= r->start && pa + len <= r->end && (r->usable || r->end <= GIB(4)))
			return phys_to_virt(PADDR(pa));
	}
	return (const void *)map_device(PADDR(pa), len);
}

static enum hypervisor detect_hypervisor(void)
{
	char name[13] = { 0 };
	struct cpuid r = cpuid(1, 0);

	if (!(r.ecx & 1u << 31))
		return HYPERVISOR_NONE;
	r = cpuid(CPUID_HYPERVISOR, 0);
	memcpy(name, &r.ebx, 4);
	memcpy(name + 4, &r.ecx, 4);
	memcpy(name + 8, &r.edx, 4);
	if (strcmp(name, "TCGTCGTCGTCG") == 0)
		return HYPERVISOR_TCG;
	if (strcmp(name, "KVMKVMKVM") == 0)
		return HYPERVISOR_KVM;
	return HYPERVISOR_OTHER;
}

static uint32_t fwcfg_read(uint16_t key, unsigned bytes)
{
	uint32_t v = 0;

	outw(FWCFG_PORT_SELECT, key);
	for (unsigned i = 0; i < bytes; i++)
		v |= (uint32_t)inb(FWCFG_PORT_DATA) << 8 * i;
	return v;
}

/* CPUs are numbered from 0 there: right for QEMU without an odd -smp topology. */
static int parse_fwcfg(struct machine *m)
{
	unsigned n;

	if (hypervisor != HYPERVISOR_TCG && hypervisor != HYPERVISOR_KVM)
		return -ENOENT;
	if (fwcfg_read(FWCFG_SIGNATURE, 4) != 0x554d4551) /* "QEMU" */
		return -ENOENT;
	n = fwcfg_read(FWCFG_CPU_COUNT, 2);
	if (n == 0 || n > MAX_CPUS)
		return -ENOENT;
	machine_reset_description(m);
	m->source = "fw_cfg";
	for (unsigned i = 0; i < n; i++)
		machine_add_cpu(m, i);
	return 0;
}

/* The CPU we run on first, whatever order the tables have; it exists even if they forgot it. */
static void put_boot_cpu_first(struct machine *m)
{
	uint32_t self = apic_id();

	machine_add_cpu(m, self);
	for (unsigned i = 1; i < m->cpu_count; i++) {
		if (m->cpu_apic_id[i] == self) {
			m->cpu_apic_id[i] = m->cpu_apic_id[0];
			m->cpu_apic_id[0] = self;
		}
	}
}

/*
 * Boot protocols pass the ACPI root pointer on where there is one. Without it a valid MP table in
 * its usual place is believed before all of BIOS memory is searched for ACPI.
 */
static void find_description(uint64_t rsdp)
{
	if (rsdp && acpi_parse(&machine, rsdp) == 0)
		return;
	if (mptable_parse_ebda(&machine) == 0)
		return;
	rsdp = acpi_find_rsdp();
	if (rsdp && acpi_parse(&machine, rsdp) == 0)
		return;
	if (mptable_parse_bios(&machine) == 0 || parse_fwcfg(&machine) == 0)
		return;
	machine_reset_description(&machine);
	machine.source = "nobody";
}

void machine_init(const struct boot_info *boot)
{
	hypervisor = detect_hypervisor();
	find_description(boot->rsdp);
	put_boot_cpu_first(&machine);
	if (machine.ioapic_count == 0)
		machine_add_ioapic(&machine, IOAPIC_DEFAULT_BASE, 0);
	for (unsigned i = 0; i < machine.ioapic_count; i++)
		ioapic_add(PADDR(machine.ioapic[i].base), machine.ioapic[i].gsi_base);
	crash_power_off = machine_power_off;
	log_info("machine: described by %s, %u CPUs, %u I/O APICs", machine.source,
		machine.cpu_count, machine.ioapic_count);
}

unsigned machine_cpus(uint32_t *apic_ids, unsigned max)
{
	unsigned n = MIN(machine.cpu_count, max);

	memcpy(apic_ids, machine.cpu_apic_id, n * sizeof(*apic_ids));
	return n;
}

unsigned machine_cpu_count(void)
{
	return machine.cpu_count;
}

int machine_route_isa(unsigned irq, int vector)
{
	const struct machine_isa_irq *r = &machine.isa[irq];

	if (irq >= MACHINE_ISA_IRQS)
		return ioapic_route(irq, vector, false, false);
	return ioapic_route(r->gsi, vector, r->level, r->active_low);
}
