/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several datagrams as one packet: UDP_SEGMENT when they are sent, UDP_GRO when they are received.
 *
 * A message is copied once, from the program: into one packet where the device cuts it (NETDEV_USO,
 * and loopback, where the receiver takes it whole or cuts it by reference), else into a packet for
 * each datagram.
 */

#include "net/udp.h"
#include "abi/errno.h"
#include "diag/counter.h"

#define MERGE_MAX 64u /* datagrams in one, as Linux's UDP_GRO_CNT_MAX */

COUNTER(udp_tx_cut_by_device);
COUNTER(udp_rx_merged);

/* ---- sending ---- */

/* Linux's order of complaints. */
static int check(const struct inet_sock *i, size_t n, const struct dgram_target *t)
{
	size_t headers = ip_header_size(t->how.dst) + sizeof(struct udp_header);

	if (headers + MIN(n, (size_t)t->segment) > t->route.mtu)
		return -EMSGSIZE;
	if (n > (size_t)t->segment * UDP_MAX_SEGMENTS)
		return -EINVAL;
	return i->s.no_check && ip_is_v4(t->how.dst) ? -EINVAL : 0;
}

static struct packet *one_packet(
	const struct inet_sock *i, struct socket_message *m, size_t n, const struct dgram_target *t)
{
	struct packet *p = dgram_packet(m, n, sizeof(struct udp_header));

	if (!IS_ERR(p))
		udp_push_header(i, p, t);
	return p;
}

struct packet *udp_cut_message(
	struct inet_sock *i, struct socket_message *m, const struct dgram_target *t)
{
	struct packet *list = NULL, **tail = &list, *p;
	int err = check(i, m->data->left, t);

	if (err)
		return ERR_PTR(err);
	if (m->data->left <= t->segment)
		return one_packet(i, m, m->data->left, t);
	if (t->route.dev->features & NETDEV_USO) {
		p = one_packet(i, m, m->data->left, t);
		if (!IS_ERR(p)) {
			p->gso_type = PACKET_GSO_UDP_L4;
			p->gso_size = t->segment;
			p->header_len = sizeof(struct udp_header);
			counter_inc(udp_tx_cut_by_device);
		}
		return p;
	}
	while (m->data->left) {
		p = one_packet(i, m, MIN(m->data->left, (size_t)t->segment), t);
		if (IS_ERR(p)) { /* none of them goes */
			pkt_free_list(list);
			return p;
		}
		*tail = p;
		tail = &p->next;
	}
	return list;
}

/* ---- receiving ---- */

/* p goes behind first, which has 'count' datagrams of 'size' bytes. */
static bool goes_behind(
	const struct packet *first, size_t size, unsigned count, const struct packet *p)
{
	const struct pkt_cb *a = pkt_cb((struct packet *)first), *b = pkt_cb((struct packet *)p);

	return count < MERGE_MAX && p->gso_type == PACKET_GSO_NONE && pkt_total(p) <= size &&
	       size * count + pkt_total(p) <= 65535 - 60 && pkt_total(p) && a->sport == b->sport &&
	       a->dport == b->dport && ip_equal(a->src, b->src) && ip_equal(a->dst, b->dst) &&
	       a->ttl == b->ttl && a->tos == b->tos && a->ifindex == b->ifindex &&
	       !((a->flags | b->flags) & (PKT_ERROR | PKT_LOOPBACK));
}

/* Loopback is left out as on Linux, where nothing comes in batches there. */
void udp_merge(struct packet *batch)
{
	for (struct packet *first = batch; first; first = first->next) {
		size_t size = pkt_total(first);
		struct packet **tail = &first->frags, *p = first->next;
		unsigned count = 1;
		bool full = true;

		if (first->gso_type != PACKET_GSO_NONE || !size || size > UINT16_MAX)
			continue;
		for (; p && full && goes_behind(first, size, count, p); p = first->next) {
			first->next = p->next;
			full = pkt_total(p) == size; /* a shorter one is the last */
			while (*tail)
				tail = &(*tail)->next;
			*tail = p;
			p->next = p->frags;
			p->frags = NULL;
			count++;
		}
		if (count == 1)
			continue;
		counter_add(udp_rx_merged, count - 1);
		first->gso_type = PACKET_GSO_UDP_L4;
		first->gso_size = (uint16_t)size;
	}
}
