/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio over memory-mapped registers, versions 1 (legacy, QEMU's default) and 2. Devices are named
 * on the command line, as Linux does it: virtio_mmio.device=SIZE@BASE:IRQ[:ID], or in the DSDT.
 */
#include "drivers/drivers.h"
#include "drivers/machine.h"
#include "drivers/virtio.h"
#include "abi/errno.h"
#include "cpu/io.h"
#include "cpu/layout.h"
#include "diag/log.h"
#include "lib/cmdline.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "mem/pagetable.h"

#define MAX_DEVICES	  64
#define INTERRUPT_ALL	  3 /* used buffer, configuration change */
#define MIN_REGISTER_SIZE 0x100

struct mmio_device {
	struct virtio_device dev;
	volatile uint8_t *regs;
	unsigned irq;
	bool irq_routed;
};

static struct mmio_device *mmio(struct virtio_device *dev)
{
	return container_of(dev, struct mmio_device, dev);
}
static uint32_t get(struct virtio_device *dev, unsigned reg)
{
	return mmio_read32(mmio(dev)->regs + reg);
}
static void set(struct virtio_device *dev, unsigned reg, uint32_t v)
{
	mmio_write32(mmio(dev)->regs + reg, v);
}
static void set64(struct virtio_device *dev, unsigned low_reg, uint64_t v)
{
	set(dev, low_reg, v);
	set(dev, low_reg + 4, v >> 32);
}

static uint64_t mmio_get_features(struct virtio_device *dev)
{
	uint64_t features;

	set(dev, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	features = get(dev, VIRTIO_MMIO_DEVICE_FEATURES);
	if (dev->legacy)
		return features;
	set(dev, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	return features | (uint64_t)get(dev, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
}

static void mmio_set_features(struct virtio_device *dev, uint64_t features)
{
	set(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	set(dev, VIRTIO_MMIO_DRIVER_FEATURES, features);
	if (dev->legacy) {
		set(dev, VIRTIO_MMIO_GUEST_PAGE_SIZE, PAGE_SIZE);
		return;
	}
	set(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	set(dev, VIRTIO_MMIO_DRIVER_FEATURES, features >> 32);
}

static uint8_t mmio_get_status(struct virtio_device *dev)
{
	return get(dev, VIRTIO_MMIO_STATUS);
}
static void mmio_set_status(struct virtio_device *dev, uint8_t status)
{
	set(dev, VIRTIO_MMIO_STATUS, status);
}
static uint8_t mmio_config_read8(struct virtio_device *dev, unsigned offset)
{
	return mmio_read8(mmio(dev)->regs + VIRTIO_MMIO_CONFIG + offset);
}
static uint32_t mmio_config_generation(struct virtio_device *dev)
{
	return dev->legacy ? 0 : get(dev, VIRTIO_MMIO_CONFIG_GENERATION);
}

static unsigned mmio_queue_max(struct virtio_device *dev, unsigned index)
{
	set(dev, VIRTIO_MMIO_QUEUE_SEL, index);
	return get(dev, VIRTIO_MMIO_QUEUE_NUM_MAX);
}

/* The line falls here, so that the next event raises it again: right for edge and for level. */
static void mmio_interrupt(void *arg)
{
	struct mmio_device *m = arg;

	mmio_write32(m->regs + VIRTIO_MMIO_INTERRUPT_ACK, INTERRUPT_ALL);
	virtio_shared_interrupt(&m->dev);
}

static int route_interrupt(struct mmio_device *m)
{
	int vector;

	if (m->irq_routed)
		return 0;
	vector = irq_vector_alloc(mmio_interrupt, m);
	if (vector < 0)
		return vector;
	m->irq_routed = true;
	return machine_route_isa(m->irq, vector);
}

static int mmio_queue_start(
	struct virtio_device *dev, struct virtqueue *q, irq_handler_fn *handler, void *arg)
{
	int err;

	if (handler) {
		err = virtio_share_interrupt(dev, handler, arg);
		if (!err)
			err = route_interrupt(mmio(dev));
		if (err)
			return err;
	}
	set(dev, VIRTIO_MMIO_QUEUE_SEL, q->index);
	set(dev, VIRTIO_MMIO_QUEUE_NUM, q->size);
	if (dev->legacy) {
		set(dev, VIRTIO_MMIO_QUEUE_ALIGN, dev->ring_align);
		set(dev, VIRTIO_MMIO_QUEUE_PFN, virt_to_phys(q->desc).raw >> PAGE_SHIFT);
		return 0;
	}
	set64(dev, VIRTIO_MMIO_QUEUE_DESC_LOW, virt_to_phys(q->desc).raw);
	set64(dev, VIRTIO_MMIO_QUEUE_AVAIL_LOW, virt_to_phys(q->avail).raw);
	set64(dev, VIRTIO_MMIO_QUEUE_USED_LOW, virt_to_phys(q->used).raw);
	set(dev, VIRTIO_MMIO_QUEUE_READY, 1);
	return 0;
}

static void mmio_notify(struct virtio_device *dev, struct virtqueue *q)
{
	set(dev, VIRTIO_MMIO_QUEUE_NOTIFY, q->index);
}

static const struct virtio_transport mmio_transport = {
	.get_features = mmio_get_features,
	.set_features = mmio_set_features,
	.get_status = mmio_get_status,
	.set_status = mmio_set_status,
	.config_read8 = mmio_config_read8,
	.config_generation = mmio_config_generation,
	.queue_max = mmio_queue_max,
	.queue_start = mmio_queue_start,
	.notify = mmio_notify,
};

static void add_device(uint64_t base, uint64_t size, unsigned irq)
{
	volatile uint8_t *regs = map_device(PADDR(base), size);
	struct mmio_device *m;
	uint32_t version, id;

	if (!regs || mmio_read32(regs + VIRTIO_MMIO_MAGIC) != VIRTIO_MMIO_MAGIC_VALUE)
		return;
	version = mmio_read32(regs + VIRTIO_MMIO_VERSION);
	id = mmio_read32(regs + VIRTIO_MMIO_DEVICE_ID);
	if (id == 0 || version < 1 || version > 2) /* 0: an empty place for a device */
		return;
	m = heap_alloc_zeroed(sizeof(*m));
	if (!m)
		return;
	m->dev.ops = &mmio_transport;
	m->dev.id = id;
	m->dev.legacy = version == 1;
	m->dev.ring_align = m->dev.legacy ? PAGE_SIZE : 4;
	m->regs = regs;
	m->irq = irq;
	format(m->dev.name, sizeof(m->dev.name), "mmio@%lx", base);
	virtio_probe(&m->dev); /* a device that failed may still hold m: it stays */
}

/* SIZE@BASE:IRQ[:ID], SIZE perhaps with K or M. */
static bool parse_device(const char *s, uint64_t *size, uint64_t *base, uint64_t *irq)
{
	s = str_to_u64(s, 0, size);
	if (s && (*s == 'K' || *s == 'k'))
		*size <<= 10, s++;
	else if (s && (*s == 'M' || *s == 'm'))
		*size <<= 20, s++;
	if (!s || *s != '@')
		return false;
	s = str_to_u64(s + 1, 0, base);
	if (!s || *s != ':')
		return false;
	s = str_to_u64(s + 1, 0, irq);
	return s && (*s == 0 || *s == ':') && *size >= MIN_REGISTER_SIZE && *size <= MIB(1) &&
	       *irq < 256;
}

/* Machines without PCI and without a command line entry per device: microvm with ACPI. */
static void add_described_devices(void)
{
	struct acpi_virtio_mmio d;
	size_t at = 0;

	for (unsigned n = 0; n < MAX_DEVICES; n++) {
		if (acpi_next_virtio_mmio(machine.dsdt, &at, &d) < 0)
			return;
		if (d.size >= MIN_REGISTER_SIZE && d.size <= MIB(1))
			add_device(d.base, d.size, d.gsi);
	}
}

void virtio_mmio_init(const char *cmdline)
{
	uint64_t size, base, irq;
	char value[64];

	for (unsigned n = 0; n < MAX_DEVICES; n++) {
		if (cmdline_get(cmdline, "virtio_mmio.device", n, value, sizeof(value)) < 0) {
			if (n == 0 && machine.hardware_reduced)
				add_described_devices();
			return;
		}
		if (parse_device(value, &size, &base, &irq))
			add_device(base, size, irq);
		else
			log_err("virtio_mmio.device=%s: not SIZE@BASE:IRQ", value);
	}
}
