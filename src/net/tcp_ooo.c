/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What came too early, as runs in a tree. No packet is looked at but a run's last one and those
 * that leave, so that a window full of data behind one hole costs what an empty one does, and a
 * peer that makes holes in the worst order (CVE-2018-5390) costs the depth of the tree for each.
 */

#include "net/tcp.h"
#include "diag/counter.h"
#include "mem/heap.h"

COUNTER(tcp_ooo_steps); /* runs that were looked at: to find a place, to report */

static struct tcp_run *run_of(struct rb_node *n)
{
	return n ? rb_entry(n, struct tcp_run, node) : NULL;
}

/* The last run that begins at seq or before. */
static struct tcp_run *run_before(const struct tcp_ooo *q, uint32_t seq)
{
	struct tcp_run *found = NULL, *r;

	if (q->count) { /* most go on where the last one ended, and there none begins (O1) */
		r = list_first_entry(&q->recent, struct tcp_run, recent);
		counter_inc(tcp_ooo_steps);
		if (seq_le(r->start, seq) && seq_le(seq, r->end))
			return r;
	}
	for (r = run_of(q->runs.root); r;) {
		counter_inc(tcp_ooo_steps);
		if (seq_le(r->start, seq)) {
			found = r;
			r = run_of(r->node.right);
		} else {
			r = run_of(r->node.left);
		}
	}
	return found;
}

/* The next one; behind NULL: the first. */
static struct tcp_run *run_after(const struct tcp_ooo *q, const struct tcp_run *r)
{
	return run_of(r ? rb_next(&r->node) : rb_first(&q->runs));
}

static void grow(struct tcp_ooo *q, struct tcp_run *r, uint32_t bytes)
{
	r->bytes += bytes;
	q->bytes += bytes;
}

/* r is the latest that something arrived for. */
static void touch(struct tcp_ooo *q, struct tcp_run *r)
{
	list_del(&r->recent);
	list_add(&q->recent, &r->recent);
}

/* r is p alone, between two neighbours that may be NULL. */
static void link_run(struct tcp_ooo *q, struct tcp_run *r, struct packet *p, struct tcp_run *left,
	struct tcp_run *right)
{
	struct rb_node *parent = NULL, **link = &q->runs.root;

	if (left && !left->node.right) {
		parent = &left->node;
		link = &parent->right;
	} else if (right) { /* the leftmost of what is behind left: nothing is on its left */
		parent = &right->node;
		link = &parent->left;
	}
	r->start = pkt_cb(p)->seq;
	r->end = pkt_cb(p)->end_seq;
	r->first = r->last = p;
	r->bytes = 0;
	rb_insert(&q->runs, &r->node, parent, link);
	list_add(&q->recent, &r->recent);
	q->count++;
	grow(q, r, pkt_cb(p)->truesize + (uint32_t)sizeof(*r));
}

/* Its memory and its packets are the caller's. */
static void unlink_run(struct tcp_ooo *q, struct tcp_run *r)
{
	rb_erase(&q->runs, &r->node);
	list_del(&r->recent);
	q->count--;
	q->bytes -= r->bytes;
}

/* All of right goes behind left, which ends where right begins. */
static void join(struct tcp_ooo *q, struct tcp_run *left, struct tcp_run *right)
{
	unlink_run(q, right);
	left->last->next = right->first;
	left->last = right->last;
	left->end = right->end;
	grow(q, left, right->bytes - (uint32_t)sizeof(*right));
	heap_free(right);
}

static void append(struct tcp_ooo *q, struct tcp_run *r, struct packet *p)
{
	r->last->next = p;
	r->last = p;
	r->end = pkt_cb(p)->end_seq;
	grow(q, r, pkt_cb(p)->truesize);
	touch(q, r);
}

static void prepend(struct tcp_ooo *q, struct tcp_run *r, struct packet *p)
{
	p->next = r->first;
	r->first = p;
	r->start = pkt_cb(p)->seq; /* still behind the one before: the order stays */
	grow(q, r, pkt_cb(p)->truesize);
	touch(q, r);
}

static void note(struct tcp_range *known, uint32_t start, uint32_t end)
{
	if (known->start == known->end)
		*known = (struct tcp_range){ start, end };
}

/*
 * Cuts off p what is known on its left, drops the runs that it covers, and cuts off what is known
 * on its right. The memory of a dropped run is returned: for what covers a run there is room.
 */
static struct tcp_run *fit(
	struct tcp_ooo *q, struct packet *p, struct tcp_run *left, struct tcp_range *known)
{
	struct pkt_cb *cb = pkt_cb(p);
	struct tcp_run *covered = NULL, *right;

	if (left && seq_gt(left->end, cb->seq)) {
		note(known, cb->seq, left->end);
		pkt_trim_front(p, left->end - cb->seq);
		cb->seq = left->end;
	}
	while ((right = run_after(q, left)) && seq_le(right->end, cb->end_seq)) {
		note(known, right->start, right->end);
		unlink_run(q, right);
		pkt_free_list(right->first);
		heap_free(covered);
		covered = right;
	}
	if (right && seq_lt(right->start, cb->end_seq)) {
		note(known, right->start, cb->end_seq);
		pkt_truncate(p, right->start - cb->seq);
		cb->end_seq = right->start;
	}
	return covered;
}

enum tcp_ooo_fate tcp_ooo_add(struct tcp_ooo *q, struct packet *p, struct tcp_range *known)
{
	struct pkt_cb *cb = pkt_cb(p);
	struct tcp_run *left = run_before(q, cb->seq), *right, *r;

	*known = (struct tcp_range){ cb->seq, cb->seq };
	if (left && seq_ge(left->end, cb->end_seq)) {
		known->end = cb->end_seq;
		touch(q, left);
		packet_free(p);
		return TCP_OOO_KNOWN;
	}
	r = fit(q, p, left, known); /* from here on p is in a gap */
	right = run_after(q, left);
	p->next = NULL;
	cb->truesize = pkt_truesize(p);
	if (left && left->end == cb->seq) {
		append(q, left, p);
		if (right && right->start == left->end)
			join(q, left, right);
	} else if (right && right->start == cb->end_seq) {
		prepend(q, right, p);
	} else {
		if (!r && q->count < TCP_MAX_RUNS)
			r = heap_alloc(sizeof(*r));
		if (!r) {
			packet_free(p);
			return TCP_OOO_PRUNED;
		}
		link_run(q, r, p, left, right);
		return TCP_OOO_HELD;
	}
	heap_free(r);
	return TCP_OOO_HELD;
}

/* What of the list p is not before 'next'. */
static struct packet *cut_front(struct packet *p, uint32_t next)
{
	while (p && seq_le(pkt_cb(p)->end_seq, next)) {
		struct packet *old = p;

		p = p->next;
		old->next = NULL;
		packet_free(old);
	}
	if (p && seq_lt(pkt_cb(p)->seq, next)) {
		pkt_trim_front(p, next - pkt_cb(p)->seq);
		pkt_cb(p)->seq = next;
	}
	return p;
}

struct packet *tcp_ooo_take(struct tcp_ooo *q, uint32_t next)
{
	struct packet *p = NULL;
	struct tcp_run *r;

	while (!p && (r = run_after(q, NULL)) && seq_le(r->start, next)) {
		unlink_run(q, r);
		p = cut_front(r->first, next);
		heap_free(r);
	}
	return p;
}

unsigned tcp_ooo_recent(const struct tcp_ooo *q, struct tcp_range *out, unsigned max)
{
	struct tcp_run *r;
	unsigned n = 0;

	list_for_each_entry (r, &q->recent, recent) {
		if (n == max)
			break;
		counter_inc(tcp_ooo_steps);
		out[n++] = (struct tcp_range){ r->start, r->end };
	}
	return n;
}

bool tcp_ooo_ends_at(const struct tcp_ooo *q, uint32_t seq)
{
	const struct tcp_run *r = run_of(rb_last(&q->runs));

	return r && r->end == seq;
}

void tcp_ooo_init(struct tcp_ooo *q)
{
	q->runs = (struct rb_tree){ 0 };
	list_init(&q->recent);
	q->count = q->bytes = 0;
}

void tcp_ooo_free(struct tcp_ooo *q)
{
	struct tcp_run *r, *tmp;

	list_for_each_entry_safe (r, tmp, &q->recent, recent) {
		pkt_free_list(r->first);
		heap_free(r);
	}
	tcp_ooo_init(q);
}
