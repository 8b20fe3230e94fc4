/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input: readers take the device's buffers themselves, under in_lock; the interrupt is asked for
 * only by someone who found nothing. Output: bytes go into page-sized buffers. If the device is
 * idle a write is sent at once; while it is busy, writes gather in the staged buffer, which goes
 * out when it is full or when the device has finished something. So a slow host gets few large
 * buffers and a fast one gets no delay.
 */
#include "drivers/console_port.h"
#include "abi/errno.h"
#include "cpu/barrier.h"
#include "cpu/layout.h"
#include "lib/string.h"
#include "mem/page.h"

static bool give_memory(struct port_buffer *b)
{
	struct page *page = page_alloc(0);

	if (page)
		b->bytes = page_to_virt(page);
	return page != NULL;
}

static void post_input(struct console_port *p, struct port_buffer *b)
{
	struct virtqueue_segment s = { virt_to_phys(b->bytes).raw, PORT_BUFFER_SIZE };

	virtqueue_add(p->in, &s, 0, 1, b); /* has room for all of them */
}

int port_start_input(struct console_port *p)
{
	mutex_lock(&p->in_lock);
	for (int i = 0; i < PORT_IN_BUFFERS && i < p->in->size; i++) {
		if (give_memory(&p->in_buffers[i]))
			post_input(p, &p->in_buffers[i]);
	}
	virtio_kick(p->dev, p->in);
	virtqueue_interrupts_on(p->in);
	mutex_unlock(&p->in_lock);
	return p->in->in_flight ? 0 : -ENOMEM;
}

/* Makes 'current' a buffer with unread bytes, if there is one. in_lock held. */
static bool advance_input(struct console_port *p)
{
	uint32_t written;

	while (!p->current) {
		p->current = virtqueue_take(p->in, &written);
		if (!p->current)
			return false;
		p->current->len = written;
		p->current_at = 0;
		if (written == 0) {
			post_input(p, p->current);
			p->current = NULL;
		}
	}
	return true;
}

static size_t take_bytes(struct console_port *p, uint8_t *to, size_t n)
{
	size_t done = 0, part;

	while (done < n && advance_input(p)) {
		part = MIN((size_t)(p->current->len - p->current_at), n - done);
		memcpy(to + done, p->current->bytes + p->current_at, part);
		done += part;
		p->current_at += part;
		if (p->current_at == p->current->len) {
			post_input(p, p->current);
			p->current = NULL;
		}
	}
	virtio_kick(p->dev, p->in);
	return done;
}

/* True: something is there. False: nothing is, and an interrupt will tell. in_lock held. */
static bool input_pending(struct console_port *p)
{
	return advance_input(p) || (!virtqueue_interrupts_on(p->in) && advance_input(p));
}

bool port_can_read(struct console_port *p)
{
	bool open = load_acquire(&p->host_open), yes;

	mutex_lock(&p->in_lock);
	yes = input_pending(p) || !open;
	mutex_unlock(&p->in_lock);
	return yes;
}

ssize_t port_read(struct console_port *p, void *buf, size_t n, bool nonblock)
{
	size_t done;
	bool open;
	int err;

	if (n == 0)
		return 0;
	for (;;) {
		/* Read before the ring: the host closes after its last byte. */
		open = load_acquire(&p->host_open);
		mutex_lock(&p->in_lock);
		done = take_bytes(p, buf, n);
		mutex_unlock(&p->in_lock);
		if (done)
			return done;
		if (!open || p->in->broken)
			return 0;
		if (nonblock)
			return -EAGAIN;
		err = wait_event_interruptible(p->wait, port_can_read(p));
		if (err)
			return err;
	}
}

/* out_lock held for the functions below. */
static void reclaim_output(struct console_port *p)
{
	struct port_buffer *b;
	uint32_t ignored;

	while ((b = virtqueue_take(p->out, &ignored))) {
		b->len = 0;
		b->next = p->out_free;
		store_release(&p->out_free, b);
	}
}

static void submit_staged(struct console_port *p)
{
	struct port_buffer *b = p->staged;
	struct virtqueue_segment s = { virt_to_phys(b->bytes).raw, b->len };

	if (virtqueue_add(p->out, &s, 1, 0, b) < 0)
		return; /* full: stays staged; broken: stays for ever */
	p->staged = NULL;
	virtio_kick(p->dev, p->out);
}

/* Sends what is staged if the device has nothing else to do, else sees to it that we hear of it. */
static void push_output(struct console_port *p)
{
	reclaim_output(p);
	while (p->staged && p->staged->len && !p->out->broken) {
		if (p->out->in_flight == 0 || p->staged->len == PORT_BUFFER_SIZE) {
			submit_staged(p);
			if (!p->staged)
				return;
		}
		if (virtqueue_interrupts_on(p->out))
			return;
		reclaim_output(p);
	}
}

static struct port_buffer *buffer_with_room(struct console_port *p)
{
	struct port_buffer *b = p->staged;

	if (b && b->len < PORT_BUFFER_SIZE)
		return b;
	if (b) { /* full, and the ring was too: it may have room by now */
		submit_staged(p);
		if (p->staged)
			return NULL;
	}
	b = p->out_free;
	if (b) {
		p->out_free = b->next;
	} else if (p->out_made < MIN(PORT_OUT_BUFFERS, (unsigned)p->out->size) &&
		   give_memory(&p->out_buffers[p->out_made])) {
		b = &p->out_buffers[p->out_made++];
		b->len = 0;
	}
	p->staged = b;
	return b;
}

static size_t put_bytes(struct console_port *p, const uint8_t *from, size_t n)
{
	struct port_buffer *b;
	size_t done = 0, part;

	reclaim_output(p);
	while (done < n && (b = buffer_with_room(p))) {
		part = MIN((size_t)(PORT_BUFFER_SIZE - b->len), n - done);
		memcpy(b->bytes + b->len, from + done, part);
		b->len += part;
		done += part;
		if (b->len == PORT_BUFFER_SIZE)
			submit_staged(p);
	}
	push_output(p);
	if (done < n) /* somebody will wait: let it be told */
		virtqueue_interrupts_on(p->out);
	return done;
}

static bool room_now(struct console_port *p)
{
	struct port_buffer *staged = load_acquire(&p->staged);

	return load_acquire(&p->out_free) || virtqueue_has_used(p->out) || p->out->broken ||
	       load_relaxed(&p->out_made) < MIN(PORT_OUT_BUFFERS, (unsigned)p->out->size) ||
	       (staged && load_relaxed(&staged->len) < PORT_BUFFER_SIZE);
}

bool port_can_write(struct console_port *p)
{
	bool yes;

	if (room_now(p))
		return true;
	mutex_lock(&p->out_lock);
	yes = !virtqueue_interrupts_on(p->out) || room_now(p);
	mutex_unlock(&p->out_lock);
	return yes;
}

ssize_t port_write(struct console_port *p, const void *buf, size_t n, bool nonblock)
{
	size_t done = 0;
	int err;

	while (done < n) {
		mutex_lock(&p->out_lock);
		done += put_bytes(p, (const uint8_t *)buf + done, n - done);
		mutex_unlock(&p->out_lock);
		if (done == n)
			break;
		if (p->out->broken)
			return done ? (ssize_t)done : -EIO;
		if (nonblock)
			return done ? (ssize_t)done : -EAGAIN;
		err = wait_event_interruptible(p->wait, room_now(p));
		if (err)
			return done ? (ssize_t)done : err;
	}
	return done;
}

void port_service_output(struct console_port *p)
{
	mutex_lock(&p->out_lock);
	push_output(p);
	mutex_unlock(&p->out_lock);
}

/* Everything written so far has been taken by the host, or we will hear when more of it has. */
static bool output_empty(struct console_port *p)
{
	bool empty;

	mutex_lock(&p->out_lock);
	do {
		push_output(p);
		empty = p->out->broken ||
			(p->out->in_flight == 0 && !(p->staged && p->staged->len));
	} while (!empty && !virtqueue_interrupts_on(p->out));
	mutex_unlock(&p->out_lock);
	return empty;
}

void port_drain(struct console_port *p)
{
	wait_event(p->wait, output_empty(p));
}
