/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reassembly of fragments of both families (RFC 791, 8200 4.5; overlaps drop the whole packet,
 * 5722, but a fragment that came twice is dropped alone). Bounded in bytes, packets and time; the
 * oldest goes first.
 */

#include "net/icmp.h"
#include "net/ip.h"
#include "net/packet.h"
#include "net/state.h"
#include "abi/errno.h"
#include "diag/counter.h"
#include "mem/heap.h"
#include "sched/clock.h"

#define FRAG_MAX_BYTES	MIB(1)
#define FRAG_MAX_QUEUES 64
#define FRAG_MAX_PIECES 128
#define FRAG_TIMEOUT	(30 * NSEC_PER_SEC)

COUNTER(ip_frag_timeouts);
COUNTER(ip_frag_overlaps);
COUNTER(ip_frag_evicted);

struct frag_queue {
	struct list_node link;
	struct frag_key key;
	uint64_t deadline;
	struct packet
		*pieces; /* by offset, linked by next; cb->seq = offset, data at the payload */
	unsigned count;
	size_t bytes;
	uint32_t total; /* payload length, known with the last fragment; 0: not yet */
	uint32_t have;
};

/* All below: frag_lock held. */
static void queue_drop(struct net_state *n, struct frag_queue *q)
{
	list_del(&q->link);
	n->frag_bytes -= q->bytes;
	pkt_free_list(q->pieces);
	heap_free(q);
}

static unsigned queue_count(struct net_state *n)
{
	struct frag_queue *q;
	unsigned k = 0;

	list_for_each_entry (q, &n->frags, link)
		k++;
	return k;
}

static bool same_key(const struct frag_key *a, const struct frag_key *b)
{
	return a->id == b->id && a->protocol == b->protocol && ip_equal(a->src, b->src) &&
	       ip_equal(a->dst, b->dst);
}

static struct frag_queue *queue_find(struct net_state *n, const struct frag_key *key)
{
	struct frag_queue *q;

	list_for_each_entry (q, &n->frags, link)
		if (same_key(&q->key, key))
			return q;
	while (!list_empty(&n->frags) &&
		(n->frag_bytes > FRAG_MAX_BYTES || queue_count(n) >= FRAG_MAX_QUEUES)) {
		counter_inc(ip_frag_evicted);
		queue_drop(n, list_first_entry(&n->frags, struct frag_queue, link));
	}
	q = heap_alloc_zeroed(sizeof(*q));
	if (!q)
		return NULL;
	q->key = *key;
	q->deadline = clock_now() + FRAG_TIMEOUT;
	list_add_tail(&n->frags, &q->link);
	if (!n->frag_timer_on) {
		n->frag_timer_on = true;
		timer_arm(&n->frag_timer, q->deadline);
	}
	return q;
}

/*
 * Puts p (cb seq..end_seq) in its place. -EEXIST: it is there already, networks double packets
 * (8200 4.5). -EINVAL: it overlaps, something lies behind the last one, or there are too many.
 */
static int queue_insert(struct net_state *n, struct frag_queue *q, struct packet *p, bool last)
{
	struct pkt_cb *cb = pkt_cb(p);
	struct packet **at = &q->pieces;

	while (*at && pkt_cb(*at)->end_seq <= cb->seq)
		at = &(*at)->next;
	if (*at && pkt_cb(*at)->seq == cb->seq && pkt_cb(*at)->end_seq == cb->end_seq)
		return -EEXIST;
	if ((*at && (last || pkt_cb(*at)->seq < cb->end_seq)) || q->count >= FRAG_MAX_PIECES)
		return -EINVAL;
	p->next = *at;
	*at = p;
	q->count++;
	q->have += cb->end_seq - cb->seq;
	q->bytes += pkt_truesize(p);
	n->frag_bytes += pkt_truesize(p);
	return 0;
}

/* All pieces are there: the first becomes the packet, the others its frags. */
static struct packet *queue_join(struct net_state *n, struct frag_queue *q)
{
	struct packet *p = q->pieces, **tail = &p->frags;

	while (*tail)
		tail = &(*tail)->next;
	for (struct packet *f = p->next, *next; f; f = next) {
		next = f->next;
		struct packet *sub = f->frags;

		f->frags = NULL;
		f->next = sub;
		*tail = f;
		while (*tail)
			tail = &(*tail)->next;
	}
	p->next = NULL;
	p->csum_flags = PACKET_CSUM_NONE; /* the card saw fragments only */
	q->pieces = NULL;
	queue_drop(n, q);
	return p;
}

struct packet *ip_reassemble(
	struct packet *p, const struct frag_key *key, uint32_t offset, bool more)
{
	struct net_state *n = the_net();
	struct pkt_cb *cb = pkt_cb(p);
	size_t len = pkt_total(p);
	struct packet *whole = NULL;

	cb->seq = offset;
	cb->end_seq = offset + (uint32_t)len;
	if (!len || cb->end_seq > IP_MAX_TOTAL || (more && (len & 7))) {
		packet_free(p);
		return NULL;
	}
	mutex_lock(&n->frag_lock);
	struct frag_queue *q = queue_find(n, key);
	uint32_t end = cb->end_seq;

	if (!q) {
		packet_free(p);
		goto out;
	}
	bool bad = q->total && (more ? end > q->total : end != q->total);
	int err = bad ? -EINVAL : queue_insert(n, q, p, !more);

	if (err) {
		packet_free(p);
		if (err == -EINVAL) {
			counter_inc(ip_frag_overlaps);
			queue_drop(n, q);
		}
		goto out;
	}
	if (!more)
		q->total = end;
	if (q->total && q->have == q->total && pkt_cb(q->pieces)->seq == 0)
		whole = queue_join(n, q);
out:
	mutex_unlock(&n->frag_lock);
	return whole;
}

static void frag_timer_fired(struct timer *t)
{
	struct net_state *n = the_net();
	struct frag_queue *q, *next;
	uint64_t now = clock_now();

	mutex_lock(&n->frag_lock);
	n->frag_timer_on = false;
	list_for_each_entry_safe (q, next, &n->frags, link) {
		if (q->deadline > now)
			break;
		counter_inc(ip_frag_timeouts);
		if (q->pieces && pkt_cb(q->pieces)->seq == 0)
			icmp_send_timeout(q->pieces);
		queue_drop(n, q);
	}
	if (!list_empty(&n->frags)) {
		n->frag_timer_on = true;
		timer_arm(&n->frag_timer,
			list_first_entry(&n->frags, struct frag_queue, link)->deadline);
	}
	mutex_unlock(&n->frag_lock);
}

void ip_frag_init(void)
{
	struct net_state *n = the_net();

	mutex_init(&n->frag_lock, "net_state.frag_lock");
	list_init(&n->frags);
	timer_init(&n->frag_timer, frag_timer_fired, NULL);
}
