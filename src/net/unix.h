/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to net/unix*.c. A message is queued on its receiver; streams are cut at message borders
 * only where descriptors or credentials differ.
 *
 * Locks: each socket's own lock; a sender holds only the receiver's. The peer is in a place of its
 * own (lockfree/refslot.h), so that senders and receivers find it without a lock.
 */
#pragma once

#include "abi/socket.h"
#include "cpu/barrier.h"
#include "lib/list.h"
#include "lockfree/refslot.h"
#include "net/socket.h"
#include "sched/mutex.h"
#include "sched/wait.h"

#define UNIX_MAX_FDS 253 /* SCM_MAX_FD */

struct unix_message {
	struct unix_message *next;
	uint32_t size, off; /* bytes, bytes already read */
	uint32_t charged;   /* against the receiver's limit */
	struct ucred cred;
	uint16_t fd_count;
	struct file **fds; /* referenced; an array behind the data's, or NULL */
	struct sockaddr_un from;
	uint32_t from_len;
	uint8_t data[];
};

struct unix_sock {
	struct socket s;

	struct unix_sock *diag_next, **diag_prev; /* guarded by unix_bucket.lock */

	bool binding; /* atomic */
	/* guarded by the bucket's lock */
	struct name_bucket *name_bucket; /* NULL: in no bucket */
	struct unix_sock *name_next;
	bool bound; /* has a name; one from accept has its listener's */
	struct sockaddr_un name;
	uint32_t name_len; /* 0: unnamed */
	void *node;	   /* identity of a path name, with a reference */

	/* guarded by s.lock */
	struct unix_message *first, *last;
	uint32_t queued;     /* bytes charged */
	struct refslot peer; /* stream partner, or dgram default destination; no lock */
	bool connected, peer_gone, was_connected;
	uint8_t state; /* TCP_LISTEN, TCP_ESTABLISHED or TCP_CLOSE */
	struct ucred cred, peer_cred;

	/* listener: connections not accepted yet */
	struct list_node accept_queue; /* struct unix_sock.accept_link, referenced */
	struct list_node accept_link;
	unsigned accept_count, backlog;
	struct wait_queue room; /* senders (and connectors) that wait for this receiver */

	/* As a sender that does not sleep: whose room it wants to hear of. s.nospace says whether
	 * it still does; the entry stays on room_of->room until somebody sends again. */
	struct mutex room_lock;
	struct unix_sock *room_of;    /* guarded by room_lock; referenced; NULL: none */
	struct wait_entry room_entry; /* guarded by room_lock */
};
static inline struct unix_sock *unix_sk(struct socket *s)
{
	return container_of(s, struct unix_sock, s);
}

static inline bool unix_is_stream(const struct unix_sock *u)
{
	return u->s.type == SOCK_STREAM;
}
static inline bool unix_is_connection(const struct unix_sock *u)
{
	return u->s.type != SOCK_DGRAM;
}
/* A datagram socket that is connected to one takes from that one only. */
static inline bool unix_sends_to(const struct unix_sock *to, const struct unix_sock *u)
{
	const void *peer = refslot_peek(&to->peer);

	return !peer || peer == u;
}
/* Whether u takes a message of that size now, or will not take any more. */
static inline bool unix_has_room(const struct unix_sock *to, uint32_t need)
{
	uint32_t queued = load_relaxed(&to->queued);

	return queued == 0 || queued + need <= to->s.rcvbuf || to->s.detached ||
	       (load_relaxed(&to->s.shut) & SHUT_RCV);
}

/* unix.c */
/* The peer with a reference, or NULL. */
struct unix_sock *unix_peer_get(struct unix_sock *u);
void unix_disconnect(struct unix_sock *u); /* a datagram socket, from its default destination */

/* unix_data.c */
/* u, which found no room at 'to', is told when there is: POLLOUT on its queue. The caller looks
 * again afterwards, as room may have come before. No lock held. */
void unix_want_room(struct unix_sock *u, struct unix_sock *to);
void unix_forget_room(struct unix_sock *u);
ssize_t unix_send(struct socket *s, struct socket_message *m, const struct path_context *c);
ssize_t unix_recv(struct socket *s, struct socket_message *m);

/* unix_name.c */
int unix_bind(struct socket *s, const struct sockaddr_storage *a, uint32_t len,
	const struct path_context *c);
void unix_unbind(struct unix_sock *u);
/* The socket of that name, referenced. ERR_PTR. */
struct unix_sock *unix_find(
	const struct sockaddr_storage *a, uint32_t len, const struct path_context *c);
void unix_copy_name(const struct unix_sock *u, struct sockaddr_un *out, uint32_t *len);

/* unix_msg.c */
struct unix_message *unix_message_make(struct socket_message *m, size_t n, int *err);
void unix_message_free(struct unix_message *q);
/* Ancillary data of q to m. */
void unix_message_control(
	struct unix_sock *u, struct unix_message *q, struct socket_message *m, uint32_t flags);

/* unix_diag.c: all sockets there are, from birth to the last reference's end */
void unix_diag_add(struct unix_sock *u);
void unix_diag_remove(struct unix_sock *u);
