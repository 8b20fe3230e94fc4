/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Program stdio on COM1, when there is no virtio console. Output is polled (diag/console.c has the
 * port); input comes by interrupt, from the first time somebody wants to read.
 */
#include "drivers/drivers.h"
#include "drivers/impl.h"
#include "drivers/machine.h"
#include "abi/errno.h"
#include "abi/poll.h"
#include "cpu/io.h"
#include "cpu/irq.h"
#include "diag/console.h"
#include "diag/log.h"
#include "lib/string.h"
#include "sched/mutex.h"
#include "sched/thread.h"
#include "sched/wait.h"

#define COM1_IRQ	      4
#define COM1_INTERRUPT_ENABLE 0x3f9
#define IER_RECEIVED	      0x01
#define INPUT_SIZE	      4096u /* power of two */

static ssize_t serial_port_read(struct stdio_port *p, void *buf, size_t n, bool nonblock);
static ssize_t serial_port_write(struct stdio_port *p, const void *buf, size_t n, bool nonblock);
static uint32_t serial_port_ready(struct stdio_port *p);
static void serial_port_drain(struct stdio_port *p);

static struct wait_queue input_wait = { .waiters = LIST_INIT(input_wait.waiters) };
LOCK_CLASS_OF(input_wait, "serial.input_wait");
static struct stdio_port serial_port = {
	.read = serial_port_read,
	.write = serial_port_write,
	.ready = serial_port_ready,
	.wait = &input_wait,
	.drain = serial_port_drain,
};

struct stdio_port *stdio_in_out = &serial_port;
struct stdio_port *stdio_err = &serial_port;
void (*stdio_control)(const char *line);

static DEFINE_MUTEX(output_lock); /* one write at a time, so that lines stay whole */

static DEFINE_MUTEX(input_lock);
/* Guarded by input_lock. */
static uint8_t input[INPUT_SIZE];
static uint32_t input_head, input_tail; /* free-running */
static bool input_started;

static struct thread *reader; /* fixed before the interrupt is enabled */
static uint32_t interrupted;  /* atomic */

static void serial_interrupt(void *arg)
{
	__atomic_store_n(&interrupted, 1, __ATOMIC_RELEASE);
	thread_wake(reader);
}

static bool take_input(void)
{
	bool any = false;
	int c;

	mutex_lock(&input_lock);
	while ((c = console_read_byte()) >= 0) {
		if (input_tail - input_head == INPUT_SIZE)
			continue; /* as a terminal does, drop what nobody reads */
		input[input_tail++ % INPUT_SIZE] = c;
		any = true;
	}
	mutex_unlock(&input_lock);
	return any;
}

static void serial_reader(void *arg)
{
	for (;;) {
		thread_prepare_sleep(SLEEP_UNINTERRUPTIBLE);
		if (__atomic_exchange_n(&interrupted, 0, __ATOMIC_ACQ_REL))
			thread_cancel_sleep();
		else
			schedule();
		if (take_input())
			wait_wake_all(&input_wait, POLLIN);
	}
}

/* Called with input_lock held. */
static void start_input(void)
{
	int vector;

	input_started = true; /* one try */
	reader = kthread_create("serial", serial_reader, NULL, THREAD_REALTIME);
	if (!reader)
		return;
	vector = irq_vector_alloc(serial_interrupt, NULL);
	if (vector < 0 || machine_route_isa(COM1_IRQ, vector) < 0) {
		log_err("serial: no interrupt, no input");
		return;
	}
	outb(COM1_INTERRUPT_ENABLE, IER_RECEIVED);
	/* Bytes that came before are seen now; an edge for them may be long past. */
	interrupted = 1;
	thread_wake(reader);
}

static ssize_t take(void *buf, size_t n)
{
	uint8_t *to = buf;
	size_t got = 0;

	mutex_lock(&input_lock);
	if (!input_started)
		start_input();
	while (got < n && input_head != input_tail)
		to[got++] = input[input_head++ % INPUT_SIZE];
	mutex_unlock(&input_lock);
	return got;
}

static ssize_t serial_port_read(struct stdio_port *p, void *buf, size_t n, bool nonblock)
{
	ssize_t got;
	int err;

	if (n == 0)
		return 0;
	for (;;) {
		got = take(buf, n);
		if (got > 0)
			return got;
		if (nonblock)
			return -EAGAIN;
		err = wait_event_interruptible(
			&input_wait, __atomic_load_n(&input_head, __ATOMIC_ACQUIRE) !=
					     __atomic_load_n(&input_tail, __ATOMIC_ACQUIRE));
		if (err)
			return err;
	}
}

static ssize_t serial_port_write(struct stdio_port *p, const void *buf, size_t n, bool nonblock)
{
	mutex_lock(&output_lock);
	console_write(buf, n);
	mutex_unlock(&output_lock);
	return n;
}

static uint32_t serial_port_ready(struct stdio_port *p)
{
	uint8_t none;

	take(&none, 0); /* whoever polls wants input */
	return POLLOUT | (input_head != input_tail ? POLLIN : 0);
}

static void serial_port_drain(struct stdio_port *p)
{
	/* console_write returns when the last byte is in the transmitter. */
}
