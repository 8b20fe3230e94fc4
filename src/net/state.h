/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to net/: the stack's state, one per machine; the host's tests have several. */
#pragma once

#include "drivers/netdev.h"
#include "lib/hash.h"
#include "lib/list.h"
#include "lockfree/mpsc.h"
#include "net/flow.h"
#include "net/path_mtu.h"
#include "sched/mutex.h"
#include "sched/timer.h"
#include "sched/wait.h"

struct frag_queue;
struct igmp_state;
struct nd_state;
struct neigh;
struct net_config;
struct socket;
struct thread;

#define BIND_BUCKETS 256
#define IP_IDENTS    1024
struct inet_bucket {
	struct mutex lock;
	struct list_node head;
};

/* Of SYN cookies, read without a lock: tcp_cookie.c. */
struct cookie_key {
	uint64_t minute; /* atomic; 0: there is no key */
	uint64_t k0, k1; /* atomic; written under cookie_lock while minute is 0 */
};
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
	struct flow_table tcp_conn, tcp_listen, udp_conn, udp_bound;
	uint32_t udp_lookups; /* atomic: so often has changed what a look at the last two gives */
	struct flow_table raw_flows, ping_flows;
	/* who holds a local port, or an identifier of ping; every raw socket */
	struct inet_bucket *tcp_bind, *udp_bind, ping, raw;
	uint32_t tcp_time_wait; /* atomic: how many */
	uint64_t tcp_bytes;	/* atomic: in the queues of all connections */
	uint64_t tcp_bytes_max;
	uint32_t buffer_max, time_wait_max;
	struct hash_key hash_key, isn_key, ident_key;
	uint64_t idents[IP_IDENTS];	 /* atomic: ip_ident.c */
	uint64_t cookie_time;		 /* atomic: when the last SYN cookie was sent, 0: never */
	struct mutex cookie_lock;	 /* who makes a key: once in a minute */
	struct cookie_key cookie_key[2]; /* of this minute and the last, by the minute's parity */

	struct mutex neigh_lock;
	struct neigh *neigh;
	struct timer neigh_timer;
	bool neigh_timer_on;

	struct mutex frag_lock;
	struct list_node frags; /* struct frag_queue, oldest first */
	size_t frag_bytes;
	struct timer frag_timer;
	bool frag_timer_on;

	struct mutex nl_lock;	     /* nl_members and their groups; below config_lock */
	struct list_node nl_members; /* netlink sockets that are in groups */
	uint64_t nl_groups;	     /* atomic: of all those of NETLINK_ROUTE */

	struct mutex group_lock; /* the groups of all sockets; below bucket locks */

	struct mutex path_lock; /* path; taken with any other lock held */
	struct path_mtu path[PATH_MTUS];
	uint32_t path_known; /* atomic: there has been an entry */

	uint64_t icmp_tokens_time; /* rate limit, atomic */
	struct nd_state *nd;	   /* IPv6's of the interfaces: ip6.h */
	struct igmp_state *igmp;   /* IPv4's groups: igmp.h */
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

/* Which UDP socket a packet finds may be another one from now on: see udp_lookups. */
static inline void net_lookups_change(void)
{
	atomic_add(&the_net()->udp_lookups, 1);
}

uint64_t net_random(void);
