/* SPDX-License-Identifier: BSD-2-Clause */
/* The SIOCGIF* ioctls (netdevice(7)), and the tables that /proc/net shows. */

#include "net/tcp.h"
#include "net/unix.h"
#include "cpu/uaccess.h"
#include "lib/format.h"

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

static long list_addresses(unsigned long arg)
{
	const struct net_config *c = net_config();
	struct ifconf conf;
	int used = 0;

	if (copy_from_user(&conf, (void *)arg, sizeof(conf)))
		return -EFAULT;
	for (unsigned i = 0; i < c->addr_count; i++) {
		struct ifreq r = { 0 };

		if (conf.ifc_buf && used + (int)sizeof(r) > conf.ifc_len)
			break;
		str_copy(r.ifr_name, c->addr[i].dev->name, IFNAMSIZ);
		put_in(&r.u.addr, c->addr[i].addr);
		if (conf.ifc_buf && copy_to_user((char *)conf.ifc_buf + used, &r, sizeof(r)))
			return -EFAULT;
		used += (int)sizeof(r);
	}
	conf.ifc_len = used;
	return copy_to_user((void *)arg, &conf, sizeof(conf));
}

static int fill(unsigned cmd, struct ifreq *r, struct netdev *d)
{
	const struct net_addr *a = net_addr_of(net_config(), d);

	switch (cmd) {
	case SIOCGIFNAME: str_copy(r->ifr_name, d->name, IFNAMSIZ); return 0;
	case SIOCGIFINDEX: r->u.value = d->index; return 0;
	case SIOCGIFFLAGS: r->u.flags = (int16_t)device_flags(d); return 0;
	case SIOCGIFMTU: r->u.value = (int32_t)d->mtu; return 0;
	case SIOCGIFMETRIC: r->u.value = 0; return 0;
	case SIOCGIFTXQLEN: r->u.value = 1000; return 0;
	case SIOCGIFHWADDR:
		memset(&r->u, 0, sizeof(r->u));
		r->u.hwaddr.family = d->features & NETDEV_LOOPBACK ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
		memcpy(r->u.hwaddr.data, d->mac, 6);
		return 0;
	}
	if (!a)
		return -EADDRNOTAVAIL;
	put_in(&r->u.addr, cmd == SIOCGIFNETMASK ? a->mask
			   : cmd == SIOCGIFBRDADDR
				   ? (d->features & NETDEV_LOOPBACK ? 0 : a->broadcast)
				   : a->addr);
	return 0;
}

long netif_ioctl(unsigned cmd, unsigned long arg)
{
	struct ifreq r;
	struct netdev *d;
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
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
	case SIOCGIFBRDADDR:
	case SIOCGIFNETMASK: break;
	default: return -ENOTTY;
	}
	if (copy_from_user(&r, (void *)arg, sizeof(r)))
		return -EFAULT;
	r.ifr_name[IFNAMSIZ - 1] = 0;
	d = cmd == SIOCGIFNAME ? netdev_by_index(r.u.value) : netdev_by_name(r.ifr_name);
	if (!d)
		return -ENODEV;
	err = fill(cmd, &r, d);
	return err ? err : copy_to_user((void *)arg, &r, sizeof(r));
}

/* ---- /proc/net, in Linux's columns ---- */

static void line_of(struct net_text *t, unsigned n, const struct inet_sock *i, unsigned state,
	uint32_t tx, uint32_t rx)
{
	char line[256];

	format(line, sizeof(line),
		"%4u: %08X:%04X %08X:%04X %02X %08X:%08X 00:00000000 00000000 %5u %8u %lu %u %016lx\n",
		n, i->laddr, i->lport, i->raddr, i->rport, state, tx, rx, 0u, 0u,
		(unsigned long)i->s.inode, load_relaxed(&i->s.refs), 0ul);
	t->print(t, line);
}

void net_show_tcp(struct net_text *t)
{
	struct net_state *n = the_net();
	unsigned row = 0;

	t->print(t,
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n");
	for (unsigned b = 0; b < BIND_BUCKETS; b++) {
		struct tcp_sock *s;

		mutex_lock(&n->tcp_listen[b].lock);
		list_for_each_entry (s, &n->tcp_listen[b].head, listen_link)
			line_of(t, row++, &s->i, TCP_LISTEN, 0, s->listener->accept_count);
		mutex_unlock(&n->tcp_listen[b].lock);
	}
	for (unsigned b = 0; b <= n->conn_mask; b++) {
		struct tcp_sock *s;

		mutex_lock(&n->tcp_conn[b].lock);
		list_for_each_entry (s, &n->tcp_conn[b].head, conn_link)
			line_of(t, row++, &s->i, s->state, s->write_seq - s->snd_una,
				tcp_readable_bytes(s));
		mutex_unlock(&n->tcp_conn[b].lock);
	}
}

void net_show_udp(struct net_text *t)
{
	struct net_state *n = the_net();
	unsigned row = 0;

	t->print(t,
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n");
	for (unsigned b = 0; b < BIND_BUCKETS; b++) {
		struct inet_sock *i;

		mutex_lock(&n->udp_bind[b].lock);
		list_for_each_entry (i, &n->udp_bind[b].head, bind_link)
			line_of(t, row++, i, i->raddr ? TCP_ESTABLISHED : TCP_CLOSE, 0,
				dgram_sk(&i->s)->rx_bytes);
		mutex_unlock(&n->udp_bind[b].lock);
	}
}

void net_show_dev(struct net_text *t)
{
	char line[256];

	t->print(t,
		"Inter-|   Receive                                                |  Transmit\n"
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n");
	for (struct netdev *d = netdev_first(); d; d = d->next) {
		format(line, sizeof(line),
			"%6s: %7lu %7lu    0 %4lu    0     0          0         0 %8lu %7lu    0 %4lu    0     0       0          0\n",
			d->name, (unsigned long)d->rx_bytes, (unsigned long)d->rx_packets,
			(unsigned long)d->rx_dropped, (unsigned long)d->tx_bytes,
			(unsigned long)d->tx_packets, (unsigned long)d->tx_dropped);
		t->print(t, line);
	}
}

void net_show_route(struct net_text *t)
{
	const struct net_config *c = net_config();
	char line[256];

	t->print(t,
		"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n");
	for (unsigned i = 0; i < c->route_count; i++) {
		const struct route *r = &c->route[i];

		if (r->dev->features & NETDEV_LOOPBACK)
			continue;
		format(line, sizeof(line), "%s\t%08X\t%08X\t%04X\t0\t0\t%u\t%08X\t0\t0\t0\n",
			r->dev->name, r->dst, r->gateway, r->gateway ? 3 : 1, r->metric, r->mask);
		t->print(t, line);
	}
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
		const uint8_t *a = (const uint8_t *)&e->ip, *m = (const uint8_t *)&e->mac;
		char ip[16];

		if (!e->ip || !e->dev)
			continue;
		format(ip, sizeof(ip), "%u.%u.%u.%u", a[0], a[1], a[2], a[3]);
		format(line, sizeof(line),
			"%-16s 0x1         0x%x         %02x:%02x:%02x:%02x:%02x:%02x     *        %s\n",
			ip, e->mac >> 63 ? 2 : 0, m[0], m[1], m[2], m[3], m[4], m[5], e->dev->name);
		t->print(t, line);
	}
	mutex_unlock(&n->neigh_lock);
}
