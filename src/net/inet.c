/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What AF_INET and AF_INET6 sockets share: local ports, addresses, SOL_IP options.
 *
 * A port table has a bucket per few ports; a socket that holds a port is on its bucket's list.
 * Conflicts follow Linux: same port, overlapping families, addresses and interfaces, unless both
 * say SO_REUSEPORT and are one user's, or both say SO_REUSEADDR and (TCP) none listens.
 */

#include "net/inet.h"
#include "net/ip6.h"
#include "net/netif.h"
#include "net/transport.h"
#include "abi/errno.h"
#include "lib/bug.h"
#include "mem/heap.h"

#define EPHEMERAL_FIRST 32768
#define EPHEMERAL_LAST	60999

struct inet_bucket *inet_table_create(unsigned n)
{
	struct inet_bucket *t = heap_alloc_zeroed(n * sizeof(*t));

	BUG_ON(!t);
	for (unsigned i = 0; i < n; i++) {
		mutex_init(&t[i].lock, "inet_bucket.lock");
		list_init(&t[i].head);
	}
	return t;
}

void inet_setup(struct inet_sock *i)
{
	list_init(&i->bind_link);
	i->ttl = 64;
	i->mcast_ttl = 1;
	i->mcast_loop = true;
	i->mcast_all = i->s.family == AF_INET; /* as Linux: IPv4's of an AF_INET6 socket is off */
	i->pmtudisc = IP_PMTUDISC_WANT;
	i->families = IP_V4;
	i->bound_any = true;
	i->v6 = (struct inet6_options){ .hops = -1,
		.mcast_hops = -1,
		.pmtudisc = IP_PMTUDISC_WANT,
		.mcast_loop = true,
		.mcast_all = true,
		.autoflow = true,
		.checksum = -1 };
	if (i->s.family == AF_INET6) {
		i->families = IP_V4 | IP_V6;
		inet6_new_flow(i);
	}
}

void inet_release(struct inet_sock *i)
{
	while (i->groups)
		inet_change_group(i, false, i->groups->group, i->groups->ifindex);
}

/* IP_LOCAL_PORT_RANGE narrows the system's range; what lies outside of that does not count. */
static void ephemeral_range(const struct inet_sock *i, uint16_t *first, uint16_t *last)
{
	uint32_t range = load_relaxed(&i->port_range);
	uint16_t low = (uint16_t)range, high = (uint16_t)(range >> 16);

	*first = EPHEMERAL_FIRST;
	*last = EPHEMERAL_LAST;
	if (low && low > EPHEMERAL_FIRST && low <= EPHEMERAL_LAST)
		*first = low;
	if (high && high < EPHEMERAL_LAST && high >= *first)
		*last = high;
}

uint16_t inet_ephemeral(const struct inet_sock *i, unsigned *count)
{
	uint16_t first, last;

	ephemeral_range(i, &first, &last);
	*count = (unsigned)(last - first + 1);
	return (uint16_t)(first + net_random() % *count);
}

uint16_t inet_ephemeral_next(const struct inet_sock *i, uint16_t port)
{
	uint16_t first, last;

	ephemeral_range(i, &first, &last);
	return port < first || port >= last ? first : port + 1;
}

/* Whose packets a socket takes that is bound to addr. */
static uint8_t families_of(const struct inet_sock *i, struct ip_addr addr)
{
	if (i->s.family == AF_INET || ip_is_v4(addr))
		return IP_V4;
	return i->v6.v6only || !ip_is_any(addr) ? IP_V6 : IP_V4 | IP_V6;
}

/* 0.0.0.0 of an AF_INET6 socket is "any", of one family. */
static struct ip_addr bound_addr(struct ip_addr addr)
{
	return ip_is_v4(addr) ? ip_map_any(ip_v4(addr)) : addr;
}

/* Once connected it has one address, and so one family; but an AF_INET socket meets in Linux what
 * was bound to any of both, whatever has become of it. */
static uint8_t families_held(const struct inet_sock *i, const struct inet_sock *o)
{
	if (ip_is_any(o->laddr))
		return o->families;
	if (i->s.family == AF_INET && o->s.family == AF_INET6 && o->bound_any && !o->v6.v6only)
		return IP_V4 | IP_V6;
	return ip_family_bit(o->laddr);
}

/* Of TCP, Linux heeds also what the holder has said before it took the port, towards who does not
 * want more than it has. */
static bool shared_before(const struct inet_sock *o, struct ip_addr addr, uint8_t families)
{
	bool mapped_any = o->s.family == AF_INET6 && o->families == IP_V4;

	if (!o->bound_reuseport)
		return false;
	return ip_is_any(o->laddr) ? !mapped_any || families == IP_V4 : ip_equal(addr, o->laddr);
}

static bool share_port(
	const struct inet_sock *i, const struct inet_sock *o, struct ip_addr addr, uint8_t families)
{
	return i->s.reuseport && load_relaxed(&i->s.uid) == load_relaxed(&o->s.uid) &&
	       (load_relaxed(&o->s.reuseport) || shared_before(o, addr, families));
}

/* Bucket lock held. */
static bool conflicts(
	const struct inet_sock *i, const struct inet_sock *o, struct ip_addr addr, uint8_t families)
{
	if (!(families & families_held(i, o)))
		return false;
	int bound_if = load_relaxed(&o->s.bound_if);

	if (i->s.bound_if && bound_if && i->s.bound_if != bound_if)
		return false;
	if (!ip_is_any(addr) && !ip_is_any(o->laddr) && !ip_equal(addr, o->laddr))
		return false;
	if (share_port(i, o, addr, families))
		return false;
	if (i->s.reuseaddr && load_relaxed(&o->s.reuseaddr) && !load_relaxed(&o->s.listening))
		return false;
	return true;
}

static void set_address(struct inet_sock *i, struct ip_addr addr, uint8_t families)
{
	i->laddr = addr;
	i->bound_any = ip_is_any(addr);
	i->families = families;
	if (i->s.family == AF_INET6 && !i->bound_any && !ip_is_v4(addr))
		i->v6.v6only = true; /* as Linux says it */
}

bool inet_bind_later(struct inet_sock *i, struct ip_addr addr, uint16_t port)
{
	if (port || !i->bind_no_port)
		return false;
	i->lport = 0; /* a former connection's may still show */
	set_address(i, bound_addr(addr), families_of(i, addr));
	return true;
}

static bool take_port(
	struct inet_sock *i, struct inet_bucket *b, struct ip_addr given, uint16_t port)
{
	struct ip_addr addr = bound_addr(given);
	uint8_t families = families_of(i, given);
	struct inet_sock *o;
	bool ok = true;

	mutex_lock(&b->lock);
	list_for_each_entry (o, &b->head, bind_link)
		if (o->lport == port && conflicts(i, o, addr, families)) {
			ok = false;
			break;
		}
	if (ok) {
		i->lport = port;
		set_address(i, addr, families);
		i->bound_reuseport = i->s.reuseport && i->s.protocol == IPPROTO_TCP;
		i->bind_bucket = b;
		list_add(&b->head, &i->bind_link);
	}
	mutex_unlock(&b->lock);
	return ok;
}

int inet_bind_port(
	struct inet_sock *i, struct inet_bucket *table, struct ip_addr addr, uint16_t port)
{
	unsigned count;

	if (port)
		return take_port(i, inet_port_bucket(table, port), addr, port) ? 0 : -EADDRINUSE;
	bool reuseaddr = i->s.reuseaddr, reuseport = i->s.reuseport;

	if (i->s.protocol == IPPROTO_TCP) /* a port of our own */
		i->s.reuseaddr = i->s.reuseport = false;
	port = inet_ephemeral(i, &count);
	bool found = false;

	for (; count && !found; count--, port = inet_ephemeral_next(i, port))
		found = take_port(i, inet_port_bucket(table, port), addr, port);
	i->s.reuseaddr = reuseaddr;
	i->s.reuseport = reuseport;
	return found ? 0 : -EADDRINUSE;
}

void inet_share_port(struct inet_sock *i, struct inet_bucket *table)
{
	struct inet_bucket *b = inet_port_bucket(table, i->lport);

	mutex_lock(&b->lock);
	i->bind_bucket = b;
	list_add_tail(&b->head, &i->bind_link);
	mutex_unlock(&b->lock);
}

void inet_set_laddr(struct inet_sock *i, struct ip_addr laddr)
{
	struct inet_bucket *b = i->bind_bucket;

	if (b) /* others compare theirs with it */
		mutex_lock(&b->lock);
	i->laddr = laddr;
	if (b)
		mutex_unlock(&b->lock);
}

void inet_unbind(struct inet_sock *i)
{
	struct inet_bucket *b = i->bind_bucket;

	if (!b)
		return;
	mutex_lock(&b->lock);
	list_del(&i->bind_link);
	i->bind_bucket = NULL;
	mutex_unlock(&b->lock);
}

/* ---- by what packets find a socket ---- */

static struct flow_table *table_of(const struct inet_sock *i, bool connected)
{
	struct net_state *n = the_net();

	if (i->s.type == SOCK_RAW)
		return &n->raw_flows;
	if (i->s.protocol != IPPROTO_UDP)
		return &n->ping_flows;
	return connected ? &n->udp_conn : &n->udp_bound;
}

int inet_publish(struct inet_sock *i, struct ip_addr laddr, struct ip_addr raddr, uint16_t rport)
{
	struct flow_table *t = table_of(i, !ip_is_any(raddr));
	struct flow *f = flow_create(&i->s, laddr, i->lport, raddr, rport);

	if (!f)
		return -ENOMEM;
	if (t == &the_net()->raw_flows)
		f->hash = i->s.protocol;
	else if (t == &the_net()->ping_flows)
		f->hash = i->lport;
	inet_set_laddr(i, laddr);
	i->raddr = raddr;
	i->rport = rport;
	struct mutex *lock = flow_lock(t, f->hash);

	flow_link(t, f);
	mutex_unlock(lock);
	net_lookups_change();
	inet_withdraw(i);
	i->flow = f;
	i->flow_table = t;
	return 0;
}

void inet_withdraw(struct inet_sock *i)
{
	struct flow *f = i->flow;

	if (!f)
		return;
	struct mutex *lock = flow_lock(i->flow_table, f->hash);

	flow_unlink(i->flow_table, f);
	mutex_unlock(lock);
	net_lookups_change();
	i->flow = NULL;
	flow_free(f);
}

static struct flow *best_bound(
	const struct flow_table *t, struct ip_addr addr, const struct pkt_cb *cb, uint64_t *draw)
{
	struct flow *f, *best = NULL;
	int best_score = -1;
	unsigned ties = 0;

	for_each_flow(f, t, flow_hash_bound(&the_net()->hash_key, addr, cb->dport))
	{
		const struct inet_sock *i = inet_sk(f->s);
		int bound_if = load_relaxed(&i->s.bound_if);
		int score = 2 * (bound_if != 0) + (i->s.family == AF_INET);

		if (f->lport != cb->dport || !ip_equal(f->laddr, addr) ||
			!(load_relaxed(&i->families) & ip_family_bit(cb->dst)) ||
			(bound_if && cb->ifindex && bound_if != cb->ifindex) || score < best_score)
			continue;
		ties = score > best_score ? 1 : ties + 1;
		if (ties > 1 && (!load_relaxed(&i->s.reuseport) || !inet_flow_draw(cb, draw, ties)))
			continue;
		best_score = score;
		best = f;
	}
	return best;
}

struct flow *inet_find_bound(const struct flow_table *t, const struct pkt_cb *cb)
{
	uint64_t draw = 0;
	struct flow *f = load_relaxed(&t->named) ? best_bound(t, cb->dst, cb, &draw) : NULL;

	return f ? f : best_bound(t, IP_ANY, cb, &draw);
}

struct flow *inet_find_connected(const struct flow_table *t, struct ip_addr laddr, uint16_t lport,
	struct ip_addr raddr, uint16_t rport, int ifindex)
{
	uint32_t hash = flow_hash(&the_net()->hash_key, laddr, lport, raddr, rport);
	struct flow *f;

	for_each_flow(f, t, hash)
	{
		int bound_if = load_relaxed(&f->s->bound_if);

		if (flow_is(f, laddr, lport, raddr, rport) &&
			(!bound_if || !ifindex || bound_if == ifindex))
			return f;
	}
	return NULL;
}

/* ---- addresses of calls ---- */

static int check_bind4(const struct sockaddr_in *in, uint32_t len, struct ip_addr *addr)
{
	if (len < sizeof(*in))
		return -EINVAL;
	if (in->sin_family != AF_INET &&
		!(in->sin_family == AF_UNSPEC && in->sin_addr == INADDR_ANY))
		return -EAFNOSUPPORT;
	*addr = ip_map_any(in->sin_addr);
	return 0;
}

static int check_bind6(
	struct inet_sock *i, const struct sockaddr_in6 *in, uint32_t len, struct ip_addr *addr)
{
	if (len < SIN6_LEN_RFC2133)
		return -EINVAL;
	if (in->sin6_family != AF_INET6)
		return -EAFNOSUPPORT;
	*addr = ip_from_bytes(in->sin6_addr);
	if (addr->b[0] == 0xff && i->s.type == SOCK_STREAM)
		return -EINVAL;
	if (ip_is_v4(*addr) && i->v6.v6only)
		return -EINVAL;
	if (ip_needs_scope(*addr)) {
		int scope = len >= sizeof(*in) ? (int)in->sin6_scope_id : 0;

		if (scope && i->s.bound_if && i->s.bound_if != scope)
			return -EINVAL;
		if (!scope && !i->s.bound_if && ip_is_link_local(*addr))
			return -EINVAL;
		if (scope && !netdev_by_index(scope))
			return -ENODEV;
		if (scope)
			i->s.bound_if = scope;
	}
	return 0;
}

int inet_check_bind(struct inet_sock *i, const struct sockaddr_storage *a, uint32_t len,
	struct ip_addr *addr, uint16_t *port)
{
	int err = i->s.family == AF_INET6 ? check_bind6(i, (const void *)a, len, addr)
					  : check_bind4((const void *)a, len, addr);

	if (err)
		return err;
	*port = be16(((const struct sockaddr_in *)a)->sin_port);
	i->binds_group = ip_is_multicast(*addr);
	if (!ip_is_any(bound_addr(*addr)) && !i->freebind && !i->transparent) {
		enum ip_local_kind kind = ip_local_kind(*addr);

		if (kind == IP_NOT_LOCAL || (kind != IP_LOCAL && i->s.type == SOCK_STREAM))
			return -EADDRNOTAVAIL;
	}
	return 0;
}

int inet_check_peer(const struct inet_sock *i, const struct sockaddr_storage *a, uint32_t len,
	struct ip_addr *addr, uint16_t *port, int *ifindex)
{
	const struct sockaddr_in *in = (const void *)a;
	const struct sockaddr_in6 *in6 = (const void *)a;
	bool v6 = i->s.family == AF_INET6, dgram = i->s.type != SOCK_STREAM;

	*ifindex = i->s.bound_if;
	if (v6 && dgram && a->ss_family == AF_INET) {
		if (i->v6.v6only || i->s.protocol == IPPROTO_ICMPV6)
			return -EAFNOSUPPORT;
		v6 = false; /* Linux takes plain IPv4 addresses here */
	}
	if (len < (v6 ? SIN6_LEN_RFC2133 : sizeof(*in)))
		return -EINVAL;
	*port = be16(in->sin_port);
	if (!v6) {
		if (in->sin_family != AF_INET && !(dgram && in->sin_family == AF_UNSPEC))
			return -EAFNOSUPPORT;
		*addr = ip_map(in->sin_addr ? in->sin_addr : IP4(127, 0, 0, 1));
		return 0;
	}
	if (in6->sin6_family != AF_INET6)
		return -EAFNOSUPPORT;
	*addr = ip_from_bytes(in6->sin6_addr);
	if (ip_is_any(*addr))
		*addr = i->families == IP_V4 ? ip_map(IP4(127, 0, 0, 1)) : IP6_ONE;
	if (ip_is_v4(*addr) && !ip_v4(*addr))
		*addr = ip_map(IP4(127, 0, 0, 1));
	if (ip_is_v4(*addr) && i->v6.v6only)
		return -ENETUNREACH;
	if (!(i->families & ip_family_bit(*addr))) /* bound to the other family */
		return ip_is_v4(*addr) ? -ENETUNREACH : -EAFNOSUPPORT;
	if (!ip_needs_scope(*addr))
		return 0;
	int scope = len >= sizeof(*in6) ? (int)in6->sin6_scope_id : 0;

	if (scope && i->s.bound_if && i->s.bound_if != scope)
		return -EINVAL;
	if (scope)
		*ifindex = scope;
	if (!*ifindex && ip_is_multicast(*addr))
		*ifindex = i->v6.mcast_if;
	return *ifindex || ip_is_multicast(*addr) ? 0 : -EINVAL;
}

void inet_addr(struct sockaddr_storage *a, uint32_t *len, uint32_t addr, uint16_t port)
{
	struct sockaddr_in *in = (void *)a;

	memset(in, 0, sizeof(*in));
	in->sin_family = AF_INET;
	in->sin_addr = addr;
	in->sin_port = be16(port);
	*len = sizeof(*in);
}

void inet_put_addr(struct sockaddr_storage *a, uint32_t *len, int family, struct ip_addr addr,
	uint16_t port, int ifindex)
{
	struct sockaddr_in6 *in = (void *)a;

	if (family == AF_INET) {
		inet_addr(a, len, ip_v4(addr), port);
		return;
	}
	memset(in, 0, sizeof(*in));
	in->sin6_family = AF_INET6;
	memcpy(in->sin6_addr, addr.b, 16);
	in->sin6_port = be16(port);
	in->sin6_scope_id = ip_needs_scope(addr) ? (uint32_t)ifindex : 0;
	*len = sizeof(*in);
}

int inet_getname(struct socket *s, bool peer, struct sockaddr_storage *a, uint32_t *len)
{
	struct inet_sock *i = inet_sk(s);
	struct ip_addr local = i->laddr;

	if (peer && (ip_is_any(i->raddr) || !i->rport))
		return -ENOTCONN;
	if (i->lport && i->families == IP_V4 && ip_is_any(local))
		local = ip_map(0);
	inet_put_addr(a, len, s->family, peer ? i->raddr : local, peer ? i->rport : i->lport,
		s->bound_if);
	return 0;
}

int inet_route(struct inet_sock *i, struct ip_addr dst, struct route_cache *out)
{
	int err, dev = i->s.bound_if;
	bool group = ip_is_multicast(dst), v4 = ip_is_v4(dst);

	if (!dev)
		dev = inet_default_if(i, dst);
	err = route_lookup(dst, i->laddr, dev, out);
	if (!err && group && v4 && ip_is_any(i->laddr) && i->mcast_addr)
		out->src = ip_map(i->mcast_addr);
	return err;
}

struct socket *inet_create(int family, int type, int protocol)
{
	int icmp = family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;

	if (protocol < 0 || protocol > 255)
		return ERR_PTR(-EINVAL);
	switch (type) {
	case SOCK_STREAM:
		return protocol && protocol != IPPROTO_TCP ? ERR_PTR(-EPROTONOSUPPORT)
							   : tcp_create(family);
	case SOCK_DGRAM:
		if (protocol == icmp)
			return ping_create(family);
		return protocol && protocol != IPPROTO_UDP ? ERR_PTR(-EPROTONOSUPPORT)
							   : udp_create(family);
	case SOCK_RAW: return protocol ? raw_create(family, protocol) : ERR_PTR(-EPROTONOSUPPORT);
	default: return ERR_PTR(-ESOCKTNOSUPPORT);
	}
}

/* ---- SOL_IP ---- */

static bool *ip_flag(struct inet_sock *i, int name)
{
	switch (name) {
	case IP_PKTINFO: return &i->pktinfo;
	case IP_RECVTTL: return &i->recvttl;
	case IP_RECVTOS: return &i->recvtos;
	case IP_RECVERR: return &i->recverr;
	case IP_PASSSEC: return &i->passsec;
	case IP_CHECKSUM: return &i->checksum;
	case IP_FREEBIND: return &i->freebind;
	case IP_MULTICAST_LOOP: return &i->mcast_loop;
	case IP_MULTICAST_ALL: return &i->mcast_all;
	case IP_TRANSPARENT: return &i->transparent;
	case IP_HDRINCL: return i->s.type == SOCK_RAW ? &i->hdrincl : NULL;
	case IP_NODEFRAG: return i->s.type == SOCK_RAW ? &i->nodefrag : NULL;
	case IP_BIND_ADDRESS_NO_PORT: return &i->bind_no_port;
	default: return NULL;
	}
}

/* Where there is no room for an int, Linux says small values in a byte. */
static int put_number(void *val, uint32_t *len, int v)
{
	uint8_t byte = (uint8_t)v;

	if (*len > 0 && *len < sizeof(int) && v == byte)
		return opt_put(val, len, &byte, 1);
	return opt_put_int(val, len, v);
}

int inet_getopt(struct inet_sock *i, int name, void *val, uint32_t *len)
{
	bool *flag = ip_flag(i, name);

	if (flag)
		return put_number(val, len, *flag);
	if (inet_note_of(SOL_IP, name))
		return put_number(val, len, !!(i->rare_notes & inet_note_of(SOL_IP, name)));
	switch (name) {
	case IP_HDRINCL:
	case IP_NODEFRAG: return put_number(val, len, 0); /* of raw sockets only */
	case IP_PROTOCOL: return put_number(val, len, i->s.type == SOCK_RAW ? i->s.protocol : 0);
	case IP_TOS: return put_number(val, len, i->tos);
	case IP_TTL: return put_number(val, len, i->ttl);
	case IP_MINTTL: return put_number(val, len, i->min_ttl);
	case IP_MULTICAST_TTL: return put_number(val, len, i->mcast_ttl);
	case IP_MTU_DISCOVER: return put_number(val, len, i->pmtudisc);
	case IP_UNICAST_IF: return put_number(val, len, (int)be32((uint32_t)i->unicast_if));
	case IP_LOCAL_PORT_RANGE: return put_number(val, len, (int)i->port_range);
	case IP_MULTICAST_IF: return opt_put(val, len, &i->mcast_addr, 4);
	case IP_OPTIONS: *len = 0; return 0;
	case IP_MTU: {
		struct route_cache r;

		if (ip_is_any(i->raddr) || inet_route(i, i->raddr, &r))
			return -ENOTCONN;
		return opt_put_int(val, len, (int)MIN(r.mtu, (uint32_t)IP_MAX_TOTAL));
	}
	default: return -ENOPROTOOPT;
	}
}

int inet_interface_of(uint32_t addr)
{
	int found = 0;

	rcu_read_lock();
	const struct net_config *c = net_config();

	for (unsigned k = 0; k < c->addr4_count; k++)
		if (ip_v4(c->addr[k].addr) == addr)
			found = c->addr[k].dev->index;
	rcu_read_unlock();
	return found;
}

static int set_multicast_if(struct inet_sock *i, const void *val, uint32_t len)
{
	struct ip_mreqn m = { 0 };

	if (len < 4 || i->s.type == SOCK_STREAM)
		return -EINVAL;
	if (len < 8)
		memcpy(&m.imr_address, val, 4);
	else
		memcpy(&m, val, MIN(len, (uint32_t)sizeof(m)));
	if (m.imr_address && ip4_local_kind(m.imr_address) != IP_LOCAL)
		return -EADDRNOTAVAIL;
	i->mcast_if = m.imr_address ? inet_interface_of(m.imr_address) : m.imr_ifindex;
	i->mcast_addr = m.imr_address;
	return 0;
}

static int get_word(const void *val, uint32_t len, uint32_t *v)
{
	if (len != sizeof(*v))
		return -EINVAL;
	memcpy(v, val, sizeof(*v));
	return 0;
}

static int set_ports(struct inet_sock *i, const void *val, uint32_t len)
{
	uint32_t v;

	if (get_word(val, len, &v))
		return -EINVAL;
	if ((uint16_t)v && v >> 16 && (uint16_t)v > v >> 16)
		return -EINVAL;
	i->port_range = v;
	return 0;
}

int inet_set_unicast_if(const struct inet_sock *i, int32_t *field, const void *val, uint32_t len)
{
	uint32_t v;

	if (get_word(val, len, &v))
		return -EINVAL;
	int index = (int)be32(v);

	if (index && !netdev_by_index(index))
		return -EADDRNOTAVAIL;
	bool v6 = field == &i->v6.unicast_if; /* of a bound one Linux takes none at all */

	if (index && i->s.bound_if && (v6 || i->s.bound_if != index))
		return -EINVAL;
	*field = index;
	return 0;
}

static bool needs_value(int name)
{
	return name == IP_MULTICAST_TTL || name == IP_MULTICAST_ALL || name == IP_FREEBIND ||
	       name == IP_TRANSPARENT || name == IP_MINTTL || name == IP_TTL ||
	       name == IP_MULTICAST_LOOP;
}

int inet_setopt(struct inet_sock *i, int name, const void *val, uint32_t len)
{
	bool *flag = ip_flag(i, name);
	int v = 0;

	switch (name) {
	case IP_MULTICAST_IF: return set_multicast_if(i, val, len);
	case IP_OPTIONS: return len ? -EINVAL : 0;
	case IP_UNICAST_IF: return inet_set_unicast_if(i, &i->unicast_if, val, len);
	case IP_LOCAL_PORT_RANGE: return set_ports(i, val, len);
	}
	if (group_option_is(SOL_IP, name))
		return group_setopt4(i, name, val, len);
	if (len >= sizeof(int)) /* Linux takes a byte as well, and mostly nothing for 0 */
		memcpy(&v, val, sizeof(int));
	else if (len >= 1)
		v = *(const uint8_t *)val;
	else if (needs_value(name))
		return -EINVAL;
	if (name == IP_MULTICAST_ALL && v != 0 && v != 1)
		return -EINVAL;
	if (inet_note_of(SOL_IP, name)) {
		inet_set_note(i, inet_note_of(SOL_IP, name), v != 0);
		return 0;
	}
	if (flag) {
		*flag = v != 0;
		return 0;
	}
	switch (name) {
	case IP_TOS: i->tos = (uint8_t)(i->s.type == SOCK_STREAM ? v & ~3 : v); return 0;
	case IP_TTL:
		if (v != -1 && (v < 1 || v > 255))
			return -EINVAL;
		i->ttl = v == -1 ? 64 : (uint8_t)v;
		return 0;
	case IP_MINTTL:
		if (v < 0 || v > 255)
			return -EINVAL;
		i->min_ttl = (uint8_t)v;
		return 0;
	case IP_MULTICAST_TTL:
		if (i->s.type == SOCK_STREAM || v < -1 || v > 255)
			return -EINVAL;
		i->mcast_ttl = v == -1 ? 1 : (uint8_t)v;
		return 0;
	case IP_MTU_DISCOVER:
		if (v < 0 || v > 5)
			return -EINVAL;
		i->pmtudisc = (uint8_t)v;
		return 0;
	default: return -ENOPROTOOPT;
	}
}
