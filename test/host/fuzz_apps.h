/* SPDX-License-Identifier: BSD-2-Clause */
/* The program of net_fuzz_test: sockets of every kind, and calls on them in any order. */
#ifndef TEST_HOST_FUZZ_APPS_H
#define TEST_HOST_FUZZ_APPS_H

#include "fuzz_rings.h"
#include "abi/netlink.h"
#include "abi/sock_diag.h"

#define FILES 36
static struct file *files[FILES];
static struct app_rings rings[FILES];
static unsigned app_spoils; /* so many of 1000 looks at rings leave nonsense in them */
static uint8_t app_bytes[70000];

static void app_close(unsigned k)
{
	if (files[k])
		file_put(files[k]);
	files[k] = NULL;
	rings[k] = (struct app_rings){ 0 };
}

static void app_address(struct sockaddr_storage *a, uint32_t *len, int family, bool local)
{
	if (family == AF_UNIX) { /* one of a few abstract names */
		struct sockaddr_un u = { .sun_family = AF_UNIX };

		u.sun_path[1] = (char)rnd(4);
		memset(a, 0, sizeof(*a));
		memcpy(a, &u, 4);
		*len = 4;
		return;
	}
	uint16_t port = (uint16_t)PICK(80, 80, 81, 443, 53, 5353, 9999, 0);
	struct ip_addr addr = local ? IP_ANY : peer_any(family == AF_INET6 && rnd(4));

	if (local && rnd(4) == 0)
		addr = family == AF_INET6 ? (rnd(2) ? me_global : me_link) : ip_map(ME4);
	if (!local && rnd(6) == 0)
		addr = family == AF_INET6 ? (rnd(2) ? IP6_ONE : me_global)
					  : ip_map(IP4(127, 0, 0, 1));
	if (!local && rnd(12) == 0)
		addr = family == AF_INET6 ? fuzz_ip("ff02::1:3") : ip_map(INADDR_BROADCAST);
	if (family == AF_INET && !ip_is_v4(addr))
		addr = ip_map(0);
	memset(a, 0, sizeof(*a));
	inet_put_addr(a, len, family, addr, port, 2);
	if (!local)
		((struct sockaddr_in *)a)->sin_port =
			be16((uint16_t)(chance(700) ? 80 + rnd(20) : rnd(65536)));
	if (chance(20))
		a->ss_family = AF_UNSPEC;
	if (chance(20))
		*len = rnd(*len + 1);
}

/* One that is free, or FILES. */
static unsigned app_free(void)
{
	unsigned k = 0;

	while (k < FILES && files[k])
		k++;
	return k;
}
static void app_pair(void)
{
	struct file *pair[2];

	if (socket_pair(AF_UNIX,
		    (int)PICK(SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW) | SOCK_NONBLOCK, 0,
		    pair))
		return;
	for (unsigned i = 0, k; i < 2; i++) {
		k = app_free();
		if (k < FILES)
			files[k] = pair[i];
		else
			file_put(pair[i]);
	}
}

static void app_open(unsigned k)
{
	static const int kinds[][3] = { { AF_INET, SOCK_STREAM, 0 }, { AF_INET, SOCK_STREAM, 0 },
		{ AF_INET6, SOCK_STREAM, 0 }, { AF_INET, SOCK_DGRAM, 0 },
		{ AF_INET6, SOCK_DGRAM, 0 }, { AF_INET, SOCK_RAW, IPPROTO_ICMP },
		{ AF_INET6, SOCK_RAW, IPPROTO_ICMPV6 }, { AF_INET, SOCK_DGRAM, IPPROTO_ICMP },
		{ AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6 }, { AF_INET, SOCK_RAW, IPPROTO_TCP },
		{ AF_INET, SOCK_RAW, 255 }, { AF_NETLINK, SOCK_RAW, NETLINK_ROUTE },
		{ AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG }, { AF_UNIX, SOCK_STREAM, 0 },
		{ AF_UNIX, SOCK_DGRAM, 0 }, { AF_UNIX, SOCK_SEQPACKET, 0 },
		{ AF_INET, SOCK_STREAM, 0 }, { AF_INET, SOCK_DGRAM, 0 } };
	const int *kind = kinds[rnd(ARRAY_SIZE(kinds))];
	struct file *f;
	struct sockaddr_storage a;
	uint32_t len;

	if (kind[0] == AF_UNIX && rnd(2)) {
		app_pair();
		return;
	}
	f = socket_create(kind[0], kind[1] | SOCK_NONBLOCK, kind[2]);
	if (IS_ERR(f))
		return;
	files[k] = f;
	if (kind[0] == AF_NETLINK || kind[0] == AF_UNIX)
		return;
	if (rnd(2) == 0) {
		int one = 1;

		socket_setopt(f, SOL_SOCKET, rnd(2) ? SO_REUSEADDR : SO_REUSEPORT, &one, 4);
		if (kind[1] == SOCK_DGRAM && rnd(2))
			socket_setopt(f, kind[0] == AF_INET ? SOL_IP : SOL_IPV6,
				kind[0] == AF_INET ? IP_RECVERR : IPV6_RECVERR, &one, 4);
	}
	if (rnd(4)) {
		app_address(&a, &len, kind[0], true);
		socket_bind(f, &a, len, NULL);
		if (kind[1] == SOCK_STREAM && rnd(4))
			socket_listen(f, (int)PICK(0, 1, 5, 128));
	} else {
		app_address(&a, &len, kind[0], false);
		socket_connect(f, &a, len, NULL);
	}
}

static void app_accept(struct file *l)
{
	struct sockaddr_storage a;
	uint32_t len = sizeof(a);
	unsigned k = app_free();
	struct file *f;

	if (k == FILES)
		return;
	f = socket_accept(l, SOCK_NONBLOCK, rnd(2) ? &a : NULL, &len);
	if (!IS_ERR(f))
		files[k] = f;
}

static size_t app_control(uint8_t *c)
{
	size_t n = 0;

	for (unsigned k = rnd(3); k; k--) {
		struct cmsghdr h = { .cmsg_len = sizeof(h) + PICK(4, 4, 12, 20, 1),
			.cmsg_level = (int)PICK(SOL_IP, SOL_IPV6, SOL_SOCKET, SOL_UDP),
			.cmsg_type = (int)PICK(IP_TTL, IP_TOS, IP_PKTINFO, IPV6_PKTINFO,
				IPV6_HOPLIMIT, IPV6_TCLASS, IPV6_DONTFRAG, rnd(80), UDP_SEGMENT) };

		memset(c + n, 0, 64);
		if (chance(50))
			h.cmsg_len = rnd(100);
		if (h.cmsg_type == UDP_SEGMENT && rnd(4)) {
			h.cmsg_level = SOL_UDP;
			h.cmsg_len = sizeof(h) + 2;
			put_be16(c + n + sizeof(h), be16((uint16_t)PICK(1, 100, 500, 1000, 1472)));
		}
		memcpy(c + n, &h, sizeof(h));
		if (h.cmsg_level != SOL_UDP)
			c[n + sizeof(h)] = (uint8_t)PICK(0, 1, 2, 64, 255);
		n += CMSG_ALIGN(MIN(h.cmsg_len, 48ul));
	}
	return n;
}
static void app_send(struct file *f)
{
	struct socket *s = f->private;
	uint8_t control[300];
	struct iter it;
	struct socket_message m = { .data = &it,
		.flags = MSG_NOSIGNAL | MSG_DONTWAIT |
			 (chance(100) ? PICK(MSG_OOB, MSG_MORE, MSG_DONTROUTE, MSG_EOR) : 0),
		.control = control };
	size_t n = PICK(0, 1, 100, 1000, 1472, 5000, 20000, 65507);

	if (rnd(3) == 0)
		m.control_len = app_control(control);
	if (s->type != SOCK_STREAM && rnd(3))
		app_address(&m.name, &m.name_len, s->family, false);
	if (s->type == SOCK_RAW && rnd(2)) /* with a header of its own, perhaps */
		app_bytes[0] = 0x45;
	iter_init_one(&it, app_bytes, n, false);
	socket_send(f, &m, NULL);
}
/* write(2), writev by reference as sendfile does, MSG_ZEROCOPY; read(2) and read by reference. */
static void app_moves_bytes(struct file *f)
{
	struct piece p[PIECES_MAX];
	size_t n = PICK(0, 1, 100, 1400, 5000, 30000);
	struct iter it;
	int64_t at = 0;
	int count;

	switch (rnd(6)) {
	case 0:
		iter_init_one(&it, app_bytes, n, false);
		f->ops->write(f, &it, &at);
		break;
	case 1: env_write_lent(f, app_bytes, n, rnd(2) ? PIECES_MORE : 0); break;
	case 2: f->ops->write_pieces(f, p, 0, PIECES_NONBLOCK); break;
	case 3:
		if (n && n + 4096 < sizeof(app_bytes))
			env_write_pinned(f, app_bytes + rnd(4096), n);
		break;
	case 4:
		iter_init_one(&it, app_bytes, n, false);
		f->ops->read(f, &it, &at);
		break;
	default:
		count = f->ops->read_pieces ? f->ops->read_pieces(f, p, 1 + rnd(PIECES_MAX), n, &at)
					    : 0;
		if (count > 0)
			pieces_put(p, (unsigned)count);
	}
}
static void app_asks(struct file *f)
{
	struct stat st;
	char text[100];

	f->ops->stat(f, &st);
	if (f->ops->describe)
		f->ops->describe(f, text, sizeof(text));
	socket_error(f);
	if (chance(200))
		socket_note_error(f, (int)PICK(1, 32, 104));
}
static void app_receive(struct file *f)
{
	uint8_t control[200];
	struct iter it;
	struct socket_message m = { .data = &it,
		.flags = MSG_DONTWAIT | (chance(200) ? PICK(MSG_PEEK, MSG_OOB, MSG_ERRQUEUE,
							       MSG_TRUNC, MSG_WAITALL)
						     : 0),
		.control = control,
		.control_len = sizeof(control) };

	iter_init_one(&it, app_bytes, PICK(0, 1, 100, 2000, 65536), false);
	socket_recv(f, &m);
	CHECK(m.control_used <= sizeof(control));
	CHECK(m.name_len <= sizeof(m.name));
}

static void put_group6(uint8_t *val)
{
	struct ip_addr group = fuzz_ip("ff02::1:3");

	group.b[15] = (uint8_t)rnd(60); /* more than there is room for */
	memcpy(val, group.b, 16);
	val[16] = (uint8_t)PICK(0, 2, 2, 1, 9);
}
static void app_option(struct file *f)
{
	struct socket *s = f->private;
	int level = (int)PICK(SOL_SOCKET, s->family == AF_INET ? SOL_IP : SOL_IPV6,
		s->protocol == IPPROTO_TCP ? SOL_TCP : SOL_IP, rnd(4) ? SOL_SOCKET : SOL_UDP,
		rnd(4)	 ? SOL_SOCKET
		: rnd(2) ? 255
			 : 58);
	int name = (int)(rnd(3)		    ? rnd(80)
			 : level == SOL_TCP ? PICK(TCP_INFO, TCP_CONGESTION, TCP_CORK, TCP_MAXSEG,
						      TCP_USER_TIMEOUT, TCP_DEFER_ACCEPT,
						      TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_LINGER2)
			 : level == SOL_IP ? PICK(IP_RECVERR, IP_ADD_MEMBERSHIP, IP_PKTINFO, IP_TTL,
						     IP_ADD_SOURCE_MEMBERSHIP, IP_BLOCK_SOURCE,
						     IP_MTU_DISCOVER)
			 : level == SOL_UDP ? PICK(UDP_CORK, UDP_SEGMENT, UDP_GRO)
			 : level == SOL_SOCKET
				 ? PICK(SO_KEEPALIVE, SO_RCVBUF, SO_SNDBUF, SO_ZEROCOPY, SO_LINGER,
					   SO_TIMESTAMP)
				 : PICK(IPV6_RECVERR, IPV6_JOIN_GROUP, IPV6_RECVPKTINFO,
					   IPV6_RECVPATHMTU, IPV6_MTU_DISCOVER));
	uint8_t val[256];
	uint32_t len = PICK(4, 4, 4, 4, 1, 8, 16, 20, 0, 200);

	if (level == SOL_SOCKET && name == SO_ATTACH_FILTER)
		return; /* a pointer */
	memset(val, 0, sizeof(val));
	val[0] = (uint8_t)PICK(0, 1, 2, 3, 255);
	val[1] = (uint8_t)PICK(0, 0, 0, 4, 255);
	if (len >= 20) /* a group */
		put_group6(val);
	else if (len >= 8)
		memcpy(val, (uint8_t[]){ 224, 0, 0, 251, 10, 0, 0, 1 }, 8);
	if (level == SOL_SOCKET && name == SO_LINGER) { /* close sleeps, in virtual time */
		put_be32(val, be32(rnd(2)));
		put_be32(val + 4, be32(rnd(3)));
		len = 8;
	}
	if (level == SOL_IP && (name == IP_ADD_SOURCE_MEMBERSHIP || name == IP_BLOCK_SOURCE)) {
		memcpy(val, (uint8_t[]){ 224, 0, 0, 251, 10, 0, 0, 1, 10, 0, 0, 2 }, 12);
		val[11] = (uint8_t)rnd(20);
		name += (int)rnd(2); /* and the opposite */
		len = 12;
	}
	if (level == SOL_UDP && name == UDP_SEGMENT)
		put_be16(val, be16((uint16_t)PICK(0, 1, 500, 1472)));
	if (level == SOL_TCP && name == TCP_CONGESTION)
		memcpy(val, rnd(2) ? "reno" : "cubic", len = 5);
	if (rnd(3))
		socket_setopt(f, level, name, val, len);
	len = PICK(4, 4, 16, 256, 1, 0);
	socket_getopt(f, level, name, val, &len);
	CHECK(len <= sizeof(val));
}
static void app_ioctl(struct file *f)
{
	static uint8_t arg[64];

	memset(arg, 0, sizeof(arg));
	strcpy((char *)arg, rnd(2) ? "eth0" : "lo");
	f->ops->ioctl(f,
		PICK(FIONREAD, SIOCOUTQ, SIOCATMARK, SIOCGIFADDR, SIOCGIFINDEX, SIOCGIFMTU,
			SIOCGIFFLAGS, SIOCGIFHWADDR),
		(unsigned long)arg);
}

/* /proc/net, as cat reads it */
static size_t app_text;
static void app_print(struct net_text *t, const char *line)
{
	app_text += strlen(line);
}
static void app_looks(void)
{
	static void (*const show[])(struct net_text *) = { net_show_tcp, net_show_tcp6,
		net_show_udp, net_show_udp6, net_show_raw, net_show_raw6, net_show_dev,
		net_show_route, net_show_route6, net_show_arp, net_show_if_inet6 };
	struct net_text t = { app_print };

	show[rnd(ARRAY_SIZE(show))](&t);
}

/* Requests of netlink(7), sound or not. */
static void app_netlink(struct file *f)
{
	uint8_t b[300];
	unsigned n = 0;

	for (unsigned k = 1 + rnd(2); k; k--) {
		struct nlmsghdr h = { .nlmsg_len = sizeof(h) + PICK(0, 4, 12, 16, 28),
			.nlmsg_type = (uint16_t)(16 + rnd(20)),
			.nlmsg_flags = (uint16_t)(1 | PICK(0, 4, 0x300, 0x300, 0x100)) };

		memset(b + n, 0, 128);
		if (h.nlmsg_len >= 28) { /* an attribute */
			b[n + 28] = (uint8_t)PICK(8, 4, 20, 255);
			b[n + 30] = 1;
		}
		b[n + 16] = (uint8_t)PICK(0, AF_INET, AF_INET6);
		b[n + 20] = (uint8_t)rnd(4);
		if (chance(200))
			h.nlmsg_len = rnd(200);
		memcpy(b + n, &h, sizeof(h));
		n += 16 + 28;
	}
	if (chance(300))
		b[rnd(n)] = (uint8_t)rnd(256);
	env_write(f, b, chance(100) ? rnd(n) : n, MSG_DONTWAIT);
	for (unsigned k = rnd(4); k; k--)
		app_receive(f);
}

/* Requests of sock_diag(7): one socket or all, with a filter that may be anything. */
static void app_diag(struct file *f)
{
	struct {
		struct nlmsghdr h;
		union {
			struct inet_diag_req_v2 inet;
			struct unix_diag_req local;
		};
		struct rtattr a;
		uint8_t code[80];
	} q = { .h = { .nlmsg_type = (uint16_t)PICK(20, 20, 20, 20, 21, 18),
			.nlmsg_flags = (uint16_t)PICK(1, 5, 0x301, 0x301, 0x301, 0x305) } };
	unsigned n = sizeof(q.h) + sizeof(q.inet), code = 4 * (1 + rnd(18));

	q.inet = (struct inet_diag_req_v2){ .family = (uint8_t)PICK(
						    AF_INET, AF_INET, AF_INET6, AF_UNIX, 0, 255),
		.protocol = (uint8_t)PICK(6, 6, 17, 255, 1),
		.ext = (uint8_t)rnd(256),
		.states = rnd(2) ? ~0u : rnd(4096),
		.id.sport = rnd(4) ? 0 : be16(80),
		.id.cookie = { ~0u, ~0u } };
	if (q.inet.family == AF_UNIX)
		q.local = (struct unix_diag_req){ .family = AF_UNIX,
			.states = ~0u,
			.ino = rnd(2) ? 10000 + rnd(50) : 0,
			.show = rnd(256),
			.cookie = { ~0u, ~0u } };
	else if (rnd(2)) {
		q.a = (struct rtattr){ (uint16_t)(sizeof(q.a) + code), (uint16_t)PICK(1, 1, 1, 2) };
		for (unsigned k = 0; k + 8 <= sizeof(q.code); k += 4) {
			q.code[k] = (uint8_t)rnd(15);
			q.code[k + 1] = (uint8_t)PICK(4, 8, 8, 12, 20, 0, 3);
			q.code[k + 2] = (uint8_t)PICK(4, 8, 12, 80, 0, 255);
		}
		n += sizeof(q.a) + code;
	}
	if (chance(100))
		((uint8_t *)&q)[rnd(n)] ^= (uint8_t)(1u << rnd(8));
	q.h.nlmsg_len = chance(50) ? rnd(n + 20) : n;
	env_write(f, &q, n, MSG_DONTWAIT);
	for (unsigned k = rnd(4); k; k--)
		app_receive(f);
}

static void app_netlink_moves(struct file *f, struct socket *s)
{
	struct sockaddr_storage a = { .ss_family = AF_NETLINK };
	uint32_t len = sizeof(a);

	if (rnd(8) == 0) {
		env_poll(f);
		socket_getname(f, rnd(2), &a, &len);
		app_asks(f);
	} else if (rnd(8) == 0) {
		put_be32((uint8_t *)&a + 4, rnd(3));
		put_be32((uint8_t *)&a + 8, rnd(3) ? 0 : rnd(65536));
		len = PICK(12, 12, 12, 8, 2, 100);
		if (rnd(2))
			socket_bind(f, &a, len, NULL);
		else
			socket_connect(f, &a, len, NULL);
	} else if (s->protocol == NETLINK_SOCK_DIAG) {
		app_diag(f);
	} else {
		app_netlink(f);
	}
}
static void app_moves(void)
{
	unsigned k = rnd(FILES);
	struct file *f = files[k];
	struct socket *s = f ? f->private : NULL;
	struct sockaddr_storage a;
	uint32_t len;

	if (!f) {
		app_open(k);
		return;
	}
	if (s->family == AF_NETLINK) {
		if (chance(100))
			app_close(k);
		else
			app_netlink_moves(f, s);
		return;
	}
	if (rings[k].shared ? rnd(2)
			    : s->protocol == IPPROTO_UDP && s->type == SOCK_DGRAM && chance(60)) {
		rings_move(f, &rings[k], app_spoils);
		return;
	}
	switch (rnd(18)) {
	case 16: app_moves_bytes(f); break;
	case 17: app_asks(f); break;
	case 0:
	case 1:
	case 2: app_send(f); break;
	case 3:
	case 4:
	case 5: app_receive(f); break;
	case 6:
	case 7:
		if (s->listening)
			app_accept(f);
		else
			app_send(f);
		break;
	case 8: app_option(f); break;
	case 9: app_option(f); break;
	case 10:
		app_ioctl(f);
		if (rnd(4) == 0)
			app_looks();
		break;
	case 11:
		if (chance(300))
			socket_shutdown(f, (int)rnd(3));
		break;
	case 12:
		if (chance(300)) {
			app_address(&a, &len, s->family, false);
			socket_connect(f, &a, len, NULL);
		}
		break;
	case 13:
		env_poll(f);
		len = sizeof(a);
		socket_getname(f, rnd(2), &a, &len);
		break;
	case 14:
		if (s->family == AF_UNIX) {
			app_address(&a, &len, AF_UNIX, true);
			socket_bind(f, &a, len, NULL);
		}
		if (chance(300))
			socket_listen(f, (int)rnd(8));
		break;
	case 15:
		if (chance(400))
			app_close(k);
	}
}
static void app_closes_all(void)
{
	for (unsigned k = 0; k < FILES; k++)
		app_close(k);
}
#endif
