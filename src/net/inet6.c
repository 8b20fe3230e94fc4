/* SPDX-License-Identifier: BSD-2-Clause */
/* SOL_IPV6 options (ipv6(7), RFC 3493, 3542), with Linux's limits and errors. */

#include "net/inet.h"
#include "net/netif.h"
#include "abi/errno.h"

/* RFC 6437: one label for all that a socket sends, not to be guessed. */
void inet6_new_flow(struct inet_sock *i)
{
	i->v6.flow = i->v6.autoflow ? (uint32_t)net_random() & 0xfffff : 0;
}

static bool *ip6_flag(struct inet_sock *i, int name)
{
	switch (name) {
	case IPV6_RECVPKTINFO: return &i->pktinfo6;
	case IPV6_RECVHOPLIMIT: return &i->recvhops;
	case IPV6_RECVTCLASS: return &i->recvtclass;
	case IPV6_RECVERR: return &i->v6.recverr;
	case IPV6_RECVPATHMTU: return &i->v6.recvpathmtu;
	case IPV6_DONTFRAG: return &i->v6.dontfrag;
	case IPV6_MULTICAST_LOOP: return &i->v6.mcast_loop;
	case IPV6_MULTICAST_ALL: return &i->v6.mcast_all;
	case IPV6_AUTOFLOWLABEL: return &i->v6.autoflow;
	case IPV6_FREEBIND: return &i->freebind;
	case IPV6_TRANSPARENT: return &i->transparent;
	case IPV6_HDRINCL: return i->s.type == SOCK_RAW ? &i->hdrincl : NULL;
	default: return NULL;
	}
}

static int path_mtu(struct inet_sock *i, uint32_t *mtu)
{
	struct route_cache r;

	if (ip_is_any(i->raddr) || inet_route(i, i->raddr, &r))
		return -ENOTCONN;
	*mtu = r.mtu;
	return 0;
}

int inet6_getopt(struct inet_sock *i, int name, void *val, uint32_t *len)
{
	bool *flag = ip6_flag(i, name);
	uint32_t mtu;

	if (flag)
		return opt_put_int(val, len, *flag);
	if (inet_note_of(SOL_IPV6, name))
		return opt_put_int(val, len, !!(i->rare_notes & inet_note_of(SOL_IPV6, name)));
	switch (name) {
	case IPV6_V6ONLY: return opt_put_int(val, len, i->v6.v6only);
	case IPV6_UNICAST_HOPS: return opt_put_int(val, len, i->v6.hops < 0 ? 64 : i->v6.hops);
	case IPV6_MULTICAST_HOPS:
		return opt_put_int(val, len, i->v6.mcast_hops < 0 ? 1 : i->v6.mcast_hops);
	case IPV6_MULTICAST_IF: return opt_put_int(val, len, i->v6.mcast_if);
	case IPV6_UNICAST_IF: return opt_put_int(val, len, (int)be32((uint32_t)i->v6.unicast_if));
	case IPV6_MINHOPCOUNT: return opt_put_int(val, len, i->min_hops);
	case IPV6_TCLASS: return opt_put_int(val, len, i->v6.tclass);
	case IPV6_MTU_DISCOVER: return opt_put_int(val, len, i->v6.pmtudisc);
	case IPV6_ADDR_PREFERENCES: return opt_put_int(val, len, 0x500); /* none said */
	case IPV6_CHECKSUM:
		if (i->s.type != SOCK_RAW)
			return -ENOPROTOOPT;
		return opt_put_int(val, len, i->v6.checksum);
	case IPV6_MTU:
		if (path_mtu(i, &mtu))
			return -ENOTCONN;
		return opt_put_int(val, len, (int)mtu);
	case IPV6_PATHMTU: {
		struct ip6_mtuinfo info = { 0 };
		struct sockaddr_storage a;
		uint32_t n;

		if (*len < sizeof(info))
			return -EINVAL;
		if (path_mtu(i, &info.ip6m_mtu))
			return -ENOTCONN;
		inet_put_addr(&a, &n, AF_INET6, i->raddr, 0, i->s.bound_if);
		memcpy(&info.ip6m_addr, &a, sizeof(info.ip6m_addr));
		return opt_put(val, len, &info, sizeof(info));
	}
	default: return -ENOPROTOOPT;
	}
}

static int set_hops(int16_t *field, int v)
{
	if (v < -1 || v > 255)
		return -EINVAL;
	*field = (int16_t)v;
	return 0;
}

static int set_multicast_if(struct inet_sock *i, int v)
{
	if (i->s.type == SOCK_STREAM)
		return -ENOPROTOOPT;
	if (v && i->s.bound_if && i->s.bound_if != v)
		return -EINVAL;
	if (v && !netdev_by_index(v))
		return -ENODEV;
	i->v6.mcast_if = v;
	return 0;
}

static int set_number(struct inet_sock *i, int name, int v)
{
	bool stream = i->s.type == SOCK_STREAM;

	switch (name) {
	case IPV6_V6ONLY:
		if (i->lport || i->s.type == SOCK_RAW)
			return -EINVAL;
		i->v6.v6only = v != 0;
		i->families = v ? IP_V6 : IP_V4 | IP_V6;
		return 0;
	case IPV6_UNICAST_HOPS: return set_hops(&i->v6.hops, v);
	case IPV6_MULTICAST_HOPS: return stream ? -ENOPROTOOPT : set_hops(&i->v6.mcast_hops, v);
	case IPV6_MULTICAST_IF: return set_multicast_if(i, v);
	case IPV6_MINHOPCOUNT:
		if (v < 0 || v > 255)
			return -EINVAL;
		i->min_hops = (uint8_t)v;
		return 0;
	case IPV6_TCLASS:
		if (v < -1 || v > 255)
			return -EINVAL;
		v = MAX(v, 0);
		i->v6.tclass = (uint8_t)(stream ? v & ~3 : v);
		return 0;
	case IPV6_MTU_DISCOVER:
		if (v < 0 || v > 5)
			return -EINVAL;
		i->v6.pmtudisc = (uint8_t)v;
		return 0;
	case IPV6_MTU:
		if (v && v < IP6_MIN_MTU)
			return -EINVAL;
		i->v6.fragment_size = (uint32_t)v;
		return 0;
	case IPV6_CHECKSUM:
		if (i->s.type != SOCK_RAW)
			return -ENOPROTOOPT;
		if (i->s.protocol == IPPROTO_ICMPV6 || (v > 0 && (v & 1)))
			return -EINVAL; /* RFC 3542 3.1 */
		i->v6.checksum = v < 0 ? -1 : v;
		return 0;
	case IPV6_ADDR_PREFERENCES: return 0; /* there are no temporary or home addresses */
	default: return -ENOPROTOOPT;
	}
}

int inet6_setopt(struct inet_sock *i, int name, const void *val, uint32_t len)
{
	bool *flag = ip6_flag(i, name);
	int v;

	if (group_option_is(SOL_IPV6, name))
		return group_setopt6(i, name, val, len);
	if (name == IPV6_UNICAST_IF)
		return inet_set_unicast_if(i, &i->v6.unicast_if, val, len);
	if (opt_get_int(val, len, &v))
		return -EINVAL;
	if (name == IPV6_MULTICAST_LOOP && v != 0 && v != 1)
		return -EINVAL;
	if (inet_note_of(SOL_IPV6, name)) {
		inet_set_note(i, inet_note_of(SOL_IPV6, name), v != 0);
		return 0;
	}
	if (!flag)
		return set_number(i, name, v);
	*flag = v != 0;
	if (name == IPV6_AUTOFLOWLABEL)
		inet6_new_flow(i);
	return 0;
}
