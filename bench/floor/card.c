/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The card of the floor guest: found by configuration mechanism 1, on bus 0, given addresses where
 * the firmware did not (qboot does not), started with two queues and no offloads.
 */
#include "abi/pci.h"
#include "cpu/io.h"
#include "floor.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define CONFIG_ENABLE  0x80000000u
#define BAR_WINDOW     0xe0000000u /* above RAM and ECAM, below the I/O APIC */
#define MSI_ADDRESS    0xfee00000u /* the CPU whose APIC has number 0: the one that boots */
#define CARD	       (VIRTIO_PCI_VENDOR | (VIRTIO_PCI_DEVICE_MODERN + VIRTIO_ID_NET) << 16)
#define FEATURES       (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_NET_F_MAC)

static unsigned slot;
static uint32_t bar[PCI_BARS];
static volatile uint8_t *common, *notify, *config;
static uint32_t notify_multiplier;

/* Not across a multiple of 4; the bytes behind what was asked for are to be ignored. */
static uint32_t pci_read(unsigned reg)
{
	outl(CONFIG_ADDRESS, CONFIG_ENABLE | slot << 11 | (reg & 0xfc));
	return inl(CONFIG_DATA) >> 8 * (reg & 3);
}

static void pci_write(unsigned reg, uint32_t v)
{
	outl(CONFIG_ADDRESS, CONFIG_ENABLE | slot << 11 | reg);
	outl(CONFIG_DATA, v);
}

static void find_card(void)
{
	for (slot = 0; slot < 32; slot++)
		if (pci_read(PCI_VENDOR) == CARD)
			return;
	die("no modern virtio network card on bus 0");
}

static void give_addresses(void)
{
	uint32_t next = BAR_WINDOW;

	for (unsigned n = 0; n < PCI_BARS; n++) {
		unsigned reg = PCI_BAR0 + 4 * n;
		uint32_t was = pci_read(reg), size;
		bool wide = (was & PCI_BAR_TYPE_MASK) == PCI_BAR_TYPE_64;

		if (was & PCI_BAR_IO)
			continue;
		pci_write(reg, 0xffffffff);
		size = -(pci_read(reg) & ~0xfu);
		bar[n] = was & ~0xfu;
		if (size && !bar[n]) {
			bar[n] = ALIGN_UP(next, size);
			next = bar[n] + size;
		}
		pci_write(reg, bar[n]);
		if (wide && pci_read(PCI_BAR0 + 4 * ++n))
			die("the card is above 4 GiB");
	}
	pci_write(PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
}

static volatile uint8_t *structure(unsigned cap)
{
	return (volatile uint8_t *)(bar[pci_read(cap + VIRTIO_PCI_CAP_BAR) & 7] +
				    pci_read(cap + VIRTIO_PCI_CAP_OFFSET));
}

/* Entry 0 of its table, which the receive queue gets. */
static void start_msix(unsigned cap)
{
	uint32_t where = pci_read(cap + MSIX_TABLE);
	volatile uint8_t *entry = (volatile uint8_t *)(bar[where & 7] + (where & ~7u));

	mmio_write32(entry + MSIX_ENTRY_ADDRESS, MSI_ADDRESS);
	mmio_write32(entry + MSIX_ENTRY_ADDRESS_HIGH, 0);
	mmio_write32(entry + MSIX_ENTRY_DATA, CARD_VECTOR);
	mmio_write32(entry + MSIX_ENTRY_CONTROL, 0);
	pci_write(cap, pci_read(cap) | MSIX_CONTROL_ENABLE << 16);
}

static void read_capabilities(void)
{
	bool msix = false;

	for (unsigned cap = pci_read(PCI_CAPABILITIES) & 0xfc; cap;
		cap = pci_read(cap + 1) & 0xfc) {
		uint8_t kind = pci_read(cap), type = pci_read(cap + VIRTIO_PCI_CAP_TYPE);

		if (kind == PCI_CAP_MSIX) {
			start_msix(cap);
			msix = true;
		} else if (kind != PCI_CAP_VENDOR) {
			continue;
		} else if (type == VIRTIO_PCI_CAP_COMMON) {
			common = structure(cap);
		} else if (type == VIRTIO_PCI_CAP_DEVICE) {
			config = structure(cap);
		} else if (type == VIRTIO_PCI_CAP_NOTIFY) {
			notify = structure(cap);
			notify_multiplier = pci_read(cap + VIRTIO_PCI_CAP_NOTIFY_MULTIPLIER);
		}
	}
	if (!msix || !common || !config || !notify)
		die("the card lacks MSI-X or a structure");
}

static void negotiate(void)
{
	volatile uint8_t *status = common + VIRTIO_PCI_DEVICE_STATUS;

	*status = 0;
	while (*status)
		cpu_pause();
	*status = VIRTIO_STATUS_ACKNOWLEDGE;
	*status = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER;
	for (unsigned i = 0; i < 2; i++) {
		mmio_write32(common + VIRTIO_PCI_DRIVER_FEATURE_SELECT, i);
		mmio_write32(common + VIRTIO_PCI_DRIVER_FEATURE, FEATURES >> 32 * i);
	}
	*status = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK;
	if (!(*status & VIRTIO_STATUS_FEATURES_OK))
		die("the card lacks a feature");
}

static void start_queue(struct queue *q, unsigned index, unsigned vector, uint16_t desc_flags)
{
	const void *ring[] = { q->desc, &q->avail, &q->used };

	for (unsigned i = 0; i < QUEUE_SIZE; i++)
		q->desc[i] = (struct vring_desc){ (uintptr_t)&buffers[i], sizeof(buffers[i]),
			desc_flags, 0 };
	q->index = index;
	q->avail.used_event = 0xffff; /* no interrupts */
	mmio_write16(common + VIRTIO_PCI_QUEUE_SELECT, index);
	if (mmio_read16(common + VIRTIO_PCI_QUEUE_SIZE) < QUEUE_SIZE)
		die("the card's queues are too short");
	q->notify = notify + notify_multiplier * mmio_read16(common + VIRTIO_PCI_QUEUE_NOTIFY_OFF);
	mmio_write16(common + VIRTIO_PCI_QUEUE_SIZE, QUEUE_SIZE);
	mmio_write16(common + VIRTIO_PCI_QUEUE_MSIX_VECTOR, vector);
	for (unsigned i = 0; i < 3; i++) {
		mmio_write32(common + VIRTIO_PCI_QUEUE_DESC + 8 * i, (uintptr_t)ring[i]);
		mmio_write32(common + VIRTIO_PCI_QUEUE_DESC + 8 * i + 4, 0);
	}
	mmio_write16(common + VIRTIO_PCI_QUEUE_ENABLE, 1);
}

void card_start(uint8_t mac[6])
{
	find_card();
	give_addresses();
	read_capabilities();
	negotiate();
	for (unsigned i = 0; i < 6; i++)
		mac[i] = config[VIRTIO_NET_CONFIG_MAC + i];
	start_queue(&rx, VIRTIO_NET_QUEUE_RX(0), 0, VRING_DESC_WRITE);
	start_queue(&tx, VIRTIO_NET_QUEUE_TX(0), VIRTIO_PCI_NO_VECTOR, 0);
	common[VIRTIO_PCI_DEVICE_STATUS] = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER |
					   VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK;
}
