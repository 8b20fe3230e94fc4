/* SPDX-License-Identifier: BSD-2-Clause */
/* Local APIC (x2APIC where offered, else memory-mapped) and I/O APIC. */
#pragma once

#include "lib/types.h"

/* How registers are mapped; set by entry/ before apic_init_cpu, as page tables lie above this
 * folder. */
extern volatile void *(*apic_map)(paddr_t base, size_t len);

/* Once on the boot CPU, then on each other CPU. */
void apic_init_cpu(void);
uint32_t apic_id(void);
void apic_eoi(void);
/* This CPU's word for paravirtual ends of interrupts (abi/kvm.h); it stays. */
void apic_set_eoi_word(uint32_t *word);
void apic_send_ipi(uint32_t cpu, int vector);
/* INIT-SIPI to an APIC id; the CPU starts in real mode at start_page << 12. */
void apic_start_cpu(uint32_t apic_id, uint8_t start_page);

/*
 * One-shot timer of this CPU: IRQ_VECTOR_TIMER after ns nanoseconds from now (0 = as soon as
 * possible). Arming again replaces. May fire early when the timer's range is shorter than ns; the
 * handler looks at the clock.
 */
void apic_timer_arm(uint64_t ns);
void apic_timer_stop(void);
/* Timer frequency after division, Hz; TSC frequency enables TSC-deadline mode where offered. */
void apic_timer_set_frequency(uint64_t hz);
void apic_timer_set_tsc_frequency(uint64_t hz);
/* Raw down-counter for calibration; started at its maximum by apic_timer_start_counting. */
void apic_timer_start_counting(void);
uint32_t apic_timer_count(void);

/* I/O APICs as the machine description says (ACPI MADT, MP table, or the default address). */
void ioapic_add(paddr_t base, uint32_t gsi_base);
/* Routes a global system interrupt to a vector on CPU 0. -ENODEV if no I/O APIC covers it. */
int ioapic_route(uint32_t gsi, int vector, bool level, bool active_low);

/* MSI address/data pair that raises vector on cpu. */
uint64_t apic_msi_address(uint32_t cpu);
uint32_t apic_msi_data(int vector);
