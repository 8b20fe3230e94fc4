/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to net/: sockets that receive whole packets: UDP, raw, ping. */
#pragma once

#include "net/inet.h"

struct dgram_target;
struct ip_quote;

struct dgram_sock {
	struct inet_sock i;
	/* guarded by the socket's lock; first is also looked at without it */
	struct packet *first, *last;
	struct packet *errors,
		*last_error; /* the error queue; errors is also looked at without it */
	uint32_t rx_bytes;   /* truesize of what is queued */
	uint32_t drops;	     /* atomic */
	uint64_t out;	     /* atomic: dgram_room.c */
	/* options of UDP; single words, read anywhere. 'joins' is all that sending heeds: 0: a
	 * message is a datagram */
	union {
		struct {
			uint16_t segment; /* UDP_SEGMENT: bytes, 0: what is sent is one datagram */
			bool corked;	  /* UDP_CORK */
			bool pending;	  /* cork is there; written under the lock */
		};
		uint32_t joins;
	};
	bool gro;	       /* UDP_GRO */
	struct udp_cork *cork; /* the datagram that is being made; guarded by the lock */
	/* IPV6_RECVPATHMTU: the news that waits, 0: none (looked at without the lock, too). */
	uint32_t path_mtu;
	struct ip_addr path_dst;
	/* Where its long datagrams went of late, hashed; atomic words. Two senders at a time may
	 * write one of them both: then one is forgotten. */
	uint32_t sent_to[8], sent_count;

	struct udp_rings *rings; /* atomic: NULL until a program asks for them, then for good */
};
static inline struct dgram_sock *dgram_sk(struct socket *s)
{
	return container_of(s, struct dgram_sock, i.s);
}
struct dgram_sock *dgram_create(const struct socket_ops *ops, int family, int type, int protocol);
void dgram_work(struct socket *s, struct packet *batch);
/* ICMP says so of what s sent; 'header': what of the quoted is not the program's. */
void dgram_icmp_error(struct socket *s, const struct ip_quote *q, unsigned header, int err,
	bool hard, uint32_t mtu);
void dgram_icmp(struct socket *s, int err, bool hard, uint32_t mtu); /* socket_ops.icmp */
/* A message to dst was too long for the path: for who wants to hear of it. */
void dgram_note_too_long(struct dgram_sock *d, const struct dgram_target *t);
/* IPV6_RECVPATHMTU: the news instead of a message. -EAGAIN: there is none. */
static inline bool dgram_path_news(struct socket *s)
{
	return unlikely(load_relaxed(&dgram_sk(s)->path_mtu));
}
ssize_t dgram_recv_path_mtu(struct socket *s, struct socket_message *m);
ssize_t dgram_recv_error(struct socket *s, struct socket_message *m);
/* A datagram to dst was long enough for a router to complain, and not many others were since. */
bool dgram_sent_long(const struct dgram_sock *d, struct ip_addr dst);
void dgram_take_error(struct dgram_sock *d, struct packet *p); /* lock held */
/* The oldest packet (its ownership passes unless MSG_PEEK, then with the lock held). */
struct packet *dgram_wait(struct socket *s, uint32_t flags, int *err);
/* Hands p's bytes and ancillary data to m and finishes what dgram_wait began. */
ssize_t dgram_finish(struct socket *s, struct packet *p, struct socket_message *m);
/* dgram_notes.c: the ancillary data that s has asked for. */
void dgram_put_notes(struct socket *s, const struct packet *p, struct socket_message *m);
void dgram_purge(struct dgram_sock *d);
int dgram_connect(struct socket *s, const struct sockaddr_storage *a, uint32_t len, bool nonblock,
	const struct path_context *c);
int dgram_shutdown(struct socket *s, int how);
uint32_t dgram_poll(struct socket *s);
long dgram_ioctl(struct socket *s, unsigned cmd, unsigned long arg);
void dgram_close(struct socket *s);
void dgram_destroy(struct socket *s);
int dgram_getopt(struct socket *s, int level, int name, void *val, uint32_t *len);
int dgram_setopt(struct socket *s, int level, int name, const void *val, uint32_t len);
/* Where a message goes and how: name, control data, socket options. */
struct dgram_target {
	struct ip_send how;
	struct route_cache route;
	uint16_t port;
	uint16_t segment; /* UDP: as dgram_sock's, or what the message says */
	bool group;	  /* how.dst is one */
};
/* ping.c: an identifier, for who has none; the socket's lock held. */
int ping_take_port(struct inet_sock *i);
int dgram_target(struct socket *s, const struct socket_message *m, struct dgram_target *t);
/* What the socket's options say of the headers. how->dst is set. */
void dgram_headers(const struct inet_sock *i, struct ip_send *how, bool group);
/* What they say of the path's MTU, if anything. */
static inline bool dgram_limits_path(const struct inet_sock *i, bool v4)
{
	return (v4 ? i->pmtudisc : i->v6.pmtudisc) >= IP_PMTUDISC_PROBE ||
	       (!v4 && i->v6.fragment_size);
}
void dgram_limit_path(const struct inet_sock *i, struct route_cache *r);
/* Copies n bytes of the message into a packet with headroom, behind 'header' spare bytes. ERR_PTR.
 */
struct packet *dgram_copy(struct socket_message *m, size_t n, size_t header);
/* The same, or a lent one if m->lent. With m->note. */
struct packet *dgram_packet(struct socket_message *m, size_t n, size_t header);
/*
 * dgram_room.c: what the socket has sent and a card has not. wait_room: a call sleeps until there
 * is room for one more message of any size. -EAGAIN, -EINTR, -ERESTARTSYS, the socket's error,
 * -EPIPE with the signal.
 */
#define OUT_WAITED (1ull << 63)
static inline uint32_t dgram_out(const struct dgram_sock *d)
{
	return (uint32_t)(load_relaxed(&d->out) & ~OUT_WAITED) - 1;
}
/* A hint: false while somebody else waits. */
static inline bool dgram_has_room(const struct dgram_sock *d)
{
	return load_relaxed(&d->out) <= load_relaxed(&d->i.s.sndbuf);
}
int dgram_wait_room(struct socket *s, const struct socket_message *m);
bool dgram_poll_room(struct dgram_sock *d);  /* false: it will be announced */
void dgram_buffer_changed(struct socket *s); /* SO_SNDBUF */
void dgram_free(struct dgram_sock *d);	     /* destroy's end: the memory, once all is sent */
void dgram_sent(struct packet *p);	     /* packet.free of what is charged */
/* Its memory, and what Linux has more of it: as many short ones fit into a buffer, 277 by default.
 */
#define DGRAM_LINUX_MORE 328u
static inline uint32_t dgram_charge_of(const struct packet *p)
{
	return DGRAM_LINUX_MORE +
	       (likely(!p->frags) ? (uint32_t)((size_t)(p->end - p->head) + sizeof(*p))
				  : pkt_truesize(p));
}
/* p, of packet_alloc, goes to a card. */
static inline void dgram_charge(struct dgram_sock *d, struct packet *p)
{
	p->owner = d;
	p->free = dgram_sent;
	atomic_add(&d->out, (uint64_t)dgram_charge_of(p));
}
/* Sends a list of them, and a copy to ourselves where groups and broadcasts ask for it. */
int dgram_output(struct inet_sock *i, struct packet *p, const struct dgram_target *t);
