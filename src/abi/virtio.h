/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtio 1.1: split rings, device status, features, and the two transports. */
#pragma once

#include "lib/types.h"

enum virtio_id { VIRTIO_ID_NET = 1, VIRTIO_ID_BLOCK = 2, VIRTIO_ID_CONSOLE = 3, VIRTIO_ID_RNG = 4 };

#define VIRTIO_STATUS_ACKNOWLEDGE 1
#define VIRTIO_STATUS_DRIVER	  2
#define VIRTIO_STATUS_DRIVER_OK	  4
#define VIRTIO_STATUS_FEATURES_OK 8
#define VIRTIO_STATUS_NEEDS_RESET 0x40
#define VIRTIO_STATUS_FAILED	  0x80

/* Feature bits of every device type. */
#define VIRTIO_F_INDIRECT_DESC	 (1ull << 28)
#define VIRTIO_F_EVENT_IDX	 (1ull << 29)
#define VIRTIO_F_VERSION_1	 (1ull << 32)
#define VIRTIO_F_ACCESS_PLATFORM (1ull << 33)

struct vring_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};
_Static_assert(sizeof(struct vring_desc) == 16, "descriptor is 16 bytes");
#define VRING_DESC_NEXT	    1
#define VRING_DESC_WRITE    2
#define VRING_DESC_INDIRECT 4

struct vring_avail {
	uint16_t flags;
	uint16_t idx;
	uint16_t ring[]; /* and behind it: uint16_t used_event */
};
#define VRING_AVAIL_NO_INTERRUPT 1

struct vring_used_elem {
	uint32_t id;
	uint32_t len;
};
struct vring_used {
	uint16_t flags;
	uint16_t idx;
	struct vring_used_elem ring[]; /* and behind it: uint16_t avail_event */
};
#define VRING_USED_NO_NOTIFY 1

/* MMIO transport. */
enum virtio_mmio_register {
	VIRTIO_MMIO_MAGIC = 0x000,
	VIRTIO_MMIO_VERSION = 0x004,
	VIRTIO_MMIO_DEVICE_ID = 0x008,
	VIRTIO_MMIO_DEVICE_FEATURES = 0x010,
	VIRTIO_MMIO_DEVICE_FEATURES_SEL = 0x014,
	VIRTIO_MMIO_DRIVER_FEATURES = 0x020,
	VIRTIO_MMIO_DRIVER_FEATURES_SEL = 0x024,
	VIRTIO_MMIO_GUEST_PAGE_SIZE = 0x028, /* legacy */
	VIRTIO_MMIO_QUEUE_SEL = 0x030,
	VIRTIO_MMIO_QUEUE_NUM_MAX = 0x034,
	VIRTIO_MMIO_QUEUE_NUM = 0x038,
	VIRTIO_MMIO_QUEUE_ALIGN = 0x03c, /* legacy */
	VIRTIO_MMIO_QUEUE_PFN = 0x040,	 /* legacy */
	VIRTIO_MMIO_QUEUE_READY = 0x044,
	VIRTIO_MMIO_QUEUE_NOTIFY = 0x050,
	VIRTIO_MMIO_INTERRUPT_STATUS = 0x060,
	VIRTIO_MMIO_INTERRUPT_ACK = 0x064,
	VIRTIO_MMIO_STATUS = 0x070,
	VIRTIO_MMIO_QUEUE_DESC_LOW = 0x080,
	VIRTIO_MMIO_QUEUE_DESC_HIGH = 0x084,
	VIRTIO_MMIO_QUEUE_AVAIL_LOW = 0x090,
	VIRTIO_MMIO_QUEUE_AVAIL_HIGH = 0x094,
	VIRTIO_MMIO_QUEUE_USED_LOW = 0x0a0,
	VIRTIO_MMIO_QUEUE_USED_HIGH = 0x0a4,
	VIRTIO_MMIO_CONFIG_GENERATION = 0x0fc,
	VIRTIO_MMIO_CONFIG = 0x100,
};
#define VIRTIO_MMIO_MAGIC_VALUE 0x74726976 /* "virt" */

/* PCI transport. */
#define VIRTIO_PCI_VENDOR	 0x1af4
#define VIRTIO_PCI_DEVICE_MODERN 0x1040 /* + virtio id */
#define VIRTIO_PCI_DEVICE_LAST	 0x107f
#define VIRTIO_PCI_DEVICE_LEGACY 0x1000 /* transitional: 0x1000..0x103f, id = subsystem id */
enum virtio_pci_cap_type {
	VIRTIO_PCI_CAP_COMMON = 1,
	VIRTIO_PCI_CAP_NOTIFY = 2,
	VIRTIO_PCI_CAP_ISR = 3,
	VIRTIO_PCI_CAP_DEVICE = 4,
};
enum virtio_pci_cap_field { /* offsets in the capability */
	VIRTIO_PCI_CAP_LEN = 2,
	VIRTIO_PCI_CAP_TYPE = 3,
	VIRTIO_PCI_CAP_BAR = 4,
	VIRTIO_PCI_CAP_OFFSET = 8,
	VIRTIO_PCI_CAP_LENGTH = 12,
	VIRTIO_PCI_CAP_NOTIFY_MULTIPLIER = 16,
};
enum virtio_pci_common {
	VIRTIO_PCI_DEVICE_FEATURE_SELECT = 0x00,
	VIRTIO_PCI_DEVICE_FEATURE = 0x04,
	VIRTIO_PCI_DRIVER_FEATURE_SELECT = 0x08,
	VIRTIO_PCI_DRIVER_FEATURE = 0x0c,
	VIRTIO_PCI_CONFIG_MSIX_VECTOR = 0x10,
	VIRTIO_PCI_NUM_QUEUES = 0x12,
	VIRTIO_PCI_DEVICE_STATUS = 0x14,
	VIRTIO_PCI_CONFIG_GENERATION = 0x15,
	VIRTIO_PCI_QUEUE_SELECT = 0x16,
	VIRTIO_PCI_QUEUE_SIZE = 0x18,
	VIRTIO_PCI_QUEUE_MSIX_VECTOR = 0x1a,
	VIRTIO_PCI_QUEUE_ENABLE = 0x1c,
	VIRTIO_PCI_QUEUE_NOTIFY_OFF = 0x1e,
	VIRTIO_PCI_QUEUE_DESC = 0x20,
	VIRTIO_PCI_QUEUE_AVAIL = 0x28,
	VIRTIO_PCI_QUEUE_USED = 0x30,
	VIRTIO_PCI_COMMON_SIZE = 0x38,
};
#define VIRTIO_PCI_NO_VECTOR 0xffff
