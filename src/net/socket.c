/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What sockets of every family share: life, lock, channel, wake-ups, and the file in front.
 *
 *	file_ops (read, write, poll, ...) and socket_* calls > socket_ops of the family
 */

#include "net/netif.h"
#include "net/socket.h"
#include "net/state.h"
#include "net/steer.h"
#include "net/zerocopy.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/stat.h"
#include "cpu/uaccess.h"
#include "diag/counter.h"
#include "lib/bug.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mem/heap.h"

COUNTER(net_socket_kicks_deferred);
COUNTER(net_pieces_copied);

void (*net_sigpipe)(void);
void (*net_sigurg)(struct file *f);
void (*net_credentials)(uint32_t *pid, uint32_t *uid, uint32_t *gid);

static uint64_t next_inode; /* atomic */

/* ---- life, lock, channel ---- */

void socket_setup(
	struct socket *s, const struct socket_ops *ops, int family, int type, int protocol)
{
	s->ops = ops;
	s->family = (uint16_t)family;
	s->type = (uint8_t)type;
	s->protocol = (uint16_t)protocol;
	s->refs = 1;
	s->inode = atomic_add(&next_inode, 1) + 10000;
	s->rcvlowat = 1;
	s->peek_off = -1;
	s->incoming_cpu = -1;
	s->max_pacing_rate = UINT64_MAX;
	s->rcvbuf = s->sndbuf = 212992;
	mutex_init(&s->lock, "socket.lock");
	wait_init(&s->wait);
}

bool socket_get_live(struct socket *s)
{
	uint32_t n = load_relaxed(&s->refs);

	while (n)
		if (atomic_cas(&s->refs, &n, n + 1))
			return true;
	return false;
}

void socket_put(struct socket *s)
{
	if (atomic_sub(&s->refs, 1) == 1)
		s->ops->destroy(s);
}

static void free_socket(struct rcu_node *n)
{
	heap_free(container_of(n, struct socket, rcu));
}

void socket_free(struct socket *s)
{
	rcu_call(&s->rcu, free_socket);
}

/* The timer's memory must outlive its callback: the network thread destroys. */
void socket_put_in_timer(struct socket *s)
{
	struct net_state *n = the_net();

	if (atomic_sub(&s->refs, 1) != 1)
		return;
	struct socket *head = load_relaxed(&n->graveyard);

	do {
		s->grave_next = head;
	} while (!atomic_cas(&n->graveyard, &head, s));
	net_thread_kick();
}

static void do_work(struct socket *s)
{
	while (socket_has_work(s)) {
		struct packet *batch =
			channel_empty(&s->channel) ? NULL : channel_take(&s->channel);

		if (batch)
			s->ops->work(s, batch);
		if (likely(!load_relaxed(&s->deferred)))
			continue;
		uint32_t deferred = atomic_xchg(&s->deferred, 0);

		if (deferred & DEFER_ICMP) {
			uint64_t e = load_relaxed(&s->icmp);

			s->ops->icmp(s, e & 0xffff, e >> 16 & 1, (uint32_t)(e >> 32));
		}
		if (deferred & DEFER_TIMER)
			s->ops->timer(s);
	}
}

void socket_lock(struct socket *s)
{
	mutex_lock(&s->lock);
	if (socket_has_work(s))
		do_work(s);
}

/* What is to be announced. A ring has told of input all but newcomers (channel.h, C2). */
static uint32_t take_wake(struct socket *s)
{
	uint32_t wake = s->wake;

	s->wake = 0;
	if (s->channel.told) {
		s->channel.told = false;
		if (!atomic_xchg(&s->channel.newcomer, 0))
			wake &= ~(uint32_t)(POLLIN | POLLRDNORM);
	}
	return wake;
}

/* An exclusive waiter is enough for data or room; the end of a connection is everybody's. */
static void announce(struct socket *s, uint32_t wake)
{
	if (!wait_active(&s->wait))
		return;
	if (wake & (POLLERR | POLLHUP | POLLRDHUP))
		wait_wake_all(&s->wait, wake);
	else
		wait_wake_one(&s->wait, wake);
}

static __always_inline void unlock_once(struct socket *s)
{
	uint32_t wake;
	bool eager;

	if (unlikely(socket_has_work(s)))
		do_work(s);
	wake = take_wake(s);
	eager = s->ops->eager && s->ops->eager(s);
	if (eager != load_relaxed(&s->channel.eager)) /* C5 */
		__atomic_store_n(&s->channel.eager, eager, __ATOMIC_SEQ_CST);
	mutex_unlock(&s->lock);
	if (wake)
		announce(s, wake);
}

static __noinline void lock_and_unlock(struct socket *s)
{
	while (socket_has_work(s) && mutex_trylock(&s->lock))
		unlock_once(s);
}

void socket_unlock(struct socket *s)
{
	unlock_once(s);
	if (unlikely(socket_has_work(s)))
		lock_and_unlock(s);
	if (unlikely(load_relaxed(&the_net()->lo_queue)))
		lo_run();
}

void socket_kick(struct socket *s)
{
	if (mutex_trylock(&s->lock))
		socket_unlock(s);
	else
		counter_inc(net_socket_kicks_deferred);
}

bool socket_try_drain(struct socket *s)
{
	if (!socket_has_work(s) || !mutex_trylock(&s->lock))
		return false;
	socket_unlock(s);
	return true;
}

void socket_drain(struct socket *s)
{
	if (unlikely(socket_has_work(s))) {
		socket_lock(s);
		socket_unlock(s);
	}
}

void socket_defer(struct socket *s, uint32_t what)
{
	__atomic_fetch_or(&s->deferred, what, __ATOMIC_SEQ_CST);
}

void socket_icmp(struct socket *s, int err, bool hard, uint32_t mtu)
{
	store_relaxed(&s->icmp, (uint64_t)mtu << 32 | (uint64_t)hard << 16 | (uint32_t)err);
	socket_defer(s, DEFER_ICMP);
	socket_kick(s);
}

void socket_set_error(struct socket *s, int err)
{
	store_relaxed(&s->error, err);
	socket_wake(s, POLLERR | POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
}

int socket_take_error(struct socket *s)
{
	if (!load_relaxed(&s->error))
		return 0;
	return -__atomic_exchange_n(&s->error, 0, __ATOMIC_RELAXED);
}

int socket_wait_error(int err, uint64_t timeout)
{
	if (err == -ETIMEDOUT)
		return -EAGAIN;
	if (err == -ERESTARTSYS && timeout)
		return -EINTR;
	return err;
}

ssize_t socket_sigpipe(const struct socket_message *m)
{
	if (!(m->flags & MSG_NOSIGNAL) && net_sigpipe)
		net_sigpipe();
	return -EPIPE;
}

bool socket_nonblocking(const struct socket *s, uint32_t flags)
{
	return (flags & MSG_DONTWAIT) ||
	       (s->file && (load_relaxed(&s->file->flags) & SOCK_NONBLOCK));
}

/* ---- the file ---- */

static const struct file_ops socket_file_ops;

bool file_is_socket(struct file *f)
{
	return f->ops == &socket_file_ops;
}

struct socket *file_socket(struct file *f)
{
	BUG_ON(!file_is_socket(f));
	return f->private;
}

int socket_check(struct file *f)
{
	return file_is_socket(f) ? 0 : -ENOTSOCK;
}

struct file *socket_file(struct socket *s, uint32_t flags)
{
	struct file *f = file_create(&socket_file_ops, s, O_RDWR | (flags & SOCK_NONBLOCK));
	uint32_t pid, uid = 0, gid;

	if (net_credentials)
		net_credentials(&pid, &uid, &gid);
	store_relaxed(&s->uid, uid);
	if (!f) {
		s->ops->close(s);
		socket_put(s);
		return ERR_PTR(-ENOMEM);
	}
	store_relaxed(&s->file, f);
	return f;
}

static ssize_t socket_file_read(struct file *f, struct iter *to, int64_t *pos)
{
	struct socket_message m = { .data = to };

	if (!to->left)
		return 0;
	return socket_recv(f, &m);
}

static ssize_t socket_file_write(struct file *f, struct iter *from, int64_t *pos)
{
	struct socket_message m = { .data = from };

	return socket_send(f, &m, NULL);
}

static int socket_file_read_pieces(
	struct file *f, struct piece *p, unsigned max, size_t n, int64_t *pos)
{
	struct socket *s = f->private;
	struct iter it;
	struct socket_message m = { .data = &it, .pieces = p, .piece_max = max };
	ssize_t r;

	if (!s->ops->keeps_pieces)
		return -EOPNOTSUPP;
	iter_init_one(&it, NULL, n, false);
	r = socket_recv(f, &m);
	return r < 0 ? (int)r : (int)m.piece_count;
}

static ssize_t socket_file_write_pieces(
	struct file *f, struct piece *p, unsigned count, unsigned flags)
{
	struct socket *s = f->private;
	struct iter_segment segments[PIECES_MAX];
	struct iter it;
	struct socket_message m = { .data = &it,
		.flags = (flags & PIECES_MORE ? MSG_MORE : 0) |
			 (flags & PIECES_NONBLOCK ? MSG_DONTWAIT : 0) };
	ssize_t n;

	pieces_iter(p, count, segments, &it);
	if (s->ops->keeps_pieces) {
		m.pieces = p;
		return socket_send(f, &m, NULL);
	}
	if (!count)
		return 0;
	m.flags &= ~(uint32_t)MSG_MORE;
	n = socket_send(f, &m, NULL);
	if (n > 0) {
		counter_add(net_pieces_copied, n);
		pieces_advance(p, count, (size_t)n);
	}
	return n;
}

static uint32_t socket_file_poll(struct file *f, struct poll_table *table)
{
	struct socket *s = f->private;

	poll_wait(table, &s->wait);
	/* Who holds the lock takes the packets, and announces it as we have looked. */
	if (!socket_try_drain(s))
		(void)socket_look(s);
	return s->ops->poll(s);
}

static long socket_file_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct socket *s = f->private;

	socket_drain(s);
	long r = s->ops->ioctl ? s->ops->ioctl(s, cmd, arg) : -ENOIOCTLCMD;

	if (r != -ENOIOCTLCMD)
		return r;
	switch (cmd) {
	case FIOSETOWN:
	case SIOCSPGRP: return get_user(f->owner_pid, (int *)arg);
	case FIOGETOWN:
	case SIOCGPGRP: return put_user(f->owner_pid, (int *)arg);
	default: return netif_ioctl(s->family, cmd, arg);
	}
}

static int socket_file_stat(struct file *f, struct stat *st)
{
	struct socket *s = f->private;

	memset(st, 0, sizeof(*st));
	st->st_dev = 8;
	st->st_ino = s->inode;
	st->st_nlink = 1;
	st->st_mode = S_IFSOCK | 0777;
	st->st_blksize = 4096;
	return 0;
}

static void socket_file_release(struct file *f)
{
	struct socket *s = f->private;

	s->ops->close(s);
	socket_lock(s);
	s->file = NULL;
	s->detached = true;
	socket_unlock(s);
	socket_put(s);
}

static void socket_file_describe(struct file *f, char *buf, size_t size)
{
	struct socket *s = f->private;

	format(buf, size, "socket:[%lu]", (unsigned long)s->inode);
}

static const struct file_ops socket_file_ops = {
	.kind = "socket",
	.read = socket_file_read,
	.write = socket_file_write,
	.read_pieces = socket_file_read_pieces,
	.write_pieces = socket_file_write_pieces,
	.poll = socket_file_poll,
	.ioctl = socket_file_ioctl,
	.stat = socket_file_stat,
	.release = socket_file_release,
	.describe = socket_file_describe,
};

/* ---- calls ---- */

struct file *socket_create(int family, int type, int protocol)
{
	int kind = type & SOCK_TYPE_MASK;
	struct socket *s;

	if (type & ~(SOCK_TYPE_MASK | SOCK_NONBLOCK | SOCK_CLOEXEC))
		return ERR_PTR(-EINVAL);
	if (family < 0 || family >= AF_MAX)
		return ERR_PTR(-EAFNOSUPPORT);
	if (kind > SOCK_PACKET)
		return ERR_PTR(-EINVAL);
	switch (family) {
	case AF_INET:
	case AF_INET6: s = inet_create(family, kind, protocol); break;
	case AF_UNIX:
		if (protocol && protocol != AF_UNIX)
			return ERR_PTR(-EPROTONOSUPPORT);
		s = unix_create(kind);
		break;
	case AF_NETLINK: s = netlink_create(kind, protocol); break;
	default: return ERR_PTR(-EAFNOSUPPORT);
	}
	return IS_ERR(s) ? (void *)s : socket_file(s, type);
}

int socket_pair(int family, int type, int protocol, struct file *out[2])
{
	int kind = type & SOCK_TYPE_MASK;
	struct socket *s[2] = { NULL };

	if (type & ~(SOCK_TYPE_MASK | SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	if (family < 0 || family >= AF_MAX)
		return -EAFNOSUPPORT;
	if (family == AF_INET || family == AF_INET6 || family == AF_NETLINK)
		return -EOPNOTSUPP;
	if (family != AF_UNIX)
		return -EAFNOSUPPORT;
	if (protocol && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	int err = unix_pair(kind, s);

	if (err)
		return err;
	out[0] = socket_file(s[0], type);
	if (IS_ERR(out[0])) {
		s[1]->ops->close(s[1]);
		socket_put(s[1]);
		return (int)PTR_ERR(out[0]);
	}
	out[1] = socket_file(s[1], type);
	if (IS_ERR(out[1])) {
		file_put(out[0]);
		return (int)PTR_ERR(out[1]);
	}
	return 0;
}

int socket_bind(struct file *f, const struct sockaddr_storage *addr, uint32_t len,
	const struct path_context *c)
{
	struct socket *s = file_socket(f);

	if (len < sizeof(uint16_t))
		return -EINVAL;
	return s->ops->bind ? s->ops->bind(s, addr, len, c) : -EOPNOTSUPP;
}

int socket_connect(struct file *f, const struct sockaddr_storage *addr, uint32_t len,
	const struct path_context *c)
{
	struct socket *s = file_socket(f);

	if (len < sizeof(uint16_t))
		return -EINVAL;
	return s->ops->connect ? s->ops->connect(s, addr, len, socket_nonblocking(s, 0), c)
			       : -EOPNOTSUPP;
}

int socket_listen(struct file *f, int backlog)
{
	struct socket *s = file_socket(f);

	if (backlog < 0 || backlog > SOMAXCONN)
		backlog = SOMAXCONN;
	return s->ops->listen ? s->ops->listen(s, backlog) : -EOPNOTSUPP;
}

struct file *socket_accept(
	struct file *f, uint32_t flags, struct sockaddr_storage *addr, uint32_t *len)
{
	struct socket *s = file_socket(f), *child;

	if (!s->ops->accept)
		return ERR_PTR(-EOPNOTSUPP);
	child = s->ops->accept(s, socket_nonblocking(s, 0));
	if (IS_ERR(child))
		return (void *)child;
	if (addr && child->ops->getname(child, true, addr, len)) {
		addr->ss_family = child->family; /* it is gone already: Linux gives what it knows */
		*len = child->family == AF_INET6 ? sizeof(struct sockaddr_in6)
						 : sizeof(struct sockaddr_in);
	}
	return socket_file(child, flags);
}

int socket_getname(struct file *f, bool peer, struct sockaddr_storage *addr, uint32_t *len)
{
	struct socket *s = file_socket(f);

	return s->ops->getname(s, peer, addr, len);
}

ssize_t socket_send(struct file *f, struct socket_message *m, const struct path_context *c)
{
	struct socket *s = file_socket(f);

	steer_note_caller(s);
	if (unlikely(m->flags & MSG_ZEROCOPY))
		m->lent = load_relaxed(&s->zerocopy) && !m->pieces;
	return s->ops->send(s, m, c);
}

ssize_t socket_recv(struct file *f, struct socket_message *m)
{
	struct socket *s = file_socket(f);

	if (unlikely(m->flags & MSG_ERRQUEUE)) {
		ssize_t n = zc_recv(s, m);

		if (n != -EAGAIN)
			return n;
		return s->ops->recv_error ? s->ops->recv_error(s, m) : -EAGAIN;
	}
	steer_note_caller(s);
	return s->ops->recv(s, m);
}

int socket_error(struct file *f)
{
	return socket_take_error(file_socket(f));
}

void socket_note_error(struct file *f, int err)
{
	store_relaxed(&file_socket(f)->error, err);
}

int socket_shutdown(struct file *f, int how)
{
	struct socket *s = file_socket(f);

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	return s->ops->shutdown ? s->ops->shutdown(s, how + 1)
				: -EOPNOTSUPP; /* to SHUT_RCV | SHUT_SND */
}

int socket_getopt(struct file *f, int level, int name, void *val, uint32_t *len)
{
	struct socket *s = file_socket(f);

	socket_drain(s);
	if (level == SOL_SOCKET &&
		!(s->family == AF_UNIX && (name == SO_PEERCRED || name == SO_PEERGROUPS)))
		return socket_getopt_common(s, name, val, len);
	return s->ops->getopt ? s->ops->getopt(s, level, name, val, len) : -ENOPROTOOPT;
}

int socket_setopt(struct file *f, int level, int name, const void *val, uint32_t len)
{
	struct socket *s = file_socket(f);

	if (level == SOL_SOCKET)
		return socket_setopt_common(s, name, val, len);
	return s->ops->setopt ? s->ops->setopt(s, level, name, val, len) : -ENOPROTOOPT;
}
