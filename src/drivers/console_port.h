/* SPDX-License-Identifier: BSD-2-Clause */
/* One port of a virtio console: a byte stream each way over a pair of virtqueues. */
#pragma once

#include "drivers/virtio.h"
#include "sched/mutex.h"
#include "sched/wait.h"

#define PORT_NAME_SIZE	 32
#define PORT_IN_BUFFERS	 4
#define PORT_OUT_BUFFERS 16
#define PORT_BUFFER_SIZE PAGE_SIZE

struct port_buffer {
	struct port_buffer *next;
	uint32_t len; /* of the bytes in it */
	uint8_t *bytes;
};

struct console_port {
	/* Fixed after probe. */
	struct virtio_device *dev;
	unsigned id;
	char name[PORT_NAME_SIZE];
	bool added;
	struct virtqueue *in, *out;
	struct wait_queue *wait; /* of the whole console: any change of any port */

	bool host_open; /* atomic */

	struct mutex in_lock;
	/* Guarded by in_lock. */
	struct port_buffer in_buffers[PORT_IN_BUFFERS];
	struct port_buffer *current; /* being read from */
	uint32_t current_at;

	struct mutex out_lock;
	/* Guarded by out_lock. */
	struct port_buffer out_buffers[PORT_OUT_BUFFERS];
	struct port_buffer *out_free; /* atomic reads without the lock: is there room? */
	unsigned out_made;	      /* how many have memory */
	struct port_buffer *staged;   /* filling up while the device is busy with earlier ones */
};

/* Posts receive buffers. -ENOMEM. */
int port_start_input(struct console_port *p);
/* As struct stdio_port. End of file: the host side closed and all it sent has been read. */
ssize_t port_read(struct console_port *p, void *buf, size_t n, bool nonblock);
ssize_t port_write(struct console_port *p, const void *buf, size_t n, bool nonblock);
bool port_can_read(struct console_port *p);
bool port_can_write(struct console_port *p);
void port_drain(struct console_port *p);
/* The driver thread's, after an interrupt: sends what waited for the device. */
void port_service_output(struct console_port *p);
