/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What AF_INET sockets share: local ports, addresses, SOL_IP options.
 *
 * A port table has a bucket per few ports; a socket that holds a port is on its bucket's list.
 * Conflicts follow Linux: same port, overlapping addresses and interfaces, unless both say
 * SO_REUSEPORT, or both say SO_REUSEADDR and (TCP) none listens.
 */

#include "net/impl.h"

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
	i->mcast_loop = i->mcast_all = true;
	i->pmtudisc = IP_PMTUDISC_WANT;
}

uint16_t inet_ephemeral(unsigned *count)
{
	*count = EPHEMERAL_LAST - EPHEMERAL_FIRST + 1;
	return (uint16_t)(EPHEMERAL_FIRST + net_random() % *count);
}

uint16_t inet_ephemeral_next(uint16_t port)
{
	return port == EPHEMERAL_LAST ? EPHEMERAL_FIRST : port + 1;
}

/* Bucket lock held. */
static bool conflicts(const struct inet_sock *i, const struct inet_sock *o, uint32_t addr)
{
	if (i->s.bound_if && o->s.bound_if && i->s.bound_if != o->s.bound_if)
		return false;
	if (addr && o->laddr && addr != o->laddr)
		return false;
	if (i->s.reuseport && o->s.reuseport)
		return false;
	if (i->s.reuseaddr && o->s.reuseaddr && !o->s.listening)
		return false;
	return true;
}

static bool take_port(struct inet_sock *i, struct inet_bucket *b, uint32_t addr, uint16_t port)
{
	struct inet_sock *o;
	bool ok = true;

	mutex_lock(&b->lock);
	list_for_each_entry (o, &b->head, bind_link)
		if (o->lport == port && conflicts(i, o, addr)) {
			ok = false;
			break;
		}
	if (ok) {
		i->lport = port;
		i->laddr = addr;
		i->bind_bucket = b;
		list_add(&b->head, &i->bind_link);
	}
	mutex_unlock(&b->lock);
	return ok;
}

int inet_bind_port(struct inet_sock *i, struct inet_bucket *table, uint32_t addr, uint16_t port)
{
	unsigned count;

	if (port)
		return take_port(i, inet_port_bucket(table, port), addr, port) ? 0 : -EADDRINUSE;
	bool reuseaddr = i->s.reuseaddr, reuseport = i->s.reuseport;

	i->s.reuseaddr = i->s.reuseport = false; /* a port of our own */
	port = inet_ephemeral(&count);
	bool found = false;

	for (; count && !found; count--, port = inet_ephemeral_next(port))
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

int inet_check_bind(struct inet_sock *i, const struct sockaddr_storage *a, uint32_t len,
	uint32_t *addr, uint16_t *port)
{
	const struct sockaddr_in *in = (const void *)a;

	if (len < sizeof(*in))
		return -EINVAL;
	if (in->sin_family != AF_INET &&
		!(in->sin_family == AF_UNSPEC && in->sin_addr == INADDR_ANY))
		return -EAFNOSUPPORT;
	if (in->sin_addr && !i->freebind) {
		enum ip_local_kind kind = ip_local_kind(in->sin_addr);

		if (kind == IP_NOT_LOCAL || (kind != IP_LOCAL && i->s.type == SOCK_STREAM))
			return -EADDRNOTAVAIL;
	}
	*addr = in->sin_addr;
	*port = be16(in->sin_port);
	return 0;
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

int inet_getname(struct socket *s, bool peer, struct sockaddr_storage *a, uint32_t *len)
{
	struct inet_sock *i = inet_sk(s);

	if (peer && (!i->raddr || !i->rport))
		return -ENOTCONN;
	if (peer)
		inet_addr(a, len, i->raddr, i->rport);
	else
		inet_addr(a, len, i->laddr, i->lport);
	return 0;
}

int inet_route(struct inet_sock *i, uint32_t dst, struct route_cache *out)
{
	int err, dev = i->s.bound_if;

	if (!dev && ip_is_multicast(dst))
		dev = i->mcast_if;
	err = route_lookup(dst, i->laddr, dev, out);
	if (!err && ip_is_multicast(dst) && !i->laddr && i->mcast_addr)
		out->src = i->mcast_addr;
	return err;
}

bool inet_in_group(const struct inet_sock *i, uint32_t group)
{
	for (unsigned k = 0; k < i->group_count; k++)
		if (i->groups[k] == group)
			return true;
	return i->mcast_all && group == IP4(224, 0, 0, 1);
}

struct socket *inet_create(int type, int protocol)
{
	if (protocol < 0 || protocol > 255)
		return ERR_PTR(-EINVAL);
	switch (type) {
	case SOCK_STREAM:
		return protocol && protocol != IPPROTO_TCP ? ERR_PTR(-EPROTONOSUPPORT)
							   : tcp_create();
	case SOCK_DGRAM:
		if (protocol == IPPROTO_ICMP)
			return ping_create();
		return protocol && protocol != IPPROTO_UDP ? ERR_PTR(-EPROTONOSUPPORT)
							   : udp_create();
	case SOCK_RAW: return protocol ? raw_create(protocol) : ERR_PTR(-EPROTONOSUPPORT);
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
	case IP_RECVORIGDSTADDR: return &i->recvorigdst;
	case IP_FREEBIND: return &i->freebind;
	case IP_MULTICAST_LOOP: return &i->mcast_loop;
	case IP_MULTICAST_ALL: return &i->mcast_all;
	case IP_HDRINCL: return i->s.type == SOCK_RAW ? &i->hdrincl : NULL;
	case IP_BIND_ADDRESS_NO_PORT: return &i->bind_no_port;
	default: return NULL;
	}
}

int inet_getopt(struct inet_sock *i, int name, void *val, uint32_t *len)
{
	bool *flag = ip_flag(i, name);

	if (flag)
		return opt_put_int(val, len, *flag);
	switch (name) {
	case IP_TOS: return opt_put_int(val, len, i->tos);
	case IP_TTL: return opt_put_int(val, len, i->ttl);
	case IP_MULTICAST_TTL: return opt_put_int(val, len, i->mcast_ttl);
	case IP_MTU_DISCOVER: return opt_put_int(val, len, i->pmtudisc);
	case IP_MULTICAST_IF: return opt_put(val, len, &i->mcast_addr, 4);
	case IP_OPTIONS: *len = 0; return 0;
	case IP_MTU: {
		struct route_cache r;

		if (!i->raddr || inet_route(i, i->raddr, &r))
			return -ENOTCONN;
		return opt_put_int(val, len, (int)r.mtu);
	}
	default: return -ENOPROTOOPT;
	}
}

static int change_group(struct inet_sock *i, bool join, const void *val, uint32_t len)
{
	struct ip_mreqn m = { 0 };

	if (len < 8)
		return -EINVAL;
	memcpy(&m, val, MIN(len, (uint32_t)sizeof(m)));
	if (!ip_is_multicast(m.imr_multiaddr))
		return join ? -EINVAL : -EADDRNOTAVAIL;
	for (unsigned k = 0; k < i->group_count; k++) {
		if (i->groups[k] != m.imr_multiaddr)
			continue;
		if (join)
			return -EADDRINUSE;
		i->groups[k] = i->groups[--i->group_count];
		return 0;
	}
	if (!join)
		return -EADDRNOTAVAIL;
	if (i->group_count == ARRAY_SIZE(i->groups))
		return -ENOBUFS;
	struct route_cache r;

	if (route_lookup(m.imr_multiaddr, 0, m.imr_ifindex, &r))
		return -ENODEV;
	i->groups[i->group_count++] = m.imr_multiaddr;
	return 0;
}

static int set_multicast_if(struct inet_sock *i, const void *val, uint32_t len)
{
	struct ip_mreqn m = { 0 };

	if (len < 4)
		return -EINVAL;
	if (len < 8)
		memcpy(&m.imr_address, val, 4);
	else
		memcpy(&m, val, MIN(len, (uint32_t)sizeof(m)));
	if (m.imr_address && ip_local_kind(m.imr_address) != IP_LOCAL)
		return -EADDRNOTAVAIL;
	const struct net_config *c = net_config();

	i->mcast_if = m.imr_ifindex;
	for (unsigned k = 0; k < c->addr_count && m.imr_address; k++)
		if (c->addr[k].addr == m.imr_address)
			i->mcast_if = c->addr[k].dev->index;
	i->mcast_addr = m.imr_address;
	return 0;
}

int inet_setopt(struct inet_sock *i, int name, const void *val, uint32_t len)
{
	bool *flag = ip_flag(i, name);
	int v;

	if (name == IP_ADD_MEMBERSHIP || name == IP_DROP_MEMBERSHIP)
		return change_group(i, name == IP_ADD_MEMBERSHIP, val, len);
	if (name == IP_MULTICAST_IF)
		return set_multicast_if(i, val, len);
	if (name == IP_OPTIONS)
		return len ? -EINVAL : 0;
	if (len >= sizeof(int)) /* Linux takes a byte as well */
		memcpy(&v, val, sizeof(int));
	else if (len >= 1)
		v = *(const uint8_t *)val;
	else
		return -EINVAL;
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
	case IP_MINTTL:
	case IP_LOCAL_PORT_RANGE: return 0;
	default: return -ENOPROTOOPT;
	}
}
