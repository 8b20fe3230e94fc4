/* SPDX-License-Identifier: BSD-2-Clause */
/* AF_UNIX sockets: stream, datagram, seqpacket (unix(7)). */

#include "net/packet.h"
#include "net/unix.h"
#include "abi/errno.h"
#include "abi/ioctl.h"
#include "cpu/uaccess.h"
#include "lib/bug.h"
#include "lib/string.h"
#include "mem/heap.h"

static const struct socket_ops unix_ops;
#define COUNT_AT offsetof(struct unix_sock, s.refs)

static void current_cred(struct ucred *c)
{
	*c = (struct ucred){ 0, 0, 0 };
	if (net_credentials)
		net_credentials(&c->pid, &c->uid, &c->gid);
}

static struct unix_sock *make(int type)
{
	struct unix_sock *u = heap_alloc_zeroed(sizeof(*u));

	if (!u)
		return NULL;
	socket_setup(&u->s, &unix_ops, AF_UNIX, type, 0);
	list_init(&u->accept_queue);
	list_init(&u->accept_link);
	wait_init(&u->room);
	mutex_init(&u->room_lock, "unix_sock.room_lock");
	u->state = TCP_CLOSE;
	current_cred(&u->cred);
	unix_diag_add(u);
	return u;
}

struct socket *unix_create(int type)
{
	struct unix_sock *u;

	if (type == SOCK_RAW)
		type = SOCK_DGRAM;
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return ERR_PTR(-ESOCKTNOSUPPORT);
	u = make(type);
	return u ? &u->s : ERR_PTR(-ENOMEM);
}

/* Nobody else knows b yet. False: a has a peer already. */
static bool join(struct unix_sock *a, struct unix_sock *b)
{
	socket_get(&b->s);
	if (!refslot_set(&a->peer, b, COUNT_AT)) {
		socket_put(&b->s);
		return false;
	}
	socket_get(&a->s);
	refslot_set(&b->peer, a, COUNT_AT);
	a->peer_cred = b->cred;
	b->peer_cred = a->cred;
	a->connected = b->connected = a->was_connected = b->was_connected = true;
	store_release(&a->state, TCP_ESTABLISHED);
	store_release(&b->state, TCP_ESTABLISHED);
	return true;
}

int unix_pair(int type, struct socket *out[2])
{
	struct socket *a = unix_create(type), *b;

	if (IS_ERR(a))
		return (int)PTR_ERR(a);
	b = unix_create(type);
	if (IS_ERR(b)) {
		socket_put(a);
		return (int)PTR_ERR(b);
	}
	join(unix_sk(a), unix_sk(b));
	out[0] = a;
	out[1] = b;
	return 0;
}

struct unix_sock *unix_peer_get(struct unix_sock *u)
{
	return refslot_get(&u->peer, COUNT_AT);
}

/* ---- connecting ---- */

void unix_disconnect(struct unix_sock *u)
{
	struct unix_sock *old = refslot_exchange(&u->peer, NULL, COUNT_AT);

	u->connected = false;
	if (old)
		socket_put(&old->s);
}

static int unix_listen(struct socket *s, int backlog)
{
	struct unix_sock *u = unix_sk(s);
	int err = 0;

	if (!unix_is_connection(u))
		return -EOPNOTSUPP;
	socket_lock(s);
	if (!u->bound || u->state == TCP_ESTABLISHED) {
		err = -EINVAL;
	} else {
		u->backlog = (unsigned)backlog;
		current_cred(&u->cred);
		u->state = TCP_LISTEN;
		s->listening = true;
	}
	socket_unlock(s);
	return err;
}

static int connect_dgram(struct unix_sock *u, struct unix_sock *to)
{
	struct unix_sock *old;

	if (to->s.type != u->s.type)
		return -EPROTOTYPE;
	if (!unix_sends_to(to, u))
		return -EPERM;
	socket_get(&to->s);
	old = refslot_exchange(&u->peer, to, COUNT_AT);
	u->connected = true;
	store_release(&u->state, TCP_ESTABLISHED);
	if (old)
		socket_put(&old->s);
	return 0;
}

/* Puts the far end of a new connection into l's queue. -EAGAIN: it is full. */
static int enqueue(struct unix_sock *l, struct unix_sock *child, struct unix_sock *u)
{
	int err = 0;

	socket_lock(&l->s);
	if (l->state != TCP_LISTEN || l->s.detached || (l->s.shut & SHUT_RCV)) {
		err = -ECONNREFUSED;
	} else if (l->accept_count > l->backlog) {
		err = -EAGAIN;
	} else {
		child->cred = l->cred;
		child->s.passcred = l->s.passcred;
		child->name = l->name;
		child->name_len = l->name_len;
		child->bound = l->bound; /* shows the listener's name; not in the table */
		current_cred(&u->cred);
		err = join(u, child) ? 0 : -EISCONN;
	}
	if (!err) {
		list_add_tail(&l->accept_queue, &child->accept_link);
		l->accept_count++;
		socket_wake(&l->s, POLLIN | POLLRDNORM);
	}
	socket_unlock(&l->s);
	return err;
}

static bool queue_has_room(struct unix_sock *l)
{
	return load_relaxed(&l->accept_count) <= l->backlog || l->s.detached ||
	       l->state != TCP_LISTEN;
}

static int connect_stream(struct unix_sock *u, struct unix_sock *l, bool nonblock)
{
	uint64_t deadline = socket_deadline(u->s.sndtimeo);
	struct unix_sock *child;
	int err;

	if (l->s.type != u->s.type)
		return -EPROTOTYPE;
	child = make(u->s.type);
	if (!child)
		return -ENOMEM;
	for (;;) {
		err = enqueue(l, child, u);
		if (err != -EAGAIN || nonblock)
			break;
		err = wait_event_interruptible_timeout(&l->room, queue_has_room(l), deadline);
		if (err) {
			err = socket_wait_error(err, u->s.sndtimeo);
			break;
		}
	}
	if (err)
		socket_put(&child->s);
	return err;
}

static int unix_connect(struct socket *s, const struct sockaddr_storage *a, uint32_t len,
	bool nonblock, const struct path_context *c)
{
	struct unix_sock *u = unix_sk(s), *to;
	int err;

	if (a->ss_family == AF_UNSPEC && !unix_is_connection(u)) {
		unix_disconnect(u);
		return 0;
	}
	if (unix_is_connection(u) && u->state != TCP_CLOSE)
		return u->state == TCP_LISTEN ? -EINVAL : -EISCONN;
	to = unix_find(a, len, c);
	if (IS_ERR(to))
		return (int)PTR_ERR(to);
	err = unix_is_connection(u) ? connect_stream(u, to, nonblock) : connect_dgram(u, to);
	socket_put(&to->s);
	return err;
}

static bool accept_ready(struct unix_sock *u)
{
	return !list_empty(&u->accept_queue) || (load_relaxed(&u->s.shut) & SHUT_RCV) ||
	       u->state != TCP_LISTEN;
}

static struct socket *unix_accept(struct socket *s, bool nonblock)
{
	struct unix_sock *u = unix_sk(s), *child = NULL;
	uint64_t deadline = socket_deadline(s->rcvtimeo);

	if (!unix_is_connection(u))
		return ERR_PTR(-EOPNOTSUPP);
	for (;;) {
		socket_lock(s);
		if (u->state != TCP_LISTEN || (s->shut & SHUT_RCV)) {
			socket_unlock(s);
			return ERR_PTR(-EINVAL);
		}
		if (!list_empty(&u->accept_queue)) {
			child = list_first_entry(&u->accept_queue, struct unix_sock, accept_link);
			list_del(&child->accept_link);
			store_relaxed(&u->accept_count, u->accept_count - 1);
		}
		socket_unlock(s);
		if (child)
			break;
		if (nonblock)
			return ERR_PTR(-EAGAIN);
		int err = wait_event_exclusive(&s->wait, SOCKET_IN, accept_ready(u), deadline);

		if (err)
			return ERR_PTR(socket_wait_error(err, s->rcvtimeo));
	}
	if (wait_active(&u->room))
		wait_wake_all(&u->room, 0);
	return &child->s;
}

/* ---- the end ---- */

static void apply_shutdown(struct unix_sock *u, int how)
{
	socket_lock(&u->s);
	u->s.shut |= (uint8_t)how;
	socket_wake(&u->s, POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLRDNORM);
	socket_unlock(&u->s);
	if (wait_active(&u->room))
		wait_wake_all(&u->room, 0);
}

static int unix_shutdown(struct socket *s, int how)
{
	struct unix_sock *u = unix_sk(s), *p;

	p = unix_peer_get(u);
	if (unix_is_connection(u) && !p && u->state != TCP_LISTEN)
		return -ENOTCONN;
	apply_shutdown(u, how);
	if (p && unix_is_connection(u))
		apply_shutdown(
			p, (how & SHUT_RCV ? SHUT_SND : 0) | (how & SHUT_SND ? SHUT_RCV : 0));
	if (p && wait_active(&p->room))
		wait_wake_all(&p->room, 0);
	if (p)
		socket_put(&p->s);
	return 0;
}

/* Lock held. True if something had not been read. */
static bool purge(struct unix_sock *u)
{
	struct unix_message *q = u->first;
	bool any = q;

	u->first = u->last = NULL;
	store_relaxed(&u->queued, 0);
	while (q) {
		struct unix_message *next = q->next;

		unix_message_free(q);
		q = next;
	}
	return any;
}

/*
 * Each slot's reference is dropped by the one who took it out. When both ends close at the same
 * time each may take its own, and then nobody is left who would care what the other one is told.
 */
static void part(struct unix_sock *u, bool unread)
{
	struct unix_sock *p = refslot_exchange(&u->peer, NULL, COUNT_AT);

	if (!p)
		return;
	if (unix_is_connection(u)) {
		struct unix_sock *back = refslot_exchange(&p->peer, NULL, COUNT_AT);

		BUG_ON(back && back != u); /* partners stay partners */
		socket_lock(&p->s);
		if (unread)
			socket_set_error(&p->s, ECONNRESET);
		p->peer_gone = true;
		socket_unlock(&p->s);
		apply_shutdown(p, SHUT_RCV | SHUT_SND);
		if (back)
			socket_put(&back->s);
	}
	socket_put(&p->s);
}

static void unix_close(struct socket *s)
{
	struct unix_sock *u = unix_sk(s);
	bool unread;

	unix_unbind(u);
	socket_lock(s);
	s->detached = true;
	u->state = TCP_CLOSE;
	unread = purge(u);
	s->shut = SHUT_RCV | SHUT_SND;
	socket_unlock(s);
	if (wait_active(&u->room))
		wait_wake_all(&u->room, 0);
	part(u, unread);
	unix_forget_room(u);
	while (!list_empty(&u->accept_queue)) { /* connected, never accepted */
		struct unix_sock *child =
			list_first_entry(&u->accept_queue, struct unix_sock, accept_link);

		list_del(&child->accept_link);
		child->bound = false;
		child->s.detached = true;
		part(child, true);
		socket_put(&child->s);
	}
}

static void unix_destroy(struct socket *s)
{
	unix_diag_remove(unix_sk(s));
	purge(unix_sk(s));
	heap_free(unix_sk(s));
}

static int unix_getname(struct socket *s, bool peer, struct sockaddr_storage *a, uint32_t *len)
{
	struct unix_sock *u = unix_sk(s), *p;
	struct sockaddr_un name = { 0 };

	if (!peer) {
		unix_copy_name(u, &name, len);
	} else {
		p = unix_peer_get(u);
		if (!p)
			return -ENOTCONN;
		unix_copy_name(p, &name, len);
		socket_put(&p->s);
	}
	memset(a, 0, sizeof(*a));
	memcpy(a, &name, sizeof(name));
	return 0;
}

static uint32_t unix_poll(struct socket *s)
{
	struct unix_sock *u = unix_sk(s), *p;
	uint32_t r = 0, shut = load_relaxed(&s->shut);

	if (u->state == TCP_LISTEN)
		return accept_ready(u) ? POLLIN | POLLRDNORM : 0;
	if (load_relaxed(&s->error))
		r |= POLLERR;
	if (shut == (SHUT_RCV | SHUT_SND))
		r |= POLLHUP;
	if (shut & SHUT_RCV)
		r |= POLLRDHUP | POLLIN | POLLRDNORM;
	if (load_acquire(&u->first))
		r |= POLLIN | POLLRDNORM;
	if (unix_is_connection(u) && u->state == TCP_CLOSE)
		r |= POLLHUP;
	p = unix_peer_get(u);
	if (!p || unix_has_room(p, p->s.rcvbuf / 2)) {
		r |= POLLOUT | POLLWRNORM | POLLWRBAND;
	} else {
		unix_want_room(u, p);
		if (unix_has_room(p, p->s.rcvbuf / 2))
			r |= POLLOUT | POLLWRNORM | POLLWRBAND;
	}
	if (p)
		socket_put(&p->s);
	return r;
}

static long unix_ioctl(struct socket *s, unsigned cmd, unsigned long arg)
{
	struct unix_sock *u = unix_sk(s), *p;
	int n = 0;

	switch (cmd) {
	case FIONREAD:
		if (u->state == TCP_LISTEN)
			return -EINVAL;
		socket_lock(s);
		for (struct unix_message *q = u->first; q;
			q = unix_is_connection(u) ? q->next : NULL)
			n += (int)(q->size - q->off);
		socket_unlock(s);
		break;
	case SIOCOUTQ:
		p = unix_peer_get(u);
		if (p) {
			n = (int)load_relaxed(&p->queued);
			socket_put(&p->s);
		}
		break;
	default: return -ENOIOCTLCMD;
	}
	return put_user(n, (int *)arg);
}

static int unix_getopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	struct unix_sock *u = unix_sk(s);
	struct ucred none = { 0, ~0u, ~0u };

	if (level == SOL_SOCKET && name == SO_PEERCRED) {
		const struct ucred *c = u->was_connected	 ? &u->peer_cred
					: u->state == TCP_LISTEN ? &u->cred
								 : &none;

		return opt_put(val, len, c, sizeof(*c));
	}
	return level == SOL_SOCKET ? -ENODATA : -EOPNOTSUPP;
}

static int unix_setopt(struct socket *s, int level, int name, const void *val, uint32_t len)
{
	return -EOPNOTSUPP;
}

static void unix_work(struct socket *s, struct packet *batch)
{
	pkt_free_list(batch); /* nothing is ever delivered through the channel */
}

static const struct socket_ops unix_ops = {
	.bind = unix_bind,
	.connect = unix_connect,
	.listen = unix_listen,
	.accept = unix_accept,
	.getname = unix_getname,
	.send = unix_send,
	.recv = unix_recv,
	.shutdown = unix_shutdown,
	.getopt = unix_getopt,
	.setopt = unix_setopt,
	.poll = unix_poll,
	.ioctl = unix_ioctl,
	.close = unix_close,
	.work = unix_work,
	.destroy = unix_destroy,
};
