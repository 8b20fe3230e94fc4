/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AF_NETLINK (netlink(7)): the sockets. What NETLINK_ROUTE says is in rtnetlink.c,
 * NETLINK_SOCK_DIAG, as ss(8) asks, in sock_diag.c.
 *
 * What is multicast to a group comes over each member's channel, as packets do, so who changes an
 * address waits for no reader. Who reads too slowly loses messages, and is told once.
 */

#include "net/netlink.h"
#include "net/packet.h"
#include "net/socket.h"
#include "net/state.h"
#include "abi/errno.h"
#include "abi/sock_diag.h"
#include "mem/heap.h"

struct nl_sock {
	struct socket s;
	uint32_t port;
	bool bound;
	uint32_t flags; /* NETLINK_* options that are on, by number */
	/* guarded by net_state.nl_lock */
	uint64_t groups;       /* that it has joined; atomic */
	struct list_node link; /* of those who are in some group */
	/* guarded by the lock */
	uint32_t queued;    /* bytes of multicast messages */
	uint32_t lost_seen; /* of the channel's 'dropped' */
	bool congested;	    /* some were lost, and the queue has not been empty since */
	struct nl_message *first, *last; /* first: also looked at without */
	struct nl_dump *dump;		 /* goes on when 'first' is empty; likewise */
	bool dumping;			 /* somebody has the dump and is at it */
};
static struct nl_sock *nl_sk(struct socket *s)
{
	return container_of(s, struct nl_sock, s);
}

static const struct socket_ops netlink_ops;
static uint32_t next_port = 1000; /* atomic */

struct socket *netlink_create(int type, int protocol)
{
	struct nl_sock *n;

	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return ERR_PTR(-ESOCKTNOSUPPORT);
	if (protocol != NETLINK_ROUTE && protocol != NETLINK_SOCK_DIAG)
		return ERR_PTR(-EPROTONOSUPPORT);
	n = heap_alloc_zeroed(sizeof(*n));
	if (!n)
		return ERR_PTR(-ENOMEM);
	list_init(&n->link);
	socket_setup(&n->s, &netlink_ops, AF_NETLINK, type, protocol);
	return &n->s;
}

/* ---- building answers ---- */

void *nl_begin(struct nl_reply *r, uint16_t type, uint16_t flags, size_t body, size_t room)
{
	struct nlmsghdr *h = (struct nlmsghdr *)(r->m->data + r->m->size);

	if (r->m->size + sizeof(*h) + room > NL_REPLY_MAX)
		return NULL;
	memset(h, 0, sizeof(*h) + NLMSG_ALIGN(body));
	h->nlmsg_type = type;
	h->nlmsg_flags = flags;
	h->nlmsg_seq = r->seq;
	h->nlmsg_pid = r->port;
	r->start = r->m->size;
	r->m->size += (uint32_t)(sizeof(*h) + NLMSG_ALIGN(body));
	return h + 1;
}

void nl_attr(struct nl_reply *r, uint16_t type, const void *data, size_t n)
{
	struct rtattr *a = (struct rtattr *)(r->m->data + r->m->size);

	memset(a, 0, sizeof(*a) + NLMSG_ALIGN(n));
	a->rta_len = (uint16_t)(sizeof(*a) + n);
	a->rta_type = type;
	memcpy(a + 1, data, n);
	r->m->size += (uint32_t)(sizeof(*a) + NLMSG_ALIGN(n));
}

void nl_finish(struct nl_reply *r)
{
	((struct nlmsghdr *)(r->m->data + r->start))->nlmsg_len = r->m->size - r->start;
}

/* Its message has no memory yet. */
static struct nl_reply reply_of(const struct nl_sock *n, uint32_t seq)
{
	return (struct nl_reply){ .seq = seq, .port = n->port };
}
bool nl_reply_alloc(struct nl_reply *r)
{
	r->m = heap_alloc(sizeof(*r->m) + NL_REPLY_MAX);
	if (r->m)
		*r->m = (struct nl_message){ 0 };
	return r->m;
}

/* ---- requests ---- */

static void append(struct nl_sock *n, struct nl_message *m) /* lock held */
{
	m->next = NULL;
	if (n->first)
		n->last->next = m;
	else
		store_release(&n->first, m);
	n->last = m;
}

static void enqueue(struct nl_sock *n, struct nl_message *m)
{
	socket_lock(&n->s);
	append(n, m);
	socket_wake(&n->s, POLLIN | POLLRDNORM);
	socket_unlock(&n->s);
}

/* The end of a dump. False: r is full. */
static bool put_done(struct nl_reply *r, int err, uint16_t flags)
{
	int *done = nl_begin(r, NLMSG_DONE, flags, sizeof(int), sizeof(int));

	if (!done)
		return false;
	*done = err;
	nl_finish(r);
	return true;
}
static void put_error(struct nl_reply *r, const struct nlmsghdr *h, int err)
{
	struct nlmsgerr *e = nl_begin(r, NLMSG_ERROR, 0, sizeof(*e), sizeof(*e));

	if (!e)
		return;
	e->error = err;
	e->msg = *h;
	nl_finish(r);
}

/* The next of a dump's messages. *over: that was all. NULL: no memory, the dump is over. */
static struct nl_message *dump_on(const struct nl_sock *n, struct nl_dump *d, bool *over)
{
	struct nl_reply r = reply_of(n, d->seq);
	int more;

	*over = true;
	if (!nl_reply_alloc(&r))
		return NULL;
	more = sock_diag_dump(&r, d);
	*over = more <= 0 && put_done(&r, more, NLM_F_MULTI);
	return r.m;
}

/* Linux: one at a time. */
static int start_dump(struct nl_sock *n, const struct nlmsghdr *h, size_t len)
{
	struct nl_dump *d;
	int err = 0;

	if (len > NL_REQUEST_MAX)
		return -EINVAL;
	d = heap_alloc_zeroed(sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->seq = h->nlmsg_seq;
	d->len = len;
	memcpy(d->request, h, len);
	socket_lock(&n->s);
	if (n->dump || n->dumping)
		err = -EBUSY;
	else
		store_release(&n->dump, d);
	socket_wake(&n->s, POLLIN | POLLRDNORM);
	socket_unlock(&n->s);
	if (err)
		heap_free(d);
	return err;
}

/* An error, or (0) that a request has been carried out: a message of its own. */
static int acknowledge(struct nl_sock *n, const struct nlmsghdr *h, int err)
{
	struct nl_reply r = reply_of(n, h->nlmsg_seq);

	if (!nl_reply_alloc(&r))
		return -ENOMEM;
	put_error(&r, h, err);
	enqueue(n, r.m);
	return 0;
}

/* A dump that nothing is wrong with ends with NLMSG_DONE and is not acknowledged. */
static int answer_route(struct nl_sock *n, const struct nlmsghdr *h, size_t len)
{
	struct nl_reply r = reply_of(n, h->nlmsg_seq);
	bool dump = (h->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	bool strict = n->flags >> NETLINK_GET_STRICT_CHK & 1;
	uint16_t flags = dump ? NLM_F_MULTI : 0;
	int err;

	if (!nl_reply_alloc(&r))
		return -ENOMEM;
	err = rtnl_request(&r, h, len, dump, strict, &flags);
	if (dump && err != -EOPNOTSUPP) {
		put_done(&r, err, flags);
		enqueue(n, r.m);
		return 0;
	}
	if (r.m->size)
		enqueue(n, r.m);
	else
		heap_free(r.m);
	return err || (h->nlmsg_flags & NLM_F_ACK) ? acknowledge(n, h, err) : 0;
}

static int answer_diag(struct nl_sock *n, const struct nlmsghdr *h, size_t len)
{
	struct nl_reply r = reply_of(n, h->nlmsg_seq);
	int err;

	if ((h->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP) {
		err = sock_diag_check(h, len);
		if (!err)
			err = start_dump(n, h, len);
		return err ? acknowledge(n, h, err) : 0;
	}
	if (!nl_reply_alloc(&r))
		return -ENOMEM;
	err = sock_diag_one(&r, h, len);
	if (!err)
		enqueue(n, r.m);
	else
		heap_free(r.m);
	return err || (h->nlmsg_flags & NLM_F_ACK) ? acknowledge(n, h, err) : 0;
}

static int answer(struct nl_sock *n, const struct nlmsghdr *h, size_t len)
{
	if (!(h->nlmsg_flags & NLM_F_REQUEST) || h->nlmsg_type < NLMSG_MIN_TYPE)
		return h->nlmsg_flags & NLM_F_ACK ? acknowledge(n, h, 0) : 0;
	return n->s.protocol == NETLINK_ROUTE ? answer_route(n, h, len) : answer_diag(n, h, len);
}

static int autobind(struct nl_sock *n)
{
	if (!n->bound) {
		n->port = atomic_add(&next_port, 1);
		n->bound = true;
	}
	return 0;
}

static ssize_t netlink_send(
	struct socket *s, struct socket_message *m, const struct path_context *c)
{
	struct nl_sock *n = nl_sk(s);
	size_t total = m->data->left, at = 0;
	uint8_t *buf;
	int err = 0;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (total > 65536)
		return -EMSGSIZE;
	if (!total)
		return -ENODATA;
	autobind(n);
	buf = heap_alloc(total + 1);
	if (!buf)
		return -ENOBUFS;
	if (iter_copy_from(m->data, buf, total) != total)
		err = -EFAULT;
	while (!err && total - at >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr h;

		memcpy(&h, buf + at, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > total - at)
			break;
		err = answer(n, (const struct nlmsghdr *)(buf + at), h.nlmsg_len);
		at += MIN((size_t)NLMSG_ALIGN(h.nlmsg_len), total - at);
	}
	heap_free(buf);
	return err ? err : (ssize_t)total;
}

/* Lock held, as on return; let go meanwhile: the sockets that are looked at have locks. */
static int go_on(struct nl_sock *n)
{
	struct nl_dump *d = n->dump;
	struct nl_message *m;
	bool over;

	n->dumping = true;
	socket_unlock(&n->s);
	m = dump_on(n, d, &over);
	socket_lock(&n->s);
	n->dumping = false;
	if (over) {
		store_relaxed(&n->dump, NULL);
		heap_free(d);
	}
	if (m)
		append(n, m);
	socket_wake(&n->s, POLLIN | POLLRDNORM);
	return m ? 0 : -ENOBUFS;
}

static bool readable(const struct nl_sock *n)
{
	return load_acquire(&n->first) || (load_acquire(&n->dump) && !load_relaxed(&n->dumping));
}

/* Lock held. Something did not fit: said once, until the reader has caught up, as Linux. */
static void lose(struct nl_sock *n)
{
	if (!n->congested && !(n->flags >> NETLINK_NO_ENOBUFS & 1))
		socket_set_error(&n->s, ENOBUFS);
	n->congested = true;
}

/* Lock held. What was lost on its way here. */
static void count_lost(struct nl_sock *n)
{
	uint32_t lost = load_relaxed(&n->s.channel.dropped);

	if (lost == n->lost_seen)
		return;
	n->lost_seen = lost;
	lose(n);
}

/* Lock held, as on return. The next message; NULL: there is none, or *err. */
static struct nl_message *next_message(struct nl_sock *n, int *err)
{
	count_lost(n);
	*err = socket_take_error(&n->s);
	if (!n->first)
		n->congested = false;
	while (!*err && !n->first && n->dump && !n->dumping)
		*err = go_on(n);
	return *err ? NULL : n->first;
}

/* Lock held. */
static void drop_first(struct nl_sock *n)
{
	struct nl_message *q = n->first;

	store_relaxed(&n->first, q->next);
	n->queued -= q->charge;
	if (!n->first)
		n->congested = false;
	heap_free(q);
}

/* Lock held. */
static ssize_t hand_over(struct nl_sock *n, struct nl_message *q, struct socket_message *m)
{
	struct sockaddr_nl from = { .nl_family = AF_NETLINK };
	size_t k = MIN((size_t)q->size, m->data->left);
	ssize_t r = iter_copy_to(m->data, q->data, k) == k ? (ssize_t)k : -EFAULT;
	uint32_t group = q->group;

	if (group && group <= 32)
		from.nl_groups = 1u << (group - 1);
	if (k < q->size)
		m->flags |= MSG_TRUNC;
	if (n->flags >> NETLINK_PKTINFO & 1)
		cmsg_put(m, SOL_NETLINK, NETLINK_PKTINFO, &group, sizeof(group));
	memcpy(&m->name, &from, sizeof(from));
	m->name_len = sizeof(from);
	return r;
}

static ssize_t netlink_recv(struct socket *s, struct socket_message *m)
{
	struct nl_sock *n = nl_sk(s);
	uint64_t deadline = socket_deadline(s->rcvtimeo);
	uint32_t flags = m->flags;
	struct nl_message *q;
	int err;

	m->flags = 0;
	socket_lock(s);
	while (!(q = next_message(n, &err))) {
		socket_unlock(s);
		if (!err && socket_nonblocking(s, flags))
			err = -EAGAIN;
		if (err)
			return err;
		err = socket_wait(s, SOCKET_IN, readable(n) || load_relaxed(&s->error), deadline);
		if (err)
			return socket_wait_error(err, s->rcvtimeo);
		socket_lock(s);
	}
	ssize_t r = hand_over(n, q, m);

	if (r >= 0 && (flags & MSG_TRUNC))
		r = q->size;
	if (!(flags & MSG_PEEK))
		drop_first(n);
	socket_unlock(s);
	return r;
}

/* ---- groups ---- */

void netlink_init(void)
{
	mutex_init(&the_net()->nl_lock, "net_state.nl_lock");
	list_init(&the_net()->nl_members);
}

/* Bits of groups: leaves some, then joins some. */
static void change_groups(struct nl_sock *n, uint64_t leave, uint64_t join)
{
	struct net_state *net = the_net();
	uint64_t all = 0, groups;
	struct nl_sock *o;

	mutex_lock(&net->nl_lock);
	groups = (n->groups & ~leave) | join;
	if (n->groups)
		list_del(&n->link);
	store_relaxed(&n->groups, groups);
	if (groups)
		list_add(&net->nl_members, &n->link);
	list_for_each_entry (o, &net->nl_members, link)
		if (o->s.protocol == NETLINK_ROUTE)
			all |= o->groups;
	store_relaxed(&net->nl_groups, all);
	mutex_unlock(&net->nl_lock);
}

/* It has not been closed, so it lives. */
static void send_copy(struct nl_sock *n, unsigned group, const void *message, size_t size)
{
	struct packet *p = packet_alloc(0, size);

	if (!p) {
		atomic_add(&n->s.channel.dropped, 1);
		return;
	}
	memcpy(packet_put(p, size), message, size);
	*pkt_cb(p) = (struct pkt_cb){ .sport = (uint16_t)group };
	channel_end_run(&n->s, channel_push(&n->s, p, CHANNEL_DATA));
}

void nl_multicast(unsigned group, const void *message, size_t size)
{
	struct net_state *net = the_net();
	struct nl_sock *n;

	mutex_lock(&net->nl_lock);
	list_for_each_entry (n, &net->nl_members, link)
		if (n->s.protocol == NETLINK_ROUTE && (n->groups >> (group - 1) & 1))
			send_copy(n, group, message, size);
	mutex_unlock(&net->nl_lock);
}

void nl_lost(void)
{
	struct net_state *net = the_net();
	struct nl_sock *n;

	mutex_lock(&net->nl_lock);
	list_for_each_entry (n, &net->nl_members, link)
		if (n->s.protocol == NETLINK_ROUTE)
			atomic_add(&n->s.channel.dropped, 1);
	mutex_unlock(&net->nl_lock);
}

#define CHARGE_MORE 704u /* what Linux counts for a message beside its bytes */

static void take_multicast(struct nl_sock *n, const struct packet *p)
{
	struct nl_message *m = NULL;

	if (n->queued > load_relaxed(&n->s.rcvbuf))
		lose(n);
	if (!n->congested)
		m = heap_alloc(sizeof(*m) + p->len);
	if (!m) {
		lose(n);
		return;
	}
	*m = (struct nl_message){ .size = p->len,
		.charge = p->len + CHARGE_MORE,
		.group = pkt_cb((struct packet *)p)->sport };
	memcpy(m->data, p->data, p->len);
	n->queued += m->charge;
	append(n, m);
	socket_wake(&n->s, POLLIN | POLLRDNORM);
}

static void netlink_work(struct socket *s, struct packet *batch)
{
	count_lost(nl_sk(s));
	for (struct packet *p = batch; p; p = p->next)
		take_multicast(nl_sk(s), p);
	pkt_free_list(batch);
}

/* ---- calls ---- */

static int netlink_bind(struct socket *s, const struct sockaddr_storage *a, uint32_t len,
	const struct path_context *c)
{
	struct nl_sock *n = nl_sk(s);
	const struct sockaddr_nl *nl = (const void *)a;

	if (len < sizeof(*nl) || nl->nl_family != AF_NETLINK)
		return -EINVAL;
	if (n->bound && nl->nl_pid != n->port)
		return -EINVAL;
	if (nl->nl_pid) {
		n->port = nl->nl_pid;
		n->bound = true;
	}
	if (nl->nl_groups || (uint32_t)load_relaxed(&n->groups))
		change_groups(n, UINT32_MAX, nl->nl_groups);
	return autobind(n);
}

static int netlink_connect(struct socket *s, const struct sockaddr_storage *a, uint32_t len,
	bool nonblock, const struct path_context *c)
{
	const struct sockaddr_nl *nl = (const void *)a;

	if (len < sizeof(*nl))
		return -EINVAL;
	return nl->nl_pid ? -ECONNREFUSED : autobind(nl_sk(s));
}

static int netlink_getname(struct socket *s, bool peer, struct sockaddr_storage *a, uint32_t *len)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK };

	if (!peer) {
		nl.nl_pid = nl_sk(s)->port;
		nl.nl_groups = (uint32_t)load_relaxed(&nl_sk(s)->groups);
	}

	memset(a, 0, sizeof(*a));
	memcpy(a, &nl, sizeof(nl));
	*len = sizeof(nl);
	return 0;
}

static uint32_t netlink_poll(struct socket *s)
{
	return POLLOUT | POLLWRNORM | (readable(nl_sk(s)) ? POLLIN | POLLRDNORM : 0) |
	       (load_relaxed(&s->error) ? POLLERR : 0);
}

/* Those that are on or off. What CAP_ACK, EXT_ACK and BROADCAST_ERROR are about does not happen. */
static bool is_flag(int name)
{
	return (name >= NETLINK_PKTINFO && name <= NETLINK_NO_ENOBUFS) ||
	       name == NETLINK_LISTEN_ALL_NSID ||
	       (name >= NETLINK_CAP_ACK && name <= NETLINK_GET_STRICT_CHK);
}

static int netlink_getopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	const struct nl_sock *n = nl_sk(s);

	if (level != SOL_NETLINK)
		return -ENOPROTOOPT;
	if (name == NETLINK_LIST_MEMBERSHIPS) {
		uint64_t groups = load_relaxed(&n->groups);

		if (groups)
			return opt_put(val, len, &groups, sizeof(groups));
		*len = 0;
		return 0;
	}
	if (!is_flag(name))
		return -ENOPROTOOPT;
	return *len < sizeof(int) ? -EINVAL : opt_put_int(val, len, n->flags >> name & 1);
}

static int netlink_setopt(struct socket *s, int level, int name, const void *val, uint32_t len)
{
	struct nl_sock *n = nl_sk(s);
	int v = 0;

	if (level != SOL_NETLINK)
		return -ENOPROTOOPT;
	if (len >= sizeof(v))
		memcpy(&v, val, sizeof(v));
	if (is_flag(name)) {
		n->flags = v ? n->flags | 1u << name : n->flags & ~(1u << name);
		return 0;
	}
	if (name != NETLINK_ADD_MEMBERSHIP && name != NETLINK_DROP_MEMBERSHIP)
		return -ENOPROTOOPT;
	if (v < 1 || v > NETLINK_GROUPS)
		return -EINVAL;
	uint64_t group = 1ull << (v - 1);

	change_groups(n, group, name == NETLINK_ADD_MEMBERSHIP ? group : 0);
	return 0;
}

static void netlink_close(struct socket *s)
{
	change_groups(nl_sk(s), UINT64_MAX, 0);
}

static void netlink_destroy(struct socket *s)
{
	struct nl_sock *n = nl_sk(s);

	channel_free(&s->channel);
	while (n->first) {
		struct nl_message *m = n->first;

		n->first = m->next;
		heap_free(m);
	}
	heap_free(n->dump);
	heap_free(n);
}

static const struct socket_ops netlink_ops = {
	.bind = netlink_bind,
	.connect = netlink_connect,
	.getname = netlink_getname,
	.send = netlink_send,
	.recv = netlink_recv,
	.getopt = netlink_getopt,
	.setopt = netlink_setopt,
	.poll = netlink_poll,
	.close = netlink_close,
	.work = netlink_work,
	.destroy = netlink_destroy,
};
