/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio console with named ports: the program's stdio, and a control channel from the host.
 *
 * The device tells the ports' names in answer to our control messages, and answers before it
 * returns a message's buffer. So two rounds of "send, wait until returned, read what came" show all
 * ports, without guessing a time; on most machines each round is over when the kick returns.
 */
#include "abi/errno.h"
#include "abi/poll.h"
#include "abi/virtio_console.h"
#include "cpu/barrier.h"
#include "cpu/layout.h"
#include "diag/log.h"
#include "drivers/console_port.h"
#include "drivers/drivers.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "mem/page.h"
#include "sched/clock.h"
#include "sched/thread.h"

#define MAX_PORTS	 8u
#define CONTROL_MESSAGES 16u  /* each way */
#define CONTROL_SIZE	 128u /* of a message; a name may be cut */
#define CONTROL_LINE	 128u
#define ANSWER_TIMEOUT	 (2 * NSEC_PER_SEC)
#define ANSWER_STEP	 (100 * NSEC_PER_USEC)
_Static_assert(2 * CONTROL_MESSAGES * CONTROL_SIZE == PAGE_SIZE, "messages fill a page");

struct control_message {
	struct virtio_console_control header;
	char rest[CONTROL_SIZE - sizeof(struct virtio_console_control)];
};

static struct console {
	/* Fixed after probe. */
	struct virtio_device *dev;
	struct virtqueue *control_in, *control_out;
	struct control_message *received, *sent; /* arrays of CONTROL_MESSAGES */
	unsigned port_count;
	struct console_port *ports[MAX_PORTS];
	struct console_port *stdin_port, *stdout_port, *stderr_port, *control_port;
	struct wait_queue wait;
	struct thread *thread;

	uint32_t interrupted; /* atomic: set by the handler, taken by the thread */

	/* The probing thread's, later the driver thread's. */
	unsigned sent_count;
	char line[CONTROL_LINE];
	unsigned line_len;
} console;

static void console_interrupt(void *arg)
{
	struct thread *t = load_acquire(&console.thread);

	store_release(&console.interrupted, 1);
	if (t)
		thread_wake(t);
}

static void post_received(struct control_message *m)
{
	struct virtqueue_segment s = { virt_to_phys(m).raw, sizeof(*m) };

	virtqueue_add(console.control_in, &s, 0, 1, m);
}

/* Waits until the device has returned all control messages. */
static int control_finish(void)
{
	uint64_t deadline = clock_now() + ANSWER_TIMEOUT;
	uint32_t ignored;

	virtio_kick(console.dev, console.control_out);
	for (;;) {
		while (virtqueue_take(console.control_out, &ignored))
			;
		if (console.control_out->in_flight == 0)
			break;
		if (console.control_out->broken || clock_now() > deadline)
			return -EIO;
		thread_sleep(ANSWER_STEP, false, NULL);
	}
	console.sent_count = 0;
	return 0;
}

static int control_send(unsigned port, unsigned event, unsigned value)
{
	struct control_message *m;
	struct virtqueue_segment s;
	int err;

	if (console.sent_count == CONTROL_MESSAGES) {
		err = control_finish();
		if (err)
			return err;
	}
	m = &console.sent[console.sent_count++];
	m->header = (struct virtio_console_control){ .id = port, .event = event, .value = value };
	s = (struct virtqueue_segment){ virt_to_phys(m).raw, sizeof(m->header) };
	return virtqueue_add(console.control_out, &s, 1, 0, m);
}

static void handle_message(const struct control_message *m, uint32_t len)
{
	struct virtio_console_control h = m->header;
	struct console_port *p;

	if (len < sizeof(h) || len > sizeof(*m) || h.id >= console.port_count)
		return;
	p = console.ports[h.id];
	switch (h.event) {
	case VIRTIO_CONSOLE_PORT_ADD: p->added = true; break;
	case VIRTIO_CONSOLE_PORT_REMOVE: store_release(&p->host_open, false); break;
	case VIRTIO_CONSOLE_PORT_OPEN: store_release(&p->host_open, h.value != 0); break;
	case VIRTIO_CONSOLE_PORT_NAME:
		if (p->name[0]) /* said already, and in use */
			break;
		len = MIN(len - (uint32_t)sizeof(h), PORT_NAME_SIZE - 1);
		memcpy(p->name, m->rest, len);
		p->name[len] = 0;
		break;
	default: break; /* sizes and console roles of ports we do not use */
	}
}

static void handle_messages(void)
{
	struct control_message *m;
	uint32_t len;

	while ((m = virtqueue_take(console.control_in, &len))) {
		handle_message(m, len);
		post_received(m);
	}
	virtio_kick(console.dev, console.control_in);
}

/* Splits what comes from the control port into lines; longer ones are dropped whole. */
static void handle_control_port(void)
{
	void (*receiver)(const char *line) = load_acquire(&stdio_control);
	char bytes[64];
	ssize_t n;

	/* Until somebody listens the bytes wait with the device. */
	if (!console.control_port || !receiver)
		return;
	while ((n = port_read(console.control_port, bytes, sizeof(bytes), true)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (bytes[i] != '\n') {
				if (console.line_len < CONTROL_LINE)
					console.line[console.line_len++] = bytes[i];
				continue;
			}
			if (console.line_len < CONTROL_LINE) {
				console.line[console.line_len] = 0;
				receiver(console.line);
			}
			console.line_len = 0;
		}
	}
	port_can_read(console.control_port); /* asks for the next interrupt */
}

static void console_thread(void *arg)
{
	for (;;) {
		thread_prepare_sleep(SLEEP_UNINTERRUPTIBLE);
		if (atomic_xchg(&console.interrupted, 0))
			thread_cancel_sleep();
		else
			schedule();
		do
			handle_messages();
		while (!virtqueue_interrupts_on(console.control_in));
		handle_control_port();
		if (console.stdout_port)
			port_service_output(console.stdout_port);
		if (console.stderr_port && console.stderr_port != console.stdout_port)
			port_service_output(console.stderr_port);
		wait_wake_all(&console.wait, POLLIN | POLLOUT);
	}
}

static ssize_t stdio_read(struct stdio_port *s, void *buf, size_t n, bool nonblock)
{
	return console.stdin_port ? port_read(console.stdin_port, buf, n, nonblock) : 0;
}
static ssize_t stdio_write(struct stdio_port *s, const void *buf, size_t n, bool nonblock)
{
	return port_write(console.stdout_port, buf, n, nonblock);
}
static uint32_t stdio_ready(struct stdio_port *s)
{
	return (port_can_write(console.stdout_port) ? POLLOUT : 0) |
	       (!console.stdin_port || port_can_read(console.stdin_port) ? POLLIN : 0);
}
static void stdio_drain(struct stdio_port *s)
{
	port_drain(console.stdout_port);
}
static ssize_t err_read(struct stdio_port *s, void *buf, size_t n, bool nonblock)
{
	return stdio_read(s, buf, n, nonblock); /* 2>&1 of a terminal is a way to read from it */
}
static ssize_t err_write(struct stdio_port *s, const void *buf, size_t n, bool nonblock)
{
	return port_write(console.stderr_port, buf, n, nonblock);
}
static uint32_t err_ready(struct stdio_port *s)
{
	return port_can_write(console.stderr_port) ? POLLOUT : 0;
}
static void err_drain(struct stdio_port *s)
{
	port_drain(console.stderr_port);
}

static struct stdio_port in_out = {
	.read = stdio_read,
	.write = stdio_write,
	.ready = stdio_ready,
	.wait = &console.wait,
	.drain = stdio_drain,
};
static struct stdio_port err = {
	.read = err_read,
	.write = err_write,
	.ready = err_ready,
	.wait = &console.wait,
	.drain = err_drain,
};

/* The port's memory and queues; queues must exist before the device starts, names come later. */
static int make_port(unsigned id)
{
	struct virtio_device *dev = console.dev;
	struct console_port *p = heap_alloc_zeroed(sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->dev = dev;
	p->id = id;
	p->wait = &console.wait;
	mutex_init(&p->in_lock, "console_port.in_lock");
	mutex_init(&p->out_lock, "console_port.out_lock");
	p->in = virtio_queue_create(
		dev, virtio_console_queue(id, false), PORT_IN_BUFFERS, console_interrupt, NULL);
	p->out = virtio_queue_create(
		dev, virtio_console_queue(id, true), PORT_OUT_BUFFERS, console_interrupt, NULL);
	console.ports[id] = p;
	return p->in && p->out ? 0 : -ENOMEM;
}

static struct console_port *find_port(const char *name)
{
	for (unsigned i = 0; i < console.port_count; i++)
		if (console.ports[i]->added && strcmp(console.ports[i]->name, name) == 0)
			return console.ports[i];
	return NULL;
}

/* DEVICE_READY brings the PORT_ADDs, PORT_READY brings the names. */
static int discover_ports(void)
{
	int err = control_send(0, VIRTIO_CONSOLE_DEVICE_READY, 1);

	if (!err)
		err = control_finish();
	if (err)
		return err;
	handle_messages();
	for (unsigned i = 0; i < console.port_count && !err; i++)
		if (console.ports[i]->added)
			err = control_send(i, VIRTIO_CONSOLE_PORT_READY, 1);
	if (!err)
		err = control_finish();
	if (!err)
		handle_messages();
	return err;
}

static void open_port(struct console_port *p, bool input)
{
	if (!p)
		return;
	/* For a reader "not open yet" must not look like end of file: only a close after this does.
	 */
	if (input) {
		store_release(&p->host_open, true);
		port_start_input(p);
	}
	control_send(p->id, VIRTIO_CONSOLE_PORT_OPEN, 1);
}

static int start_control(void)
{
	struct page *page = page_alloc_zeroed(0);

	console.control_in = virtio_queue_create(
		console.dev, VIRTIO_CONSOLE_CONTROL_IN, CONTROL_MESSAGES, console_interrupt, NULL);
	console.control_out = virtio_queue_create(
		console.dev, VIRTIO_CONSOLE_CONTROL_OUT, CONTROL_MESSAGES, NULL, NULL);
	if (!page || !console.control_in || !console.control_out)
		return -ENOMEM;
	console.received = page_to_virt(page);
	console.sent = console.received + CONTROL_MESSAGES;
	return 0;
}

int virtio_console_probe(struct virtio_device *dev)
{
	uint32_t max_ports = 0;
	int error;

	if (console.dev)
		return -EBUSY;
	error = virtio_negotiate(dev, VIRTIO_CONSOLE_F_MULTIPORT);
	if (error)
		return error;
	if (!virtio_has(dev, VIRTIO_CONSOLE_F_MULTIPORT))
		return -ENODEV; /* a plain console has no names */
	virtio_config_read(dev, VIRTIO_CONSOLE_CONFIG_MAX_PORTS, &max_ports, sizeof(max_ports));
	console.dev = dev;
	wait_init(&console.wait);
	console.port_count = MIN(max_ports, MAX_PORTS);
	for (unsigned i = 0; i < console.port_count; i++) {
		error = make_port(i);
		if (error)
			return error;
	}
	error = start_control();
	if (error)
		return error;
	virtio_start(dev);
	for (unsigned i = 0; i < CONTROL_MESSAGES; i++)
		post_received(&console.received[i]);
	virtio_kick(dev, console.control_in);
	error = discover_ports();
	if (error)
		return error;
	console.stdout_port = find_port("skiff.stdout");
	if (!console.stdout_port) {
		log_info("%s: console without skiff.stdout, stdio stays on COM1", dev->name);
		return 0;
	}
	console.stderr_port = find_port("skiff.stderr");
	console.stdin_port = find_port("skiff.stdin");
	console.control_port = find_port("skiff.control");
	struct thread *t = kthread_create("console", console_thread, NULL, THREAD_REALTIME);
	if (!t)
		return -ENOMEM;
	store_release(&console.thread, t);
	if (load_acquire(&console.interrupted)) /* that handler may not have known the thread */
		thread_wake(t);
	open_port(console.stdout_port, false);
	open_port(console.stderr_port, false);
	open_port(console.stdin_port, true);
	open_port(console.control_port, true);
	error = control_finish();
	stdio_in_out = &in_out;
	stdio_err = console.stderr_port ? &err : &in_out;
	return error;
}
