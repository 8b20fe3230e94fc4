/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The record of what is in flight: ascending runs of sequence space that together cover exactly
 * [snd_una, snd_nxt). A run is what was sent at one moment (a burst, or one retransmission), so
 * that loss can be told by time (RFC 8985) and a round trip be measured on every run. What SACK
 * reports or loss detection decides cuts runs; neighbours that say the same become one again.
 *
 *	snd_una                                                       snd_nxt
 *	| retransmitted, t=9 | sacked | lost | sacked | new, t=7 | new, t=8 |
 *
 * Memory is found before a run is cut. Where there is none, a SACK is believed later or not at
 * all, which RFC 2018 allows, and the last run grows, which only makes it look younger.
 */

#include "net/tcp.h"
#include "diag/counter.h"
#include "mem/heap.h"

COUNTER(tcp_sent_no_memory);

static uint32_t length(const struct tcp_sent *r)
{
	return r->end - r->start;
}

void tcp_sent_init(struct tcp_sock *t)
{
	t->sent = t->sent_base = t->sent_inline;
	t->sent_size = ARRAY_SIZE(t->sent_inline);
	t->sent_count = 0;
	t->sent_bytes_sacked = t->sent_bytes_lost = t->sent_bytes_retrans = 0;
}

void tcp_sent_free(struct tcp_sock *t)
{
	if (t->sent_base != t->sent_inline)
		heap_free(t->sent_base);
	tcp_sent_init(t);
}

/* Room for n runs more; may move them. */
static bool make_room(struct tcp_sock *t, unsigned n)
{
	unsigned front = (unsigned)(t->sent - t->sent_base), size = t->sent_size;
	struct tcp_sent *p;

	if (front + t->sent_count + n <= size)
		return true;
	if (front >= size / 2 && t->sent_count + n <= size) { /* the front has been acknowledged */
		memmove(t->sent_base, t->sent, t->sent_count * sizeof(*p));
		t->sent = t->sent_base;
		return true;
	}
	size = MAX(2 * size, 16u);
	p = size <= TCP_MAX_SENT ? heap_alloc(size * sizeof(*p)) : NULL;
	if (!p) {
		if (t->sent_count + n > t->sent_size) {
			counter_inc(tcp_sent_no_memory);
			return false;
		}
		memmove(t->sent_base, t->sent, t->sent_count * sizeof(*p));
		t->sent = t->sent_base;
		return true;
	}
	memcpy(p, t->sent, t->sent_count * sizeof(*p));
	if (t->sent_base != t->sent_inline)
		heap_free(t->sent_base);
	t->sent = t->sent_base = p;
	t->sent_size = size;
	return true;
}

static void remove_run(struct tcp_sock *t, unsigned k)
{
	memmove(&t->sent[k], &t->sent[k + 1], (t->sent_count - k - 1) * sizeof(*t->sent));
	t->sent_count--;
}

/* Run k becomes two that meet at seq, strictly inside. False: no memory. */
static bool split(struct tcp_sock *t, unsigned k, uint32_t seq)
{
	if (!make_room(t, 1))
		return false;
	struct tcp_sent *r = &t->sent[k];

	memmove(r + 1, r, (t->sent_count - k) * sizeof(*r));
	t->sent_count++;
	r[0].end = r[1].start = seq;
	return true;
}

/* The run that ends beyond seq; sent_count: there is none. */
static unsigned find_run(const struct tcp_sock *t, uint32_t seq)
{
	unsigned low = 0, high = t->sent_count;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (seq_gt(t->sent[mid].end, seq))
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/* Changes the marks of a run and the sums with them. */
static void set_flags(struct tcp_sock *t, struct tcp_sent *r, uint8_t flags)
{
	uint32_t n = length(r);

	if (r->flags & SENT_SACKED)
		t->sent_bytes_sacked -= n;
	if (r->flags & SENT_LOST)
		t->sent_bytes_lost -= n;
	else if (r->flags & SENT_AGAIN)
		t->sent_bytes_retrans -= n;
	r->flags = flags;
	if (flags & SENT_SACKED)
		t->sent_bytes_sacked += n;
	if (flags & SENT_LOST)
		t->sent_bytes_lost += n;
	else if (flags & SENT_AGAIN)
		t->sent_bytes_retrans += n;
}

void tcp_sent_append(struct tcp_sock *t, uint32_t seq, uint32_t end, uint8_t flags, uint64_t now)
{
	struct tcp_sent *last = t->sent_count ? &t->sent[t->sent_count - 1] : NULL;

	if (last && last->time == now && !last->flags && !flags) {
		last->end = end;
		return;
	}
	if (!make_room(t, 1)) {
		last = &t->sent[t->sent_count - 1];
		set_flags(t, last, 0);
		last->end = end;
		last->time = now;
		return;
	}
	t->sent[t->sent_count++] = (struct tcp_sent){ seq, end, now, flags };
}

/* [start, end) of the run has arrived; it is not counted as sacked any more or yet. */
static void delivered(struct tcp_sock *t, const struct tcp_sent *r, uint32_t start, uint32_t end,
	struct tcp_delivery *d)
{
	bool again = r->flags & SENT_AGAIN;

	d->bytes += end - start;
	if (!again) {
		if (!d->first_sent || r->time < d->first_sent)
			d->first_sent = r->time;
		if (seq_le(end, t->recover))
			d->original = true;
		if (seq_lt(end, t->rack.fack))
			t->rack.reordering_seen = true;
	}
	if (!d->edge_valid || seq_gt(end, d->edge))
		d->edge = end;
	d->edge_valid = true;
	tcp_rack_delivered(t, r->time, end, again, d);
}

void tcp_sent_acked(struct tcp_sock *t, uint32_t ack, struct tcp_delivery *d)
{
	bool again = false;

	while (t->sent_count && seq_lt(t->sent->start, ack)) {
		struct tcp_sent *r = t->sent, part = *r;
		uint8_t flags = r->flags;

		again |= flags & SENT_AGAIN;
		if (!(flags & SENT_SACKED))
			delivered(t, r, r->start, seq_min(r->end, ack), d);
		if (seq_le(r->end, ack)) {
			if (flags)
				set_flags(t, r, 0);
			t->sent++;
			t->sent_count--;
			continue;
		}
		if (flags) {
			part.end = ack;
			set_flags(t, &part, 0); /* takes the part out of the sums */
		}
		r->start = ack;
	}
	if (again) /* what lies behind a filled hole arrived long ago: no round trip (Karn) */
		d->first_sent = 0;
	if (!t->sent_count) {
		if (t->sent_base != t->sent_inline)
			tcp_sent_free(t);
		t->sent = t->sent_base;
	}
}

/* Marks [start, end), which lies in (snd_una, snd_nxt]. Whether it says anything new. */
bool tcp_sent_sacked(struct tcp_sock *t, uint32_t start, uint32_t end, struct tcp_delivery *d)
{
	bool news = false;

	for (unsigned k = find_run(t, start); k < t->sent_count; k++) {
		struct tcp_sent *r = &t->sent[k], *before = k ? r - 1 : NULL;

		if (seq_ge(r->start, end))
			break;
		if (r->flags & SENT_SACKED)
			continue;
		if (seq_lt(r->start, start)) {
			if (!split(t, k, start))
				continue;
			continue; /* the second half is next */
		}
		if (seq_gt(r->end, end)) {
			if (before && (before->flags & SENT_SACKED)) { /* the border moves */
				struct tcp_sent part = *r;

				delivered(t, r, r->start, end, d);
				part.end = end;
				set_flags(t, &part, SENT_SACKED);
				before->end = r->start = end;
				return true;
			}
			if (!split(t, k, end))
				break;
			r = &t->sent[k];
		}
		delivered(t, r, r->start, r->end, d);
		set_flags(t, r, SENT_SACKED);
		news = true;
		if (k && (r[-1].flags & SENT_SACKED)) {
			r[-1].end = r->end;
			remove_run(t, k--);
		}
		if (k + 1 < t->sent_count && (t->sent[k + 1].flags & SENT_SACKED)) {
			t->sent[k].end = t->sent[k + 1].end;
			remove_run(t, k + 1);
		}
	}
	return news;
}

/* The receiver dropped what it had reported (RFC 2018, section 8): as if never reported. */
void tcp_sent_forget_sacks(struct tcp_sock *t)
{
	for (unsigned k = 0; k < t->sent_count; k++)
		if (t->sent[k].flags & SENT_SACKED)
			set_flags(t, &t->sent[k], 0);
}

void tcp_sent_mark_lost(struct tcp_sock *t, unsigned k)
{
	set_flags(t, &t->sent[k], t->sent[k].flags | SENT_LOST);
}

/* The first len bytes in flight are lost (RFC 6582: what three duplicates or a partial ACK say). */
void tcp_sent_mark_front(struct tcp_sock *t, uint32_t len)
{
	struct tcp_sent *r = t->sent;

	if (!t->sent_count || (r->flags & (SENT_LOST | SENT_SACKED)))
		return;
	if (length(r) > len)
		(void)split(t, 0, r->start + len); /* no memory: then all of the run */
	tcp_sent_mark_lost(t, 0);
}

/* The loss was none, or what was lost counts anew: nothing waits to be sent again. */
void tcp_sent_unmark_lost(struct tcp_sock *t)
{
	for (unsigned k = 0; k < t->sent_count; k++)
		if (t->sent[k].flags & SENT_LOST)
			set_flags(t, &t->sent[k], t->sent[k].flags & (uint8_t)~SENT_LOST);
}

/* Neighbours that wait to be sent again become one: the youngest's time, should the mark go. */
void tcp_sent_merge_lost(struct tcp_sock *t)
{
	unsigned to = 0;

	for (unsigned k = 1; k < t->sent_count; k++) {
		struct tcp_sent *a = &t->sent[to], *b = &t->sent[k];

		if ((a->flags & SENT_LOST) && a->flags == b->flags) {
			a->end = b->end;
			a->time = MAX(a->time, b->time);
		} else {
			t->sent[++to] = *b;
		}
	}
	if (t->sent_count)
		t->sent_count = to + 1;
}

/* The first run that is to be sent again; NULL: none. */
const struct tcp_sent *tcp_sent_next_lost(const struct tcp_sock *t)
{
	if (t->sent_bytes_lost)
		for (unsigned k = 0; k < t->sent_count; k++)
			if (t->sent[k].flags & SENT_LOST)
				return &t->sent[k];
	return NULL;
}

/* [seq, end), within one run, goes out once more. False: no memory to note it; do not send. */
bool tcp_sent_again(struct tcp_sock *t, uint32_t seq, uint32_t end, uint64_t now)
{
	unsigned k = find_run(t, seq);

	if (!make_room(t, 2))
		return false;
	if (seq_lt(t->sent[k].start, seq))
		(void)split(t, k++, seq);
	struct tcp_sent *r = &t->sent[k], *before = k ? r - 1 : NULL;

	if (seq_gt(r->end, end))
		(void)split(t, k, end);
	set_flags(t, r, SENT_AGAIN);
	r->time = now;
	if (before && before->flags == SENT_AGAIN && before->time == now) {
		before->end = r->end;
		remove_run(t, k);
	}
	t->rack.high_rxt = seq_max(t->rack.high_rxt, end);
	return true;
}
