/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AF_NETLINK. NETLINK_ROUTE: dumps of links, addresses, routes and neighbours, as getifaddrs(3) and
 * ip(8) ask for them; everything else is answered with -EOPNOTSUPP in an error message.
 * NETLINK_SOCK_DIAG, as ss(8) asks, is in sock_diag.c.
 */

#include "net/ip6.h"
#include "net/neigh.h"
#include "net/netlink.h"
#include "net/packet.h"
#include "net/netif.h"
#include "net/route.h"
#include "net/socket.h"
#include "abi/errno.h"
#include "abi/sock_diag.h"
#include "mem/heap.h"

/* Of a message with all attributes; so small that whole tables fit one answer. */
#define ROOM_LINK   512u
#define ROOM_OTHERS 128u
#define ROOM_NEIGH  64u
_Static_assert(NEIGH_COUNT *ROOM_NEIGH <= NL_REPLY_MAX, "all neighbours");

struct nl_sock {
	struct socket s;
	uint32_t port;
	bool bound;
	uint32_t flags;	 /* NETLINK_* options that are on, by number */
	uint64_t groups; /* that it has joined */
	/* guarded by the lock */
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
static bool reply_alloc(struct nl_reply *r)
{
	r->m = heap_alloc(sizeof(*r->m) + NL_REPLY_MAX);
	if (r->m)
		r->m->size = 0;
	return r->m;
}

static void dump_links(struct nl_reply *r, uint16_t flags, int only)
{
	static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, none[6];

	for (struct netdev *d = netdev_first(); d; d = d->next) {
		bool lo = d->features & NETDEV_LOOPBACK;
		struct ifinfomsg *i;
		uint32_t qlen = 1000;
		uint8_t up = d->link_up ? (lo ? 0 : 6) : 2;

		if (only && d->index != only)
			continue;
		i = nl_begin(r, RTM_NEWLINK, flags, sizeof(*i), ROOM_LINK);
		if (!i)
			return;
		i->ifi_type = lo ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
		i->ifi_index = d->index;
		i->ifi_flags = IFF_UP | (d->link_up ? IFF_RUNNING | IFF_LOWER_UP : 0) |
			       (lo ? IFF_LOOPBACK : IFF_BROADCAST | IFF_MULTICAST);
		nl_attr(r, IFLA_IFNAME, d->name, strlen(d->name) + 1);
		nl_attr(r, IFLA_TXQLEN, &qlen, 4);
		nl_attr(r, IFLA_OPERSTATE, &up, 1);
		nl_attr(r, IFLA_MTU, &d->mtu, 4);
		nl_attr(r, IFLA_QDISC, lo ? "noqueue" : "mq", lo ? 8 : 3);
		nl_attr(r, IFLA_ADDRESS, lo ? none : d->mac, 6);
		nl_attr(r, IFLA_BROADCAST, lo ? none : all, 6);
		struct netdev_stats s = netdev_stats(d);
		uint64_t stats[24] = { s.rx_packets, s.tx_packets, s.rx_bytes, s.tx_bytes, 0, 0,
			s.rx_dropped, s.tx_dropped };

		nl_attr(r, IFLA_STATS64, stats, sizeof(stats));
		nl_finish(r);
	}
}

static const void *raw_addr(const struct ip_addr *a)
{
	return ip_is_v4(*a) ? a->b + 12 : a->b;
}

static void address_attributes(struct nl_reply *r, const struct net_addr *a)
{
	bool v4 = ip_is_v4(a->addr);
	uint32_t life[4] = { ~0u, ~0u, 0, 0 }, f;

	f = (a->flags & ADDR_TENTATIVE ? IFA_F_TENTATIVE : 0) |
	    (a->flags & ADDR_DUPLICATE ? IFA_F_DADFAILED : 0) |
	    (a->flags & ADDR_DEPRECATED ? IFA_F_DEPRECATED : 0) |
	    (a->flags & ADDR_DYNAMIC ? 0 : IFA_F_PERMANENT);
	if (!v4)
		nd_lifetimes(a, &life[0], &life[1]);
	nl_attr(r, IFA_ADDRESS, raw_addr(&a->addr), v4 ? 4 : 16);
	if (v4) {
		nl_attr(r, IFA_LOCAL, raw_addr(&a->addr), 4);
		if (!(a->dev->features & NETDEV_LOOPBACK))
			nl_attr(r, IFA_BROADCAST, &a->broadcast, 4);
		nl_attr(r, IFA_LABEL, a->dev->name, strlen(a->dev->name) + 1);
	}
	nl_attr(r, IFA_FLAGS, &f, 4);
	nl_attr(r, IFA_CACHEINFO, life, 16);
}

/* index: only those of the interface, 0: all. */
static void dump_addresses(
	struct nl_reply *r, uint16_t flags, int family, int index, const struct net_config *c)
{
	for (unsigned k = 0; k < c->addr_count; k++) {
		const struct net_addr *a = &c->addr[k];
		bool lo = a->dev->features & NETDEV_LOOPBACK, v4 = ip_is_v4(a->addr);
		struct ifaddrmsg *m;

		if ((family && family != (v4 ? AF_INET : AF_INET6)) ||
			(index && a->dev->index != index))
			continue;
		m = nl_begin(r, RTM_NEWADDR, flags, sizeof(*m), ROOM_OTHERS);
		if (!m)
			return;
		m->ifa_family = v4 ? AF_INET : AF_INET6;
		m->ifa_prefixlen = a->prefix;
		m->ifa_flags = (a->flags & ADDR_DYNAMIC ? 0 : IFA_F_PERMANENT) |
			       (a->flags & ADDR_TENTATIVE ? IFA_F_TENTATIVE : 0) |
			       (a->flags & ADDR_DEPRECATED ? IFA_F_DEPRECATED : 0);
		m->ifa_scope = lo			   ? RT_SCOPE_HOST
			       : ip_is_link_local(a->addr) ? RT_SCOPE_LINK
							   : RT_SCOPE_UNIVERSE;
		m->ifa_index = (uint32_t)a->dev->index;
		address_attributes(r, a);
		nl_finish(r);
	}
}

static void dump_routes(struct nl_reply *r, uint16_t flags, int family, const struct net_config *c)
{
	for (unsigned k = 0; k < c->route_count; k++) {
		const struct route *t = &c->route[k];
		struct rtmsg *m;
		uint32_t table = RT_TABLE_MAIN;
		size_t n = t->v4 ? 4 : 16;

		if ((t->dev->features & NETDEV_LOOPBACK) ||
			(family && family != (t->v4 ? AF_INET : AF_INET6)))
			continue;
		m = nl_begin(r, RTM_NEWROUTE, flags, sizeof(*m), ROOM_OTHERS);
		if (!m)
			return;
		m->rtm_family = t->v4 ? AF_INET : AF_INET6;
		m->rtm_dst_len = t->prefix;
		m->rtm_table = RT_TABLE_MAIN;
		m->rtm_protocol = t->protocol;
		m->rtm_scope = t->scope;
		m->rtm_type = RTN_UNICAST;
		nl_attr(r, RTA_TABLE, &table, 4);
		if (t->prefix)
			nl_attr(r, RTA_DST, raw_addr(&t->dst), n);
		if (!ip_is_any(t->gateway))
			nl_attr(r, RTA_GATEWAY, raw_addr(&t->gateway), n);
		if (!ip_is_any(t->src))
			nl_attr(r, RTA_PREFSRC, raw_addr(&t->src), n);
		uint32_t oif = (uint32_t)t->dev->index;

		nl_attr(r, RTA_OIF, &oif, 4);
		if (t->metric)
			nl_attr(r, 6 /* RTA_PRIORITY */, &t->metric, 4);
		nl_finish(r);
	}
}

static void dump_neighbours(struct nl_reply *r, uint16_t flags, int family)
{
	struct neigh_info *table = heap_alloc(NEIGH_COUNT * sizeof(*table));
	unsigned count = table ? neigh_list(table, NEIGH_COUNT) : 0;

	for (unsigned k = 0; k < count; k++) {
		const struct neigh_info *e = &table[k];
		bool v4 = ip_is_v4(e->ip);
		struct ndmsg *m;

		if (family && family != (v4 ? AF_INET : AF_INET6))
			continue;
		m = nl_begin(
			r, RTM_NEWNEIGH, flags, sizeof(*m), ROOM_NEIGH - sizeof(struct nlmsghdr));
		if (!m)
			break;
		m->ndm_family = v4 ? AF_INET : AF_INET6;
		m->ndm_ifindex = e->dev->index;
		m->ndm_state = e->state;
		m->ndm_flags = e->router ? NTF_ROUTER : 0;
		m->ndm_type = RTN_UNICAST;
		nl_attr(r, NDA_DST, raw_addr(&e->ip), v4 ? 4 : 16);
		if (e->state != NUD_INCOMPLETE)
			nl_attr(r, NDA_LLADDR, e->mac, 6);
		nl_finish(r);
	}
	heap_free(table);
}

/* The first attribute of this type behind a request's body, of n bytes at least; NULL: none. */
static const uint8_t *request_attr(
	const struct nlmsghdr *h, size_t len, size_t body, uint16_t type, size_t n)
{
	size_t at = sizeof(*h) + body;

	while (at + sizeof(struct rtattr) <= len) {
		struct rtattr a;

		memcpy(&a, (const uint8_t *)h + at, sizeof(a));
		if (a.rta_len < sizeof(a) || a.rta_len > len - at)
			return NULL;
		if (a.rta_type == type && a.rta_len >= sizeof(a) + n)
			return (const uint8_t *)h + at + sizeof(a);
		at += NLMSG_ALIGN(a.rta_len);
	}
	return NULL;
}

/* The destination that a request for one route is about; false: it names none. */
static bool wanted_route(const struct nlmsghdr *h, size_t len, struct ip_addr *dst)
{
	size_t body = sizeof(struct rtmsg);
	bool v4 =
		len >= sizeof(*h) + body && ((const struct rtmsg *)(h + 1))->rtm_family == AF_INET;
	const uint8_t *data = request_attr(h, len, body, RTA_DST, v4 ? 4 : 16);
	uint32_t four;

	if (!data)
		return false;
	memcpy(&four, data, 4);
	*dst = v4 ? ip_map(four) : ip_from_bytes(data);
	return true;
}

static int get_route(struct nl_reply *r, const struct nlmsghdr *h, size_t len)
{
	struct route_cache c;
	struct ip_addr dst;
	struct rtmsg *m;
	int err;

	if (!wanted_route(h, len, &dst))
		return -EINVAL;
	err = route_lookup(dst, IP_ANY, 0, &c);
	if (err)
		return err;
	m = nl_begin(r, RTM_NEWROUTE, 0, sizeof(*m), ROOM_OTHERS);
	if (!m)
		return -ENOBUFS;
	size_t n = ip_is_v4(dst) ? 4 : 16;
	uint32_t oif = (uint32_t)c.dev->index;

	m->rtm_family = n == 4 ? AF_INET : AF_INET6;
	m->rtm_dst_len = (uint8_t)(8 * n);
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_type = c.local ? RTN_LOCAL : RTN_UNICAST;
	nl_attr(r, RTA_DST, raw_addr(&dst), n);
	nl_attr(r, RTA_OIF, &oif, 4);
	nl_attr(r, RTA_PREFSRC, raw_addr(&c.src), n);
	if (!ip_equal(c.next_hop, dst))
		nl_attr(r, RTA_GATEWAY, raw_addr(&c.next_hop), n);
	nl_finish(r);
	return 0;
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

/* The interface by number or by name. -EINVAL: neither is said; -ENODEV. */
static int get_link(struct nl_reply *r, const struct nlmsghdr *h, size_t len)
{
	struct ifinfomsg m;
	char name[IFNAMSIZ] = { 0 };

	if (len < sizeof(*h) + sizeof(m))
		return -EINVAL;
	memcpy(&m, h + 1, sizeof(m));
	if (!m.ifi_index) {
		const uint8_t *text = request_attr(h, len, sizeof(m), IFLA_IFNAME, 1);

		if (!text)
			return -EINVAL;
		memcpy(name, text, MIN(sizeof(name) - 1, len - (size_t)(text - (uint8_t *)h)));
		struct netdev *d = netdev_by_name(name);

		m.ifi_index = d ? d->index : -1;
	}
	if (!netdev_by_index(m.ifi_index))
		return -ENODEV;
	dump_links(r, 0, m.ifi_index);
	return 0;
}

/*
 * NETLINK_GET_STRICT_CHK: a header must make sense, and then the interface in it filters. Without,
 * what follows the family means nothing, as programs used to send what they liked there.
 */
static int get_addresses(struct nl_reply *r, const struct nlmsghdr *h, size_t len, bool strict,
	uint16_t *flags, const struct net_config *c)
{
	struct ifaddrmsg m = { 0 };
	int err = 0;

	memcpy(&m, h + 1, MIN(sizeof(m), len - sizeof(*h)));
	if (strict &&
		(len < sizeof(*h) + sizeof(m) || m.ifa_prefixlen || m.ifa_flags || m.ifa_scope))
		return -EINVAL;
	if (!strict)
		m.ifa_index = 0;
	if (m.ifa_index) {
		*flags |= NLM_F_DUMP_FILTERED;
		err = netdev_by_index((int)m.ifa_index) ? 0 : -ENODEV;
	}
	if (!err)
		dump_addresses(r, *flags, m.ifa_family, (int)m.ifa_index, c);
	return err;
}

/* RTM_GET*: what the end of a dump, or of the answer, says. *flags: of a dump's messages. */
static int route_request(struct nl_reply *r, const struct nlmsghdr *h, size_t len, bool dump,
	bool strict, uint16_t *flags)
{
	struct net_config *c = net_config_copy();
	uint8_t family = len > sizeof(*h) ? ((const uint8_t *)(h + 1))[0] : 0;
	int err = 0;

	if (!c)
		return -ENOMEM;
	if (h->nlmsg_type == RTM_GETLINK && dump)
		dump_links(r, *flags, 0);
	else if (h->nlmsg_type == RTM_GETLINK)
		err = get_link(r, h, len);
	else if (h->nlmsg_type == RTM_GETADDR && dump)
		err = get_addresses(r, h, len, strict, flags, c);
	else if (h->nlmsg_type == RTM_GETROUTE && dump)
		dump_routes(r, *flags, family, c);
	else if (h->nlmsg_type == RTM_GETROUTE)
		err = get_route(r, h, len);
	else if (h->nlmsg_type == RTM_GETNEIGH && dump)
		dump_neighbours(r, *flags, family);
	else
		err = -EOPNOTSUPP;
	heap_free(c);
	return err;
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
	if (!reply_alloc(&r))
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

	if (!reply_alloc(&r))
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

	if (!reply_alloc(&r))
		return -ENOMEM;
	err = route_request(&r, h, len, dump, strict, &flags);
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
	if (!reply_alloc(&r))
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

static ssize_t netlink_recv(struct socket *s, struct socket_message *m)
{
	struct nl_sock *n = nl_sk(s);
	uint64_t deadline = socket_deadline(s->rcvtimeo);
	uint32_t flags = m->flags;
	struct sockaddr_nl from = { .nl_family = AF_NETLINK };

	m->flags = 0;
	socket_lock(s);
	while (!n->first) {
		int err = 0;

		if (n->dump && !n->dumping) {
			err = go_on(n);
			if (!err)
				continue;
			socket_unlock(s);
			return err;
		}
		socket_unlock(s);
		if (socket_nonblocking(s, flags))
			return -EAGAIN;
		err = wait_event_interruptible_timeout(&s->wait, readable(n), deadline);
		if (err)
			return socket_wait_error(err, s->rcvtimeo);
		socket_lock(s);
	}
	struct nl_message *q = n->first;
	size_t k = MIN((size_t)q->size, m->data->left);
	ssize_t r = iter_copy_to(m->data, q->data, k) == k ? (ssize_t)k : -EFAULT;

	if (k < q->size)
		m->flags |= MSG_TRUNC;
	if (r >= 0 && (flags & MSG_TRUNC))
		r = q->size;
	if (!(flags & MSG_PEEK)) {
		n->first = q->next;
		heap_free(q);
	}
	socket_unlock(s);
	memcpy(&m->name, &from, sizeof(from));
	m->name_len = sizeof(from);
	return r;
}

static int netlink_bind(struct socket *s, const struct sockaddr_storage *a, uint32_t len,
	const struct path_context *c)
{
	struct nl_sock *n = nl_sk(s);
	const struct sockaddr_nl *nl = (const void *)a;

	if (len < sizeof(*nl) || nl->nl_family != AF_NETLINK)
		return -EINVAL;
	if (n->bound && nl->nl_pid && nl->nl_pid != n->port)
		return -EINVAL;
	if (nl->nl_pid) {
		n->port = nl->nl_pid;
		n->bound = true;
	}
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
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_pid = peer ? 0 : nl_sk(s)->port };

	memset(a, 0, sizeof(*a));
	memcpy(a, &nl, sizeof(nl));
	*len = sizeof(nl);
	return 0;
}

static uint32_t netlink_poll(struct socket *s)
{
	return POLLOUT | POLLWRNORM | (readable(nl_sk(s)) ? POLLIN | POLLRDNORM : 0);
}

/* Those that are on or off. Nothing is lost here, nothing fails to be multicast, and there is one
 * namespace, so but for CAP_ACK and EXT_ACK the answers are the same with and without. */
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
		if (n->groups)
			return opt_put(val, len, &n->groups, sizeof(n->groups));
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
	if (name == NETLINK_ADD_MEMBERSHIP)
		n->groups |= 1ull << (v - 1);
	else
		n->groups &= ~(1ull << (v - 1));
	return 0;
}

static void netlink_close(struct socket *s)
{
}

static void netlink_destroy(struct socket *s)
{
	struct nl_sock *n = nl_sk(s);

	while (n->first) {
		struct nl_message *m = n->first;

		n->first = m->next;
		heap_free(m);
	}
	heap_free(n->dump);
	heap_free(n);
}

static void netlink_work(struct socket *s, struct packet *batch)
{
	pkt_free_list(batch);
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
