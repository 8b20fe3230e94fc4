/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine as its firmware describes it. Filled once by machine_init, then fixed. The parsers
 * (acpi.c, mptable.c) are pure: they see memory only through machine_map_firmware, and treat every
 * byte as hostile.
 */
#pragma once

#include "abi/acpi.h"
#include "cpu/percpu.h"
#include "lib/types.h"

#define MACHINE_MAX_IOAPICS 8
#define MACHINE_ISA_IRQS    16

struct machine_ioapic {
	uint64_t base;
	uint32_t gsi_base;
};
struct machine_isa_irq {
	uint32_t gsi;
	bool level, active_low;
};

struct machine {
	const char *source; /* who described it, for the log */
	unsigned cpu_count;
	uint32_t cpu_apic_id[MAX_CPUS];
	unsigned ioapic_count;
	struct machine_ioapic ioapic[MACHINE_MAX_IOAPICS];
	struct machine_isa_irq isa[MACHINE_ISA_IRQS];

	/* From ACPI only; 0 = absent. */
	bool acpi;
	uint32_t pm1a_control, pm1b_control; /* I/O ports */
	uint32_t smi_command;		     /* I/O port */
	uint8_t acpi_enable;
	uint32_t pm_timer; /* I/O port */
	bool pm_timer_32bit;
	uint8_t rtc_century;	       /* CMOS register */
	struct acpi_gas sleep_control; /* of hardware-reduced machines */
	struct acpi_gas reset;
	uint8_t reset_value;
	uint64_t dsdt;
	bool hardware_reduced;
	uint64_t ecam; /* of PCI segment 0, bus 0 */
	uint8_t ecam_last_bus;
};
extern struct machine machine;

/* [pa, pa+len) of firmware memory, readable; NULL if there is no such memory. */
const void *machine_map_firmware(uint64_t pa, size_t len);

/* Empty description with ISA interrupts 1:1. */
void machine_reset_description(struct machine *m);
/* Ignores duplicates and what does not fit. */
void machine_add_cpu(struct machine *m, uint32_t apic_id);
void machine_add_ioapic(struct machine *m, uint64_t base, uint32_t gsi_base);

/* Looks for the root pointer where a PC BIOS leaves it; 0: none. */
uint64_t acpi_find_rsdp(void);
/* 0, or -EINVAL if the tables are broken or no MADT names a CPU. */
int acpi_parse(struct machine *m, uint64_t rsdp);
/* The two SLP_TYP values of \_S5; -ENOENT. */
int acpi_find_s5(uint64_t dsdt, uint8_t *typ_a, uint8_t *typ_b);

/*
 * The next virtio-mmio device that the DSDT describes at or behind offset *at, which moves on;
 * -ENOENT: no more. *at starts at 0.
 */
struct acpi_virtio_mmio {
	uint32_t base, size, gsi;
};
int acpi_next_virtio_mmio(uint64_t dsdt, size_t *at, struct acpi_virtio_mmio *found);

/* 0, or -ENOENT: no valid MP table at the top of base memory, or in the BIOS segment. */
int mptable_parse_ebda(struct machine *m);
int mptable_parse_bios(struct machine *m);

/* Where an ISA interrupt arrives, as ioapic_route wants it. */
int machine_route_isa(unsigned irq, int vector);
