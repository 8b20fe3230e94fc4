/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SO_SNDBUF of sockets that send whole packets. What goes to a card is charged to its socket until
 * the packet is freed: the card has sent it, or it was lost on the way there. So who sends faster
 * than the card waits for the card, as on Linux, and loses nothing. Loopback charges nothing: its
 * packets are the receiver's at once, which is Linux's rule, too.
 *
 * All of it is one word, dgram_sock.out: bytes, one more while the socket exists, and whether
 * somebody waits for room (OUT_WAITED).
 *
 *	send              add, without a look: dgram_wait_room came before
 *	packet is freed   subtract; if somebody waits and less than half is left, wake
 *	wait, poll        set OUT_WAITED, look, sleep; the cards are asked to be quick
 *	destroy	          clear OUT_WAITED, subtract the one
 * A socket with OUT_WAITED is one of netdev_waiters: it is counted before, and uncounted after. So
 * the cards are quick as well with what they get later, from other threads or when a neighbour
 * has answered.
 *
 * Argument: all of them are read-modify-writes of one word, so they have an order.
 *  O1 No wake-up is lost: a waiter sees the bytes as they are when it sets the bit. What is freed
 *     later finds the bit, and the one that passes below half clears it and wakes. Who clears it
 *     wakes, so a passage is one wake-up, however many packets are freed in one go.
 *  O2 The memory lasts: who subtracts touches the socket only while a part of its own is in the
 *     word. If nobody waits there is nothing to touch afterwards (compare-and-swap: the bit is not
 *     there), else the last byte stays until it has woken. Whoever makes the word 0 frees, once:
 *     the socket's own one is in it until destroy, after which nobody adds.
 */

#include "net/dgram.h"
#include "abi/errno.h"
#include "mem/heap.h"

static bool has_room(const struct dgram_sock *d, uint64_t out)
{
	return (out & ~OUT_WAITED) <= load_relaxed(&d->i.s.sndbuf);
}

/* When who waits hears of it, and poll says so: Linux's half. */
static bool writable(const struct dgram_sock *d, uint64_t out)
{
	return (out & ~OUT_WAITED) <= load_relaxed(&d->i.s.sndbuf) / 2;
}

/* From here on room is announced. The bytes as they are then. */
static uint64_t out_waited(struct dgram_sock *d)
{
	uint64_t out;

	__atomic_fetch_add(&netdev_waiters, 1, __ATOMIC_SEQ_CST);
	out = __atomic_fetch_or(&d->out, OUT_WAITED, __ATOMIC_SEQ_CST);
	if (out & OUT_WAITED)
		atomic_sub(&netdev_waiters, 1u);
	return out | OUT_WAITED;
}

/* False: somebody else was faster. */
static bool waited_no_more(struct dgram_sock *d)
{
	if (!(__atomic_fetch_and(&d->out, ~OUT_WAITED, __ATOMIC_SEQ_CST) & OUT_WAITED))
		return false;
	atomic_sub(&netdev_waiters, 1u);
	return true;
}

/* What there is more room for now. */
static void announce(struct dgram_sock *d, uint64_t out)
{
	struct wait_queue *q = &d->i.s.wait;

	if (!(out & OUT_WAITED) || !writable(d, out) || !waited_no_more(d))
		return;
	if (wait_active(q))
		wait_wake_all(q, POLLOUT | POLLWRNORM | POLLWRBAND);
}

static __noinline void give_back_and_wake(struct dgram_sock *d, uint64_t n)
{
	announce(d, atomic_sub(&d->out, n - 1) - (n - 1));
	if (atomic_sub(&d->out, 1ull) == 1)
		socket_free(&d->i.s);
}

void dgram_sent(struct packet *p)
{
	struct dgram_sock *d = p->owner;
	uint64_t n = dgram_charge_of(p), old = load_relaxed(&d->out);

	while (likely(!(old & OUT_WAITED)))
		if (likely(atomic_cas(&d->out, &old, old - n))) {
			if (unlikely(old == n))
				socket_free(&d->i.s);
			heap_free(p);
			return;
		}
	give_back_and_wake(d, n);
	heap_free(p);
}

void dgram_free(struct dgram_sock *d)
{
	(void)waited_no_more(d);
	if (atomic_sub(&d->out, 1ull) == 1)
		socket_free(&d->i.s);
}

static void hurry_cards(void)
{
	for (struct netdev *dev = netdev_first(); dev; dev = dev->next)
		if (dev->hurry)
			dev->hurry(dev);
}

/* As out_waited. If there is much room already nobody waits for it any more. */
static uint64_t want_room(struct dgram_sock *d)
{
	uint64_t out = out_waited(d);

	announce(d, out);
	return out;
}

static bool may_go_on(struct socket *s)
{
	struct dgram_sock *d = dgram_sk(s);

	return has_room(d, want_room(d)) || load_relaxed(&s->error) ||
	       (load_relaxed(&s->shut) & SHUT_SND);
}

int dgram_wait_room(struct socket *s, const struct socket_message *m)
{
	uint64_t deadline = socket_deadline(s->sndtimeo);
	int err = 0;

	while (!err && !may_go_on(s)) {
		hurry_cards();
		if (socket_nonblocking(s, m->flags))
			return -EAGAIN;
		err = wait_event_sleep(
			&s->wait, SOCKET_OUT | POLLERR, may_go_on(s), deadline, true);
	}
	if (err)
		return socket_wait_error(err, s->sndtimeo);
	err = socket_take_error(s);
	return !err && (s->shut & SHUT_SND) ? (int)socket_sigpipe(m) : err;
}

bool dgram_poll_room(struct dgram_sock *d)
{
	if (writable(d, load_relaxed(&d->out)) || writable(d, want_room(d)))
		return true;
	hurry_cards();
	return false;
}

void dgram_buffer_changed(struct socket *s)
{
	struct dgram_sock *d = dgram_sk(s);

	announce(d, load_relaxed(&d->out));
}
