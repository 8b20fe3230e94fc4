/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtio console with several ports (virtio 1.1, 5.3). */
#pragma once

#include "lib/types.h"

#define VIRTIO_CONSOLE_F_MULTIPORT (1ull << 1)

#define VIRTIO_CONSOLE_CONFIG_MAX_PORTS 4 /* offset of a 32-bit number */

/* Queues: port 0 in, out; control in, out; port 1 in, out; port 2 ... */
#define VIRTIO_CONSOLE_CONTROL_IN  2
#define VIRTIO_CONSOLE_CONTROL_OUT 3
static inline unsigned virtio_console_queue(unsigned port, bool out)
{
	return (port ? 2 * port + 2 : 0) + out;
}

struct virtio_console_control {
	uint32_t id; /* port */
	uint16_t event;
	uint16_t value;
	/* PORT_NAME: the name, not terminated */
};
_Static_assert(sizeof(struct virtio_console_control) == 8, "control message is 8 bytes");

enum virtio_console_event {
	VIRTIO_CONSOLE_DEVICE_READY = 0,
	VIRTIO_CONSOLE_PORT_ADD = 1,
	VIRTIO_CONSOLE_PORT_REMOVE = 2,
	VIRTIO_CONSOLE_PORT_READY = 3,
	VIRTIO_CONSOLE_CONSOLE_PORT = 4,
	VIRTIO_CONSOLE_RESIZE = 5,
	VIRTIO_CONSOLE_PORT_OPEN = 6,
	VIRTIO_CONSOLE_PORT_NAME = 7,
};
