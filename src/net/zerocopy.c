/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MSG_ZEROCOPY (socket(7), Documentation/networking/msg_zerocopy.rst of Linux): a message goes out
 * of the program's own pages, which are pinned (vm_pin). Messages are numbered, and when nothing
 * refers to the memory of one any more (TCP: it is acknowledged, and no copy of it waits to be
 * sent; UDP: the card has given it back) the error queue has its number. Numbers in a row are one
 * notification.
 *
 * The last reference to a note goes anywhere, in a driver's thread as well: it is pushed without a
 * lock onto the socket's zc_new, and whoever reads the error queue sorts it in.
 *
 * As on Linux: short messages are lent, too. A device that cannot finish checksums gets a copy, as
 * the memory may change meanwhile, and so does UDP that has to be fragmented. Loopback copies where
 * the packet reaches the receiver: its program reads when it likes, and the sender may write as
 * soon as it is told that the bytes were acknowledged.
 */

#include "net/socket.h"
#include "net/zerocopy.h"
#include "abi/errno.h"
#include "diag/counter.h"
#include "file/piece.h"
#include "mem/heap.h"
#include "mem/page.h"

#define NOTES_MAX (131072u / 576) /* as many as Linux's optmem_max has room for */
/* Of what one note may be for, as Linux. */
#define JOIN_BYTES    (512u << 10)
#define JOIN_MESSAGES (UINT16_MAX - 1u)

COUNTER(zerocopy_sends);
COUNTER(zerocopy_copied);
COUNTER(zerocopy_bytes_copied);

static uint64_t zc_pinned; /* atomic: pages for which RLIMIT_MEMLOCK counts, as Linux: at worst */

static void note_free(struct zc_note *note, struct socket *s)
{
	atomic_sub(&s->zc_count, 1);
	heap_free(note);
}

/* Lock held. What is new, to the end of the list; what follows the last number is joined to it. */
static void sort_in(struct socket *s)
{
	struct zc_note *newest = atomic_xchg(&s->zc_new, NULL), *list = NULL;

	while (newest) {
		struct zc_note *next = newest->next;

		newest->next = list;
		list = newest;
		newest = next;
	}
	while (list) {
		struct zc_note *note = list, *last = s->zc_last;

		list = note->next;
		if (last && last->high + 1 == note->low) {
			last->high = note->high;
			note_free(note, s);
			continue;
		}
		note->next = NULL;
		if (last)
			last->next = note;
		else
			store_relaxed(&s->zc_first, note);
		s->zc_last = note;
	}
}

/* Those of messages that are done may be one by now. */
static bool room_for_notes(struct socket *s)
{
	socket_lock(s);
	sort_in(s);
	socket_unlock(s);
	return load_relaxed(&s->zc_count) < NOTES_MAX;
}

static bool pin_account(struct zc_note *note, size_t n, uint64_t limit)
{
	uint64_t old = load_relaxed(&zc_pinned), pages = (n >> PAGE_SHIFT) + 2;

	if (limit == UINT64_MAX)
		return true;
	do {
		if (old + pages > limit)
			return false;
	} while (!atomic_cas(&zc_pinned, &old, old + pages));
	note->pages += (uint32_t)pages;
	return true;
}

/* Nobody else knows it. */
static void note_drop(struct zc_note *note)
{
	struct socket *s = note->s;

	note_free(note, s);
	socket_put_in_timer(s);
}

static struct zc_note *note_new(struct socket *s)
{
	struct zc_note *note;

	if (load_relaxed(&s->zc_count) >= NOTES_MAX && !room_for_notes(s))
		return NULL;
	note = heap_alloc(sizeof(*note));
	if (!note)
		return NULL;
	atomic_add(&s->zc_count, 1);
	socket_get(s);
	*note = (struct zc_note){ .s = s, .refs = 1 };
	return note;
}

static bool joins(const struct zc_note *last, const struct socket *s, size_t n)
{
	return last && last->bytes + n <= JOIN_BYTES && last->high - last->low < JOIN_MESSAGES &&
	       last->high + 1 == load_relaxed(&s->zc_next);
}

struct zc_note *zc_begin(
	struct socket *s, const struct socket_message *m, size_t n, struct zc_note *last)
{
	struct zc_note *note;

	if (joins(last, s, n)) {
		if (!pin_account(last, n, m->pin_limit))
			return ERR_PTR(-ENOBUFS);
		zc_get(last);
		last->bytes += (uint32_t)n;
		return last;
	}
	note = note_new(s);
	if (!note)
		return ERR_PTR(-ENOBUFS);
	if (!pin_account(note, n, m->pin_limit)) {
		note_drop(note);
		return ERR_PTR(-ENOBUFS);
	}
	note->bytes = (uint32_t)n;
	note->low = load_relaxed(&s->zc_next); /* so far none: low > high */
	note->high = note->low - 1;
	return note;
}

void zc_number(struct zc_note *note)
{
	uint32_t number = atomic_add(&note->s->zc_next, 1);

	if (note->high != number - 1) /* UDP: others were faster */
		note->low = number;
	note->high = number;
	counter_inc(zerocopy_sends);
}

void zc_abort(struct zc_note *note, size_t n)
{
	note->bytes -= (uint32_t)n;
	if (note->high + 1 == note->low)
		note->aborted = true;
	zc_put(note);
}

void zc_put(struct zc_note *note)
{
	struct socket *s = note->s;

	if (atomic_sub(&note->refs, 1) != 1)
		return;
	if (note->pages)
		atomic_sub(&zc_pinned, (uint64_t)note->pages);
	if (note->aborted) {
		note_drop(note);
		return;
	}
	if (load_relaxed(&note->copied))
		counter_inc(zerocopy_copied);
	struct zc_note *head = load_relaxed(&s->zc_new);

	do {
		note->next = head;
	} while (!atomic_cas(&s->zc_new, &head, note));
	if (wait_active(&s->wait))
		wait_wake_all(&s->wait, POLLERR);
	socket_put_in_timer(s); /* the thread may be one that must not wait */
}

/* ---- lent packets: the program's memory is in their pieces, whose cb has the note ---- */

static struct zc_note *note_of(const struct packet *f)
{
	return (struct zc_note *)f->cb[0];
}

struct packet *zc_frag(struct zc_note *note, uint8_t *from, uint32_t n, void *owner,
	void (*free)(struct packet *p))
{
	struct packet *f = heap_alloc_zeroed(sizeof(*f));

	if (!f)
		return NULL;
	f->head = f->data = from;
	f->end = from + n;
	f->len = n;
	f->owner = owner;
	f->free = free;
	f->lent = note != NULL;
	f->cb[0] = (uintptr_t)note;
	return f;
}

static void pages_free(struct packet *f)
{
	uintptr_t at = ALIGN_DOWN((uintptr_t)f->head, PAGE_SIZE);

	for (; at < (uintptr_t)f->end; at += PAGE_SIZE)
		page_put(virt_to_page((void *)at));
	zc_put(note_of(f));
	heap_free(f);
}

bool zc_add_pieces(struct packet *p, struct zc_note *note, struct piece *from, unsigned count)
{
	struct packet **tail = &p->frags, *last = NULL;

	p->lent = true;
	for (; *tail; tail = &last->next)
		last = *tail;
	if (!count) { /* so that the note is somewhere */
		*tail = zc_frag(note, NULL, 0, NULL, pages_free);
		if (*tail)
			zc_get(note);
		return *tail;
	}
	for (unsigned i = 0; i < count; i++, from++) {
		if (last && last->end == from->data) {
			if ((uintptr_t)from->data % PAGE_SIZE) /* that page is held already */
				page_put(from->owner);
			last->end += from->len;
			last->len += from->len;
		} else {
			last = *tail = zc_frag(note, from->data, from->len, NULL, pages_free);
			if (!last) {
				pieces_put(from, count - i);
				return false;
			}
			zc_get(note);
			tail = &last->next;
		}
		from->len = 0;
	}
	return true;
}

void zc_note_copies(struct packet *p)
{
	for (struct packet *f = p->frags; f; f = f->next)
		if (f->lent)
			zc_copied(note_of(f));
}

bool zc_take_copies(struct packet *p)
{
	for (struct packet **at = &p->frags, *f; (f = *at); at = &(*at)->next) {
		struct packet *q;

		if (!f->lent)
			continue;
		q = packet_alloc(0, f->len);
		if (!q)
			return false;
		memcpy(packet_put(q, f->len), f->data, f->len);
		counter_add(zerocopy_bytes_copied, f->len);
		zc_copied(note_of(f));
		q->next = f->next;
		*at = q;
		f->next = NULL;
		packet_free(f);
	}
	p->lent = false;
	return true;
}

/* ---- the error queue ---- */

ssize_t zc_recv(struct socket *s, struct socket_message *m)
{
	struct {
		struct sock_extended_err e;
		uint8_t offender[sizeof(struct sockaddr_in6)]; /* none */
	} c = { .e.ee_origin = SO_EE_ORIGIN_ZEROCOPY };

	if (likely(!zc_waiting(s)))
		return -EAGAIN;
	socket_lock(s);
	sort_in(s);
	struct zc_note *note = s->zc_first;

	if (note) {
		store_relaxed(&s->zc_first, note->next);
		if (!note->next)
			s->zc_last = NULL;
	}
	socket_unlock(s);
	if (!note)
		return -EAGAIN;
	c.e.ee_code = note->copied ? SO_EE_CODE_ZEROCOPY_COPIED : 0;
	c.e.ee_info = note->low;
	c.e.ee_data = note->high;
	note_free(note, s);
	m->flags = MSG_ERRQUEUE;
	m->name_len = 0;
	if (s->family == AF_INET)
		cmsg_put(m, SOL_IP, IP_RECVERR, &c, sizeof(c.e) + sizeof(struct sockaddr_in));
	else
		cmsg_put(m, SOL_IPV6, IPV6_RECVERR, &c, sizeof(c));
	return 0;
}

void zc_purge(struct socket *s)
{
	sort_in(s);
	while (s->zc_first) {
		struct zc_note *note = s->zc_first;

		s->zc_first = note->next;
		note_free(note, s);
	}
}
