/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The floor: the least that a guest can do and still answer bench/udp_load.c and bench/wire.c, so
 * that the benchmark can say how many requests and connections a second the card, the network and
 * the client leave to any guest at all. One CPU in 32-bit protected mode without paging, the card,
 * and answers that were made at boot or follow from the request alone (answer.c); each is written
 * into the buffer in which the request came, and the CPU halts when there is none. Everything else
 * is left out, and the card is trusted.
 *
 * The barriers are those of src/drivers/virtqueue.c, under the same letters.
 */
#include "cpu/barrier.h"
#include "cpu/io.h"
#include "floor.h"

#define SERIAL_PORT	0x3f8
#define APIC		0xfee00000u
#define APIC_SVR	0x0f0
#define APIC_LINT0	0x350
#define SVR_ENABLE	0x100
#define LVT_MASKED	0x10000
#define SPURIOUS_VECTOR 0x2f
#define CODE_SEGMENT	8
#define INTERRUPT_GATE	0x8e00

struct queue rx, tx;
struct buffer buffers[QUEUE_SIZE] __aligned(16);
uint8_t mac[6];

void floor(void) __noreturn;
extern const char card_interrupt[], spurious_interrupt[];

void die(const char *why)
{
	for (; *why; why++)
		outb(SERIAL_PORT, (uint8_t)*why);
	outb(SERIAL_PORT, '\n');
	__builtin_trap(); /* nobody handles it: the machine is reset, which ends QEMU */
}

/* --- The queues --- */

static bool has_used(const struct queue *q)
{
	return load_acquire(&q->used.idx) != q->taken; /* (C) */
}

static const struct vring_used_elem *take(struct queue *q)
{
	return &q->used.ring[q->taken++ % QUEUE_SIZE];
}

static void give(struct queue *q, uint32_t buffer)
{
	q->avail.ring[q->given++ % QUEUE_SIZE] = (uint16_t)buffer;
}

/* To the card with all that was given; it hears of it if it waits for it. */
static void publish(struct queue *q)
{
	uint16_t old = q->kicked, new = q->given;

	if (old == new)
		return;
	q->kicked = new;
	store_release(&q->avail.idx, new); /* (A) */
	mb_device();			   /* (D) */
	if ((uint16_t)(new - load_relaxed(&q->used.avail_event) - 1) < (uint16_t)(new - old))
		mmio_write16(q->notify, q->index);
}

/* What has arrived, answered. */
static void receive(void)
{
	while (has_used(&rx)) {
		const struct vring_used_elem *e = take(&rx);
		struct buffer *b = &buffers[e->id];
		uint32_t len = answer(b->frame, e->len - sizeof(b->header));

		if (!len) {
			give(&rx, e->id);
			continue;
		}
		b->header = (struct virtio_net_hdr){ .flags = 0 };
		tx.desc[e->id].len = sizeof(b->header) + len;
		give(&tx, e->id);
	}
}

/* What has been sent is there to receive again. */
static void reclaim(void)
{
	while (has_used(&tx))
		give(&rx, take(&tx)->id);
	tx.avail.used_event = tx.taken - 1; /* as far away as can be: never an interrupt */
}

/* Until something has arrived. Nothing can while all buffers are being sent: so no halt then. */
static void wait(void)
{
	if (rx.given == rx.taken)
		return;
	store_relaxed(&rx.avail.used_event, rx.taken);
	mb_device(); /* (B) */
	if (!has_used(&rx))
		__asm__ volatile("sti; hlt; cli" ::: "memory");
}

/* --- Start --- */

static struct gate {
	uint16_t low, segment, flags, high;
} idt[SPURIOUS_VECTOR + 1];

static void set_gate(unsigned vector, const char *entry)
{
	idt[vector] = (struct gate){ (uint16_t)(uintptr_t)entry, CODE_SEGMENT, INTERRUPT_GATE,
		(uintptr_t)entry >> 16 };
}

static void start_interrupts(void)
{
	struct {
		uint16_t limit;
		struct gate *base;
	} __packed idtr = { sizeof(idt) - 1, idt };

	set_gate(CARD_VECTOR, card_interrupt);
	set_gate(SPURIOUS_VECTOR, spurious_interrupt);
	__asm__ volatile("lidt %0" ::"m"(idtr), "m"(idt));
	mmio_write32((void *)(APIC + APIC_LINT0), LVT_MASKED); /* the 8259, which nobody programs */
	mmio_write32((void *)(APIC + APIC_SVR), SVR_ENABLE | SPURIOUS_VECTOR);
}

void floor(void)
{
	memcached_start();
	start_interrupts();
	card_start(mac);
	for (unsigned i = 0; i < QUEUE_SIZE; i++)
		give(&rx, i);
	for (;;) {
		receive();
		publish(&tx);
		reclaim();
		publish(&rx);
		wait();
	}
}
