/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The channel of a socket: packets on their way from those who receive to the thread that reads.
 *
 *	      push  ring  look  take
 *	push  safe  safe  safe  safe
 *	ring  safe  safe  safe  safe
 *	look  safe  safe  safe  safe
 *	take  safe  safe  safe  the socket's lock
 *
 * push appends a packet, from any thread; the order is that of the pushes. ring wakes who sleeps
 * for input. look is what a sleeper does last before it sleeps. take empties the channel, and its
 * caller runs the protocol, under the socket's lock: the thread in a call, most of the time.
 *
 * One word holds the newest packet (linked by next) and RUNG: somebody has rung, or is about to,
 * since the channel was taken last. A push of what a reader may wait for sets it, and who set it
 * has the duty to ring, at the end of its run of packets. So a burst wakes a reader once, however
 * many packets and receivers there are, and one that does not sleep is not woken at all.
 *
 * When the protocol runs
 *  - Nobody is in a call, a reader sleeps, data comes: it is woken and runs the protocol itself.
 *  - Nobody is in a call, nobody sleeps, or what came is nothing to wake for (a bare ACK while a
 *    reader sleeps): the packets stay until the program's next call. If that does not come within
 *    about a millisecond (CHANNEL_PATIENCE), the network thread runs the protocol, so ACKs and
 *    windows do not depend on a busy program. So it is with a reader that was woken, unless it is
 *    sure to come at once (C7).
 *  - The protocol wants every packet at once (eager, CHANNEL_NOW, nospace): unsent data waits for a
 *    window, losses are being repaired, the connection opens or closes, a writer waits for room.
 *    Then who received it tries the lock, runs the protocol and wakes exactly whom it made ready.
 *  - Somebody holds the lock: he looks at the channel again after he has unlocked.
 *
 * Bound: a packet that finds more than channel_limit bytes (pkt_truesize) is dropped and counted,
 * as by a card whose ring is full. It never goes another way, so it is never reordered. bytes is
 * added to before a packet is pushed and taken from when it has been taken, by what was added: so
 * it is never less than what lies here, which is at most the limit and one packet more, and is 0
 * when nothing lies here and nobody is in push or take. A push that is refused has added its own
 * for a moment, which may refuse another one that comes just then.
 *
 * No wake-up is lost. All of these are sequentially consistent. W is a sleeper: it is on the wait
 * queue, then sets newcomer, then looks at the channel and at the state (socket_look).
 *  C1 The packet is not taken yet when W looks: then W sees it, or it was pushed after that. In the
 *     latter case its pusher, or who set RUNG before it after the last take, rings after its push
 *     and so after W's look: it finds W on the queue.
 *  C2 The packet has been taken by D, and D has not finished when W looks: W may see neither packet
 *     nor data. If RUNG was not set, D announces what it found to everybody when it unlocks. If it
 *     was set, D leaves out that there is input, as everybody is told by the ring: but not if
 *     newcomer is set, which D exchanges with 0 after its work. Either D sees W's newcomer, or W's
 *     exchange comes after D's, and then W sees the result of D's work.
 *  C3 A ring sets newcomer to 0 before it wakes: who has set it before was on the queue before, so
 *     it is woken. Who has the duty rings in any case, even if it runs the protocol as well.
 *  C4 One of several exclusive waiters is told by a ring: a set (EPOLLEXCLUSIVE) in whose
 *     epoll_wait a thread sleeps, or a thread that takes one datagram. Either always looks before
 *     it returns (wait.h, X1; a set that loses the file before that, epoll.c, X5), and the thread
 *     passes on if it leaves something (X3), also if it leaves with an error. So as long as there
 *     is input and exclusive waiters sleep, somebody is awake that was told of it, has not looked
 *     yet, and tells the next. However late it comes, nobody else needs to hear of it: the network
 *     thread that works the channel off tells newcomers only, as D does.
 *  C5 eager: the holder of the lock stores it, then unlocks, then looks at the channel; who pushes
 *     does so before it loads eager. So a packet that meets an old value is seen by the holder.
 *  C6 The list of the network thread: listed is exchanged to 0, then the channel is looked at; who
 *     pushes does so before it looks at listed. So a packet that nobody takes is on a listed
 *     channel.
 *  C7 Who was woken by a ring and is the next to run here needs no clock: the first thing that a
 *     sleeper does is to look (C1), and who sees packets takes them. So one request at a time costs
 *     no timer, which is two ways out of a virtual machine and two switches. Should others overtake
 *     it, what comes next meanwhile is put on the list: RUNG is set, so it is not rung for.
 * test/model/channel.pml tries C1 to C3 out, exclusive.pml C4; test/host/net_threads_test.c runs
 *all of it.
 */
#pragma once

#include "drivers/netdev.h"
#include "lockfree/mpsc.h"
#include "sched/clock.h"

struct socket;

#define CHANNEL_PATIENCE NSEC_PER_MSEC

struct channel {
	uintptr_t head;	   /* atomic: newest packet | CHANNEL_RUNG */
	uint32_t bytes;	   /* atomic: that lie here, or are about to */
	uint32_t dropped;  /* atomic: packets that found it full */
	uint32_t newcomer; /* atomic: somebody looked before it sleeps, since the last ring */
	bool eager;	   /* atomic: the protocol wants every packet at once; set under the lock */
	bool told;	   /* guarded by the lock: a ring has told that there is input */
	uint32_t listed;   /* atomic: on the network thread's list, with a reference */
	uint32_t takes;	   /* atomic, written under the lock: how often it was emptied */
	uint32_t takes_seen; /* by the network thread, when it was listed */
	struct mpsc_node link;
};
#define CHANNEL_RUNG 1ul

/* What a run of packets was about, for channel_end_run. */
enum {
	CHANNEL_QUIET = 0, /* nothing a reader waits for */
	CHANNEL_DATA = 1,  /* input */
	CHANNEL_NOW = 2,   /* the protocol has to see it at once */
	CHANNEL_RING = 4,  /* out: the run has the duty to ring */
};
/* Ownership of p passes. kind: QUIET, DATA or NOW; the caller's run ends with channel_end_run. */
unsigned channel_push(struct socket *s, struct packet *p, unsigned kind);
/* run: all that channel_push returned, together. The caller has a reference and no socket's lock.
 */
void channel_end_run(struct socket *s, unsigned run);
/* Takes what is there, oldest first; NULL: nothing. Under the lock. */
struct packet *channel_take(struct channel *c);
void channel_free(struct channel *c); /* at the socket's end */

static inline bool channel_empty(const struct channel *c)
{
	return __atomic_load_n(&c->head, __ATOMIC_SEQ_CST) < 2;
}

/* What the network thread does a while after channels were left alone. */
struct net_state;
void channel_init(struct net_state *n);
void channel_sweep(struct net_state *n);
