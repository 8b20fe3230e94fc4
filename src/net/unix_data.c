/* SPDX-License-Identifier: BSD-2-Clause */
/* The bytes and packets of AF_UNIX sockets: send and receive. */

#include "net/unix.h"
#include "abi/errno.h"
#include "lib/string.h"

/* ---- room at the receiver ---- */

/* On the receiver's queue, with its lock held. Tells once. */
static bool room_again(struct wait_entry *e, uint32_t events)
{
	struct unix_sock *u = e->arg, *to = container_of(e->queue, struct unix_sock, room);

	if (unix_has_room(to, to->s.rcvbuf / 2) &&
		__atomic_exchange_n(&u->s.nospace, 0, __ATOMIC_SEQ_CST))
		wait_wake_all(&u->s.wait, POLLOUT | POLLWRNORM);
	return false;
}

/* room_lock held. The caller drops the reference that is returned, afterwards. */
static struct unix_sock *take_room(struct unix_sock *u)
{
	struct unix_sock *old = u->room_of;

	if (old)
		wait_remove(&u->room_entry);
	store_relaxed(&u->room_of, NULL);
	return old;
}

void unix_want_room(struct unix_sock *u, struct unix_sock *to)
{
	struct unix_sock *old = NULL;

	mutex_lock(&u->room_lock);
	if (u->room_of != to) {
		old = take_room(u);
		socket_get(&to->s);
		store_relaxed(&u->room_of, to);
		u->room_entry = (struct wait_entry){ .fn = room_again, .arg = u };
		wait_add(&to->room, &u->room_entry);
	}
	__atomic_store_n(&u->s.nospace, 1, __ATOMIC_SEQ_CST);
	mutex_unlock(&u->room_lock);
	if (old)
		socket_put(&old->s);
}

void unix_forget_room(struct unix_sock *u)
{
	struct unix_sock *old;

	mutex_lock(&u->room_lock);
	old = take_room(u);
	mutex_unlock(&u->room_lock);
	if (old)
		socket_put(&old->s);
}

/* It has sent: receivers need not look at it any more, unless another thread still wants to hear.
 */
static __noinline void leave_room(struct unix_sock *u)
{
	struct unix_sock *old = NULL;

	mutex_lock(&u->room_lock);
	if (!load_relaxed(&u->s.nospace))
		old = take_room(u);
	mutex_unlock(&u->room_lock);
	if (old)
		socket_put(&old->s);
}

/* ---- sending ---- */

/* Appends q to the receiver. 0; -EAGAIN: no room; -EPIPE / -ECONNREFUSED: it does not receive. */
static int deliver(struct unix_sock *to, struct unix_message *q, bool stream)
{
	int err = 0;

	socket_lock(&to->s);
	if (to->s.detached || (to->s.shut & SHUT_RCV)) {
		err = stream ? -EPIPE : to->s.detached ? -ECONNREFUSED : -EPIPE;
	} else if (!unix_has_room(to, q->charged)) {
		err = -EAGAIN;
	} else {
		q->next = NULL;
		if (to->first)
			to->last->next = q;
		else
			store_release(&to->first, q);
		to->last = q;
		store_relaxed(&to->queued, to->queued + q->charged);
		socket_wake(&to->s, POLLIN | POLLRDNORM);
	}
	socket_unlock(&to->s);
	return err;
}

static int deliver_waiting(struct unix_sock *u, struct unix_sock *to, struct unix_message *q,
	uint32_t flags, uint64_t deadline)
{
	for (;;) {
		int err = deliver(to, q, unix_is_connection(u));

		if (err != -EAGAIN) {
			if (unlikely(load_relaxed(&u->room_of)))
				leave_room(u);
			return err;
		}
		if (socket_nonblocking(&u->s, flags)) {
			unix_want_room(u, to);
			if (unix_has_room(to, q->charged))
				continue;
			return -EAGAIN;
		}
		err = wait_event_interruptible_timeout(&to->room,
			unix_has_room(to, q->charged) || (load_relaxed(&u->s.shut) & SHUT_SND),
			deadline);
		if (err)
			return socket_wait_error(err, u->s.sndtimeo);
		if (u->s.shut & SHUT_SND)
			return -EPIPE;
	}
}

static ssize_t send_stream(struct unix_sock *u, struct unix_sock *to, struct socket_message *m)
{
	uint64_t deadline = socket_deadline(u->s.sndtimeo);
	size_t done = 0, limit = MAX(u->s.sndbuf / 4, 2048u);
	int err = 0;

	do {
		size_t n = MIN(MIN(m->data->left, (size_t)65536), limit);
		struct unix_message *q = unix_message_make(m, n, &err);

		if (!q)
			break;
		err = deliver_waiting(u, to, q, m->flags, deadline);
		if (err) {
			iter_revert(m->data, n);
			unix_message_free(q);
			break;
		}
		done += n;
		m->control_len = 0; /* goes with the first piece */
	} while (m->data->left);
	return done ? (ssize_t)done : err;
}

static ssize_t send_packet(struct unix_sock *u, struct unix_sock *to, struct socket_message *m)
{
	uint64_t deadline = socket_deadline(u->s.sndtimeo);
	size_t n = m->data->left;
	struct unix_message *q;
	int err;

	if (n > u->s.sndbuf - 32 || n > MIB(1))
		return -EMSGSIZE;
	q = unix_message_make(m, n, &err);
	if (!q)
		return err;
	if (u->s.type == SOCK_DGRAM && u->bound)
		unix_copy_name(u, &q->from, &q->from_len);
	err = deliver_waiting(u, to, q, m->flags, deadline);
	if (err)
		unix_message_free(q);
	return err ? err : (ssize_t)n;
}

/* The signal is for who writes a stream, as on Linux. */
static ssize_t broken(const struct unix_sock *u, const struct socket_message *m)
{
	return unix_is_stream(u) ? socket_sigpipe(m) : -EPIPE;
}

ssize_t unix_send(struct socket *s, struct socket_message *m, const struct path_context *c)
{
	struct unix_sock *u = unix_sk(s), *to;
	ssize_t r = socket_take_error(s);

	if (r)
		return r;
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (s->type == SOCK_SEQPACKET)
		m->name_len = 0;
	if (unix_is_stream(u) && m->name_len)
		return u->connected ? -EISCONN : unix_is_stream(u) ? -EOPNOTSUPP : -ENOTCONN;
	if (s->shut & SHUT_SND)
		return broken(u, m);
	to = m->name_len ? unix_find(&m->name, m->name_len, c) : unix_peer_get(u);
	if (IS_ERR(to))
		return PTR_ERR(to);
	if (!to) {
		if (unix_is_connection(u) && u->was_connected)
			return broken(u, m);
		return -ENOTCONN;
	}
	if (m->name_len && to->s.type != s->type)
		r = -EPROTOTYPE;
	else if (m->name_len && !unix_sends_to(to, u))
		r = -EPERM; /* it is connected to somebody else */
	else if (unix_is_stream(u))
		r = m->data->left ? send_stream(u, to, m) : 0;
	else
		r = send_packet(u, to, m);
	socket_put(&to->s);
	if (r == -ECONNREFUSED && !m->name_len && !unix_is_connection(u))
		unix_disconnect(u);
	return r == -EPIPE ? broken(u, m) : r;
}

/* ---- receiving ---- */

/* A sender may continue. Lock not held. */
static void tell_senders(struct unix_sock *u)
{
	if (wait_active(&u->room))
		wait_wake_all(&u->room, POLLOUT);
}

static void unqueue(struct unix_sock *u)
{
	struct unix_message *q = u->first;

	u->first = q->next;
	if (!u->first)
		u->last = NULL;
	store_relaxed(&u->queued, u->queued - q->charged);
	unix_message_free(q);
}

static bool readable(struct unix_sock *u)
{
	return load_acquire(&u->first) || (load_relaxed(&u->s.shut) & SHUT_RCV) ||
	       load_relaxed(&u->s.error);
}

/* Waits for a message, lock held before and after. 0: there is one; 1: end of file; -errno. */
static int await(struct unix_sock *u, uint32_t flags, uint64_t deadline)
{
	struct socket *s = &u->s;

	while (!u->first) {
		int err = socket_take_error(s);

		if (err)
			return err;
		if (s->shut & SHUT_RCV)
			return 1;
		if (unix_is_connection(u) && u->state != TCP_ESTABLISHED)
			return u->was_connected		? 1
			       : u->state == TCP_LISTEN ? -EINVAL
			       : unix_is_stream(u)	? -EINVAL
							: -ENOTCONN;
		if (socket_nonblocking(s, flags))
			return -EAGAIN;
		socket_unlock(s);
		/* As Linux: who takes a whole message is one of several. */
		err = unix_is_stream(u) || (flags & MSG_PEEK)
			      ? wait_event_interruptible_timeout(&s->wait, readable(u), deadline)
			      : wait_event_exclusive(&s->wait, SOCKET_IN, readable(u), deadline);
		socket_lock(s);
		if (err)
			return socket_wait_error(err, s->rcvtimeo);
	}
	return 0;
}

static bool joinable(
	const struct unix_sock *u, const struct unix_message *a, const struct unix_message *b)
{
	return !a->fd_count && !b->fd_count &&
	       (!u->s.passcred || memcmp(&a->cred, &b->cred, sizeof(a->cred)) == 0);
}

static ssize_t recv_stream(struct unix_sock *u, struct socket_message *m, uint32_t flags)
{
	uint64_t deadline = socket_deadline(u->s.rcvtimeo);
	size_t want = m->data->left, done = 0, target = flags & MSG_WAITALL ? want : 1;
	bool control = false;
	int err = 0;

	while (done < want || !want) {
		if (!u->first || (flags & MSG_PEEK && done)) {
			if (done >= target || (flags & MSG_PEEK && done))
				break;
			err = await(u, flags, deadline);
			if (err)
				break;
		}
		struct unix_message *q = u->first;
		uint32_t peek = u->s.peek_off > 0 && (flags & MSG_PEEK)
					? MIN((uint32_t)u->s.peek_off, q->size - q->off)
					: 0;

		if (control && q->fd_count)
			break;
		size_t n = MIN((size_t)(q->size - q->off - peek), want - done);
		bool had_fds = q->fd_count;

		if (iter_copy_to(m->data, q->data + q->off + peek, n) != n) {
			err = -EFAULT;
			break;
		}
		if (!control) {
			unix_message_control(u, q, m, flags);
			control = true;
		}
		done += n;
		if (flags & MSG_PEEK) {
			/* what follows may be looked at as well */
			for (struct unix_message *x = q->next;
				x && done < want && joinable(u, q, x); x = x->next) {
				n = MIN((size_t)(x->size - x->off), want - done);
				done += iter_copy_to(m->data, x->data + x->off, n);
			}
			break;
		}
		q->off += (uint32_t)n;
		if (q->off < q->size)
			break;
		struct unix_message *next = q->next;
		bool stop = had_fds || (next && !joinable(u, q, next));

		unqueue(u);
		if (stop || !want)
			break;
	}
	return done ? (ssize_t)done : err == 1 ? 0 : err;
}

static ssize_t recv_packet(struct unix_sock *u, struct socket_message *m, uint32_t flags)
{
	int err = await(u, flags, socket_deadline(u->s.rcvtimeo));

	if (err)
		return err == 1 ? 0 : err;
	struct unix_message *q = u->first;
	size_t n = MIN((size_t)q->size, m->data->left);
	ssize_t r = (ssize_t)n;

	if (iter_copy_to(m->data, q->data, n) != n)
		r = -EFAULT;
	if (n < q->size)
		m->flags |= MSG_TRUNC;
	if (r >= 0) {
		memcpy(&m->name, &q->from, sizeof(q->from));
		m->name_len = q->from_len;
		unix_message_control(u, q, m, flags);
		if (flags & MSG_TRUNC)
			r = q->size;
	}
	if (u->s.type == SOCK_SEQPACKET)
		m->flags |= MSG_EOR;
	if (!(flags & MSG_PEEK))
		unqueue(u);
	return r;
}

ssize_t unix_recv(struct socket *s, struct socket_message *m)
{
	struct unix_sock *u = unix_sk(s);
	uint32_t flags = m->flags;
	ssize_t r;

	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	m->flags = 0;
	m->name_len = 0;
	socket_lock(s);
	r = unix_is_stream(u) ? recv_stream(u, m, flags) : recv_packet(u, m, flags);
	socket_unlock(s);
	if (r >= 0 && !(flags & MSG_PEEK))
		tell_senders(u);
	return r;
}
