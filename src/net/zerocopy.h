/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to net/: MSG_ZEROCOPY, messages whose memory the program may use again when the error
 * queue says so.
 */
#pragma once

#include "cpu/barrier.h"
#include "drivers/netdev.h"
#include "net/socket.h"

struct piece;

/* Messages that the error queue tells of together. Held by the call and by whatever refers to the
 * memory. */
struct zc_note {
	struct zc_note *next;
	struct socket *s; /* referenced, until it is done */
	uint32_t refs;	  /* atomic */
	uint32_t low,
		high;	/* numbers of messages; of TCP guarded by the socket's lock until done */
	uint32_t bytes; /* of all of them, and pages that zc_pinned counts; likewise */
	uint32_t pages;
	bool copied;  /* atomic, set only */
	bool aborted; /* nobody hears of it */
};
/*
 * For a message of n bytes that is lent. 'last': what the bytes in front of it, which are not sent
 * yet, belong to, or NULL: if the message joins it, it is held once more. ERR_PTR(-ENOBUFS): too
 * much is out.
 */
struct zc_note *zc_begin(
	struct socket *s, const struct socket_message *m, size_t n, struct zc_note *last);
/* The message has the next number. Of TCP with the lock, right after zc_begin. */
void zc_number(struct zc_note *note);
/* The message, of n bytes, has failed: instead of zc_number. Gives up the call's hold. */
void zc_abort(struct zc_note *note, size_t n);
static inline void zc_get(struct zc_note *note)
{
	atomic_add(&note->refs, 1);
}
void zc_put(struct zc_note *note);
static inline void zc_copied(struct zc_note *note)
{
	store_relaxed(&note->copied, true);
}
/* A piece of a lent packet: memory of the program, held by 'owner', which 'free' gives back. NULL:
 * no memory. */
struct packet *zc_frag(struct zc_note *note, uint8_t *from, uint32_t n, void *owner,
	void (*free)(struct packet *p));
/* Likewise with pages of pieces, which are all used up. A list in the packet. False: no memory. */
bool zc_add_pieces(struct packet *p, struct zc_note *note, struct piece *from, unsigned count);
/* p is kept, or read by another program: it gets copies of what was lent to it. False: no memory.
 */
bool zc_take_copies(struct packet *p);
void zc_note_copies(struct packet *p);			     /* somebody has copied it */
ssize_t zc_recv(struct socket *s, struct socket_message *m); /* -EAGAIN: there is nothing */
void zc_purge(struct socket *s);			     /* nobody else knows it any more */
/* For poll. */
static inline bool zc_waiting(const struct socket *s)
{
	return load_relaxed(&s->zc_new) || load_relaxed(&s->zc_first);
}
