/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to net/: sockets, packets on their way up, IP configuration.
 *
 * Locks. Each socket has one sleeping mutex; there is none around the stack. Order:
 *	listener's lock > connection's lock? never both, but for making a child nobody knows yet
 *	socket lock > accept queue lock > table bucket lock; socket lock > neighbour lock
 * Nothing below a socket lock takes another socket's lock: packets for other sockets are queued.
 *
 * A packet's way up: driver thread -> net_rx -> ip_input -> flow.h -> channel.h, which says in
 * whose thread the protocol runs. Always under the socket's lock; who holds it looks at the
 * channel again after it has unlocked, who pushes tries the lock after that, if the packet cannot
 * wait (both sides sequentially consistent).
 *
 * Wake-ups are collected in socket->wake while the lock is held and done once, after unlocking.
 */
#pragma once

#include "abi/errno.h"
#include "abi/net.h"
#include "abi/socket.h"
#include "cpu/barrier.h"
#include "cpu/percpu.h"
#include "drivers/netdev.h"
#include "lib/bug.h"
#include "lib/hash.h"
#include "lib/list.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "net/addr.h"
#include "net/channel.h"
#include "net/flow.h"
#include "net/net.h"
#include "sched/clock.h"
#include "sched/mutex.h"
#include "sched/rcu.h"
#include "sched/timer.h"
#include "sched/wait.h"

/* ---- packets ---- */

#define ENOIOCTLCMD 515 /* stays inside: try the next handler */

/* Device, Ethernet, IP with options or a fragment header, TCP. */
#define TX_HEADROOM (NETDEV_HEADROOM + 96)

enum { PKT_BROADCAST = 1, PKT_MULTICAST = 2, PKT_LOOPBACK = 4, PKT_ERROR = 8, PKT_COPIED = 16 };

/* packet->cb while the packet is inside the stack. Ports host order. */
struct pkt_cb {
	struct ip_addr src, dst;
	uint16_t sport, dport;
	uint8_t ttl, tos, protocol, flags;
	uint16_t ifindex;
	uint16_t ip_len;       /* of the IP headers; they lie in front of data */
	uint32_t seq, end_seq; /* TCP, of the payload */
	uint32_t truesize;     /* memory it pins */
	union {
		uint64_t time;	/* datagrams: realtime ns of arrival */
		uint32_t spare; /* TCP: it gathers small pieces */
	};
};
_Static_assert(sizeof(struct pkt_cb) <= 64, "fits packet->cb");
/*
 * A packet with PKT_ERROR is on its way to a socket's error queue: a datagram of ours as far as an
 * ICMP error quotes it. dst, dport: where it went; src: who complains; ttl, tos: type and code;
 * seq: the errno; end_seq: the MTU.
 */

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
size_t pkt_total_frags(const struct packet *p);
static inline size_t pkt_total(const struct packet *p)
{
	return likely(!p->frags) ? p->len : pkt_total_frags(p);
}
uint32_t pkt_truesize(const struct packet *p);
/* Cuts n bytes off the front (frags included), or everything behind the first n. */
void pkt_trim_front(struct packet *p, size_t n);
void pkt_truncate(struct packet *p, size_t n);
/* Bytes [off, off+n) of the chain. Returns what was copied. */
size_t pkt_copy_to_iter(const struct packet *p, size_t off, struct iter *to, size_t n);
void pkt_copy_out(const struct packet *p, size_t off, void *to, size_t n);
/* Makes sure that the first n bytes are in the first piece. False: the chain is shorter. */
bool pkt_pull_up_frags(struct packet *p, size_t n);
static inline bool pkt_pull_up(struct packet *p, size_t n)
{
	return likely(p->len >= n) || pkt_pull_up_frags(p, n);
}
/* A single-piece copy of the chain with headroom; NULL: no memory. */
struct packet *pkt_linearise(const struct packet *p, size_t headroom);
/*
 * Cuts p, whose ownership passes, into packets of 'step' bytes of its data, the last may be
 * shorter: a list, in order. They refer to p's bytes. What there is no memory for is left out.
 */
struct packet *pkt_cut(struct packet *p, size_t step);
void pkt_free_list(struct packet *list);

/* Internet checksum (RFC 1071): partial sums are folded late. */
uint32_t csum_add(uint32_t sum, const void *data, size_t n); /* n even unless it is the last */
uint16_t csum_fold(uint32_t sum);
uint32_t csum_pseudo(uint32_t src, uint32_t dst, uint8_t protocol, uint32_t len);
uint32_t csum_pseudo6(struct ip_addr src, struct ip_addr dst, uint8_t protocol, uint32_t len);
static inline uint32_t csum_pseudo_ip(
	struct ip_addr src, struct ip_addr dst, uint8_t protocol, uint32_t len)
{
	return ip_is_v4(dst) ? csum_pseudo(ip_v4(src), ip_v4(dst), protocol, len)
			     : csum_pseudo6(src, dst, protocol, len);
}
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
	ssize_t (*recv_error)(struct socket *s, struct socket_message *m); /* MSG_ERRQUEUE */
	int (*shutdown)(struct socket *s, int how);
	int (*getopt)(struct socket *s, int level, int name, void *val, uint32_t *len);
	int (*setopt)(struct socket *s, int level, int name, const void *val, uint32_t len);
	uint32_t (*poll)(struct socket *s); /* no lock held */
	long (*ioctl)(
		struct socket *s, unsigned cmd, unsigned long arg); /* -ENOIOCTLCMD: not mine */
	void (*close)(struct socket *s);		      /* the file is gone; may linger */
	void (*work)(struct socket *s, struct packet *batch); /* lock held: channel, oldest first */
	bool (*eager)(const struct socket *s);		      /* lock held; NULL: never */
	void (*timer)(struct socket *s);		      /* lock held: the timer has fired */
	void (*icmp)(struct socket *s, int err, bool hard, uint32_t mtu); /* lock held */
	void (*destroy)(struct socket *s);	  /* last reference; frees */
	void (*buffer_changed)(struct socket *s); /* SO_RCVBUF/SNDBUF; may be NULL */
	bool keeps_pieces; /* send uses a message's pieces up, recv fills them in */
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
	uint32_t deferred; /* DEFER_*: work for the holder of the lock */
	struct channel channel;
	union {
		struct socket *grave_next;
		struct rcu_node rcu; /* of socket_free */
	};
	int32_t error; /* SO_ERROR: positive errno */
	uint64_t
		icmp; /* an ICMP error for the holder of the lock: mtu << 32 | hard << 16 | errno */
	uint8_t nospace; /* a writer waits for room: tell it */
	/* steer.c: 1 + the CPU of the last send or receive call; 1 + the CPU whose queue it sends
	 * on. 0: none yet. And the CPU on which a packet for it came last, -1: none yet. */
	uint16_t caller_cpu, tx_queue;
	int32_t incoming_cpu;

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

	/* MSG_ZEROCOPY: zerocopy.c */
	bool zerocopy;			    /* SO_ZEROCOPY; read anywhere */
	uint32_t zc_next;		    /* atomic: number of the next such message */
	uint32_t zc_count;		    /* atomic: notes that exist */
	struct zc_note *zc_new;		    /* atomic, newest first: done, not in the list yet */
	struct zc_note *zc_first, *zc_last; /* in order; guarded by lock */

	struct wait_queue wait;
	struct file *file; /* while attached; guarded by lock */
};

/*
 * MSG_ZEROCOPY: a message whose memory the program may use again when the error queue says so. One
 * note for each, held by the call and by whatever refers to the memory.
 */
struct zc_note {
	struct zc_note *next;
	struct socket *s;   /* referenced, until it is done */
	uint32_t refs;	    /* atomic */
	uint32_t low, high; /* numbers of messages */
	bool copied;	    /* atomic, set only */
};
/* For a message that asks for one; NULL: it does not. ERR_PTR(-ENOBUFS): too many are out. */
struct zc_note *zc_begin(struct socket *s, const struct socket_message *m);
/* The call is over; n is what it returns. n may be NULL. */
void zc_end(struct zc_note *note, ssize_t n);
void zc_put(struct zc_note *note);
ssize_t zc_recv(struct socket *s, struct socket_message *m); /* -EAGAIN: there is nothing */
void zc_purge(struct socket *s);			     /* nobody else knows it any more */
/* For poll. */
static inline bool zc_waiting(const struct socket *s)
{
	return load_relaxed(&s->zc_new) || load_relaxed(&s->zc_first);
}

void socket_setup(
	struct socket *s, const struct socket_ops *ops, int family, int type, int protocol);
static inline void socket_get(struct socket *s)
{
	atomic_add(&s->refs, 1);
}
bool socket_get_live(struct socket *s); /* false when the last reference is already gone */
/* The end of destroy: who found s in a table may still look at its words (flow.h, F3). s is the
 * first member of what is freed. */
void socket_free(struct socket *s);
void socket_put(struct socket *s);
void socket_put_in_timer(struct socket *s); /* from a timer's callback: frees elsewhere */
void socket_lock(struct socket *s);
void socket_unlock(struct socket *s);
/* Runs the protocol for what lies in the channel, here or in whichever thread has the lock. */
void socket_kick(struct socket *s);
static inline bool socket_has_work(const struct socket *s)
{
	return !channel_empty(&s->channel) || __atomic_load_n(&s->deferred, __ATOMIC_SEQ_CST);
}
/* For calls that answer without the lock: what has come is taken into account. */
void socket_drain(struct socket *s);
bool socket_try_drain(struct socket *s); /* false: nothing was there, or somebody has the lock */
/* The last look of a sleeper: true if it must take the lock and look at the state (channel.h, W).
 */
static inline bool socket_look(struct socket *s)
{
	atomic_xchg(&s->channel.newcomer, 1);
	return socket_has_work(s);
}
/* Sleeps in a call, without the lock, until the condition may be true, which it was not. */
#define SOCKET_IN  (POLLIN | POLLRDNORM | POLLRDHUP | POLLPRI | POLLERR | POLLHUP)
#define SOCKET_OUT (POLLOUT | POLLWRNORM | POLLERR | POLLHUP)
#define socket_wait(s, bits, condition, deadline)                                                  \
	wait_event_sleep(&(s)->wait, bits, socket_look(s) || (condition), deadline, true)
/* Bytes in the channel: what a holder of the lock that sleeps may leave undrained. */
static inline uint32_t channel_limit(const struct socket *s)
{
	return 4u * MAX(load_relaxed(&s->rcvbuf), 65536u) + 262144u;
}
/* steer.c. quiet: nothing of the flow is unacknowledged. */
void steer_packet(struct socket *s, struct packet *p, struct netdev *dev, bool quiet);
static inline void steer_note_caller(struct socket *s)
{
	uint16_t cpu = (uint16_t)(1 + cpu_id());

	if (unlikely(load_relaxed(&s->caller_cpu) != cpu))
		store_relaxed(&s->caller_cpu, cpu);
}
static inline void steer_note_arrival(struct socket *s)
{
	int32_t cpu = (int32_t)cpu_id();

	if (unlikely(load_relaxed(&s->incoming_cpu) != cpu))
		store_relaxed(&s->incoming_cpu, cpu);
}
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

struct socket *inet_create(int family, int type, int protocol);
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

/* addr.h has the address type. */
#define NEIGH_COUNT  256
#define BIND_BUCKETS 256
#define FRAG_BUCKETS 16
#define PATH_MTUS    64

enum {
	ADDR_TENTATIVE = 1,  /* duplicate address detection runs: not ours yet (RFC 4862 5.4) */
	ADDR_DEPRECATED = 2, /* for what uses it already */
	ADDR_DYNAMIC = 4,    /* has a lifetime */
	ADDR_DUPLICATE = 8,  /* somebody else has it: never used */
	ADDR_NO_ROUTE = 16,  /* its prefix is not the link's: a router says which are */
};
struct net_addr {
	struct netdev *dev;
	struct ip_addr addr;
	uint32_t mask, broadcast; /* IPv4; netif_add: broadcast 0 is the usual one */
	uint8_t prefix;		  /* bits, as the family counts them */
	uint8_t flags;		  /* ADDR_*; IPv6 */
};
struct route {
	struct ip_addr dst, gateway, src; /* gateway any: on the link; src any: chosen */
	struct netdev *dev;
	uint8_t prefix; /* bits, as the family counts them */
	bool v4;
	uint8_t protocol, scope;
	uint32_t metric;
};
/*
 * Immutable once published; replaced as a whole, the old one freed after a grace period: readers
 * are in an RCU read section from net_config() to their last look.
 */
struct net_config {
	struct rcu_node rcu;
	unsigned addr_count, route_count;
	unsigned addr4_count; /* IPv4 addresses come first */
	struct net_addr addr[24];
	struct route route[64];
};

struct inet_bucket {
	struct mutex lock;
	struct list_node head;
};

struct neigh {
	struct ip_addr ip;    /* two atomic words; any: a free entry */
	uint32_t change;      /* atomic: odd while ip and mac change (a seqlock) */
	uint64_t mac;	      /* atomic: bit 63 valid, 47..0 the address in network order */
	uint64_t fresh_until; /* atomic: REACHABLE before it, STALE after */
	/* guarded by net_state.neigh_lock */
	struct netdev *dev;
	uint64_t next_probe; /* 0: no timer runs */
	unsigned probes;
	bool router;
	struct packet *pending, **pending_tail;
	unsigned pending_count;
};

struct path_mtu {
	struct ip_addr dst;
	uint32_t mtu; /* 0: an empty slot */
	bool may_fragment;
	uint64_t until;
};

struct frag_queue;
struct net_state {
	const struct net_config *config; /* atomic */
	uint32_t config_generation;	 /* atomic */
	struct mutex config_lock;	 /* writers of config */

	/* sockets whose channels have been left alone; see channel.c */
	struct mpsc_list left;
	struct timer left_timer;
	uint32_t left_due; /* atomic */
	uint64_t patience; /* ns; fixed. 0 (tests): every packet at once */

	struct netdev lo;
	struct packet *lo_queue; /* atomic, newest first */
	uint32_t lo_busy;	 /* atomic: somebody works the queue off */

	/* which socket gets a packet */
	struct flow_table tcp_conn, tcp_listen, udp_conn, udp_bound, raw_flows;
	/* who holds a local port; every raw socket */
	struct inet_bucket *tcp_bind, *udp_bind, raw;
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

	struct mutex group_lock; /* the groups of all sockets; below bucket locks */

	struct mutex path_lock; /* path; taken with any other lock held */
	struct path_mtu path[PATH_MTUS];
	uint32_t path_known; /* atomic: there has been an entry */

	uint64_t icmp_tokens_time; /* rate limit, atomic */
	struct nd_state *nd;	   /* IPv6's of the interfaces: ip6.h */
	struct wait_queue configured_wait;
	uint32_t configured;	  /* atomic: 0 not yet, 1 an address or given up */
	struct socket *graveyard; /* atomic */
	struct thread *thread;	  /* the network thread */
	uint32_t thread_work;	  /* atomic */
	char hostname[64], resolv[1024];
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
/* Addresses and routes. -ENOBUFS, -ENOMEM, -EEXIST; what is not there: -EADDRNOTAVAIL, -ESRCH. */
int netif_add(const struct net_addr *a); /* with the route to its link, but for v6 hosts' /128 */
int netif_set_flags(struct netdev *dev, struct ip_addr addr, uint8_t flags);
int netif_remove(struct netdev *dev, struct ip_addr addr);
int netif_add_address(struct netdev *dev, uint32_t addr, unsigned prefix); /* IPv4 */
int netif_remove_addresses(struct netdev *dev); /* IPv4, and its routes */
int route_insert(const struct route *r);
int route_remove(const struct route *r); /* the same dst, prefix, gateway and dev */
int route_add(uint32_t dst, unsigned prefix, uint32_t gateway, struct netdev *dev, uint32_t metric,
	uint8_t protocol); /* IPv4 */
struct netdev *netdev_by_index(int index);
struct netdev *netdev_by_name(const char *name);
struct netdev *netdev_next(struct netdev *dev); /* NULL: first (lo); NULL after the last */
/* In an RCU read section. The device's first IPv4 address, or NULL. */
const struct net_addr *net_addr_of(const struct net_config *c, const struct netdev *dev);
uint32_t net_addr4(const struct netdev *dev); /* its address, 0: none */
struct net_config *net_config_copy(void);     /* for heap_free; NULL: no memory */
static inline const struct net_config *net_config(void)
{
	return rcu_load(&the_net()->config);
}

/* ---- IP ---- */

/* The way to a destination, kept by sockets; valid while generation is the current one. */
struct route_cache {
	uint32_t generation;	 /* 0: none */
	uint32_t mtu, link_mtu;	 /* of the path as far as it is known; of its first link */
	uint64_t path_until;	 /* ns: when the path is to be tried anew; 0: mtu is the link's */
	bool may_fragment;	 /* the path is narrower than mtu: routers shall cut (IPv4) */
	uint8_t hops;		 /* IPv6: what to send with by default */
	struct ip_addr dst, src; /* src: preferred */
	struct ip_addr next_hop;
	struct netdev *dev;
	bool broadcast, local;
};
/* 0, -ENETUNREACH, -EADDRNOTAVAIL (no source address). src any: chosen; bound_if 0: any. */
int route_lookup(struct ip_addr dst, struct ip_addr src, int bound_if, struct route_cache *out);
static inline bool route_valid(const struct route_cache *r, struct ip_addr dst)
{
	return r->generation == load_relaxed(&the_net()->config_generation) &&
	       ip_equal(r->dst, dst) && r->generation != 0;
}
/* path_mtu.c. set: a router says so, about a packet of ours. */
void path_mtu_init(void);
void path_mtu_set(struct ip_addr dst, uint32_t mtu);
/* No less is believed; what is no longer is not sent in other ways for what routers say. IPv4:
 * below it, routers may fragment. */
static inline uint32_t path_mtu_least(struct ip_addr dst)
{
	return ip_is_v4(dst) ? 552 : IP6_MIN_MTU;
}
void path_mtu_apply(struct route_cache *r); /* r->mtu: the link's, out: the path's */
enum ip_local_kind { IP_NOT_LOCAL, IP_LOCAL, IP_LOCAL_BROADCAST, IP_LOCAL_MULTICAST };
bool ip4_is_ours(uint32_t addr); /* an address of this machine */
enum ip_local_kind ip4_local_kind(uint32_t addr);
enum ip_local_kind ip_local_kind(struct ip_addr addr);

struct ip_send {
	struct ip_addr src, dst;
	uint32_t flow; /* IPv6: 20 bits */
	uint8_t protocol, tos;
	uint8_t ttl; /* IPv6: 0 is the route's */
	bool dont_fragment;
};
/* p->data is at the transport header. Ownership passes. -EMSGSIZE, -ENOBUFS, -ENETUNREACH. */
int ip_output(struct packet *p, const struct ip_send *how, const struct route_cache *route);
/* The IP header is there: to loopback, a group, or the next hop. */
int ip_link_output(struct packet *p, struct ip_addr dst, const struct route_cache *r);
static inline unsigned ip_header_size(struct ip_addr dst)
{
	return ip_is_v4(dst) ? sizeof(struct ip_header) : sizeof(struct ip6_header);
}
/* One run of received packets: a socket is kicked once for neighbouring packets that it gets. */
struct rx {
	struct netdev *dev;
	struct socket *pending; /* referenced: its run of packets has not ended yet */
	unsigned run;		/* what channel_push has returned for them */
	bool rings;		/* some of them went to its program's rings */
	/* What the last packet was found to be: the next one often is of the same flow. */
	uint64_t unicast;	 /* IPv4: source and destination, both in order; 0: none yet */
	struct ip_addr src, dst; /* if connected: pending is TCP's connection of this flow */
	uint16_t sport, dport;
	bool connected;
};
/*
 * In a read section that found s: keeps it for the rx_to_socket that comes next. The run holds one
 * reference for all its packets. False: it is at its end, look again.
 */
static inline bool rx_hold(const struct rx *rx, struct socket *s)
{
	return rx->pending == s || socket_get_live(s);
}
/* Takes what rx_hold got. kind: for channel_push. */
void rx_to_socket(struct rx *rx, struct socket *s, struct packet *p, unsigned kind);
void rx_flush(struct rx *rx);
void net_rx(struct netdev *dev, struct packet *batch);
/* gro.c: the batch (Ethernet frames) with what belongs together merged. */
struct packet *gro_receive(struct packet *batch);
void ip_input(struct rx *rx, struct packet *p); /* data at the IP header */
/* IPv6: to raw sockets and the protocol in cb; p's data is at its header. False: nobody knows it.
 */
bool ip6_dispatch(struct rx *rx, struct packet *p);
/*
 * p is a fragment, its data at the payload and its headers (cb->ip_len bytes) in front. The whole
 * packet, with the headers of the first fragment, or NULL: not complete yet, or dropped.
 */
struct frag_key {
	struct ip_addr src, dst;
	uint32_t id;
	uint8_t protocol; /* IPv6: 0 */
};
struct packet *ip_reassemble(
	struct packet *p, const struct frag_key *key, uint32_t offset, bool more);
void ip_frag_init(void);
void csum_finish(struct packet *p); /* computes what PACKET_CSUM_PARTIAL left open */

void icmp_input(struct rx *rx, struct packet *p);
/* p: the packet complained about, not consumed. */
void icmp_send_error(struct packet *p, uint8_t type, uint8_t code, uint32_t info);
/* A packet of ours that an ICMP error is about, as far as it is quoted. */
struct ip_quote {
	struct ip_addr src, dst;
	uint8_t protocol;
	const uint8_t *l4;
	size_t len;		 /* from l4; at least 8 */
	struct ip_addr offender; /* who says so, and what: for error queues */
	uint8_t type, code;
};
bool ip_quote(const uint8_t *header, size_t len, struct ip_quote *q); /* either family */
/* Tells the socket that sent it. */
void ip_quote_error(const struct ip_quote *q, int err, bool hard, uint32_t mtu);
void tcp_icmp_error(const struct ip_quote *q, int err, bool hard, uint32_t mtu);
void udp_icmp_error(const struct ip_quote *q, int err, bool hard, uint32_t mtu);
bool icmp_rate_ok(void);
/* Either family's: nobody listens; a part of it has not come in time. */
void icmp_send_port_unreachable(struct packet *p);
void icmp_send_timeout(struct packet *p);

/* neigh.c: who on the link has an address; ARP and neighbour discovery feed it. */
enum {
	NEIGH_CREATE = 1,    /* a new entry if there is none */
	NEIGH_SOLICITED = 2, /* an answer: reachable */
	NEIGH_OVERRIDE = 4,  /* replaces another address */
	NEIGH_ROUTER = 8,
	NEIGH_HOST = 16, /* said that it is no router */
};
void neigh_init(void);
/* p->data at the IP header; ownership passes. */
int neigh_output(struct netdev *dev, struct packet *p, struct ip_addr next_hop);
/* mac NULL: it was not said. how: NEIGH_*; RFC 4861 7.2.5, where ARP is S and O. */
void neigh_update(struct netdev *dev, struct ip_addr ip, const uint8_t *mac, unsigned how);
bool neigh_pending(void); /* packets wait for an address */

struct neigh_info {
	struct ip_addr ip;
	struct netdev *dev;
	uint8_t mac[6];
	uint16_t state; /* NUD_* */
	bool router;
};
unsigned neigh_list(struct neigh_info *out, unsigned max); /* how many there are */

void arp_input(struct netdev *dev, struct packet *p);		       /* data at the ARP header */
void arp_solicit(struct netdev *dev, uint32_t ip, const uint8_t *mac); /* NULL: broadcast */
void arp_announce(struct netdev *dev, uint32_t addr);
void arp_probe(struct netdev *dev, uint32_t addr); /* asks for it without having one */
int eth_output(struct netdev *dev, struct packet *p, const uint8_t *dst, uint16_t type);

/* ---- AF_INET and AF_INET6 sockets ---- */

#define INET_GROUPS 20 /* as Linux's igmp_max_memberships */
struct inet_group {
	struct ip_addr group;
	int ifindex;
};
/* What IPPROTO_IPV6 options say; of AF_INET6 sockets. */
struct inet6_options {
	int16_t hops, mcast_hops; /* -1: the default */
	uint8_t tclass, pmtudisc;
	bool v6only, pktinfo, recvhops, recvtclass, recverr, mcast_loop, mcast_all, dontfrag,
		recvpathmtu, autoflow;
	int32_t mcast_if;
	int32_t checksum; /* raw: offset of the checksum, -1: none */
	uint32_t flow;
	uint32_t fragment_size;	 /* 0: the path's MTU */
	uint32_t icmp_filter[8]; /* bit set: blocked */
};
struct inet_sock {
	struct socket s;
	struct list_node bind_link; /* guarded by the bucket's lock, with lport, explicit_port */
	struct inet_bucket *bind_bucket;
	struct flow *flow;	       /* guarded by the socket's lock: by what packets find it */
	struct flow_table *flow_table; /* that it is in */
	struct ip_addr laddr, raddr;   /* any: not bound, not connected */
	uint16_t lport, rport;	       /* host order, 0: none */
	uint8_t families;	       /* IP_V4, IP_V6: whose packets it takes; with laddr */
	bool explicit_port;	       /* bound by bind(2), not by connect or send */
	bool bound_any;		       /* laddr was left to connect */
	struct route_cache route;
	uint8_t ttl, tos, mcast_ttl, pmtudisc;
	bool pktinfo, recvttl, recvtos, recverr, recvorigdst, freebind, mcast_loop, mcast_all,
		hdrincl, bind_no_port;
	bool binds_group; /* laddr may be one: nothing comes from there */
	uint32_t mcast_addr;
	int32_t mcast_if;
	unsigned group_count;	   /* guarded by net_state.group_lock, with groups */
	struct inet_group *groups; /* INET_GROUPS of them, made by the first join */
	uint32_t icmp_filter;
	struct inet6_options v6;
};
static inline struct inet_sock *inet_sk(struct socket *s)
{
	return container_of(s, struct inet_sock, s);
}
/* A packet to addr (of the bit's family) is for this socket, as far as its address says. */
static inline bool inet_takes(const struct inet_sock *i, struct ip_addr addr)
{
	return ip_is_any(i->laddr) ? (i->families & ip_family_bit(addr)) != 0
				   : ip_equal(i->laddr, addr);
}
/* Headers of what it sends to raddr, without options of one message. */
static inline struct ip_send inet_how(const struct inet_sock *i, uint8_t protocol)
{
	if (likely(ip_is_v4(i->raddr)))
		return (struct ip_send){ .src = i->laddr,
			.dst = i->raddr,
			.protocol = protocol,
			.ttl = i->ttl,
			.tos = i->tos,
			.dont_fragment = i->pmtudisc != IP_PMTUDISC_DONT };
	return (struct ip_send){ .src = i->laddr,
		.dst = i->raddr,
		.flow = i->v6.flow,
		.protocol = protocol,
		.ttl = i->v6.hops < 0 ? 0 : (uint8_t)i->v6.hops,
		.tos = i->v6.tclass,
		.dont_fragment = true };
}
/* The program wants to hear all that ICMP says of what it sent there. */
static inline bool inet_recverr(const struct inet_sock *i, struct ip_addr raddr)
{
	return ip_is_v4(raddr) ? i->recverr : i->v6.recverr;
}
/* A key for hash tables of connections. */
static inline uint64_t inet_hash(const struct hash_key *k, struct ip_addr laddr, uint16_t lport,
	struct ip_addr raddr, uint16_t rport)
{
	if (likely(ip_is_v4(raddr))) {
		uint32_t key[3] = { ip_v4(laddr), ip_v4(raddr), (uint32_t)lport << 16 | rport };

		return hash_siphash(k, key, sizeof(key));
	}
	struct {
		struct ip_addr l, r;
		uint32_t ports;
	} key = { laddr, raddr, (uint32_t)lport << 16 | rport };

	return hash_siphash(k, &key, 36);
}
/*
 * Spreads peers over sockets that share a port and are met one after the other: whether the flow
 * goes to the latest of so many. *draw is 0 before the first; each look takes bits of its own from
 * the hash (Knuth's multiplier), so all have the same chance.
 */
static inline bool inet_flow_draw(const struct pkt_cb *cb, uint64_t *draw, unsigned count)
{
	if (!*draw)
		*draw = inet_hash(&the_net()->hash_key, IP_ANY, cb->dport, cb->src, cb->sport);
	*draw = *draw * 6364136223846793005u + 1442695040888963407u;
	return ((*draw >> 32) * count) >> 32 == 0;
}

void inet_setup(struct inet_sock *i);	/* after socket_setup */
void inet_release(struct inet_sock *i); /* when it is destroyed */
/* Takes a local port. port 0: any free one. -EADDRINUSE, -EADDRNOTAVAIL, -EACCES. */
int inet_bind_port(
	struct inet_sock *i, struct inet_bucket *table, struct ip_addr addr, uint16_t port);
/* A child shares its listener's port. */
void inet_share_port(struct inet_sock *i, struct inet_bucket *table);
void inet_unbind(struct inet_sock *i);
void inet_set_laddr(struct inet_sock *i, struct ip_addr laddr); /* its own; the lock held */
/*
 * Of UDP, raw and ping sockets: sets the addresses, and packets find i by them and its port from
 * now on. The socket's lock held. -ENOMEM: nothing has changed.
 */
int inet_publish(struct inet_sock *i, struct ip_addr laddr, struct ip_addr raddr, uint16_t rport);
void inet_withdraw(struct inet_sock *i); /* no packet finds it any more */
/*
 * In a read section. Who is bound to where the packet goes, and not connected: to the address
 * before to any, as Linux; then to an interface, then of AF_INET; equals with SO_REUSEPORT share by
 * flow.
 */
struct flow *inet_find_bound(const struct flow_table *t, const struct pkt_cb *cb);
/* Likewise, who is connected to where it comes from; of a link only where that is so (0: any). */
struct flow *inet_find_connected(const struct flow_table *t, struct ip_addr laddr, uint16_t lport,
	struct ip_addr raddr, uint16_t rport, int ifindex);
/*
 * The addresses that bind, connect and send get. bind: *addr is what may be bound (any of IPv4 in
 * an AF_INET6 socket: mapped). peer: "any" is the own machine; a link's address binds the socket to
 * the link (*ifindex, in: what it is bound to).
 */
int inet_check_bind(struct inet_sock *i, const struct sockaddr_storage *a, uint32_t len,
	struct ip_addr *addr, uint16_t *port);
int inet_check_peer(const struct inet_sock *i, const struct sockaddr_storage *a, uint32_t len,
	struct ip_addr *addr, uint16_t *port, int *ifindex);
int inet_getname(struct socket *s, bool peer, struct sockaddr_storage *a, uint32_t *len);
int inet_getopt(struct inet_sock *i, int name, void *val, uint32_t *len);
int inet_setopt(struct inet_sock *i, int name, const void *val, uint32_t len);
int inet6_getopt(struct inet_sock *i, int name, void *val, uint32_t *len);
int inet6_setopt(struct inet_sock *i, int name, const void *val, uint32_t len);
void inet6_new_flow(struct inet_sock *i);
int inet_route(struct inet_sock *i, struct ip_addr dst, struct route_cache *out);
void inet_addr(struct sockaddr_storage *a, uint32_t *len, uint32_t addr, uint16_t port);
/* As a socket of this family says it; ifindex: of a link's address. */
void inet_put_addr(struct sockaddr_storage *a, uint32_t *len, int family, struct ip_addr addr,
	uint16_t port, int ifindex);
bool inet_in_group(const struct inet_sock *i, struct ip_addr group, int ifindex);
int inet_change_group(struct inet_sock *i, bool join, struct ip_addr group, int ifindex);
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
	struct packet *errors,
		*last_error; /* the error queue; errors is also looked at without it */
	uint32_t rx_bytes;   /* truesize of what is queued */
	uint32_t drops;	     /* atomic */
	/* options of UDP; single words, read anywhere */
	uint16_t segment; /* UDP_SEGMENT: bytes, 0: what is sent is one datagram */
	bool gro;	  /* UDP_GRO */
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
/* IP_RECVERR, IPV6_RECVERR: the error with what is quoted behind 'header' bytes, for recv_error. */
void dgram_queue_error(
	struct socket *s, const struct ip_quote *q, unsigned header, int err, uint32_t mtu);
ssize_t dgram_recv_error(struct socket *s, struct socket_message *m);
/* A datagram to dst was long enough for a router to complain, and not many others were since. */
bool dgram_sent_long(const struct dgram_sock *d, struct ip_addr dst);
void dgram_take_error(struct dgram_sock *d, struct packet *p); /* lock held */
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
	uint16_t segment; /* UDP: as dgram_sock's, or what the message says */
	bool group;	  /* how.dst is one */
};
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
/* Sends a list of them, and a copy to ourselves where groups and broadcasts ask for it. */
int dgram_output(struct inet_sock *i, struct packet *p, const struct dgram_target *t);

void udp_init(void);
/* udp_segment.c: what UDP_SEGMENT makes of a message, all of it: a list of packets with their
 * headers. ERR_PTR. */
struct packet *udp_cut_message(
	struct inet_sock *i, struct socket_message *m, const struct dgram_target *t);
/* UDP_GRO: neighbours of a batch that are one flow's become one packet. */
void udp_merge(struct packet *batch);
/* A datagram's header is put in front of p. */
void udp_push_header(const struct inet_sock *i, struct packet *p, const struct dgram_target *t);
struct socket *udp_create(int family);
/* A local port (0: any free one), by which packets find it then. The socket's lock held. */
int udp_take_port(struct inet_sock *i, struct ip_addr addr, uint16_t port);
void udp_input(struct rx *rx, struct packet *p); /* data at the UDP header */
/* udp_rings.c: packets by reference (skiff.h). */
static inline struct udp_rings *udp_rings(struct socket *s)
{
	return load_acquire(&dgram_sk(s)->rings);
}
/* p's data is the payload; ownership passes, and what rx_hold got. rx_flush kicks. */
void udp_rings_receive(struct rx *rx, struct socket *s, struct packet *p);
void udp_rings_push(struct socket *s, struct packet *p); /* then kick */
void udp_rings_kick(struct socket *s);
bool udp_rings_readable(struct socket *s);
void udp_rings_destroy(struct dgram_sock *d);
void raw_init(void);
struct socket *raw_create(int family, int protocol);
struct socket *ping_create(int family);
bool raw_input(struct rx *rx, struct packet *p); /* copies for raw sockets; true if there was one */
void tcp_init(void);
/* Connections to others that were closed but not acknowledged to the end yet. */
unsigned tcp_closing_count(void);
struct socket *tcp_create(int family);
void tcp_input(struct rx *rx, struct packet *p); /* data at the TCP header */

void net_config_device(struct netdev *dev);
void dhcp_start(struct netdev *dev);
void dhcp_stop(void);
void dhcp_arp(const struct netdev *dev, uint32_t addr); /* another host speaks as addr */
void net_set_configured(void);
void net_ip6_ready(void); /* an address that others reach has passed its test */
void net_publish_names(const uint32_t *dns, unsigned count, const char *domain, const char *search);
void net_publish_ntp(const uint32_t *servers, unsigned count);
enum names_source { NAMES_ROUTER, NAMES_DHCP6, NAMES_SOURCES };
/* ifindex: of link-local servers. */
void net_publish_names6(enum names_source from, const struct ip_addr *dns, unsigned count,
	const char *search, int ifindex);
