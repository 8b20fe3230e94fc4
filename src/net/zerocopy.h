/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to net/: MSG_ZEROCOPY, a message whose memory the program may use again when the error
 * queue says so. One note for each, held by the call and by whatever refers to the memory.
 */
#pragma once

#include "net/socket.h"

struct zc_note {
	struct zc_note *next;
	struct socket *s;   /* referenced, until it is done */
	uint32_t refs;	    /* atomic */
	uint32_t low, high; /* numbers of messages */
	bool copied;	    /* atomic, set only */
};
/* For a message that asks for one; NULL: it does not. ERR_PTR(-ENOBUFS): too many are out. */
struct zc_note *zc_begin(struct socket *s, const struct socket_message *m);
/* The call is over; n is what it returns. n may be NULL. */
void zc_end(struct zc_note *note, ssize_t n);
void zc_put(struct zc_note *note);
ssize_t zc_recv(struct socket *s, struct socket_message *m); /* -EAGAIN: there is nothing */
void zc_purge(struct socket *s);			     /* nobody else knows it any more */
/* For poll. */
static inline bool zc_waiting(const struct socket *s)
{
	return load_relaxed(&s->zc_new) || load_relaxed(&s->zc_first);
}
