/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SO_SNDBUF of datagram sockets against a card that keeps what it is given: who waits, who hears of
 * room and how often, and that nothing stays charged.
 */
/* sources: $(HOST_NET) */
/* flags: -D_GNU_SOURCE */
#include "ip6_peer.h"
#include "net/dgram.h"

#define HELD   1000
#define PEER_A IP4(10, 0, 0, 2)

static struct packet *held[HELD];
static unsigned held_count, sent_count, hurries;
static bool full; /* the card has no room at all */
static struct timer progress;
static unsigned progress_step;

static int card_send(struct netdev *dev, struct packet *p)
{
	if (full) {
		packet_free(p);
		return -ENOBUFS;
	}
	BUG_ON(held_count == HELD);
	held[held_count++] = p;
	sent_count++;
	return 0;
}
static void card_done(unsigned n)
{
	n = MIN(n, held_count);
	for (unsigned i = 0; i < n; i++)
		packet_free(held[i]);
	held_count -= n;
	memmove(held, held + n, held_count * sizeof(held[0]));
}
static void card_hurry(struct netdev *dev)
{
	hurries++;
}
/* Some ms later the card has sent some. */
static void some_progress(struct timer *t)
{
	card_done(progress_step);
	if (held_count)
		timer_arm(t, env_now + NSEC_PER_MSEC);
}
static void card_goes_on(unsigned step)
{
	progress_step = step;
	timer_init(&progress, some_progress, NULL);
	timer_arm(&progress, env_now + NSEC_PER_MSEC);
}

static struct file *start(void)
{
	peer_setup();
	me.eth.send = card_send;
	me.eth.hurry = card_hurry;
	held_count = sent_count = hurries = 0;
	full = false;
	return socket_create(AF_INET, SOCK_DGRAM, 0);
}
static void finish(struct file *f)
{
	if (f)
		file_put(f);
	card_done(HELD);
	timer_cancel(&progress);
	net_thread_work();
	CHECK_EQ(netdev_waiters, 0);
	peer_teardown();
}
static struct dgram_sock *sock(struct file *f)
{
	return dgram_sk(file_socket(f));
}
/* A broadcast needs no neighbour. */
static ssize_t say(struct file *f, size_t n, unsigned flags)
{
	static char text[3000];
	struct iter it;
	struct socket_message m = { .data = &it, .flags = flags | MSG_NOSIGNAL };

	file_socket(f)->broadcast = true;
	iter_init_one(&it, text, n, false);
	inet_addr(&m.name, &m.name_len, 0xffffffff, 9);
	return socket_send(f, &m, NULL);
}
static unsigned fill(struct file *f, size_t n)
{
	unsigned count = 0;

	while (say(f, n, MSG_DONTWAIT) == (ssize_t)n)
		count++;
	return count;
}

TEST(as_many_as_linux_then_it_waits_for_the_card)
{
	struct file *f = start();
	unsigned n = fill(f, 64);

	CHECK(n >= 270 && n <= 290); /* Linux: 277 of 768 bytes */
	CHECK_EQ(held_count, n);
	CHECK_EQ(say(f, 64, MSG_DONTWAIT), -EAGAIN);
	CHECK(hurries > 0);
	CHECK(dgram_out(sock(f)) >= file_socket(f)->sndbuf);
	card_goes_on(10);
	uint64_t before = env_now;

	CHECK_EQ(say(f, 64, 0), 64);
	CHECK_EQ(env_now - before, NSEC_PER_MSEC); /* at the first that had gone */
	CHECK_EQ(sent_count, n + 1);
	finish(f);
}

TEST(room_is_announced_once_at_half)
{
	struct file *f = start();
	unsigned n = fill(f, 64);

	CHECK(!(env_poll(f) & POLLOUT));
	CHECK_EQ(netdev_waiters, 1); /* however often it asks */
	unsigned long wakes = env_wakes;

	file_socket(f)->wait.count++; /* somebody sleeps */
	card_done(n / 2 - 2);
	CHECK_EQ(env_wakes, wakes);
	CHECK(!(env_poll(f) & POLLOUT));
	card_done(10);
	CHECK_EQ(env_wakes, wakes + 1);
	CHECK_EQ(netdev_waiters, 0);
	CHECK(env_poll(f) & POLLOUT);
	card_done(HELD);
	CHECK_EQ(env_wakes, wakes + 1);
	file_socket(f)->wait.count--;
	CHECK_EQ(dgram_out(sock(f)), 0);
	CHECK_EQ(sock(f)->out, 1);
	finish(f);
}

TEST(nobody_waits_nobody_is_woken)
{
	struct file *f = start();
	unsigned long wakes = env_wakes;

	for (int i = 0; i < 100; i++)
		CHECK_EQ(say(f, 64, 0), 64);
	CHECK(env_poll(f) & POLLOUT);
	file_socket(f)->wait.count++; /* a reader */
	card_done(HELD);
	file_socket(f)->wait.count--;
	CHECK_EQ(env_wakes, wakes);
	CHECK_EQ(hurries, 0);
	finish(f);
}

TEST(a_card_that_never_sends_can_be_left)
{
	struct file *f = start();
	uint64_t before;

	fill(f, 1000);
	file_socket(f)->sndtimeo = 70 * NSEC_PER_MSEC;
	before = env_now;
	CHECK_EQ(say(f, 1000, 0), -EAGAIN);
	CHECK_EQ(env_now - before, 70 * NSEC_PER_MSEC);
	env_thread.flags |= THREAD_SIGNAL;
	CHECK_EQ(say(f, 1000, 0), -EINTR);
	file_socket(f)->sndtimeo = 0;
	CHECK_EQ(say(f, 1000, 0), -ERESTARTSYS);
	env_thread.flags = 0;
	(void)socket_shutdown(f, 1); /* SHUT_WR */
	CHECK_EQ(say(f, 1000, 0), -EPIPE);
	finish(f);
}

TEST(more_room_by_a_larger_buffer)
{
	struct file *f = start();
	int size = 2304;
	unsigned n, wakes;

	CHECK_EQ(socket_setopt(f, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	n = fill(f, 64);
	CHECK(n >= 6 && n <= 7); /* Linux: 6 */
	CHECK(!(env_poll(f) & POLLOUT));
	file_socket(f)->wait.count++;
	wakes = (unsigned)env_wakes;
	size = 100000;
	CHECK_EQ(socket_setopt(f, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	CHECK_EQ(env_wakes, wakes + 1);
	file_socket(f)->wait.count--;
	CHECK_EQ(say(f, 64, MSG_DONTWAIT), 64);
	finish(f);
}

/* The socket's memory waits for its packets; ASan looks on. */
TEST(closed_while_the_card_has_packets)
{
	struct file *f = start();

	fill(f, 64); /* and it waits for room */
	file_put(f);
	net_thread_work();
	card_done(100);
	card_done(HELD);
	finish(NULL);
	f = start();
	CHECK_EQ(say(f, 64, 0), 64);
	file_put(f);
	finish(NULL);
}

TEST(fragments_are_charged_until_the_last_has_gone)
{
	struct file *f = start();

	CHECK_EQ(say(f, 2900, 0), 2900);
	CHECK_EQ(held_count, 2);
	CHECK(dgram_out(sock(f)) > 2900);
	card_done(1);
	CHECK(dgram_out(sock(f)) > 2900);
	card_done(1);
	CHECK_EQ(dgram_out(sock(f)), 0);
	finish(f);
}

TEST(what_is_lost_is_not_charged)
{
	struct file *f = start();
	int on = 1;

	full = true;
	CHECK_EQ(say(f, 64, 0), 64); /* silently, as on Linux */
	CHECK_EQ(socket_setopt(f, SOL_IP, IP_RECVERR, &on, sizeof(on)), 0);
	CHECK_EQ(say(f, 64, 0), -ENOBUFS);
	CHECK_EQ(say(f, 2900, 0), -ENOBUFS);
	CHECK_EQ(dgram_out(sock(f)), 0);
	T_EACH_ALLOC_FAILS((void)say(f, 2900, 0));
	CHECK_EQ(dgram_out(sock(f)), 0);
	finish(f);
}

TEST(loopback_charges_nothing)
{
	struct file *f = start(), *g = socket_create(AF_INET, SOCK_DGRAM, 0);

	CHECK_EQ(env_bind(g, IP4(127, 0, 0, 1), 53), 0);
	for (int i = 0; i < 1000; i++) /* more than the receiver takes */
		CHECK_EQ(env_sendto(f, "x", 1, IP4(127, 0, 0, 1), 53), 1);
	CHECK_EQ(dgram_out(sock(f)), 0);
	file_put(g);
	finish(f);
}

TEST(raw_sockets_wait_as_well)
{
	struct file *f;

	file_put(start());
	f = socket_create(AF_INET, SOCK_RAW, 99);
	REQUIRE(!IS_ERR(f));
	unsigned n = fill(f, 64);

	CHECK(n >= 270 && n <= 290);
	CHECK_EQ(say(f, 64, MSG_DONTWAIT), -EAGAIN);
	card_goes_on(HELD);
	CHECK_EQ(say(f, 64, 0), 64);
	finish(f);
}
