/* SPDX-License-Identifier: BSD-2-Clause */
/* The SIOCGIF* ioctls (netdevice(7)), and the tables that /proc/net shows. */

#include "net/dgram.h"
#include "net/neigh.h"
#include "net/netif.h"
#include "net/tcp.h"
#include "abi/errno.h"
#include "cpu/uaccess.h"
#include "lib/format.h"
#include "mem/heap.h"

static void put_in(struct sockaddr_in *in, uint32_t addr)
{
	memset(in, 0, sizeof(*in));
	in->sin_family = AF_INET;
	in->sin_addr = addr;
}

static uint32_t device_flags(const struct netdev *d)
{
	return IFF_UP | (d->link_up ? IFF_RUNNING : 0) |
	       (d->features & NETDEV_LOOPBACK ? IFF_LOOPBACK : IFF_BROADCAST | IFF_MULTICAST);
}

static int put_addresses(const struct net_config *c, struct ifconf *conf)
{
	int used = 0;

	for (unsigned i = 0; i < c->addr4_count; i++) { /* IPv4 only, as Linux */
		struct ifreq r = { 0 };

		if (conf->ifc_buf && used + (int)sizeof(r) > conf->ifc_len)
			break;
		str_copy(r.ifr_name, c->addr[i].dev->name, IFNAMSIZ);
		put_in(&r.u.addr, ip_v4(c->addr[i].addr));
		if (conf->ifc_buf && copy_to_user((char *)conf->ifc_buf + used, &r, sizeof(r)))
			return -EFAULT;
		used += (int)sizeof(r);
	}
	conf->ifc_len = used;
	return 0;
}

static long list_addresses(unsigned long arg)
{
	struct net_config *c;
	struct ifconf conf;
	int err;

	if (copy_from_user(&conf, (void *)arg, sizeof(conf)))
		return -EFAULT;
	c = net_config_copy();
	if (!c)
		return -ENOMEM;
	err = put_addresses(c, &conf);
	heap_free(c);
	return err ? err : copy_to_user((void *)arg, &conf, sizeof(conf));
}

static bool asks_address(unsigned cmd)
{
	return cmd == SIOCGIFADDR || cmd == SIOCGIFDSTADDR || cmd == SIOCGIFBRDADDR ||
	       cmd == SIOCGIFNETMASK;
}

/* Of an alias there is none: Linux finds those by their label. */
static int fill_address(unsigned cmd, struct ifreq *r, const struct netdev *d, bool alias)
{
	bool lo = d->features & NETDEV_LOOPBACK;

	rcu_read_lock();
	const struct net_addr *a = alias ? NULL : net_addr_of(net_config(), d);

	if (a && cmd == SIOCGIFNETMASK)
		put_in(&r->u.addr, a->mask);
	else if (a && cmd == SIOCGIFBRDADDR)
		put_in(&r->u.addr, lo ? 0 : a->broadcast);
	else if (a)
		put_in(&r->u.addr, ip_v4(a->addr));
	rcu_read_unlock();
	return a ? 0 : -EADDRNOTAVAIL;
}

static int fill(unsigned cmd, struct ifreq *r, const struct netdev *d)
{
	switch (cmd) {
	case SIOCGIFNAME: str_copy(r->ifr_name, d->name, IFNAMSIZ); return 0;
	case SIOCGIFINDEX: r->u.value = d->index; return 0;
	case SIOCGIFFLAGS: r->u.flags = (int16_t)device_flags(d); return 0;
	case SIOCGIFMTU: r->u.value = (int32_t)load_relaxed(&d->mtu); return 0;
	case SIOCGIFMETRIC: r->u.value = 0; return 0;
	case SIOCGIFTXQLEN: r->u.value = NETDEV_TX_WAITING; return 0;
	case SIOCGIFHWADDR:
		memset(&r->u, 0, sizeof(r->u));
		r->u.hwaddr.family = d->features & NETDEV_LOOPBACK ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
		memcpy(r->u.hwaddr.data, d->mac, 6);
		return 0;
	case SIOCGIFMAP: memset(&r->u, 0, sizeof(r->u)); return 0; /* no ISA card */
	default: return -EINVAL;				   /* SIOCGIFSLAVE */
	}
}

/* Linux's order: the family's own calls, then those of any socket; what there is not wants the
 * program's memory all the same. */
long netif_ioctl(int family, unsigned cmd, unsigned long arg)
{
	bool known = true;
	struct netdev *d;
	struct ifreq r;
	char *alias;
	int err;

	switch (cmd) {
	case SIOCGIFCONF: return list_addresses(arg);
	case SIOCGIFNAME:
	case SIOCGIFINDEX:
	case SIOCGIFFLAGS:
	case SIOCGIFMTU:
	case SIOCGIFMETRIC:
	case SIOCGIFTXQLEN:
	case SIOCGIFHWADDR:
	case SIOCGIFSLAVE:
	case SIOCGIFMAP: break;
	case SIOCGIFPFLAGS:
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
	case SIOCGIFBRDADDR:
	case SIOCGIFNETMASK: known = family == AF_INET; break;
	default:
		if (cmd >> 8 != SIOC_TYPE)
			return -ENOTTY;
		known = false;
	}
	if (copy_from_user(&r, (void *)arg, sizeof(r)))
		return -EFAULT;
	if (!known || cmd == SIOCGIFPFLAGS)
		return known ? -EINVAL : -ENOTTY;
	r.ifr_name[IFNAMSIZ - 1] = 0;
	alias = strchr(r.ifr_name, ':');
	if (alias && cmd != SIOCGIFNAME)
		*alias = 0;
	d = cmd == SIOCGIFNAME ? netdev_by_index(r.u.value) : netdev_by_name(r.ifr_name);
	if (!d)
		return -ENODEV;
	if (alias && cmd != SIOCGIFNAME)
		*alias = ':';
	err = asks_address(cmd) ? fill_address(cmd, &r, d, alias) : fill(cmd, &r, d);
	return err ? err : copy_to_user((void *)arg, &r, sizeof(r));
}

/* ---- /proc/net, in Linux's columns ---- */

/* Words as the machine reads them. */
static void put_hex(char *out, struct ip_addr a, bool v6)
{
	if (v6)
		format(out, 33, "%08X%08X%08X%08X", a.w[0], a.w[1], a.w[2], a.w[3]);
	else
		format(out, 33, "%08X", ip_v4(a));
}

static void line_of(struct net_text *t, unsigned n, const struct inet_sock *i, unsigned state,
	uint32_t tx, uint32_t rx)
{
	char line[256], l[33], r[33];
	bool v6 = i->s.family == AF_INET6;

	put_hex(l, i->laddr, v6);
	put_hex(r, i->raddr, v6);
	format(line, sizeof(line),
		"%4u: %s:%04X %s:%04X %02X %08X:%08X 00:00000000 00000000 %5u %8u %lu %u %016lx\n",
		n, l, i->lport, r, i->rport, state, tx, rx, load_relaxed(&i->s.uid), 0u,
		(unsigned long)i->s.inode, load_relaxed(&i->s.refs), 0ul);
	t->print(t, line);
}

static void head_of(struct net_text *t, bool v6, const char *rest)
{
	t->print(t,
		v6 ? "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
		   : "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode");
	t->print(t, rest);
}

/* The chain's lock held: each is in the table, so it lives. */
static void show_chain(
	struct net_text *t, struct flow_table *table, uint32_t chain, int family, unsigned *row)
{
	struct mutex *lock = flow_lock(table, chain);
	struct flow *f;

	for_each_flow(f, table, chain)
	{
		struct tcp_sock *s = tcp_sk(f->s);

		if (s->i.s.family != family)
			continue;
		if (table == &the_net()->tcp_listen)
			line_of(t, (*row)++, &s->i, TCP_LISTEN, 0, s->listener->accept_count);
		else
			line_of(t, (*row)++, &s->i, s->state, s->write_seq - s->snd_una,
				tcp_readable_bytes(s));
	}
	mutex_unlock(lock);
}

static void show_tcp(struct net_text *t, int family)
{
	struct net_state *n = the_net();
	unsigned row = 0;

	head_of(t, family == AF_INET6, "\n");
	for (uint32_t c = 0; c <= n->tcp_listen.mask; c++)
		show_chain(t, &n->tcp_listen, c, family, &row);
	for (uint32_t c = 0; c <= n->tcp_conn.mask; c++)
		show_chain(t, &n->tcp_conn, c, family, &row);
}

void net_show_tcp(struct net_text *t)
{
	show_tcp(t, AF_INET);
}

void net_show_tcp6(struct net_text *t)
{
	show_tcp(t, AF_INET6);
}

static void show_bucket(
	struct net_text *t, struct inet_bucket *b, int family, int type, unsigned *row)
{
	struct inet_sock *i;

	mutex_lock(&b->lock);
	list_for_each_entry (i, &b->head, bind_link)
		if (i->s.family == family && i->s.type == type)
			line_of(t, (*row)++, i, !ip_is_any(i->raddr) ? TCP_ESTABLISHED : TCP_CLOSE,
				dgram_out(dgram_sk(&i->s)), dgram_sk(&i->s)->rx_bytes);
	mutex_unlock(&b->lock);
}

static void show_udp(struct net_text *t, int family)
{
	unsigned row = 0;

	head_of(t, family == AF_INET6, " ref pointer drops\n");
	for (unsigned b = 0; b < BIND_BUCKETS; b++)
		show_bucket(t, &the_net()->udp_bind[b], family, SOCK_DGRAM, &row);
}

void net_show_udp(struct net_text *t)
{
	show_udp(t, AF_INET);
}

void net_show_udp6(struct net_text *t)
{
	show_udp(t, AF_INET6);
}

static void show_ping(struct net_text *t, int family)
{
	unsigned row = 0;

	head_of(t, family == AF_INET6, " ref pointer drops\n");
	show_bucket(t, &the_net()->ping, family, SOCK_DGRAM, &row);
}

void net_show_icmp(struct net_text *t)
{
	show_ping(t, AF_INET);
}

void net_show_icmp6(struct net_text *t)
{
	show_ping(t, AF_INET6);
}

void net_show_raw(struct net_text *t)
{
	unsigned row = 0;

	head_of(t, false, " ref pointer drops\n");
	show_bucket(t, &the_net()->raw, AF_INET, SOCK_RAW, &row);
}

void net_show_raw6(struct net_text *t)
{
	unsigned row = 0;

	head_of(t, true, " ref pointer drops\n");
	show_bucket(t, &the_net()->raw, AF_INET6, SOCK_RAW, &row);
}

static void put_bytes(char *out, struct ip_addr a)
{
	for (unsigned i = 0; i < 16; i++)
		format(out + 2 * i, 3, "%02x", a.b[i]);
}

void net_show_if_inet6(struct net_text *t)
{
	struct net_config *c = net_config_copy();
	char line[160], addr[33];

	for (unsigned i = c ? c->addr4_count : 0; c && i < c->addr_count; i++) {
		const struct net_addr *a = &c->addr[i];
		unsigned scope = a->dev->features & NETDEV_LOOPBACK ? 0x10
				 : ip_is_link_local(a->addr)	    ? 0x20
								    : 0;
		unsigned flags = (a->flags & ADDR_DYNAMIC ? 0 : 0x80) |
				 (a->flags & ADDR_TENTATIVE ? 0x40 : 0) |
				 (a->flags & ADDR_DEPRECATED ? 0x20 : 0);

		put_bytes(addr, a->addr);
		format(line, sizeof(line), "%s %02x %02x %02x %02x %8s\n", addr, a->dev->index,
			a->prefix, scope, flags, a->dev->name);
		t->print(t, line);
	}
	heap_free(c);
}

void net_show_route6(struct net_text *t)
{
	struct net_config *c = net_config_copy();
	char line[256], dst[33], gw[33];

	for (unsigned i = 0; c && i < c->route_count; i++) {
		const struct route *r = &c->route[i];

		if (r->v4)
			continue;
		put_bytes(dst, r->dst);
		put_bytes(gw, r->gateway);
		format(line, sizeof(line), "%s %02x %s 00 %s %08x 00000001 00000000 %08x %8s\n",
			dst, r->prefix, "00000000000000000000000000000000", gw, r->metric,
			1u | (ip_is_any(r->gateway) ? 0 : 2u) | (r->prefix == 128 ? 4u : 0),
			r->dev->name);
		t->print(t, line);
	}
	heap_free(c);
}

void net_show_dev(struct net_text *t)
{
	char line[256];

	t->print(t,
		"Inter-|   Receive                                                |  Transmit\n"
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n");
	for (struct netdev *d = netdev_first(); d; d = d->next) {
		struct netdev_stats s = netdev_stats(d);

		format(line, sizeof(line),
			"%6s: %7lu %7lu    0 %4lu    0     0          0         0 %8lu %7lu    0 %4lu    0     0       0          0\n",
			d->name, (unsigned long)s.rx_bytes, (unsigned long)s.rx_packets,
			(unsigned long)s.rx_dropped, (unsigned long)s.tx_bytes,
			(unsigned long)s.tx_packets, (unsigned long)s.tx_dropped);
		t->print(t, line);
	}
}

void net_show_route(struct net_text *t)
{
	struct net_config *c = net_config_copy();
	char line[256];

	t->print(t,
		"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n");
	for (unsigned i = 0; c && i < c->route_count; i++) {
		const struct route *r = &c->route[i];

		if (!r->v4 || (r->dev->features & NETDEV_LOOPBACK))
			continue;
		format(line, sizeof(line), "%s\t%08X\t%08X\t%04X\t0\t0\t%u\t%08X\t0\t0\t0\n",
			r->dev->name, ip_v4(r->dst), ip_v4(r->gateway),
			ip_is_any(r->gateway) ? 1 : 3, r->metric,
			r->prefix ? be32(~0u << (32 - r->prefix)) : 0);
		t->print(t, line);
	}
	heap_free(c);
}

void net_show_arp(struct net_text *t)
{
	struct net_state *n = the_net();
	char line[160];

	t->print(t,
		"IP address       HW type     Flags       HW address            Mask     Device\n");
	mutex_lock(&n->neigh_lock);
	for (unsigned i = 0; i < NEIGH_COUNT; i++) {
		struct neigh *e = &n->neigh[i];
		const uint8_t *m = (const uint8_t *)&e->mac;
		char ip[IP_TEXT];

		if (!ip_is_v4(e->ip) || !e->dev)
			continue;
		ip_format(e->ip, ip);
		format(line, sizeof(line),
			"%-16s 0x1         0x%x         %02x:%02x:%02x:%02x:%02x:%02x     *        %s\n",
			ip, e->mac >> 63 ? 2 : 0, m[0], m[1], m[2], m[3], m[4], m[5], e->dev->name);
		t->print(t, line);
	}
	mutex_unlock(&n->neigh_lock);
}
