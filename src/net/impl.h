/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to net/: sockets, packets on their way up, IP configuration.
 *
 * Locks. Each socket has one sleeping mutex; there is none around the stack. Order:
 *	listener's lock > connection's lock? never both, but for making a child nobody knows yet
 *	socket lock > accept queue lock > table bucket lock; socket lock > neighbour lock
 * Nothing below a socket lock takes another socket's lock: packets for other sockets are queued.
 *
 * A packet's way up: driver thread -> net_rx -> ip_input -> lookup -> socket_deliver, which
 * appends to the socket's channel (lock-free) and leaves. Whoever gets or holds the socket's lock
 * works the channel off: the thread in a socket call, or, if there is none, the network thread in
 * socket_kick. No packet is left behind: deliver pushes, then tries the lock; a holder looks at
 * the channel again after it has unlocked (both sides sequentially consistent).
 *
 * Wake-ups are collected in socket->wake while the lock is held and done once, after unlocking.
 */
#pragma once

#include "abi/errno.h"
#include "abi/net.h"
#include "abi/socket.h"
#include "cpu/barrier.h"
#include "drivers/netdev.h"
#include "lib/bug.h"
#include "lib/hash.h"
#include "lib/list.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "net/net.h"
#include "sched/clock.h"
#include "sched/mutex.h"
#include "sched/timer.h"
#include "sched/wait.h"

/* ---- packets ---- */

#define ENOIOCTLCMD 515 /* stays inside: try the next handler */

#define TX_HEADROOM (NETDEV_HEADROOM + 96) /* device, Ethernet, IP with options, TCP */

enum { PKT_BROADCAST = 1, PKT_MULTICAST = 2, PKT_LOOPBACK = 4 };

/* packet->cb while the packet is inside the stack. Ports host order, addresses network order. */
struct pkt_cb {
	uint32_t src, dst;
	uint16_t sport, dport;
	uint8_t ttl, tos, protocol, flags;
	uint16_t ifindex;
	uint16_t ip_len;       /* IP header length; it lies in front of data */
	uint32_t seq, end_seq; /* TCP, of the payload */
	uint32_t truesize;     /* memory it pins */
	uint64_t time;	       /* realtime ns of arrival */
	uint16_t mss;	       /* payload per wire segment when merged */
	uint16_t pad;
	uint32_t icmp_error;
	uint32_t spare;
};
_Static_assert(sizeof(struct pkt_cb) <= 64, "fits packet->cb");

static inline struct pkt_cb *pkt_cb(struct packet *p)
{
	return (struct pkt_cb *)p->cb;
}
static inline void *pkt_tail(const struct packet *p)
{
	return p->data + p->len;
}
static inline size_t pkt_tailroom(const struct packet *p)
{
	return (size_t)(p->end - (p->data + p->len));
}
size_t pkt_total(const struct packet *p);
uint32_t pkt_truesize(const struct packet *p);
/* Cuts n bytes off the front (frags included), or everything behind the first n. */
void pkt_trim_front(struct packet *p, size_t n);
void pkt_truncate(struct packet *p, size_t n);
/* Bytes [off, off+n) of the chain. Returns what was copied. */
size_t pkt_copy_to_iter(const struct packet *p, size_t off, struct iter *to, size_t n);
void pkt_copy_out(const struct packet *p, size_t off, void *to, size_t n);
/* Makes sure that the first n bytes are in the first piece. False: the chain is shorter. */
bool pkt_pull_up(struct packet *p, size_t n);
/* A single-piece copy of the chain with headroom; NULL: no memory. */
struct packet *pkt_linearise(const struct packet *p, size_t headroom);
void pkt_free_list(struct packet *list);

/* Internet checksum (RFC 1071): partial sums are folded late. */
uint32_t csum_add(uint32_t sum, const void *data, size_t n); /* n even unless it is the last */
uint16_t csum_fold(uint32_t sum);
uint32_t csum_pseudo(uint32_t src, uint32_t dst, uint8_t protocol, uint32_t len);
uint32_t csum_packet(uint32_t sum, const struct packet *p);

/* ---- sockets of every family ---- */

struct socket;
struct poll_table;

struct socket_ops {
	int (*bind)(struct socket *s, const struct sockaddr_storage *a, uint32_t len,
		const struct path_context *c);
	int (*connect)(struct socket *s, const struct sockaddr_storage *a, uint32_t len,
		bool nonblock, const struct path_context *c);
	int (*listen)(struct socket *s, int backlog);
	struct socket *(*accept)(struct socket *s, bool nonblock); /* ERR_PTR; with a reference */
	int (*getname)(struct socket *s, bool peer, struct sockaddr_storage *a, uint32_t *len);
	ssize_t (*send)(struct socket *s, struct socket_message *m, const struct path_context *c);
	ssize_t (*recv)(struct socket *s, struct socket_message *m);
	int (*shutdown)(struct socket *s, int how);
	int (*getopt)(struct socket *s, int level, int name, void *val, uint32_t *len);
	int (*setopt)(struct socket *s, int level, int name, const void *val, uint32_t len);
	uint32_t (*poll)(struct socket *s); /* no lock held */
	long (*ioctl)(
		struct socket *s, unsigned cmd, unsigned long arg); /* -ENOIOCTLCMD: not mine */
	void (*close)(struct socket *s);		      /* the file is gone; may linger */
	void (*work)(struct socket *s, struct packet *batch); /* lock held: channel, oldest first */
	void (*timer)(struct socket *s);		      /* lock held: the timer has fired */
	void (*icmp)(struct socket *s, int err, bool hard, uint32_t mtu); /* lock held */
	void (*destroy)(struct socket *s);	  /* last reference; frees */
	void (*buffer_changed)(struct socket *s); /* SO_RCVBUF/SNDBUF; may be NULL */
};

enum { SHUT_RCV = 1, SHUT_SND = 2 };
enum { DEFER_TIMER = 1, DEFER_ICMP = 2 };

struct socket {
	/* fixed */
	const struct socket_ops *ops;
	uint16_t family, protocol;
	uint8_t type;
	uint64_t inode;

	/* atomic */
	uint32_t refs;
	uint32_t deferred;	/* DEFER_*: work for the holder of the lock */
	struct packet *channel; /* newest first, linked by next */
	struct socket *grave_next;
	uint32_t channel_bytes;
	int32_t error; /* SO_ERROR: positive errno */
	uint64_t
		icmp; /* an ICMP error for the holder of the lock: mtu << 32 | hard << 16 | errno */
	uint8_t nospace; /* a writer waits for room: tell it */

	struct mutex lock; /* guards what follows, and the protocol's part */
	uint32_t wake;	   /* POLL* events to announce when the lock is released */
	uint8_t shut;	   /* SHUT_*; read without the lock by poll */
	bool detached;	   /* no file any more */
	bool listening;	   /* read without the lock */

	/* options; single words, read anywhere */
	uint64_t rcvtimeo, sndtimeo; /* ns, 0: for ever */
	uint32_t rcvbuf, sndbuf;
	bool rcvbuf_locked, sndbuf_locked;
	uint32_t rcvlowat, priority, mark;
	int32_t bound_if;
	bool reuseaddr, reuseport, keepalive, broadcast, oobinline, passcred, timestamp,
		timestampns, linger_on, debug, dontroute, rxq_ovfl, no_check;
	uint32_t linger; /* seconds */
	int32_t peek_off;

	struct wait_queue wait;
	struct file *file; /* while attached; guarded by lock */
};

void socket_setup(
	struct socket *s, const struct socket_ops *ops, int family, int type, int protocol);
static inline void socket_get(struct socket *s)
{
	atomic_add(&s->refs, 1);
}
bool socket_get_live(struct socket *s); /* false when the last reference is already gone */
void socket_put(struct socket *s);
void socket_put_in_timer(struct socket *s); /* from a timer's callback: frees elsewhere */
void socket_lock(struct socket *s);
void socket_unlock(struct socket *s);
/* Ownership of p passes. The caller kicks afterwards (once for a run of packets). */
void socket_deliver(struct socket *s, struct packet *p);
void socket_kick(struct socket *s);
void socket_defer(struct socket *s, uint32_t what);		      /* then socket_kick */
void socket_icmp(struct socket *s, int err, bool hard, uint32_t mtu); /* kicks */
static inline void socket_wake(struct socket *s, uint32_t events)     /* lock held */
{
	s->wake |= events;
}
void socket_set_error(struct socket *s, int err); /* positive errno; lock held */
int socket_take_error(struct socket *s);	  /* 0 or -errno, cleared */
/* Sleeping in a call, lock not held. */
static inline uint64_t socket_deadline(uint64_t timeout)
{
	return timeout ? clock_now() + timeout : WAIT_FOREVER;
}
/* What an interrupted or timed-out call returns, from wait_event's result. */
int socket_wait_error(int err, uint64_t timeout);
bool socket_nonblocking(const struct socket *s, uint32_t flags); /* MSG_DONTWAIT or O_NONBLOCK */
/* Wraps a socket (its reference passes) into a file. ERR_PTR: the socket is put. */
struct file *socket_file(struct socket *s, uint32_t flags);
struct socket *file_socket(struct file *f); /* f is a socket */
bool file_is_socket(struct file *f);
ssize_t socket_sigpipe(const struct socket_message *m); /* -EPIPE, with the signal if wanted */

struct socket *inet_create(int type, int protocol);
struct socket *unix_create(int type);
int unix_pair(int type, struct socket *out[2]);
struct socket *netlink_create(int type, int protocol);

/* Ancillary data for recvmsg; sets MSG_CTRUNC when there is no room. */
void cmsg_put(struct socket_message *m, int level, int type, const void *data, size_t len);
void cmsg_put_timestamp(struct socket *s, struct socket_message *m, uint64_t realtime);
/* Option values. */
int opt_get_int(const void *val, uint32_t len, int *out);
int opt_put(void *val, uint32_t *len, const void *from, uint32_t n);
int opt_put_int(void *val, uint32_t *len, int v);
int socket_getopt_common(struct socket *s, int name, void *val, uint32_t *len);
int socket_setopt_common(struct socket *s, int name, const void *val, uint32_t len);
long netif_ioctl(unsigned cmd, unsigned long arg);

/* ---- the whole stack's state (one per machine; the host simulator has several) ---- */

#define NEIGH_COUNT  256
#define BIND_BUCKETS 256
#define FRAG_BUCKETS 16

struct net_addr {
	struct netdev *dev;
	uint32_t addr, mask, broadcast;
	uint8_t prefix;
};
struct route {
	uint32_t dst, mask, gateway, src;
	struct netdev *dev;
	uint8_t prefix, protocol, scope;
	uint32_t metric;
};
/* Immutable once published; replaced as a whole. Old ones are kept: changes come with leases. */
struct net_config {
	const struct net_config *older;
	unsigned addr_count, route_count;
	struct net_addr addr[16];
	struct route route[48];
};

struct inet_bucket {
	struct mutex lock;
	struct list_node head;
};

struct neigh {
	uint32_t ip;	 /* atomic */
	uint32_t change; /* atomic: odd while ip and mac change (a seqlock) */
	uint64_t mac;	 /* atomic: bit 63 valid, 47..0 the address in network order */
	/* guarded by net_state.neigh_lock */
	struct netdev *dev;
	uint64_t confirmed, next_probe;
	unsigned probes;
	struct packet *pending, **pending_tail;
	unsigned pending_count;
};

struct frag_queue;
struct net_state {
	const struct net_config *config; /* atomic */
	uint32_t config_generation;	 /* atomic */
	struct mutex config_lock;	 /* writers of config */

	struct netdev lo;
	struct packet *lo_queue; /* atomic, newest first */
	uint32_t lo_busy;	 /* atomic: somebody works the queue off */

	struct inet_bucket *tcp_conn, *tcp_listen, *tcp_bind, *udp_bind;
	unsigned conn_mask;
	struct inet_bucket raw;
	uint32_t tcp_time_wait; /* atomic: how many */
	uint64_t tcp_bytes;	/* atomic: in the queues of all connections */
	uint64_t tcp_bytes_max;
	uint32_t ip_id, buffer_max, time_wait_max;
	struct hash_key hash_key, isn_key;
	uint64_t cookie_time; /* atomic: when the last SYN cookie was sent, 0: never */
	struct mutex cookie_lock;
	struct hash_key cookie_key[2]; /* of this minute and the last, by the minute's parity */
	uint64_t cookie_minute;

	struct mutex neigh_lock;
	struct neigh *neigh;
	struct timer neigh_timer;
	bool neigh_timer_on;

	struct mutex frag_lock;
	struct list_node frags; /* struct frag_queue, oldest first */
	size_t frag_bytes;
	struct timer frag_timer;
	bool frag_timer_on;

	uint64_t icmp_tokens_time; /* rate limit, atomic */
	struct wait_queue configured_wait;
	uint32_t configured;	  /* atomic: 0 not yet, 1 an address or given up */
	struct socket *graveyard; /* atomic */
	struct thread *thread;	  /* the network thread */
	uint32_t thread_work;	  /* atomic */
	char hostname[64], resolv[512];
};
#ifdef SKIFF_HOST
extern struct net_state *host_net; /* the simulator switches between stacks */
static inline struct net_state *the_net(void)
{
	return host_net;
}
#else
extern struct net_state net_state;
static inline struct net_state *the_net(void)
{
	return &net_state;
}
#endif

uint64_t net_random(void);
/* Runs what loopback has queued; called with no socket lock held. */
void lo_run(void);
void net_thread_kick(void);
bool net_thread_work(void); /* what the network thread does when kicked; false: nothing was due */
int netif_add_address(struct netdev *dev, uint32_t addr, unsigned prefix);
int netif_remove_addresses(struct netdev *dev);
int route_add(uint32_t dst, unsigned prefix, uint32_t gateway, struct netdev *dev, uint32_t metric,
	uint8_t protocol);
struct netdev *netdev_by_index(int index);
struct netdev *netdev_by_name(const char *name);
struct netdev *netdev_next(struct netdev *dev); /* NULL: first (lo); NULL after the last */
const struct net_addr *net_addr_of(const struct net_config *c, const struct netdev *dev);
static inline const struct net_config *net_config(void)
{
	return load_acquire(&the_net()->config);
}

/* ---- IP ---- */

#define INADDR_ANY	 0u
#define INADDR_BROADCAST 0xffffffffu
static inline bool ip_is_loopback(uint32_t a)
{
	return (a & 0xff) == 127;
}
static inline bool ip_is_multicast(uint32_t a)
{
	return (a & 0xf0) == 0xe0;
}
#define IP4(a, b, c, d)                                                                            \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

/* The way to a destination, kept by sockets; valid while generation is the current one. */
struct route_cache {
	uint32_t generation; /* 0: none */
	uint32_t dst, src;   /* src: preferred */
	uint32_t next_hop;
	struct netdev *dev;
	uint32_t mtu;
	bool broadcast, local;
};
/* 0 or -ENETUNREACH. bound_if 0: any. */
int route_lookup(uint32_t dst, uint32_t src, int bound_if, struct route_cache *out);
static inline bool route_valid(const struct route_cache *r, uint32_t dst)
{
	return r->generation == load_relaxed(&the_net()->config_generation) && r->dst == dst &&
	       r->generation != 0;
}
enum ip_local_kind { IP_NOT_LOCAL, IP_LOCAL, IP_LOCAL_BROADCAST, IP_LOCAL_MULTICAST };
enum ip_local_kind ip_local_kind(uint32_t addr);

struct ip_send {
	uint32_t src, dst;
	uint8_t protocol, ttl, tos;
	bool dont_fragment;
};
/* p->data is at the transport header. Ownership passes. -EMSGSIZE, -ENOBUFS, -ENETUNREACH. */
int ip_output(struct packet *p, const struct ip_send *how, const struct route_cache *route);
/* One run of received packets: a socket is kicked once for neighbouring packets that it gets. */
struct rx {
	struct netdev *dev;
	struct socket *pending; /* referenced: has packets, not kicked yet */
};
void rx_to_socket(
	struct rx *rx, struct socket *s, struct packet *p); /* consumes a reference to s */
void rx_flush(struct rx *rx);
void net_rx(struct netdev *dev, struct packet *batch);
void ip_input(struct rx *rx, struct packet *p); /* data at the IP header */
/* The whole packet (header as of the first fragment), or NULL: not complete yet, or dropped. */
struct packet *ip_reassemble(struct packet *p);
void ip_frag_init(void);
void csum_finish(struct packet *p); /* computes what PACKET_CSUM_PARTIAL left open */

void icmp_input(struct rx *rx, struct packet *p);
/* p: the packet complained about, not consumed. */
void icmp_send_error(struct packet *p, uint8_t type, uint8_t code, uint32_t info);
/* From icmp_input: an error about one of our packets. quoted: its IP header, len bytes of it. */
void tcp_icmp_error(const struct ip_header *quoted, size_t len, int err, bool hard, uint32_t mtu);
void udp_icmp_error(const struct ip_header *quoted, size_t len, int err, bool hard, uint32_t mtu);

void arp_init(void);
void arp_input(struct netdev *dev, struct packet *p); /* data at the ARP header */
/* p->data at the IP header; ownership passes. */
int arp_output(struct netdev *dev, struct packet *p, uint32_t next_hop);
void arp_announce(struct netdev *dev, uint32_t addr);
int eth_output(struct netdev *dev, struct packet *p, const uint8_t *dst, uint16_t type);

/* ---- AF_INET sockets ---- */

struct inet_sock {
	struct socket s;
	struct list_node bind_link; /* guarded by the bucket's lock, with lport, explicit_port */
	struct inet_bucket *bind_bucket;
	uint32_t laddr, raddr; /* network order, 0: any */
	uint16_t lport, rport; /* host order, 0: none */
	bool explicit_port;    /* bound by bind(2), not by connect or send */
	struct route_cache route;
	uint8_t ttl, tos, mcast_ttl, pmtudisc;
	bool pktinfo, recvttl, recvtos, recverr, recvorigdst, freebind, mcast_loop, mcast_all,
		hdrincl, bind_no_port;
	uint32_t mcast_addr;
	int32_t mcast_if;
	uint32_t groups[16];
	unsigned group_count;
	uint64_t icmp_filter;
};
static inline struct inet_sock *inet_sk(struct socket *s)
{
	return container_of(s, struct inet_sock, s);
}

void inet_setup(struct inet_sock *i);
/* Takes a local port. port 0: any free one. -EADDRINUSE, -EADDRNOTAVAIL, -EACCES. */
int inet_bind_port(struct inet_sock *i, struct inet_bucket *table, uint32_t addr, uint16_t port);
/* A child shares its listener's port. */
void inet_share_port(struct inet_sock *i, struct inet_bucket *table);
void inet_unbind(struct inet_sock *i);
int inet_check_bind(struct inet_sock *i, const struct sockaddr_storage *a, uint32_t len,
	uint32_t *addr, uint16_t *port);
int inet_getname(struct socket *s, bool peer, struct sockaddr_storage *a, uint32_t *len);
int inet_getopt(struct inet_sock *i, int name, void *val, uint32_t *len);
int inet_setopt(struct inet_sock *i, int name, const void *val, uint32_t len);
int inet_route(struct inet_sock *i, uint32_t dst, struct route_cache *out);
void inet_addr(struct sockaddr_storage *a, uint32_t *len, uint32_t addr, uint16_t port);
bool inet_in_group(const struct inet_sock *i, uint32_t group);
uint16_t inet_ephemeral(unsigned *count); /* a random first candidate, and how many there are */
uint16_t inet_ephemeral_next(uint16_t port);
static inline struct inet_bucket *inet_port_bucket(struct inet_bucket *table, uint16_t port)
{
	return &table[(port ^ port >> 8) & (BIND_BUCKETS - 1)];
}
struct inet_bucket *inet_table_create(unsigned n);

/* Sockets that receive whole packets: UDP, raw, ping. */
struct dgram_sock {
	struct inet_sock i;
	/* guarded by the socket's lock; first is also looked at without it */
	struct packet *first, *last;
	uint32_t rx_bytes; /* truesize of what is queued */
	uint32_t drops;	   /* atomic */
};
static inline struct dgram_sock *dgram_sk(struct socket *s)
{
	return container_of(s, struct dgram_sock, i.s);
}
struct dgram_sock *dgram_create(const struct socket_ops *ops, int type, int protocol);
void dgram_work(struct socket *s, struct packet *batch);
/* The oldest packet (its ownership passes unless MSG_PEEK, then with the lock held). */
struct packet *dgram_wait(struct socket *s, uint32_t flags, int *err);
/* Hands p's bytes and ancillary data to m and finishes what dgram_wait began. */
ssize_t dgram_finish(struct socket *s, struct packet *p, struct socket_message *m);
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
};
int dgram_target(struct socket *s, const struct socket_message *m, struct dgram_target *t);
/* Copies the message into a packet with headroom, behind 'header' spare bytes. ERR_PTR. */
struct packet *dgram_copy(struct socket_message *m, size_t header);
/* Sends p, and a copy to ourselves where groups and broadcasts ask for it. */
int dgram_output(struct inet_sock *i, struct packet *p, const struct dgram_target *t);

void udp_init(void);
struct socket *udp_create(void);
void udp_input(struct rx *rx, struct packet *p); /* data at the UDP header */
void raw_init(void);
struct socket *raw_create(int protocol);
struct socket *ping_create(void);
bool raw_input(struct rx *rx, struct packet *p); /* copies for raw sockets; true if there was one */
void tcp_init(void);
/* Connections to others that were closed but not acknowledged to the end yet. */
unsigned tcp_closing_count(void);
struct socket *tcp_create(void);
void tcp_input(struct rx *rx, struct packet *p); /* data at the TCP header */

void net_config_device(struct netdev *dev);
void dhcp_start(struct netdev *dev);
void dhcp_stop(void);
void net_set_configured(void);
void net_publish_names(const uint32_t *dns, unsigned count, const char *domain, const char *search);
