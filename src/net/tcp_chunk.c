/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a connection has to send: a queue of chunks, which have the program's bytes or refer to what
 * is lent, by a file or by the program. A segment's packet refers to the chunks (which live until
 * it is freed and the bytes are acknowledged).
 *
 * A chunk of the program's bytes is a packet as well: room for all headers lies in front of them.
 *
 *	| struct tcp_chunk | struct packet | headers | bytes ... |
 *
 * The segment that begins with the chunk's first byte that is not acknowledged is that packet, as
 * long as nothing else refers to the chunk: what lies in front of it, acknowledged bytes among it,
 * nobody reads any more. So a message that goes out at once is one allocation and one copy. What
 * cannot be in place (a segment from the middle of a chunk, or sent again while the first packet
 * is still somewhere) is a packet of its own, which refers to the chunks; or if it is small,
 * carries a copy of their bytes, which is cheaper than one more allocation and one more piece.
 */

#include "net/tcp.h"
#include "net/zerocopy.h"
#include "abi/errno.h"
#include "diag/counter.h"
#include "lib/bug.h"
#include "mem/heap.h"
#include "mem/page.h"

#define COPY_LIMIT	4096 /* payload up to this is copied rather than referred to */
#define CHUNKS_IN_PLACE 32   /* so many may be as small as what they carry */

COUNTER(tcp_segments_copied);
COUNTER(tcp_bytes_copied_tx);
COUNTER(tcp_bytes_copied_out);

/* Memory of a chunk that has its bytes behind it. */
struct own_chunk {
	struct tcp_chunk c;
	struct packet packet;
	uint8_t headers[TX_HEADROOM];
	uint8_t bytes[];
};
#define CHUNK_ROOM(size) ((size) - sizeof(struct own_chunk))

static void chunk_free(struct tcp_chunk *c)
{
	if (c->ops == &piece_of_page) {
		uintptr_t at = ALIGN_DOWN((uintptr_t)c->data, PAGE_SIZE);

		for (; at < (uintptr_t)c->data + c->size; at += PAGE_SIZE)
			page_put(virt_to_page((void *)at));
	} else if (c->ops) {
		c->ops->put(c->owner);
	}
	if (unlikely(c->note))
		zc_put(c->note);
	heap_free(c);
}

static void chunk_put(struct tcp_chunk *c)
{
	if (atomic_sub(&c->refs, 1) == 1)
		chunk_free(c);
}

void tcp_free_chunks(struct tcp_sock *t)
{
	t->snd_base = t->write_seq;
	while (t->chunks) {
		struct tcp_chunk *c = t->chunks;

		t->chunks = c->next;
		chunk_put(c);
	}
	t->chunk_last = NULL;
	t->chunk_count = 0;
}

void tcp_free_acked(struct tcp_sock *t)
{
	uint32_t upto = seq_min(t->snd_una, t->write_seq);

	while (t->chunks && seq_lt(t->snd_base, upto)) {
		struct tcp_chunk *c = t->chunks;
		uint32_t n = MIN(c->end - c->start, upto - t->snd_base);

		c->start += n;
		t->snd_base += n;
		if (c->start < c->end)
			break;
		t->chunks = c->next;
		if (!t->chunks)
			t->chunk_last = NULL;
		t->chunk_count--;
		chunk_put(c);
	}
	if (!t->chunks)
		t->snd_base = seq_max(t->snd_base, upto);
}

/* At the end of the queue; NULL is passed on. */
static struct tcp_chunk *chunk_link(struct tcp_sock *t, struct tcp_chunk *c)
{
	if (!c)
		return NULL;
	if (t->chunk_last)
		t->chunk_last->next = c;
	else
		t->chunks = c;
	t->chunk_last = c;
	t->chunk_count++;
	return c;
}

static struct tcp_chunk *chunk_add_lent(struct tcp_sock *t)
{
	struct tcp_chunk *c = heap_alloc(sizeof(*c));

	if (c)
		*c = (struct tcp_chunk){ .refs = 1 };
	return chunk_link(t, c);
}

/* What is written now goes out now, if the windows are open. */
static bool goes_at_once(const struct tcp_sock *t)
{
	return t->write_seq == t->snd_nxt && !t->cork && !t->more &&
	       (t->nodelay || t->snd_una == t->snd_nxt);
}

/*
 * For n bytes of the program's and, unless they are a segment at once, for some of its next ones.
 * Many short segments in flight share chunks, too: each would hold half a kilobyte.
 */
static struct tcp_chunk *chunk_add(struct tcp_sock *t, size_t n)
{
	size_t size = n > CHUNK_ROOM(4096) ? 32768 : n > CHUNK_ROOM(1024) ? 4096 : 1024;
	struct own_chunk *c;

	if (n < CHUNK_ROOM(size) && t->chunk_count < CHUNKS_IN_PLACE && goes_at_once(t))
		size = sizeof(*c) + n;
	c = heap_alloc(size);
	if (!c)
		return NULL;
	c->c = (struct tcp_chunk){
		.refs = 1, .size = (uint32_t)(size - sizeof(*c)), .data = c->bytes
	};
	return chunk_link(t, &c->c);
}

/* Appends up to n bytes of the message; returns how many. 0: no memory, or -EFAULT in it->fault. */
static size_t chunk_append(struct tcp_sock *t, struct iter *from, size_t n)
{
	struct tcp_chunk *c = t->chunk_last;

	if (!c || c->end == c->size) {
		c = chunk_add(t, n);
		if (!c)
			return 0;
	}
	n = MIN(n, (size_t)(c->size - c->end));
	size_t got = iter_copy_from(from, c->data + c->end, n);

	counter_add(tcp_bytes_copied_tx, got);
	c->end += (uint32_t)got;
	t->write_seq += (uint32_t)got;
	return got;
}

#define LENT_MAX MIB(1) /* of one chunk, so that pages come free as they are acknowledged */

/* A piece of a page right behind the last chunk's pages, or behind its bytes on the same page. */
static bool joins(const struct tcp_chunk *c, const struct piece *p, const struct zc_note *note)
{
	return c && c->ops == &piece_of_page && p->ops == c->ops && c->data + c->size == p->data &&
	       c->end == c->size && c->size < LENT_MAX && c->note == note;
}

/* Appends up to n bytes of the message's first piece that is not used up, by reference. */
static size_t chunk_append_piece(struct tcp_sock *t, struct socket_message *m, size_t n)
{
	struct tcp_chunk *c = t->chunk_last;

	while (!m->pieces->len)
		m->pieces++;
	n = MIN(n, (size_t)m->pieces->len);
	if (joins(c, m->pieces, NULL)) {
		struct piece more = piece_take(m->pieces, (uint32_t)n);

		if ((uintptr_t)more.data % PAGE_SIZE) /* that page is held already */
			piece_put(&more);
		c->size += (uint32_t)n;
	} else {
		c = chunk_add_lent(t);
		if (!c)
			return 0;
		struct piece p = piece_take(m->pieces, (uint32_t)n);

		c->data = p.data;
		c->size = p.len;
		c->ops = p.ops;
		c->owner = p.owner;
	}
	c->end += (uint32_t)n;
	t->write_seq += (uint32_t)n;
	iter_advance(m->data, n);
	return n;
}

/* A page of the program at the end of the queue. False: no memory. */
static bool chunk_take_page(struct tcp_sock *t, struct piece *p, struct zc_note *note)
{
	struct tcp_chunk *c = t->chunk_last;

	if (joins(c, p, note)) {
		if ((uintptr_t)p->data % PAGE_SIZE) /* held already */
			page_put(p->owner);
		c->size += p->len;
	} else {
		c = chunk_add(t, 0);
		if (!c)
			return false;
		c->data = p->data;
		c->size = p->len;
		c->ops = p->ops;
		c->owner = p->owner;
		c->note = note;
		zc_get(note);
	}
	c->end += p->len;
	p->len = 0;
	return true;
}

/* With pages of the program: PIECES_MAX of them at a time, all or none as on Linux. */
static size_t append_pages(struct tcp_sock *t, struct socket_message *m, size_t n)
{
	struct piece piece[PIECES_MAX];
	int err;
	unsigned count = pieces_pin(m->data, n, piece, PIECES_MAX, &err), i = 0;
	size_t done = 0;

	if (unlikely(err)) {
		m->data->fault = err == -EFAULT;
	} else {
		for (; i < count; i++) {
			uint32_t len = piece[i].len;

			if (!chunk_take_page(t, &piece[i], m->note))
				break;
			done += len;
		}
		t->write_seq += (uint32_t)done;
		iter_advance(m->data, done);
	}
	pieces_put(piece + i, count - i);
	return done;
}

/* MSG_ZEROCOPY. The message gets its number with its first bytes. */
static size_t chunk_append_lent(struct tcp_sock *t, struct socket_message *m, size_t n)
{
	struct zc_note *last =
		t->chunk_last && t->write_seq != t->snd_nxt ? t->chunk_last->note : NULL;
	struct route_cache *r = tcp_route(t);
	size_t whole = m->data->left, got;
	bool first = !m->note;

	if (first) {
		struct zc_note *note = zc_begin(&t->i.s, m, whole, last);

		if (IS_ERR(note))
			return 0;
		m->note = note;
	}
	if (r && (r->dev->features & NETDEV_TX_CSUM)) {
		got = append_pages(t, m, n);
	} else {
		zc_copied(m->note);
		got = chunk_append(t, m->data, n);
	}
	if (first && got) {
		zc_number(m->note);
	} else if (first) {
		zc_abort(m->note, whole);
		m->note = NULL;
	}
	return got;
}

/* Appends up to n bytes of the message, in its way. As chunk_append. */
size_t tcp_append(struct tcp_sock *t, struct socket_message *m, size_t n)
{
	if (likely(!m->pieces && !m->lent))
		return chunk_append(t, m->data, n);
	return m->lent ? chunk_append_lent(t, m, n) : chunk_append_piece(t, m, n);
}

static void frag_free(struct packet *p)
{
	chunk_put(p->owner);
	heap_free(p);
}

/* Bytes [seq, ...) of the queue: the chunk that has the first, and how far inside. */
static struct tcp_chunk *chunk_at(const struct tcp_sock *t, uint32_t seq, uint32_t *skip)
{
	struct tcp_chunk *c = t->chunks;

	*skip = seq - t->snd_base;
	while (c && *skip >= c->end - c->start) {
		*skip -= c->end - c->start;
		c = c->next;
	}
	return c;
}

/* How many bytes from seq on are copied into the packet: up to what is lent, if they are few. */
static uint32_t copied_part(const struct tcp_sock *t, uint32_t seq, uint32_t len)
{
	uint32_t skip, n = 0;
	const struct tcp_chunk *c = chunk_at(t, seq, &skip);

	for (; c && !c->ops && n < len; c = c->next) {
		n += c->end - c->start - skip;
		skip = 0;
	}
	n = MIN(n, len);
	return n <= COPY_LIMIT ? n : 0;
}

static struct packet *frag_of(struct tcp_chunk *c, uint8_t *from, uint32_t n)
{
	struct packet *f = zc_frag(c->note, from, n, c, frag_free);

	if (f)
		atomic_add(&c->refs, 1);
	return f;
}

static void own_packet_free(struct packet *p)
{
	chunk_put(p->owner);
}

/*
 * The chunk's own packet, with n bytes of its beginning. A chunk that goes whole takes no more
 * bytes: the next ones get a packet in place, too, and all its memory counts as the packet's.
 */
static struct packet *packet_in_place(struct tcp_sock *t, struct tcp_chunk *c, uint32_t n)
{
	struct packet *p = &container_of(c, struct own_chunk, c)->packet;
	uint8_t *head = (uint8_t *)(p + 1), *from = c->data + c->start, *end = from + n;

	if (c->end - c->start == n && t->chunk_count < CHUNKS_IN_PLACE) {
		end = c->data + c->size;
		c->size = c->end;
	}
	packet_init(p, head, from, end, own_packet_free, c);
	p->len = n;
	atomic_add(&c->refs, 1);
	return p;
}

/* Fills p with [seq, seq+len): the first 'copy' bytes by copy, the others by reference. */
static bool attach_payload(
	struct tcp_sock *t, struct packet *p, uint32_t seq, uint32_t len, uint32_t copy)
{
	struct packet **tail = &p->frags;
	uint32_t skip;

	if (copy) {
		counter_inc(tcp_segments_copied);
		counter_add(tcp_bytes_copied_out, copy);
	}
	for (struct tcp_chunk *c = chunk_at(t, seq, &skip); c && len; c = c->next, skip = 0) {
		uint32_t n = MIN(c->end - c->start - skip, len);
		uint8_t *from = c->data + c->start + skip;

		len -= n;
		if (copy) {
			memcpy(packet_put(p, n), from, n);
			copy -= n;
			continue;
		}
		*tail = frag_of(c, from, n);
		if (!*tail)
			return false;
		p->lent |= (*tail)->lent;
		tail = &(*tail)->next;
	}
	BUG_ON(len);
	return true;
}

struct packet *tcp_packet_of(struct tcp_sock *t, uint32_t seq, uint32_t len)
{
	uint32_t skip, n = 0, copy = 0;
	struct tcp_chunk *c = len ? chunk_at(t, seq, &skip) : NULL;
	struct packet *p;

	if (c && !skip && !c->ops && load_acquire(&c->refs) == 1) {
		n = MIN(c->end - c->start, len);
		p = packet_in_place(t, c, n);
	} else {
		copy = len ? copied_part(t, seq, len) : 0;
		p = packet_alloc(TX_HEADROOM, copy);
	}
	if (p && n < len && !attach_payload(t, p, seq + n, len - n, copy)) {
		packet_free(p);
		return NULL;
	}
	return p;
}
