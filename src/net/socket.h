/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to net/: what sockets of every family have, and their lock.
 *
 * Locks. Each socket has one sleeping mutex; there is none around the stack. Order:
 *	listener's lock > connection's lock? never both, but for making a child nobody knows yet
 *	socket lock > accept queue lock > table bucket lock; socket lock > neighbour lock
 * Nothing below a socket lock takes another socket's lock: packets for other sockets are queued.
 *
 * A protocol runs under the lock of its socket, in whose thread is said in channel.h. Who holds the
 * lock looks at the channel again after it has unlocked, who pushes tries the lock after that, if
 * the packet cannot wait (both sides sequentially consistent).
 *
 * Wake-ups are collected in socket->wake while the lock is held and done once, after unlocking.
 */
#pragma once

#include "abi/poll.h"
#include "cpu/barrier.h"
#include "net/channel.h"
#include "net/net.h"
#include "sched/clock.h"
#include "sched/mutex.h"
#include "sched/rcu.h"
#include "sched/wait.h"

#define ENOIOCTLCMD 515 /* stays inside: try the next handler */

struct netdev;
struct packet;
struct socket;

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
	uint32_t uid; /* who made or accepted it */
	int32_t bound_if;
	bool reuseaddr, reuseport, keepalive, broadcast, oobinline, passcred, linger_on, debug,
		dontroute, no_check;
	/* What a message is received with, by option; 'notes' is all of them, 0: nothing. */
	union {
		struct {
			uint32_t ts_flags; /* SO_TIMESTAMPING */
			bool timestamp;	   /* SO_TIMESTAMP or SO_TIMESTAMPNS */
			bool rxq_ovfl;
		};
		uint64_t notes;
	};
	bool timestamp_ns, timestamp_new; /* how: in ns; types as of Linux 5.1 */
	bool select_err_queue;		  /* news on the error queue are POLLPRI, too */
	/* What only its owner reads back: nothing here follows from it. */
	bool passsec, nofcs, lock_filter, wifi_status, rcvmark, rcvpriority, prefer_busy_poll,
		txrehash;
	uint32_t busy_poll;
	uint64_t max_pacing_rate;
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
#define SOCKET_IN  (POLLIN | POLLRDNORM | POLLRDHUP | POLLPRI | POLLHUP)
#define SOCKET_OUT (POLLOUT | POLLWRNORM | POLLHUP)
#define socket_wait(s, bits, condition, deadline)                                                  \
	wait_event_sleep(&(s)->wait, bits, socket_look(s) || (condition), deadline, true)
/* For one of those who each take one thing (wait.h, X1 to X4). */
#define socket_wait_exclusive(s, bits, condition, deadline)                                        \
	wait_event_exclusive(&(s)->wait, bits, socket_look(s) || (condition), deadline)
/* Bytes in the channel: what a holder of the lock that sleeps may leave undrained. */
static inline uint32_t channel_limit(const struct socket *s)
{
	return 4u * MAX(load_relaxed(&s->rcvbuf), 65536u) + 262144u;
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

/* One for each address family: with a reference, or ERR_PTR. */
struct socket *inet_create(int family, int type, int protocol);
struct socket *unix_create(int type);
int unix_pair(int type, struct socket *out[2]);
struct socket *netlink_create(int type, int protocol);
void netlink_init(void);

/* SO_PEEK_OFF is set: n bytes were looked at, or read. Lock held. */
void socket_move_peek(struct socket *s, size_t n, bool peek);
/* Ancillary data for recvmsg; sets MSG_CTRUNC when there is no room. */
void cmsg_put(struct socket_message *m, int level, int type, const void *data, size_t len);
void cmsg_put_timestamp(struct socket *s, struct socket_message *m, uint64_t realtime);
/* Option values. */
int opt_get_int(const void *val, uint32_t len, int *out);
int opt_put(void *val, uint32_t *len, const void *from, uint32_t n);
int opt_put_int(void *val, uint32_t *len, int v);
int socket_getopt_common(struct socket *s, int name, void *val, uint32_t *len);
int socket_setopt_common(struct socket *s, int name, const void *val, uint32_t len);
