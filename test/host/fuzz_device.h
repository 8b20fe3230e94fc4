/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio network card in the host's memory: it reads and writes what the driver's descriptors
 * say, and nothing else. It can be honest, and it can lie in whatever a device says: numbers and
 * lengths in the used ring, how many buffers a packet has, the header's words about checksums and
 * segments, interrupts. Memory is the host's (net_base.h).
 */
#ifndef TEST_HOST_FUZZ_DEVICE_H
#define TEST_HOST_FUZZ_DEVICE_H

#include "fuzz_world.h"
#include "abi/virtio_net.h"
#include "drivers/virtio.h"

#define CARD_PAIRS  4
#define CARD_QUEUES (2 * CARD_PAIRS + 1)
struct card_queue {
	struct virtqueue *q;
	irq_handler_fn *handler;
	void *arg;
	uint16_t seen, used; /* of the available ring; of the used ring */
	bool lied;	     /* about it: the driver may have given it up */
};
static struct card {
	struct virtio_device dev;
	uint64_t offered;
	uint8_t status, config[32];
	unsigned size; /* of the queues */
	unsigned mtu;
	unsigned pairs, active; /* that there are; that it receives on */
	struct card_queue queue[CARD_QUEUES];
	/* so many of 1000 */
	unsigned lies, header_lies, lazy;
	unsigned silent; /* to commands */
	unsigned long sent, received;
} card;
/* Behind all pairs. */
#define CARD_CONTROL (2 * card.pairs)

/* A frame that the driver sent, its header off. */
static void (*card_sends)(const uint8_t *frame, size_t n, const struct virtio_net_hdr *h);

static void *card_mem(uint64_t addr)
{
	return (void *)((uintptr_t)host_physmap + addr); /* wherever that is: cards lie */
}
static bool card_lied(void)
{
	for (unsigned k = 0; k < CARD_QUEUES; k++)
		if (card.queue[k].lied)
			return true;
	return false;
}

/* ---- rings ---- */

struct card_chain {
	uint16_t head;
	unsigned count;
	struct vring_desc d[VIRTQUEUE_MAX_SEGMENTS + 1];
};
/*
 * A card that has lied may not know any more what the driver gave it, and would read and write what
 * belongs to others now: that is no fault of the driver's, so it looks at the driver's books.
 */
static bool card_may_touch(const struct card_queue *c, uint16_t head, const struct vring_desc *d)
{
	struct packet *p = c->q->slots[head].token; /* of the control queue none is looked at */
	const uint8_t *at = card_mem(d->addr);

	for (struct packet *f = p; f; f = f == p ? p->frags : f->next)
		if (at >= f->head && at + d->len <= f->end && d->len <= (size_t)(f->end - f->head))
			return true;
	return false;
}
/* The driver must not have broken the rules, unless the card did before. */
#define CARD_EXPECTS(c, cond)                                                                      \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			BUG_ON(!(c)->lied);                                                        \
			return false;                                                              \
		}                                                                                  \
	} while (0)
static bool card_next(struct card_queue *c, struct card_chain *out)
{
	struct vring_desc *table = c->q->desc, d;
	unsigned size = c->q->size;

	if (c->seen == load_acquire(&c->q->avail->idx))
		return false;
	CARD_EXPECTS(c, (uint16_t)(c->q->avail->idx - c->seen) <= size);
	out->head = c->q->avail->ring[c->seen++ & (size - 1)];
	BUG_ON(out->head >= size);
	out->count = 0;
	d = table[out->head];
	if (d.flags & VRING_DESC_INDIRECT) {
		CARD_EXPECTS(c, (card.dev.features & VIRTIO_F_INDIRECT_DESC) && d.len &&
					d.len % sizeof(d) == 0 &&
					card_mem(d.addr) == c->q->slots[out->head].indirect);
		size = MIN(d.len / (unsigned)sizeof(d), VIRTQUEUE_MAX_SEGMENTS);
		table = card_mem(d.addr);
		d = table[0];
	}
	for (;;) {
		CARD_EXPECTS(c, out->count <= VIRTQUEUE_MAX_SEGMENTS);
		if (c->lied && !card_may_touch(c, out->head, &d))
			return false;
		out->d[out->count++] = d;
		if (!(d.flags & VRING_DESC_NEXT))
			return true;
		CARD_EXPECTS(c, d.next < size);
		d = table[d.next];
	}
}
static void card_interrupt(struct card_queue *c, uint16_t old)
{
	const struct vring_avail *a = c->q->avail;
	bool wanted = !(a->flags & VRING_AVAIL_NO_INTERRUPT);

	if (card.dev.features & VIRTIO_F_EVENT_IDX)
		wanted = (uint16_t)(c->used - a->ring[c->q->size] - 1) < (uint16_t)(c->used - old);
	if (c->handler && (wanted || chance(card.lies)))
		c->handler(c->arg);
}
static void card_use(struct card_queue *c, uint32_t id, uint32_t len)
{
	struct vring_used_elem *e = &c->q->used->ring[c->used & (c->q->size - 1)];
	uint16_t old = c->used, steps = 1;

	if (chance(card.lies)) {
		c->lied = true;
		switch (rnd(5)) {
		case 0: id = rnd(2) ? rnd(c->q->size) : fuzz_choose(0); break;
		case 1: len = rnd(2) ? rnd(70000) : fuzz_choose(0); break;
		case 2: len = rnd(20); break;
		case 3: steps = (uint16_t)(rnd(2) ? 0 : rnd(4)); break;
		default: memset(c->q->desc, (int)rnd(256), rnd(c->q->size) * 16); break;
		}
	}
	*e = (struct vring_used_elem){ id, len };
	c->used += steps;
	store_release(&c->q->used->idx, c->used);
	if (!(card.dev.features & VIRTIO_F_EVENT_IDX) && chance(card.lies))
		c->q->used->flags = (uint16_t)rnd(2);
	card_interrupt(c, old);
}

/* ---- receive ---- */

static unsigned card_header_size(void)
{
	return (card.dev.features & VIRTIO_NET_F_MRG_RXBUF) || !card.dev.legacy
		       ? sizeof(struct virtio_net_hdr)
		       : VIRTIO_NET_HDR_SHORT;
}
static void card_lie_in_header(struct virtio_net_hdr *h)
{
	uint8_t *b = (uint8_t *)h;

	if (chance(500)) {
		b[rnd(sizeof(*h))] = (uint8_t)(rnd(2) ? 1u << rnd(8) : rnd(256));
		return;
	}
	h->flags = (uint8_t)rnd(4);
	h->gso_type = (uint8_t)PICK(0, 1, 3, 4, 5, 0x81, 0x84, 0xff);
	h->gso_size = (uint16_t)PICK(0, 1, 8, 536, 1448, 65535);
	h->hdr_len = (uint16_t)PICK(0, 14, 54, 66, 65535);
	h->csum_start = (uint16_t)PICK(0, 14, 34, 54, 1500, 65535);
	h->csum_offset = (uint16_t)PICK(0, 6, 16, 65535);
	h->num_buffers = (uint16_t)PICK(0, 1, 2, 3, 64, 65535);
}

/* Buffers for so many bytes; how many there were, perhaps too few. */
static unsigned card_take_buffers(struct card_queue *c, struct card_chain *chains, size_t total)
{
	bool merges = card.dev.features & VIRTIO_NET_F_MRG_RXBUF;
	size_t room = 0;
	unsigned count = 0;

	while (room < total && count < (merges ? 64 : 1) && card_next(c, &chains[count])) {
		for (unsigned k = 0; k < chains[count].count; k++) {
			BUG_ON(!(chains[count].d[k].flags & VRING_DESC_WRITE) && !c->lied);
			room += chains[count].d[k].len;
		}
		count++;
	}
	return count;
}
/* Into one chain, from bytes[*at] on. What was written. */
static uint32_t card_write(
	const struct card_chain *chain, const uint8_t *bytes, size_t total, size_t *at)
{
	uint32_t written = 0;

	for (unsigned k = 0; k < chain->count; k++) {
		size_t part = MIN(total - *at, (size_t)chain->d[k].len);

		memcpy(card_mem(chain->d[k].addr), bytes + *at, part);
		*at += part;
		written += (uint32_t)part;
	}
	return written;
}
/* One frame. False: there was no buffer; as on a wire it is lost, or cut if there were too few. */
static bool card_receives(const uint8_t *frame, size_t n, struct virtio_net_hdr h)
{
	struct card_queue *c = &card.queue[VIRTIO_NET_QUEUE_RX(rnd(card.active))];
	static struct card_chain chains[64];
	static uint8_t bytes[80000];
	unsigned header = card_header_size(), count;
	size_t at = 0, total = header + n;

	if (!c->q || !(card.status & VIRTIO_STATUS_DRIVER_OK) || total > sizeof(bytes))
		return false;
	count = card_take_buffers(c, chains, total);
	if (!count)
		return false;
	h.num_buffers = (uint16_t)count;
	if (chance(card.header_lies))
		card_lie_in_header(&h);
	memcpy(bytes, &h, header);
	memcpy(bytes + header, frame, n);
	for (unsigned k = 0; k < count; k++) {
		uint32_t written = card_write(&chains[k], bytes, total, &at);

		card_use(c, chains[k].head, written);
	}
	card.received++;
	return true;
}

/* ---- send ---- */

/* What the driver may say in front of a frame, by what was agreed on. */
static void card_check_header(const struct virtio_net_hdr *h, size_t n)
{
	uint64_t f = card.dev.features;

	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		CHECK(f & VIRTIO_NET_F_CSUM);
		CHECK((size_t)h->csum_start + h->csum_offset + 2 <= n);
	}
	if (h->gso_type == VIRTIO_NET_HDR_GSO_NONE) {
		CHECK(n <= ETH_HLEN + card.mtu);
		return;
	}
	switch (h->gso_type) {
	case VIRTIO_NET_HDR_GSO_TCPV4: CHECK(f & VIRTIO_NET_F_HOST_TSO4); break;
	case VIRTIO_NET_HDR_GSO_TCPV6: CHECK(f & VIRTIO_NET_F_HOST_TSO6); break;
	case VIRTIO_NET_HDR_GSO_UDP_L4: CHECK(f & VIRTIO_NET_F_HOST_USO); break;
	default: T_FAIL("segments of type %x are sent", h->gso_type);
	}
	CHECK(h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM);
	CHECK(h->gso_size > 0 && h->hdr_len >= 42 && h->hdr_len < n);
}

static void card_transmit(struct card_queue *c)
{
	static uint8_t bytes[80000];
	struct card_chain chain;

	while (card_next(c, &chain)) {
		struct virtio_net_hdr h = { 0 };
		unsigned header = card_header_size();
		size_t n = 0;

		for (unsigned k = 0; k < chain.count; k++) {
			BUG_ON((chain.d[k].flags & VRING_DESC_WRITE) && !c->lied);
			BUG_ON(n + chain.d[k].len > sizeof(bytes) && !c->lied);
			if (n + chain.d[k].len > sizeof(bytes))
				return;
			memcpy(bytes + n, card_mem(chain.d[k].addr), chain.d[k].len);
			n += chain.d[k].len;
		}
		BUG_ON(n < header + ETH_HLEN && !c->lied);
		memcpy(&h, bytes, header);
		if (!c->lied)
			card_check_header(&h, n - header);
		card.sent++;
		if (card_sends && !c->lied)
			card_sends(bytes + header, n - header, &h);
		card_use(c, chain.head, 0);
	}
}
/* ---- commands ---- */

/* The pairs that a command is about; 0: it is none that the card knows. */
static unsigned card_command(const struct virtio_net_ctrl_hdr *h, const uint8_t *data, unsigned n)
{
	struct virtio_net_rss_hdr rss;
	uint16_t pair;
	unsigned pairs = 0;

	CHECK_EQ(h->class, VIRTIO_NET_CTRL_MQ);
	if (h->command == VIRTIO_NET_CTRL_MQ_PAIRS_SET) {
		CHECK_EQ(n, sizeof(pair));
		memcpy(&pair, data, sizeof(pair));
		return pair;
	}
	CHECK_EQ(h->command, VIRTIO_NET_CTRL_MQ_RSS);
	memcpy(&rss, data, sizeof(rss));
	CHECK_EQ(n, sizeof(rss) + 2 * (rss.table_mask + 1u) + sizeof(struct virtio_net_rss_tail) +
			    VIRTIO_NET_RSS_KEY);
	for (unsigned k = 0; k <= rss.table_mask; k++) {
		memcpy(&pair, data + sizeof(rss) + 2 * k, sizeof(pair));
		pairs = MAX(pairs, pair + 1u);
	}
	return pairs;
}
/* It does what it is told, or says no, or something else, or nothing. */
static void card_obeys(struct card_queue *c)
{
	struct card_chain chain;
	unsigned pairs;

	while (!c->lied && !chance(card.silent) && card_next(c, &chain)) {
		uint8_t *answer = card_mem(chain.d[2].addr);

		BUG_ON(chain.count != 3 || chain.d[0].len != 2 || chain.d[2].len != 1);
		BUG_ON(!(chain.d[2].flags & VRING_DESC_WRITE));
		pairs = card_command(
			card_mem(chain.d[0].addr), card_mem(chain.d[1].addr), chain.d[1].len);
		CHECK(pairs > 0 && pairs <= MIN(card.pairs, fuzz_cpus));
		*answer = (uint8_t)(chance(card.header_lies) ? rnd(256) : VIRTIO_NET_ACK_OK);
		if (*answer == VIRTIO_NET_ACK_OK)
			card.active = pairs;
		card_use(c, chain.head, 1);
	}
}
/* What the driver gave and the card has not looked at yet. */
static void card_works(void)
{
	struct card_queue *c;

	if (!(card.status & VIRTIO_STATUS_DRIVER_OK))
		return;
	for (unsigned k = 0; k < card.pairs; k++) {
		c = &card.queue[VIRTIO_NET_QUEUE_TX(k)];
		if (c->q)
			card_transmit(c);
	}
	c = &card.queue[CARD_CONTROL];
	if (c->q)
		card_obeys(c);
}
/* A ring entry out of nowhere. */
static void card_mischief(void)
{
	struct card_queue *c = &card.queue[rnd(CARD_CONTROL + 1)];

	if (!c->q)
		return;
	c->lied = true;
	card_use(c, rnd(c->q->size + 2), rnd(3000));
}

/* ---- the transport ---- */

static uint64_t card_get_features(struct virtio_device *dev)
{
	return card.offered;
}
static void card_set_features(struct virtio_device *dev, uint64_t features)
{
	BUG_ON(features & ~card.offered);
}
static uint8_t card_get_status(struct virtio_device *dev)
{
	return card.status;
}
static void card_set_status(struct virtio_device *dev, uint8_t status)
{
	card.status = status;
	if (!status)
		memset(card.queue, 0, sizeof(card.queue));
}
static uint8_t card_config_read8(struct virtio_device *dev, unsigned offset)
{
	return offset < sizeof(card.config) ? card.config[offset] : 0;
}
static uint32_t card_generation(struct virtio_device *dev)
{
	return 0;
}
static unsigned card_queue_max(struct virtio_device *dev, unsigned index)
{
	return index < 2 || (card.pairs > 1 && index <= CARD_CONTROL) ? card.size : 0;
}
static int card_queue_start(
	struct virtio_device *dev, struct virtqueue *q, irq_handler_fn *handler, void *arg)
{
	BUG_ON(q->index >= CARD_QUEUES);
	card.queue[q->index] = (struct card_queue){ .q = q, .handler = handler, .arg = arg };
	return 0;
}
static void card_notify(struct virtio_device *dev, struct virtqueue *q)
{
	if ((q->index & 1 || q->index == CARD_CONTROL) && !chance(card.lazy))
		card_works();
}
static const struct virtio_transport card_ops = {
	.get_features = card_get_features,
	.set_features = card_set_features,
	.get_status = card_get_status,
	.set_status = card_set_status,
	.config_read8 = card_config_read8,
	.config_generation = card_generation,
	.queue_max = card_queue_max,
	.queue_start = card_queue_start,
	.notify = card_notify,
};

/* Plugged in; the driver has it (its netdev is the second one, after lo). */
static int card_plug(bool legacy, uint64_t features, unsigned size, unsigned mtu)
{
	static const uint8_t config[] = { 2, 0, 0, 0, 0, 1, VIRTIO_NET_S_LINK_UP };

	card = (struct card){ .offered = features | (legacy ? 0 : VIRTIO_F_VERSION_1),
		.size = size,
		.mtu = features & VIRTIO_NET_F_MTU ? mtu : 1500,
		.pairs = features & (VIRTIO_NET_F_MQ | VIRTIO_NET_F_RSS) ? 1 + rnd(CARD_PAIRS) : 1,
		.active = 1,
		.dev = { .ops = &card_ops,
			.name = "card",
			.id = VIRTIO_ID_NET,
			.ring_align = legacy ? 4096 : 4,
			.legacy = legacy } };
	memcpy(card.config, config, sizeof(config));
	put_be16(card.config + VIRTIO_NET_CONFIG_MTU, be16((uint16_t)mtu));
	card.config[VIRTIO_NET_CONFIG_MAX_PAIRS] = (uint8_t)card.pairs;
	card.config[VIRTIO_NET_CONFIG_RSS_MAX_KEY] = (uint8_t)PICK(40, 40, 40, 52, 39, 0);
	card.config[VIRTIO_NET_CONFIG_RSS_MAX_TABLE] = (uint8_t)PICK(128, 128, 128, 1, 2, 127, 0);
	card.config[VIRTIO_NET_CONFIG_RSS_HASHES] = (uint8_t)PICK(0x3f, 0x3f, 0xff, 0, 1);
	return virtio_net_probe(&card.dev);
}
#endif
