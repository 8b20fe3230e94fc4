/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The floor: the least that a guest can do and still answer bench/udp_load.c, so that the benchmark
 * can say how many requests a second the card, the network and the client leave to any guest at
 * all. One CPU in 32-bit protected mode without paging, the card, and answers that were made at
 * boot; a request is answered in the buffer in which it came, and the CPU halts when there is none.
 * Everything else is left out: a set changes nothing, only whole requests of that load (and ARP)
 * are answered, by the first letter of the command, and the card is trusted.
 *
 * The barriers are those of src/drivers/virtqueue.c, under the same letters.
 */
#include "abi/net.h"
#include "cpu/barrier.h"
#include "cpu/io.h"
#include "floor.h"

#define ADDRESS 0x0a00020fu /* 10.0.2.15 */
#define PORT	11211
#define KEYS	1000 /* bench/load.h */

#define SERIAL_PORT	0x3f8
#define APIC		0xfee00000u
#define APIC_SVR	0x0f0
#define APIC_LINT0	0x350
#define SVR_ENABLE	0x100
#define LVT_MASKED	0x10000
#define SPURIOUS_VECTOR 0x2f
#define CODE_SEGMENT	8
#define INTERRUPT_GATE	0x8e00

struct arp_frame {
	struct eth_header eth;
	struct arp_packet arp;
} __packed;

struct datagram {
	struct eth_header eth;
	struct ip_header ip;
	struct udp_header udp;
	uint8_t frame[8]; /* memcached's; that of an answer is the request's */
	char text[];
} __packed;

struct answer {
	char text[48];
	uint32_t len;
};

struct queue rx, tx;
struct buffer buffers[QUEUE_SIZE] __aligned(16);
static uint8_t mac[6];
static struct answer value[KEYS], stored, version;

void floor(void) __noreturn;
extern const char card_interrupt[], spurious_interrupt[];

void die(const char *why)
{
	for (; *why; why++)
		outb(SERIAL_PORT, (uint8_t)*why);
	outb(SERIAL_PORT, '\n');
	__builtin_trap(); /* nobody handles it: the machine is reset, which ends QEMU */
}

/* --- The answers --- */

static void put_text(struct answer *a, const char *text)
{
	while (*text)
		a->text[a->len++] = *text++;
}

static void put_number(struct answer *a, unsigned n, unsigned base, unsigned width)
{
	char digits[10], *const end = digits + sizeof(digits), *p = end;

	do
		*--p = "0123456789abcdef"[n % base];
	while ((n /= base) || p > end - width);
	while (p < end)
		a->text[a->len++] = *p++;
}

/* As expected() of bench/load.h has them. */
static void make_answers(void)
{
	for (unsigned n = 0; n < KEYS; n++) {
		struct answer *a = &value[n], v = { .len = 0 };

		put_text(&v, "value-of-");
		put_number(&v, n, 10, 1);
		put_text(&v, "-");
		put_number(&v, n * 2654435761u, 16, 8);
		put_text(a, "VALUE key");
		put_number(a, n, 10, 1);
		put_text(a, " 0 ");
		put_number(a, v.len, 10, 1);
		put_text(a, "\r\n");
		put_text(a, v.text);
		put_text(a, "\r\nEND\r\n");
	}
	put_text(&stored, "STORED\r\n");
	put_text(&version, "VERSION floor\r\n");
}

static const struct answer *answer_to(const char *text)
{
	unsigned n = 0;

	switch (*text) {
	case 's': return &stored;
	case 'v': return &version;
	case 'g': /* get keyN */
		for (text += 7; *text >= '0' && *text <= '9' && n < KEYS; text++)
			n = n * 10 + (unsigned)(*text - '0');
		return n < KEYS ? &value[n] : NULL;
	}
	return NULL;
}

/* --- A frame is answered in its place: the length of the answer, 0 if there is none --- */

static void turn(struct eth_header *eth)
{
	__builtin_memcpy(eth->dst, eth->src, sizeof(eth->dst));
	__builtin_memcpy(eth->src, mac, sizeof(eth->src));
}

static uint32_t answer_arp(struct arp_frame *f, uint32_t len)
{
	if (len < sizeof(*f) || f->arp.op != be16(ARP_REQUEST) || f->arp.tpa != be32(ADDRESS))
		return 0;
	turn(&f->eth);
	f->arp.op = be16(ARP_REPLY);
	f->arp.tpa = f->arp.spa;
	f->arp.spa = be32(ADDRESS);
	__builtin_memcpy(f->arp.tha, f->arp.sha, sizeof(f->arp.tha));
	__builtin_memcpy(f->arp.sha, mac, sizeof(f->arp.sha));
	return sizeof(*f);
}

/* Nothing but the length changes what the header sums to (RFC 1624). */
static void set_length(struct ip_header *ip, uint16_t total)
{
	uint32_t sum = (ip->checksum ^ 0xffffu) + (ip->total_len ^ 0xffffu) + be16(total);

	sum = (sum & 0xffff) + (sum >> 16);
	ip->checksum = (uint16_t)(sum + (sum >> 16)) ^ 0xffff;
	ip->total_len = be16(total);
}

static uint32_t answer_datagram(struct datagram *d, uint32_t len)
{
	const struct answer *a;
	uint32_t from;
	uint16_t port;

	if (len < sizeof(*d) + 1 || d->ip.ver_ihl != 0x45 || d->ip.protocol != 17 ||
		(d->ip.frag & be16(IP_MF | IP_OFFSET)) || d->ip.dst != be32(ADDRESS) ||
		d->udp.dport != be16(PORT))
		return 0;
	a = answer_to(d->text);
	if (!a)
		return 0;
	len = sizeof(*d) + a->len;
	turn(&d->eth);
	from = d->ip.src;
	d->ip.src = d->ip.dst;
	d->ip.dst = from;
	set_length(&d->ip, (uint16_t)(len - ETH_HLEN));
	port = d->udp.sport;
	d->udp.sport = d->udp.dport;
	d->udp.dport = port;
	d->udp.len = be16((uint16_t)(len - ETH_HLEN - sizeof(d->ip)));
	d->udp.checksum = 0; /* none: over IPv4 it may be left out */
	__builtin_memcpy(d->text, a->text, sizeof(a->text)); /* a fixed length: no loop */
	return len;
}

static uint32_t answer(void *frame, uint32_t len)
{
	const struct eth_header *eth = frame;

	if (eth->type == be16(ETH_IPV4))
		return answer_datagram(frame, len);
	return eth->type == be16(ETH_ARP) ? answer_arp(frame, len) : 0;
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
	make_answers();
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
