/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI devices: configuration space, memory BARs, MSI-X and INTx. Boot only, thread context. */
#pragma once

#include "abi/pci.h"
#include "cpu/irq.h"
#include "lib/types.h"

struct pci_bar {
	uint64_t base, size; /* size 0: absent */
	bool memory;
	volatile uint8_t *regs; /* mapped on first use */
};

struct pci_device {
	uint8_t bus, slot, function;
	uint16_t vendor, device;
	struct pci_bar bars[PCI_BARS];
	volatile uint8_t *msix_table; /* NULL: not enabled */
	unsigned msix_entries, msix_used;
};

uint8_t pci_read8(const struct pci_device *d, unsigned reg);
uint16_t pci_read16(const struct pci_device *d, unsigned reg);
uint32_t pci_read32(const struct pci_device *d, unsigned reg);
void pci_write16(const struct pci_device *d, unsigned reg, uint16_t v);
void pci_write32(const struct pci_device *d, unsigned reg, uint32_t v);

/* The first capability of that kind behind 'after' (0: from the start); 0: none. */
unsigned pci_find_capability(const struct pci_device *d, uint8_t kind, unsigned after);
/* Registers [offset, offset+len) of a memory BAR; NULL if they are not all there. */
volatile uint8_t *pci_map(struct pci_device *d, unsigned bar, uint64_t offset, uint64_t len);
void pci_enable(struct pci_device *d); /* memory decoding and bus mastering */

/* All vectors off until given out. -ENODEV: the device has no MSI-X. */
int pci_msix_enable(struct pci_device *d);
/* A table entry that runs fn(arg) on a CPU; returns its index, or -ENOSPC. */
int pci_msix_add(struct pci_device *d, uint32_t cpu, irq_handler_fn *fn, void *arg);
void pci_msix_set_cpu(struct pci_device *d, unsigned index, uint32_t cpu);
/* The INTx line as firmware routed it, level-triggered; fn must silence the device. */
int pci_intx_route(struct pci_device *d, irq_handler_fn *fn, void *arg);

/* virtio_pci.c */
void virtio_pci_add(struct pci_device *d);
