/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets as chains of pieces. */

#include "net/packet.h"
#include "cpu/barrier.h"
#include "diag/counter.h"
#include "file/iter.h"
#include "lib/string.h"
#include "mem/heap.h"

COUNTER(net_bytes_copied_cut);

size_t pkt_total_frags(const struct packet *p)
{
	size_t n = p->len;

	for (const struct packet *f = p->frags; f; f = f->next)
		n += f->len;
	return n;
}

uint32_t pkt_truesize(const struct packet *p)
{
	size_t n = (size_t)(p->end - p->head) + sizeof(*p);

	for (const struct packet *f = p->frags; f; f = f->next)
		n += (size_t)(f->end - f->head) + sizeof(*f);
	return (uint32_t)n;
}

void pkt_trim_front(struct packet *p, size_t n)
{
	size_t k = MIN(n, (size_t)p->len);

	packet_pull(p, k);
	n -= k;
	for (struct packet *f = p->frags; f && n; f = f->next) {
		k = MIN(n, (size_t)f->len);
		packet_pull(f, k);
		n -= k;
	}
}

void pkt_truncate(struct packet *p, size_t n)
{
	if (p->len >= n) {
		p->len = (uint32_t)n;
		n = 0;
	} else {
		n -= p->len;
	}
	for (struct packet *f = p->frags; f; f = f->next) {
		if (f->len > n)
			f->len = (uint32_t)n;
		n -= f->len;
	}
}

size_t pkt_copy_to_iter(const struct packet *p, size_t off, struct iter *to, size_t n)
{
	size_t done = 0;

	for (const struct packet *f = p; f && n; f = f == p ? p->frags : f->next) {
		if (off >= f->len) {
			off -= f->len;
			continue;
		}
		size_t k = MIN(n, f->len - off), got = iter_copy_to(to, f->data + off, k);

		done += got;
		if (got < k)
			break;
		n -= k;
		off = 0;
	}
	return done;
}

void pkt_copy_out(const struct packet *p, size_t off, void *to, size_t n)
{
	uint8_t *out = to;

	for (const struct packet *f = p; f && n; f = f == p ? p->frags : f->next) {
		if (off >= f->len) {
			off -= f->len;
			continue;
		}
		size_t k = MIN(n, f->len - off);

		memcpy(out, f->data + off, k);
		out += k;
		n -= k;
		off = 0;
	}
}

bool pkt_pull_up_frags(struct packet *p, size_t n)
{
	for (struct packet *f = p->frags; f && p->len < n; f = f->next) {
		size_t k = MIN(n - p->len, (size_t)f->len);

		if (pkt_tailroom(p) < k)
			return false;
		memcpy(pkt_tail(p), f->data, k);
		p->len += (uint32_t)k;
		packet_pull(f, k);
	}
	return p->len >= n;
}

struct packet *pkt_linearise(const struct packet *p, size_t headroom)
{
	size_t n = pkt_total(p);
	struct packet *q = packet_alloc(headroom, n);

	if (!q)
		return NULL;
	pkt_copy_out(p, 0, packet_put(q, n), n);
	memcpy(q->cb, p->cb, sizeof(q->cb));
	q->csum_flags = p->csum_flags;
	q->csum_start = p->csum_start;
	q->csum_offset = p->csum_offset;
	q->gso_type = p->gso_type;
	q->gso_size = p->gso_size;
	q->header_len = p->header_len;
	return q;
}

/* A packet that is cut: it lives as long as one of its parts. */
struct cut {
	uint32_t refs; /* atomic */
	struct packet *whole;
};

static void cut_put(struct cut *c)
{
	if (atomic_sub(&c->refs, 1) != 1)
		return;
	packet_free(c->whole);
	heap_free(c);
}

static void part_free(struct packet *p)
{
	cut_put(p->owner);
	heap_free(p);
}

static struct packet *part_of(struct cut *c, size_t off, size_t n)
{
	const struct packet *whole = c->whole;
	struct packet *p;

	if (off + n > whole->len) { /* in pieces */
		p = packet_alloc(0, n);
		if (!p)
			return NULL;
		pkt_copy_out(whole, off, packet_put(p, n), n);
		counter_add(net_bytes_copied_cut, n);
	} else {
		p = heap_alloc_zeroed(sizeof(*p));
		if (!p)
			return NULL;
		p->head = p->data = whole->data + off;
		p->len = (uint32_t)n;
		p->end = p->data + n;
		p->free = part_free;
		p->owner = c;
		atomic_add(&c->refs, 1);
	}
	p->csum_flags = whole->csum_flags;
	memcpy(p->cb, whole->cb, sizeof(p->cb));
	return p;
}

struct packet *pkt_cut(struct packet *p, size_t step)
{
	size_t total = pkt_total(p);
	struct packet *list = NULL, **tail = &list;
	struct cut *c = heap_alloc(sizeof(*c));

	if (!c) {
		packet_free(p);
		return NULL;
	}
	*c = (struct cut){ 1, p };
	for (size_t off = 0; off < total; off += step) {
		struct packet *part = part_of(c, off, MIN(step, total - off));

		if (!part)
			break;
		*tail = part;
		tail = &part->next;
	}
	cut_put(c);
	return list;
}

void pkt_free_list(struct packet *list)
{
	while (list) {
		struct packet *next = list->next;

		list->next = NULL;
		packet_free(list);
		list = next;
	}
}
