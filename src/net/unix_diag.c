/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NETLINK_SOCK_DIAG for AF_UNIX (sock_diag(7)). All of them are in a table of their own, by inode,
 * as most have no name; a socket leaves it when its last reference is gone.
 */

#include "net/netlink.h"
#include "net/unix.h"
#include "abi/errno.h"
#include "abi/sock_diag.h"

#define AT_A_TIME 16u
#define ROOM	  512u

static struct unix_bucket {
	struct mutex lock;
	struct unix_sock *first; /* linked by diag_next, diag_prev */
} sockets[64];
LOCK_CLASS_OF(sockets, "unix_bucket.lock");

static struct unix_bucket *bucket_of(const struct unix_sock *u)
{
	return &sockets[u->s.inode % ARRAY_SIZE(sockets)];
}

void unix_diag_add(struct unix_sock *u)
{
	struct unix_bucket *b = bucket_of(u);

	mutex_lock(&b->lock);
	u->diag_next = b->first;
	if (b->first)
		b->first->diag_prev = &u->diag_next;
	u->diag_prev = &b->first;
	b->first = u;
	mutex_unlock(&b->lock);
}

void unix_diag_remove(struct unix_sock *u)
{
	struct unix_bucket *b = bucket_of(u);

	mutex_lock(&b->lock);
	*u->diag_prev = u->diag_next;
	if (u->diag_next)
		u->diag_next->diag_prev = u->diag_prev;
	mutex_unlock(&b->lock);
}

/* ---- one socket ---- */

static void put_name(struct nl_reply *r, const struct unix_sock *u)
{
	struct sockaddr_un name;
	uint32_t len;

	unix_copy_name(u, &name, &len);
	if (len > sizeof(uint16_t))
		nl_attr(r, UNIX_DIAG_NAME, name.sun_path, len - sizeof(uint16_t));
}

/* Of the peer's; 0: accept has not made a file for it yet. False: u has no peer. */
static bool peer_inode(struct unix_sock *u, uint32_t *inode)
{
	struct unix_sock *peer = unix_peer_get(u);

	if (!peer)
		return false;
	*inode = peer->s.file ? (uint32_t)peer->s.inode : 0;
	socket_put(&peer->s);
	return true;
}

/* u's lock held: the connections that wait for accept, by their clients. */
static void put_waiting(struct nl_reply *r, struct unix_sock *u)
{
	uint32_t inode[64];
	unsigned count = 0;
	struct unix_sock *child;

	list_for_each_entry (child, &u->accept_queue, accept_link)
		if (count < ARRAY_SIZE(inode) && peer_inode(child, &inode[count]))
			count++;
	nl_attr(r, UNIX_DIAG_ICONS, inode, count * sizeof(inode[0]));
}

/* u's lock held. */
static void put_queues(struct nl_reply *r, const struct unix_sock *u)
{
	struct unix_diag_rqlen q = { 0 };

	if (u->state == TCP_LISTEN) {
		q.rqueue = u->accept_count;
		q.wqueue = u->backlog;
	} else if (unix_is_connection(u)) {
		for (const struct unix_message *m = u->first; m; m = m->next)
			q.rqueue += m->size - m->off;
	} else if (u->first) {
		q.rqueue = u->first->size;
	}
	nl_attr(r, UNIX_DIAG_RQLEN, &q, sizeof(q));
}

/* False: r is full. */
static bool put_socket(struct nl_reply *r, struct unix_sock *u, uint32_t show, uint16_t flags)
{
	struct unix_diag_msg *m = nl_begin(r, SOCK_DIAG_BY_FAMILY, flags, sizeof(*m), ROOM);
	uint32_t inode, uid = load_relaxed(&u->s.uid);
	uint8_t shut;

	if (!m)
		return false;
	*m = (struct unix_diag_msg){ .family = AF_UNIX,
		.type = u->s.type,
		.state = load_acquire(&u->state),
		.ino = (uint32_t)u->s.inode,
		.cookie = { (uint32_t)u->s.inode, (uint32_t)(u->s.inode >> 32) } };
	if (show & UDIAG_SHOW_NAME)
		put_name(r, u);
	if ((show & UDIAG_SHOW_PEER) && peer_inode(u, &inode))
		nl_attr(r, UNIX_DIAG_PEER, &inode, sizeof(inode));
	socket_lock(&u->s);
	if ((show & UDIAG_SHOW_ICONS) && u->state == TCP_LISTEN)
		put_waiting(r, u);
	if (show & UDIAG_SHOW_RQLEN)
		put_queues(r, u);
	if (show & UDIAG_SHOW_MEMINFO) {
		uint32_t mem[SK_MEMINFO_VARS] = { [SK_MEMINFO_RMEM_ALLOC] = u->queued,
			[SK_MEMINFO_RCVBUF] = u->s.rcvbuf,
			[SK_MEMINFO_SNDBUF] = u->s.sndbuf };

		nl_attr(r, UNIX_DIAG_MEMINFO, mem, sizeof(mem));
	}
	if (show & UDIAG_SHOW_UID)
		nl_attr(r, UNIX_DIAG_UID, &uid, sizeof(uid));
	shut = u->s.shut;
	socket_unlock(&u->s);
	nl_attr(r, UNIX_DIAG_SHUTDOWN, &shut, 1);
	nl_finish(r);
	return true;
}

/* ---- requests ---- */

static unsigned collect(struct unix_bucket *b, unsigned skip, struct unix_sock *out[AT_A_TIME])
{
	unsigned count = 0;

	mutex_lock(&b->lock);
	for (struct unix_sock *u = b->first; u && count < AT_A_TIME; u = u->diag_next) {
		if (skip) {
			skip--;
			continue;
		}
		if (socket_get_live(&u->s)) /* else its last reference is just gone */
			out[count++] = u;
	}
	mutex_unlock(&b->lock);
	return count;
}

static bool dump_some(
	struct nl_reply *r, struct nl_dump *d, struct unix_sock **found, unsigned count)
{
	const struct unix_diag_req *req = (const void *)(d->request + sizeof(struct nlmsghdr));
	bool room = true;

	for (unsigned k = 0; k < count; k++) {
		if (room && (req->states & 1u << load_acquire(&found[k]->state)))
			room = put_socket(r, found[k], req->show, NLM_F_MULTI);
		d->skip += room;
		socket_put(&found[k]->s);
	}
	return room;
}

int unix_diag_dump(struct nl_reply *r, struct nl_dump *d)
{
	struct unix_sock *found[AT_A_TIME];
	unsigned count;

	for (; d->bucket < ARRAY_SIZE(sockets); d->bucket++, d->skip = 0)
		do {
			count = collect(&sockets[d->bucket], d->skip, found);
			if (!dump_some(r, d, found, count))
				return 1;
		} while (count == AT_A_TIME);
	return 0;
}

int unix_diag_one(struct nl_reply *r, const struct nlmsghdr *h)
{
	const struct unix_diag_req *req = (const void *)(h + 1);
	struct unix_bucket *b = &sockets[req->ino % ARRAY_SIZE(sockets)];
	struct unix_sock *u;
	int err = 0;

	if (!req->ino)
		return -EINVAL;
	mutex_lock(&b->lock);
	for (u = b->first; u; u = u->diag_next)
		if ((uint32_t)u->s.inode == req->ino && socket_get_live(&u->s))
			break;
	mutex_unlock(&b->lock);
	if (!u)
		return -ENOENT;
	if ((req->cookie[0] != INET_DIAG_NOCOOKIE || req->cookie[1] != INET_DIAG_NOCOOKIE) &&
		((uint64_t)req->cookie[1] << 32 | req->cookie[0]) != u->s.inode)
		err = -ESTALE;
	else if (!put_socket(r, u, req->show, 0))
		err = -EMSGSIZE;
	socket_put(&u->s);
	return err;
}
