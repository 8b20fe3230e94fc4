/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio over PCI, modern interface; transitional devices are driven through it as well. Each queue
 * has its own MSI-X vector while there are any, else queues share one; INTx without MSI-X.
 */
#include "drivers/pci.h"
#include "drivers/virtio.h"
#include "abi/errno.h"
#include "cpu/io.h"
#include "cpu/layout.h"
#include "diag/log.h"
#include "lib/format.h"
#include "mem/heap.h"

struct virtio_pci {
	struct virtio_device dev;
	struct pci_device *pci;
	volatile uint8_t *common, *isr, *config, *notify;
	uint64_t config_len, notify_len;
	uint32_t notify_multiplier;
	bool msix, intx_routed;
	int shared_vector; /* MSI-X index, -1: none yet */
	struct {	   /* the last one given out: queues with one handler share it */
		irq_handler_fn *handler;
		void *arg;
		int index;
	} last;
	volatile uint8_t **queue_notify; /* by queue index; made with the queues */
	unsigned queues;		 /* that it has room for */
};

static struct virtio_pci *to_pci(struct virtio_device *dev)
{
	return container_of(dev, struct virtio_pci, dev);
}

static uint64_t pci_get_features(struct virtio_device *dev)
{
	volatile uint8_t *c = to_pci(dev)->common;
	uint64_t features;

	mmio_write32(c + VIRTIO_PCI_DEVICE_FEATURE_SELECT, 0);
	features = mmio_read32(c + VIRTIO_PCI_DEVICE_FEATURE);
	mmio_write32(c + VIRTIO_PCI_DEVICE_FEATURE_SELECT, 1);
	return features | (uint64_t)mmio_read32(c + VIRTIO_PCI_DEVICE_FEATURE) << 32;
}

static void pci_set_features(struct virtio_device *dev, uint64_t features)
{
	volatile uint8_t *c = to_pci(dev)->common;

	mmio_write32(c + VIRTIO_PCI_DRIVER_FEATURE_SELECT, 0);
	mmio_write32(c + VIRTIO_PCI_DRIVER_FEATURE, features);
	mmio_write32(c + VIRTIO_PCI_DRIVER_FEATURE_SELECT, 1);
	mmio_write32(c + VIRTIO_PCI_DRIVER_FEATURE, features >> 32);
}

static uint8_t pci_get_status(struct virtio_device *dev)
{
	return mmio_read8(to_pci(dev)->common + VIRTIO_PCI_DEVICE_STATUS);
}
static void pci_set_status(struct virtio_device *dev, uint8_t status)
{
	mmio_write8(to_pci(dev)->common + VIRTIO_PCI_DEVICE_STATUS, status);
}
static uint8_t pci_config_read8(struct virtio_device *dev, unsigned offset)
{
	struct virtio_pci *p = to_pci(dev);

	return offset < p->config_len ? mmio_read8(p->config + offset) : 0;
}
static uint32_t pci_config_generation(struct virtio_device *dev)
{
	return mmio_read8(to_pci(dev)->common + VIRTIO_PCI_CONFIG_GENERATION);
}

static unsigned pci_queue_max(struct virtio_device *dev, unsigned index)
{
	struct virtio_pci *p = to_pci(dev);

	/* Asked each time: a device may get more of them by the features that were chosen. */
	if (index >= mmio_read16(p->common + VIRTIO_PCI_NUM_QUEUES))
		return 0;
	mmio_write16(p->common + VIRTIO_PCI_QUEUE_SELECT, index);
	return mmio_read16(p->common + VIRTIO_PCI_QUEUE_SIZE);
}

static void shared_msix(void *arg)
{
	virtio_shared_interrupt(arg);
}

/* Reading the ISR byte lowers the line. */
static void intx(void *arg)
{
	struct virtio_pci *p = arg;

	if (mmio_read8(p->isr))
		virtio_shared_interrupt(&p->dev);
}

/* The MSI-X index for a queue, or VIRTIO_PCI_NO_VECTOR. */
static int queue_vector(struct virtio_pci *p, irq_handler_fn *handler, void *arg)
{
	int index, err;

	if (!handler)
		return VIRTIO_PCI_NO_VECTOR;
	if (p->last.handler == handler && p->last.arg == arg)
		return p->last.index;
	/* The last entry is kept for those that come too late for one of their own. */
	if (p->msix && p->pci->msix_used + 1 < p->pci->msix_entries) {
		index = pci_msix_add(p->pci, 0, handler, arg);
		if (index >= 0) {
			p->last.handler = handler;
			p->last.arg = arg;
			p->last.index = index;
			return index;
		}
	}
	err = virtio_share_interrupt(&p->dev, handler, arg);
	if (err)
		return err;
	if (p->msix) {
		if (p->shared_vector < 0)
			p->shared_vector = pci_msix_add(p->pci, 0, shared_msix, &p->dev);
		return p->shared_vector;
	}
	if (!p->intx_routed) {
		err = pci_intx_route(p->pci, intx, p);
		if (err)
			return err;
		p->intx_routed = true;
	}
	return VIRTIO_PCI_NO_VECTOR;
}

static bool notify_room(struct virtio_pci *p, unsigned index)
{
	volatile uint8_t **more;

	if (index < p->queues)
		return true;
	more = heap_resize(p->queue_notify, (index + 1) * sizeof(*more));
	if (!more)
		return false;
	p->queue_notify = more;
	p->queues = index + 1;
	return true;
}

static int pci_queue_start(
	struct virtio_device *dev, struct virtqueue *q, irq_handler_fn *handler, void *arg)
{
	struct virtio_pci *p = to_pci(dev);
	volatile uint8_t *c = p->common;
	int vector = queue_vector(p, handler, arg);
	uint64_t notify, ring[] = { virt_to_phys(q->desc).raw, virt_to_phys(q->avail).raw,
		virt_to_phys(q->used).raw };

	if (vector < 0)
		return vector;
	if (!notify_room(p, q->index))
		return -ENOMEM;
	mmio_write16(c + VIRTIO_PCI_QUEUE_SELECT, q->index);
	notify = (uint64_t)mmio_read16(c + VIRTIO_PCI_QUEUE_NOTIFY_OFF) * p->notify_multiplier;
	if (notify + 2 > p->notify_len)
		return -EINVAL;
	p->queue_notify[q->index] = p->notify + notify;
	mmio_write16(c + VIRTIO_PCI_QUEUE_SIZE, q->size);
	if (p->msix) {
		mmio_write16(c + VIRTIO_PCI_QUEUE_MSIX_VECTOR, vector);
		if (mmio_read16(c + VIRTIO_PCI_QUEUE_MSIX_VECTOR) != vector)
			return -EBUSY;
	}
	for (unsigned i = 0; i < 3; i++) {
		mmio_write32(c + VIRTIO_PCI_QUEUE_DESC + 8 * i, ring[i]);
		mmio_write32(c + VIRTIO_PCI_QUEUE_DESC + 8 * i + 4, ring[i] >> 32);
	}
	mmio_write16(c + VIRTIO_PCI_QUEUE_ENABLE, 1);
	return 0;
}

static void pci_notify(struct virtio_device *dev, struct virtqueue *q)
{
	mmio_write16(to_pci(dev)->queue_notify[q->index], q->index);
}

static void pci_queue_cpu(struct virtio_device *dev, struct virtqueue *q, uint32_t cpu)
{
	struct virtio_pci *p = to_pci(dev);
	unsigned vector;

	if (!p->msix)
		return;
	mmio_write16(p->common + VIRTIO_PCI_QUEUE_SELECT, q->index);
	vector = mmio_read16(p->common + VIRTIO_PCI_QUEUE_MSIX_VECTOR);
	if (vector < p->pci->msix_used && (int)vector != p->shared_vector)
		pci_msix_set_cpu(p->pci, vector, cpu);
}

static const struct virtio_transport pci_transport = {
	.get_features = pci_get_features,
	.set_features = pci_set_features,
	.get_status = pci_get_status,
	.set_status = pci_set_status,
	.config_read8 = pci_config_read8,
	.config_generation = pci_config_generation,
	.queue_max = pci_queue_max,
	.queue_start = pci_queue_start,
	.notify = pci_notify,
	.queue_cpu = pci_queue_cpu,
};

/* Maps the structure a virtio capability points to; its place and size are the device's word. */
static volatile uint8_t *map_structure(struct pci_device *d, unsigned cap, uint64_t *len)
{
	*len = pci_read32(d, cap + VIRTIO_PCI_CAP_LENGTH);
	return pci_map(d, pci_read8(d, cap + VIRTIO_PCI_CAP_BAR),
		pci_read32(d, cap + VIRTIO_PCI_CAP_OFFSET), *len);
}

static bool find_structures(struct virtio_pci *p)
{
	struct pci_device *d = p->pci;
	volatile uint8_t *regs;
	unsigned cap = 0;
	uint64_t len;

	for (int i = 0; i < 16; i++) {
		cap = pci_find_capability(d, PCI_CAP_VENDOR, cap);
		if (!cap)
			break;
		uint8_t type = pci_read8(d, cap + VIRTIO_PCI_CAP_TYPE);

		if (type < VIRTIO_PCI_CAP_COMMON || type > VIRTIO_PCI_CAP_DEVICE)
			continue;
		regs = map_structure(d, cap, &len);
		if (!regs)
			continue;
		if (type == VIRTIO_PCI_CAP_COMMON && len >= VIRTIO_PCI_COMMON_SIZE && !p->common) {
			p->common = regs;
		} else if (type == VIRTIO_PCI_CAP_NOTIFY && !p->notify) {
			p->notify = regs;
			p->notify_len = len;
			p->notify_multiplier =
				pci_read32(d, cap + VIRTIO_PCI_CAP_NOTIFY_MULTIPLIER);
		} else if (type == VIRTIO_PCI_CAP_ISR && len >= 1 && !p->isr) {
			p->isr = regs;
		} else if (type == VIRTIO_PCI_CAP_DEVICE && !p->config) {
			p->config = regs;
			p->config_len = len;
		}
	}
	return p->common && p->notify && p->isr;
}

void virtio_pci_add(struct pci_device *d)
{
	struct virtio_pci *p = heap_alloc_zeroed(sizeof(*p));

	if (!p)
		return;
	p->pci = d;
	p->dev.ops = &pci_transport;
	p->dev.ring_align = 4;
	p->dev.id = d->device >= VIRTIO_PCI_DEVICE_MODERN ? d->device - VIRTIO_PCI_DEVICE_MODERN
							  : pci_read16(d, PCI_SUBSYSTEM_ID);
	format(p->dev.name, sizeof(p->dev.name), "pci %02x:%02x.%x", d->bus, d->slot, d->function);
	pci_enable(d);
	if (!find_structures(p)) {
		log_err("%s: virtio without a modern interface", p->dev.name);
		return;
	}
	p->shared_vector = -1;
	p->msix = pci_msix_enable(d) == 0;
	virtio_probe(&p->dev);
}
