/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NETLINK_SOCK_DIAG for TCP, UDP and raw sockets (sock_diag(7)), as ss(8) asks: dumps by state and
 * filter, and one socket by its addresses. The tables are walked a few sockets at a time, which are
 * held by a reference while they are looked at under their own lock; a table that changes meanwhile
 * may show a socket twice or not at all, as on Linux.
 */

#include "net/dgram.h"
#include "net/netlink.h"
#include "net/tcp.h"
#include "abi/errno.h"
#include "abi/sock_diag.h"

#define AT_A_TIME 16u
#define ROOM	  768u /* of a message with all attributes */

enum table { TABLE_LISTEN, TABLE_CONN, TABLE_UDP, TABLE_RAW };

/* ---- one socket ---- */

static void put_id(struct inet_diag_sockid *id, const struct inet_sock *i)
{
	bool raw = i->s.type == SOCK_RAW;

	id->sport = be16(raw ? i->s.protocol : i->lport);
	id->dport = be16(i->rport);
	if (i->s.family == AF_INET) {
		id->src[0] = ip_v4(i->laddr);
		id->dst[0] = ip_v4(i->raddr);
	} else {
		memcpy(id->src, i->laddr.b, 16);
		memcpy(id->dst, i->raddr.b, 16);
	}
	id->ifindex = (uint32_t)i->s.bound_if;
	id->cookie[0] = (uint32_t)i->s.inode;
	id->cookie[1] = (uint32_t)(i->s.inode >> 32);
}

static uint8_t state_of(const struct inet_sock *i)
{
	if (i->s.type == SOCK_STREAM)
		return load_acquire(&tcp_sk((struct socket *)&i->s)->state);
	return ip_is_any(i->raddr) ? TCP_CLOSE : TCP_ESTABLISHED;
}

static void put_timer(struct inet_diag_msg *m, const struct tcp_sock *t)
{
	static const struct {
		enum tcp_timer_kind kind;
		uint8_t timer;
	} order[] = { { TCP_T_RETX, INET_DIAG_TIMER_RETX },
		{ TCP_T_PERSIST, INET_DIAG_TIMER_PROBE }, { TCP_T_WAIT, INET_DIAG_TIMER_WAIT },
		{ TCP_T_KEEP, INET_DIAG_TIMER_KEEPALIVE } };
	uint64_t now = clock_now();

	for (unsigned k = 0; k < ARRAY_SIZE(order); k++) {
		uint64_t when = t->when[order[k].kind];

		if (!when)
			continue;
		m->timer = order[k].timer;
		m->expires = when > now ? (uint32_t)((when - now) / NSEC_PER_MSEC) : 0;
		if (m->timer == INET_DIAG_TIMER_RETX)
			m->retrans = (uint8_t)t->retransmits;
		else if (m->timer != INET_DIAG_TIMER_WAIT)
			m->retrans = (uint8_t)t->probes;
		return;
	}
}

static void put_tcp_queues(struct inet_diag_msg *m, const struct tcp_sock *t)
{
	if (t->state == TCP_LISTEN) {
		m->rqueue = load_relaxed(&t->listener->accept_count);
		m->wqueue = t->listener->backlog;
	} else if (t->state != TCP_TIME_WAIT && t->state != TCP_SYN_RECV) {
		m->rqueue = t->rcv_nxt - t->copied_seq;
		m->wqueue = t->write_seq + t->fin_queued - t->snd_una; /* a FIN counts */
	}
}

static void put_memory(struct nl_reply *r, const struct inet_sock *i, uint8_t ext)
{
	const struct tcp_sock *t = i->s.type == SOCK_STREAM ? tcp_sk((struct socket *)&i->s) : NULL;
	const struct dgram_sock *d = t ? NULL : dgram_sk((struct socket *)&i->s);
	uint32_t held = t ? t->rq_truesize + t->ooo.bytes : d->rx_bytes;
	uint32_t queued = t && t->state != TCP_LISTEN ? t->write_seq - t->snd_base : 0;
	uint32_t sk[SK_MEMINFO_VARS] = { [SK_MEMINFO_RMEM_ALLOC] = held,
		[SK_MEMINFO_RCVBUF] = i->s.rcvbuf,
		[SK_MEMINFO_WMEM_ALLOC] = d ? dgram_out(d) : 0,
		[SK_MEMINFO_SNDBUF] = i->s.sndbuf,
		[SK_MEMINFO_WMEM_QUEUED] = queued,
		[SK_MEMINFO_BACKLOG] = load_relaxed(&i->s.channel.bytes),
		[SK_MEMINFO_DROPS] =
			load_relaxed(&i->s.channel.dropped) + (d ? load_relaxed(&d->drops) : 0) };
	struct inet_diag_meminfo m = { .rmem = held, .wmem = queued, .tmem = d ? dgram_out(d) : 0 };

	if (ext & 1u << (INET_DIAG_MEMINFO - 1))
		nl_attr(r, INET_DIAG_MEMINFO, &m, sizeof(m));
	if (ext & 1u << (INET_DIAG_SKMEMINFO - 1))
		nl_attr(r, INET_DIAG_SKMEMINFO, sk, sizeof(sk));
}

static void put_attributes(
	struct nl_reply *r, const struct inet_sock *i, uint8_t state, uint8_t ext)
{
	uint8_t shut = i->s.shut, only = i->v6.v6only;

	nl_attr(r, INET_DIAG_SHUTDOWN, &shut, 1);
	if (ext & 1u << (INET_DIAG_TOS - 1))
		nl_attr(r, INET_DIAG_TOS, &i->tos, 1);
	if (i->s.family == AF_INET6) {
		if (ext & 1u << (INET_DIAG_TCLASS - 1))
			nl_attr(r, INET_DIAG_TCLASS, &i->v6.tclass, 1);
		if (state == TCP_LISTEN || state == TCP_CLOSE)
			nl_attr(r, INET_DIAG_SKV6ONLY, &only, 1);
	}
	nl_attr(r, INET_DIAG_MARK, &i->s.mark, 4);
	put_memory(r, i, ext);
}

/* False: r is full. */
static bool put_socket(
	struct nl_reply *r, struct socket *s, const struct inet_diag_req_v2 *req, uint16_t flags)
{
	struct inet_sock *i = inet_sk(s);
	struct tcp_sock *t = s->type == SOCK_STREAM ? tcp_sk(s) : NULL;
	struct inet_diag_msg *m = nl_begin(r, SOCK_DIAG_BY_FAMILY, flags, sizeof(*m), ROOM);
	struct tcp_info info;

	if (!m)
		return false;
	socket_lock(s);
	m->family = (uint8_t)s->family;
	m->state = state_of(i);
	put_id(&m->id, i);
	m->inode = s->file ? (uint32_t)s->inode : 0;
	if (t) {
		put_timer(m, t);
		put_tcp_queues(m, t);
	} else {
		m->rqueue = dgram_sk(s)->rx_bytes;
		m->wqueue = dgram_out(dgram_sk(s));
	}
	if (m->state != TCP_TIME_WAIT && m->state != TCP_SYN_RECV)
		put_attributes(r, i, m->state, req->ext);
	if (t && m->state != TCP_TIME_WAIT && m->state != TCP_SYN_RECV) {
		if (req->ext & 1u << (INET_DIAG_INFO - 1)) {
			tcp_info_fill(t, &info);
			nl_attr(r, INET_DIAG_INFO, &info, sizeof(info));
		}
		if (req->ext & 1u << (INET_DIAG_CONG - 1))
			nl_attr(r, INET_DIAG_CONG, t->cong->name, strlen(t->cong->name) + 1);
	}
	socket_unlock(s);
	nl_finish(r);
	return true;
}

/* ---- which ones ---- */

/* The filter in a request; its length, 0: none, or it is malformed. */
static size_t filter_of(const struct nl_dump *d, const uint8_t **code)
{
	size_t at = sizeof(struct nlmsghdr) + sizeof(struct inet_diag_req_v2);

	while (at + sizeof(struct rtattr) <= d->len) {
		struct rtattr a;

		memcpy(&a, d->request + at, sizeof(a));
		if (a.rta_len < sizeof(a) || a.rta_len > d->len - at)
			return 0;
		*code = d->request + at + sizeof(a);
		if (a.rta_type == INET_DIAG_REQ_BYTECODE)
			return a.rta_len - sizeof(a);
		at += NLMSG_ALIGN(a.rta_len);
	}
	return 0;
}

static bool host_matches(
	const struct inet_sock *i, bool local, const uint8_t *arg, size_t room, bool *sound)
{
	struct inet_diag_hostcond c;
	struct ip_addr addr = local ? i->laddr : i->raddr, want = IP_ANY;
	uint16_t port = local ? i->lport : i->rport;
	unsigned bytes, bits;

	*sound = room >= sizeof(c);
	if (!*sound)
		return false;
	memcpy(&c, arg, sizeof(c));
	bytes = c.family == AF_INET ? 4 : c.family == AF_INET6 ? 16 : 0;
	*sound = room >= sizeof(c) + bytes && c.prefix_len <= bytes * 8;
	if (!*sound || (c.port != -1 && c.port != port))
		return false;
	if (!c.prefix_len)
		return c.family == AF_UNSPEC || c.family == i->s.family;
	if (c.family == AF_INET && !ip_is_v4(addr))
		return false;
	if (c.family == AF_INET6 && i->s.family != AF_INET6)
		return false;
	memcpy(want.b + (16 - bytes), arg + sizeof(c), bytes);
	bits = c.prefix_len;
	for (unsigned k = 16 - bytes; bits; k++, bits -= MIN(bits, 8u)) {
		uint8_t mask = (uint8_t)(bits >= 8 ? 0xff : 0xff << (8 - bits));

		if ((want.b[k] ^ addr.b[k]) & mask)
			return false;
	}
	return true;
}

/* One step of a filter; *sound: it does not reach behind its end. */
static bool op_matches(const struct inet_sock *i, const struct inet_diag_bc_op *op,
	const uint8_t *p, size_t n, bool *sound)
{
	struct inet_diag_bc_op next = { 0 };
	uint32_t word = 0;

	if (n >= 2 * sizeof(next))
		memcpy(&next, p + sizeof(next), sizeof(next));
	if (n >= 8)
		memcpy(&word, p + 4, 4);
	switch (op->code) {
	case INET_DIAG_BC_JMP: return false;
	case INET_DIAG_BC_S_COND:
	case INET_DIAG_BC_D_COND:
		return host_matches(i, op->code == INET_DIAG_BC_S_COND, p + 4, n - 4, sound);
	case INET_DIAG_BC_AUTO: return !i->keeps_port;
	case INET_DIAG_BC_NOP: return true;
	}
	*sound = n >= 8;
	switch (op->code) { /* ports are in what would be the next step's 'no' */
	case INET_DIAG_BC_S_EQ: return i->lport == next.no;
	case INET_DIAG_BC_S_GE: return i->lport >= next.no;
	case INET_DIAG_BC_S_LE: return i->lport <= next.no;
	case INET_DIAG_BC_D_EQ: return i->rport == next.no;
	case INET_DIAG_BC_D_GE: return i->rport >= next.no;
	case INET_DIAG_BC_D_LE: return i->rport <= next.no;
	case INET_DIAG_BC_DEV_COND: return word == (uint32_t)i->s.bound_if;
	default: *sound = false; return false;
	}
}

/* Jumps go forward only, so a filter ends; -EINVAL: it is malformed. 1: i passes. */
static int run_filter(const struct inet_sock *i, const uint8_t *code, size_t n)
{
	while (n) {
		struct inet_diag_bc_op op;
		bool sound = true;
		size_t step;

		if (n < sizeof(op))
			return -EINVAL;
		memcpy(&op, code, sizeof(op));
		step = op_matches(i, &op, code, n, &sound) ? op.yes : op.no;
		if (!sound || step < sizeof(op) || (step & 3))
			return -EINVAL;
		if (step > n) /* a jump to behind the end: no */
			return step == n + 4 ? 0 : -EINVAL;
		code += step;
		n -= step;
	}
	return 1;
}

static bool wanted(const struct inet_sock *i, const struct inet_diag_req_v2 *req,
	const uint8_t *code, size_t n)
{
	uint16_t sport = i->s.type == SOCK_RAW ? i->s.protocol : i->lport;

	if (req->family != AF_UNSPEC && req->family != i->s.family)
		return false;
	if (i->s.type != SOCK_RAW && !(req->states & 1u << state_of(i)))
		return false;
	if ((req->id.sport && req->id.sport != be16(sport)) ||
		(req->id.dport && req->id.dport != be16(i->rport)))
		return false;
	return !n || run_filter(i, code, n) == 1;
}

/* ---- the tables ---- */

/* TCP's tables are chains of flows; the others' sockets are on the lists of who holds a port. */
static struct flow_table *flows_of(enum table table)
{
	return table == TABLE_LISTEN ? &the_net()->tcp_listen
	       : table == TABLE_CONN ? &the_net()->tcp_conn
				     : NULL;
}

static unsigned chain_count(enum table table)
{
	struct flow_table *flows = flows_of(table);

	return flows ? flows->mask + 1 : table == TABLE_UDP ? BIND_BUCKETS : 1;
}

static unsigned collect_flows(
	struct flow_table *flows, unsigned chain, unsigned skip, struct socket *out[AT_A_TIME])
{
	struct mutex *lock = flow_lock(flows, chain);
	unsigned count = 0;
	struct flow *f;

	for_each_flow(f, flows, chain)
	{
		if (skip) {
			skip--;
			continue;
		}
		if (count == AT_A_TIME)
			break;
		out[count++] = f->s;
		socket_get(f->s);
	}
	mutex_unlock(lock);
	return count;
}

static unsigned collect_bound(struct inet_bucket *b, unsigned skip, struct socket *out[AT_A_TIME])
{
	struct inet_sock *i;
	unsigned count = 0;

	mutex_lock(&b->lock);
	list_for_each_entry (i, &b->head, bind_link) {
		if (skip) {
			skip--;
			continue;
		}
		if (count == AT_A_TIME)
			break;
		out[count++] = &i->s;
		socket_get(&i->s);
	}
	mutex_unlock(&b->lock);
	return count;
}

/* The next sockets of a chain, referenced. A look without the lock first: most are empty. */
static unsigned collect(enum table table, unsigned k, unsigned skip, struct socket *out[AT_A_TIME])
{
	struct flow_table *flows = flows_of(table);
	struct inet_bucket *b = table == TABLE_UDP ? &the_net()->udp_bind[k] : &the_net()->raw;

	if (flows)
		return flow_first(flows, k) ? collect_flows(flows, k, skip, out) : 0;
	return list_empty(&b->head) ? 0 : collect_bound(b, skip, out);
}

/* False: r is full. */
static bool dump_some(struct nl_reply *r, struct nl_dump *d, struct socket **found, unsigned count)
{
	const struct inet_diag_req_v2 *req = (const void *)(d->request + sizeof(struct nlmsghdr));
	const uint8_t *code = NULL;
	size_t n = filter_of(d, &code);
	bool room = true;

	for (unsigned k = 0; k < count; k++) {
		if (room && wanted(inet_sk(found[k]), req, code, n))
			room = put_socket(r, found[k], req, NLM_F_MULTI);
		d->skip += room;
		socket_put(found[k]);
	}
	return room;
}

static int dump_table(struct nl_reply *r, struct nl_dump *d, enum table table)
{
	struct socket *found[AT_A_TIME];
	unsigned count;

	for (; d->bucket < chain_count(table); d->bucket++, d->skip = 0)
		do {
			count = collect(table, d->bucket, d->skip, found);
			if (!dump_some(r, d, found, count))
				return 1;
		} while (count == AT_A_TIME);
	d->bucket = 0;
	return 0;
}

static int inet_diag_dump(struct nl_reply *r, struct nl_dump *d)
{
	const struct inet_diag_req_v2 *req = (const void *)(d->request + sizeof(struct nlmsghdr));
	int more = 0;

	switch (req->protocol) {
	case IPPROTO_TCP:
		if (d->table == TABLE_LISTEN && (req->states & 1u << TCP_LISTEN))
			more = dump_table(r, d, TABLE_LISTEN);
		if (more)
			return more;
		d->table = TABLE_CONN;
		return dump_table(r, d, TABLE_CONN);
	case IPPROTO_UDP: return dump_table(r, d, TABLE_UDP);
	case IPPROTO_RAW: return dump_table(r, d, TABLE_RAW);
	default: return -ENOENT;
	}
}

static bool is_asked_for(const struct inet_sock *i, const struct inet_diag_sockid *id)
{
	struct inet_diag_sockid own = { 0 };
	size_t n = i->s.family == AF_INET ? 4 : 16;

	put_id(&own, i);
	return own.sport == id->sport && own.dport == id->dport &&
	       memcmp(own.src, id->src, n) == 0 && memcmp(own.dst, id->dst, n) == 0;
}

/* The socket of these addresses, referenced, or NULL. */
static struct socket *find_one(const struct inet_diag_req_v2 *req, enum table table)
{
	struct socket *found[AT_A_TIME], *one = NULL;
	unsigned count, skip;

	for (unsigned k = 0; !one && k < chain_count(table); k++) {
		skip = 0;
		do {
			count = collect(table, k, skip, found);
			skip += count;
			for (unsigned i = 0; i < count; i++)
				if (!one && found[i]->family == req->family &&
					is_asked_for(inet_sk(found[i]), &req->id))
					one = found[i];
				else
					socket_put(found[i]);
		} while (!one && count == AT_A_TIME);
	}
	return one;
}

static int inet_diag_one(struct nl_reply *r, const struct inet_diag_req_v2 *req)
{
	const uint32_t *cookie = req->id.cookie;
	struct socket *s = NULL;
	int err = 0;

	if (req->protocol == IPPROTO_UDP)
		s = find_one(req, TABLE_UDP);
	else if (req->protocol == IPPROTO_RAW)
		s = find_one(req, TABLE_RAW);
	else if (req->protocol == IPPROTO_TCP) {
		s = find_one(req, TABLE_CONN);
		if (!s)
			s = find_one(req, TABLE_LISTEN);
	}
	if (!s)
		return -ENOENT;
	if ((cookie[0] != INET_DIAG_NOCOOKIE || cookie[1] != INET_DIAG_NOCOOKIE) &&
		((uint64_t)cookie[1] << 32 | cookie[0]) != s->inode)
		err = -ENOENT;
	else if (!put_socket(r, s, req, 0))
		err = -EMSGSIZE;
	socket_put(s);
	return err;
}

/* ---- requests ---- */

int sock_diag_check(const struct nlmsghdr *h, size_t len)
{
	uint8_t family = len >= sizeof(*h) + 2 ? ((const uint8_t *)(h + 1))[0] : 0;

	if (h->nlmsg_type == SOCK_DESTROY)
		return len < sizeof(*h) + 2 || family >= AF_MAX ? -EINVAL : -EOPNOTSUPP;
	if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY || len < sizeof(*h) + 2 || family >= AF_MAX)
		return -EINVAL;
	if (family == AF_UNIX)
		return len < sizeof(*h) + sizeof(struct unix_diag_req) ? -EINVAL : 0;
	if (family != AF_INET && family != AF_INET6)
		return -ENOENT;
	return len < sizeof(*h) + sizeof(struct inet_diag_req_v2) ? -EINVAL : 0;
}

int sock_diag_one(struct nl_reply *r, const struct nlmsghdr *h, size_t len)
{
	const uint8_t *family = (const uint8_t *)(h + 1);
	int err = sock_diag_check(h, len);

	if (err)
		return err;
	return *family == AF_UNIX ? unix_diag_one(r, h) : inet_diag_one(r, (const void *)family);
}

int sock_diag_dump(struct nl_reply *r, struct nl_dump *d)
{
	return d->request[sizeof(struct nlmsghdr)] == AF_UNIX ? unix_diag_dump(r, d)
							      : inet_diag_dump(r, d);
}
