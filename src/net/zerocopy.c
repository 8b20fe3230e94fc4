/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MSG_ZEROCOPY (socket(7), Documentation/networking/msg_zerocopy.rst of Linux): messages are
 * numbered, and when the memory of one is free the error queue has its number. Numbers in a row are
 * one notification.
 *
 * The last reference to a note goes anywhere, in a driver's thread as well: it is pushed without a
 * lock onto the socket's zc_new, and whoever reads the error queue sorts it in.
 */

#include "net/socket.h"
#include "net/zerocopy.h"
#include "abi/errno.h"
#include "diag/counter.h"
#include "mem/heap.h"

#define NOTES_MAX (131072u / 576) /* as many as Linux's optmem_max has room for */

COUNTER(zerocopy_sends);
COUNTER(zerocopy_copied);

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

struct zc_note *zc_begin(struct socket *s, const struct socket_message *m)
{
	struct zc_note *note;

	if (!(m->flags & MSG_ZEROCOPY) || !s->zerocopy || m->pieces)
		return NULL;
	if (!m->data->left && s->type == SOCK_STREAM) /* an empty datagram has a number */
		return NULL;
	if (load_relaxed(&s->zc_count) >= NOTES_MAX && !room_for_notes(s))
		return ERR_PTR(-ENOBUFS);
	note = heap_alloc(sizeof(*note));
	if (!note)
		return ERR_PTR(-ENOBUFS);
	atomic_add(&s->zc_count, 1);
	socket_get(s);
	*note = (struct zc_note){ .s = s, .refs = 1 };
	return note;
}

void zc_put(struct zc_note *note)
{
	struct socket *s = note->s;

	if (atomic_sub(&note->refs, 1) != 1)
		return;
	struct zc_note *head = load_relaxed(&s->zc_new);

	do {
		note->next = head;
	} while (!atomic_cas(&s->zc_new, &head, note));
	if (wait_active(&s->wait))
		wait_wake_all(&s->wait, POLLERR);
	socket_put_in_timer(s); /* the thread may be one that must not wait */
}

void zc_end(struct zc_note *note, ssize_t n)
{
	if (likely(!note))
		return;
	if (n < 0) { /* nothing of it went out, so nothing refers to it */
		struct socket *s = note->s;

		note_free(note, s);
		socket_put(s);
		return;
	}
	counter_inc(zerocopy_sends);
	if (load_relaxed(&note->copied))
		counter_inc(zerocopy_copied);
	note->low = note->high = atomic_add(&note->s->zc_next, 1);
	zc_put(note);
}

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
