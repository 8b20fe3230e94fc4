/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI: finding devices through configuration mechanism 1 (a handful of accesses at boot; ECAM would
 * need a mapping and saves nothing), and giving memory BARs an address where firmware did not:
 * qboot leaves that to the kernel and is a hundred times shorter than a BIOS that does not.
 */
#include "drivers/pci.h"
#include "drivers/drivers.h"
#include "drivers/machine.h"
#include "abi/errno.h"
#include "abi/virtio.h"
#include "cpu/apic.h"
#include "cpu/boot_info.h"
#include "cpu/io.h"
#include "diag/log.h"
#include "lib/bug.h"
#include "mem/heap.h"
#include "mem/pagetable.h"

#define CONFIG_ADDRESS	 0xcf8
#define CONFIG_DATA	 0xcfc
#define CONFIG_ENABLE	 0x80000000u
#define MAX_CAPABILITIES 48
#define MAX_BUS_DEPTH	 8
#define SLOTS		 32
#define FUNCTIONS	 8
/* Free for devices on every PC we know: below the I/O APIC, above RAM and ECAM. */
#define BAR_WINDOW_START 0xe0000000ull
#define BAR_WINDOW_END	 0xfe800000ull

static uint64_t bar_next = BAR_WINDOW_START; /* for BARs without an address */

static void select(const struct pci_device *d, unsigned reg)
{
	outl(CONFIG_ADDRESS, CONFIG_ENABLE | (uint32_t)d->bus << 16 | d->slot << 11 |
				     d->function << 8 | (reg & 0xfc));
}
uint32_t pci_read32(const struct pci_device *d, unsigned reg)
{
	select(d, reg);
	return inl(CONFIG_DATA);
}
uint16_t pci_read16(const struct pci_device *d, unsigned reg)
{
	select(d, reg);
	return inw(CONFIG_DATA + (reg & 2));
}
uint8_t pci_read8(const struct pci_device *d, unsigned reg)
{
	select(d, reg);
	return inb(CONFIG_DATA + (reg & 3));
}
void pci_write16(const struct pci_device *d, unsigned reg, uint16_t v)
{
	select(d, reg);
	outw(CONFIG_DATA + (reg & 2), v);
}
void pci_write32(const struct pci_device *d, unsigned reg, uint32_t v)
{
	select(d, reg);
	outl(CONFIG_DATA, v);
}

unsigned pci_find_capability(const struct pci_device *d, uint8_t kind, unsigned after)
{
	unsigned at;

	if (!(pci_read16(d, PCI_STATUS) & PCI_STATUS_CAPABILITIES))
		return 0;
	at = pci_read8(d, after ? after + 1 : PCI_CAPABILITIES) & 0xfc;
	/* The list is the device's word: it may loop. */
	for (int i = 0; at >= 0x40 && i < MAX_CAPABILITIES; i++) {
		if (pci_read8(d, at) == kind)
			return at;
		at = pci_read8(d, at + 1) & 0xfc;
	}
	return 0;
}

/* Firmware's tables, RAM and ECAM are not to be covered. */
static bool window_is_free(uint64_t start, uint64_t end)
{
	uint64_t ecam_end = machine.ecam + (machine.ecam_last_bus + 1ull) * MIB(1);

	if (machine.ecam && start < ecam_end && machine.ecam < end)
		return false;
	for (unsigned i = 0; i < boot_info.range_count; i++)
		if (start < boot_info.range[i].end && boot_info.range[i].start < end)
			return false;
	return true;
}

static uint64_t assign_address(uint64_t size)
{
	uint64_t start = ALIGN_UP(bar_next, size);

	while (start + size <= BAR_WINDOW_END) {
		if (window_is_free(start, start + size)) {
			bar_next = start + size;
			return start;
		}
		start += MAX(size, MIB(1));
		start = ALIGN_UP(start, size);
	}
	return 0;
}

/* Decoding is off. Returns how many BAR registers it took. */
static unsigned read_bar(struct pci_device *d, unsigned n)
{
	unsigned reg = PCI_BAR0 + 4 * n;
	uint32_t lo = pci_read32(d, reg), hi = 0, mask_lo, mask_hi = 0xffffffff;
	bool wide = !(lo & PCI_BAR_IO) && (lo & PCI_BAR_TYPE_MASK) == PCI_BAR_TYPE_64 &&
		    n + 1 < PCI_BARS;
	struct pci_bar *bar = &d->bars[n];

	pci_write32(d, reg, 0xffffffff);
	mask_lo = pci_read32(d, reg);
	pci_write32(d, reg, lo);
	if (wide) {
		hi = pci_read32(d, reg + 4);
		pci_write32(d, reg + 4, 0xffffffff);
		mask_hi = pci_read32(d, reg + 4);
		pci_write32(d, reg + 4, hi);
	}
	if ((lo & PCI_BAR_IO) || (mask_lo & ~0xfu) == 0)
		return wide ? 2 : 1;
	bar->memory = true;
	bar->base = (uint64_t)hi << 32 | (lo & ~0xfu);
	bar->size = ~((uint64_t)mask_hi << 32 | (mask_lo & ~0xfu)) + 1;
	if (bar->base == 0 && bar->size <= BAR_WINDOW_END - BAR_WINDOW_START) {
		bar->base = assign_address(MAX(bar->size, (uint64_t)PAGE_SIZE));
		pci_write32(d, reg, bar->base | (lo & 0xf));
		if (wide)
			pci_write32(d, reg + 4, bar->base >> 32);
	}
	return wide ? 2 : 1;
}

static void read_bars(struct pci_device *d)
{
	uint16_t command = pci_read16(d, PCI_COMMAND);

	pci_write16(d, PCI_COMMAND, command & ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
	for (unsigned n = 0; n < PCI_BARS;)
		n += read_bar(d, n);
	pci_write16(d, PCI_COMMAND, command);
}

volatile uint8_t *pci_map(struct pci_device *d, unsigned n, uint64_t offset, uint64_t len)
{
	struct pci_bar *bar;

	if (n >= PCI_BARS)
		return NULL;
	bar = &d->bars[n];
	if (!bar->memory || bar->base == 0 || offset > bar->size || len > bar->size - offset ||
		bar->size > MIB(64))
		return NULL;
	if (!bar->regs)
		bar->regs = map_device(PADDR(bar->base), bar->size);
	return bar->regs ? bar->regs + offset : NULL;
}

void pci_enable(struct pci_device *d)
{
	pci_write16(d, PCI_COMMAND,
		pci_read16(d, PCI_COMMAND) | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

int pci_msix_enable(struct pci_device *d)
{
	unsigned cap = pci_find_capability(d, PCI_CAP_MSIX, 0);
	uint16_t control;
	uint32_t where;

	if (!cap)
		return -ENODEV;
	control = pci_read16(d, cap + MSIX_CONTROL);
	where = pci_read32(d, cap + MSIX_TABLE);
	d->msix_entries = (control & MSIX_CONTROL_SIZE) + 1;
	d->msix_table = pci_map(d, where & 7, where & ~7u, d->msix_entries * MSIX_ENTRY_SIZE);
	if (!d->msix_table)
		return -ENODEV;
	pci_write16(d, cap + MSIX_CONTROL,
		(control | MSIX_CONTROL_ENABLE) & (uint16_t)~MSIX_CONTROL_MASK_ALL);
	pci_write16(d, PCI_COMMAND, pci_read16(d, PCI_COMMAND) | PCI_COMMAND_INTX_DISABLE);
	return 0;
}

int pci_msix_add(struct pci_device *d, uint32_t cpu, irq_handler_fn *fn, void *arg)
{
	volatile uint8_t *entry;
	uint64_t address;
	int vector;

	if (d->msix_used == d->msix_entries)
		return -ENOSPC;
	vector = irq_vector_alloc(fn, arg);
	if (vector < 0)
		return vector;
	entry = d->msix_table + d->msix_used * MSIX_ENTRY_SIZE;
	address = apic_msi_address(cpu);
	mmio_write32(entry + MSIX_ENTRY_ADDRESS, address);
	mmio_write32(entry + MSIX_ENTRY_ADDRESS_HIGH, address >> 32);
	mmio_write32(entry + MSIX_ENTRY_DATA, apic_msi_data(vector));
	mmio_write32(entry + MSIX_ENTRY_CONTROL, 0);
	return d->msix_used++;
}

/* Masked meanwhile (PCI 3.0, 6.8.3.5): an interrupt of that time waits in the pending bits. */
void pci_msix_set_cpu(struct pci_device *d, unsigned index, uint32_t cpu)
{
	volatile uint8_t *entry = d->msix_table + index * MSIX_ENTRY_SIZE;
	uint64_t address = apic_msi_address(cpu);

	mmio_write32(entry + MSIX_ENTRY_CONTROL, MSIX_ENTRY_CONTROL_MASKED);
	mmio_write32(entry + MSIX_ENTRY_ADDRESS, address);
	mmio_write32(entry + MSIX_ENTRY_ADDRESS_HIGH, address >> 32);
	mmio_write32(entry + MSIX_ENTRY_CONTROL, 0);
}

/* Devices whose line is the same I/O APIC pin share one vector. */
#define MAX_INTX 16
static struct intx_line {
	unsigned irq, count;
	struct {
		irq_handler_fn *fn;
		void *arg;
	} handlers[MAX_INTX];
} intx_lines[4];

static void intx_interrupt(void *arg)
{
	struct intx_line *line = arg;
	unsigned n = __atomic_load_n(&line->count, __ATOMIC_ACQUIRE);

	for (unsigned i = 0; i < n; i++)
		line->handlers[i].fn(line->handlers[i].arg);
}

int pci_intx_route(struct pci_device *d, irq_handler_fn *fn, void *arg)
{
	unsigned irq = pci_read8(d, PCI_INTERRUPT_LINE);
	struct intx_line *line = NULL;
	int vector;

	if (pci_read8(d, PCI_INTERRUPT_PIN) == 0 || irq == 0 || irq >= 24)
		return -ENODEV;
	for (unsigned i = 0; i < ARRAY_SIZE(intx_lines) && !line; i++)
		if (intx_lines[i].count == 0 || intx_lines[i].irq == irq)
			line = &intx_lines[i];
	if (!line || line->count == MAX_INTX)
		return -ENOSPC;
	line->handlers[line->count].fn = fn;
	line->handlers[line->count].arg = arg;
	__atomic_store_n(&line->count, line->count + 1, __ATOMIC_RELEASE);
	if (line->count > 1)
		return 0;
	line->irq = irq;
	vector = irq_vector_alloc(intx_interrupt, line);
	if (vector < 0)
		return vector;
	/* The router's outputs are active high on the pins that ISA interrupts could have. */
	return ioapic_route(irq, vector, true, irq >= 16);
}

static void add_device(const struct pci_device *found)
{
	struct pci_device *d;

	if (found->vendor != VIRTIO_PCI_VENDOR || found->device < VIRTIO_PCI_DEVICE_LEGACY ||
		found->device > VIRTIO_PCI_DEVICE_LAST)
		return;
	d = heap_alloc_zeroed(sizeof(*d));
	if (!d)
		return;
	*d = *found;
	read_bars(d);
	virtio_pci_add(d);
}

static void scan_bus(uint8_t bus, unsigned depth);

/* Returns whether there is a device; *multi: it has further functions. */
static bool scan_function(uint8_t bus, uint8_t slot, uint8_t function, unsigned depth, bool *multi)
{
	struct pci_device d = { .bus = bus, .slot = slot, .function = function };
	uint32_t id = pci_read32(&d, PCI_VENDOR);
	uint8_t header;

	if ((id & 0xffff) == PCI_VENDOR_NONE || id == 0)
		return false;
	d.vendor = id;
	d.device = id >> 16;
	header = pci_read8(&d, PCI_HEADER_TYPE);
	*multi = header & PCI_HEADER_MULTI;
	if ((header & ~PCI_HEADER_MULTI) == PCI_HEADER_BRIDGE &&
		pci_read16(&d, PCI_CLASS) == PCI_CLASS_BRIDGE_PCI) {
		uint8_t below = pci_read8(&d, PCI_SECONDARY_BUS);

		if (below > bus && depth < MAX_BUS_DEPTH)
			scan_bus(below, depth + 1);
	} else if ((header & ~PCI_HEADER_MULTI) == 0) {
		add_device(&d);
	}
	return true;
}

static void scan_bus(uint8_t bus, unsigned depth)
{
	bool multi, ignored;

	for (unsigned slot = 0; slot < SLOTS; slot++) {
		if (!scan_function(bus, slot, 0, depth, &multi) || !multi)
			continue;
		for (unsigned f = 1; f < FUNCTIONS; f++)
			scan_function(bus, slot, f, depth, &ignored);
	}
}

void pci_init(void)
{
	/* No host bridge, no bus: microvm costs two port accesses here. */
	outl(CONFIG_ADDRESS, CONFIG_ENABLE);
	if (inl(CONFIG_ADDRESS) != CONFIG_ENABLE)
		return;
	scan_bus(0, 0);
}
