/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: $(HOST_NET) */
/* flags: -D_GNU_SOURCE */
/*
 * The rules of net/channel.h in virtual time, over loopback: when the protocol runs, who is woken
 * and how often, what is dropped. Nobody calls here but the test, so a packet stays where it is.
 */
#include "net_env.h"
#include "net/dgram.h"

#define ME IP4(127, 0, 0, 1)

static struct env_stack me;
static struct file *listener, *end[2];

static void start(void)
{
	env_patience = NSEC_PER_MSEC;
	env_boot(&me, 1, 0);
	env_patience = 0;
}

static void connect_two(struct file *f[2], uint16_t port)
{
	struct sockaddr_storage a;
	uint32_t n;
	int one = 1;

	f[0] = socket_create(AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(env_dial(f[0], ME, port), 0);
	f[1] = socket_accept(listener, 0, &a, &n);
	CHECK(!IS_ERR(f[1]));
	for (int i = 0; i < 2; i++)
		socket_setopt(f[i], SOL_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void start_tcp(void)
{
	start();
	listener = socket_create(AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(env_bind(listener, ME, 80), 0);
	CHECK_EQ(socket_listen(listener, 5), 0);
	connect_two(end, 80);
}

static void finish(void)
{
	for (int i = 0; i < 2; i++)
		file_put(end[i]);
	if (listener)
		file_put(listener);
	listener = NULL;
	env_reset((struct env_stack *[]){ &me }, 1);
}

static struct tcp_sock *sock(int i)
{
	return tcp_sk(file_socket(end[i]));
}

/* A sleeper in a call; nobody runs here, so it stays asleep. */
static struct wait_entry sleeper;
static void fall_asleep(int i)
{
	sleeper = (struct wait_entry){ .thread = host_current };
	wait_add(&file_socket(end[i])->wait, &sleeper);
}
static void get_up(void)
{
	wait_remove(&sleeper);
}

static void send_some(int from, int n)
{
	for (int i = 0; i < n; i++)
		CHECK_EQ(env_write(end[from], "0123456789", 10, 0), 10);
}

TEST(what_a_busy_program_leaves_is_worked_off_after_a_millisecond)
{
	start_tcp();
	uint32_t before = sock(1)->rcv_nxt;

	send_some(0, 1);
	CHECK_EQ(sock(1)->rcv_nxt, before); /* it lies there */
	CHECK(!channel_empty(&sock(1)->i.s.channel));
	env_run(900 * NSEC_PER_USEC);
	CHECK_EQ(sock(1)->rcv_nxt, before);
	env_run(200 * NSEC_PER_USEC);
	CHECK_EQ(sock(1)->rcv_nxt, before + 10);
	env_run(2 * NSEC_PER_MSEC); /* the ACK had to wait as well */
	CHECK_EQ(sock(0)->snd_una, sock(0)->snd_nxt);
	CHECK(!me.net.left_timer.armed); /* and then there is peace */
	finish();
}

TEST(a_reader_that_comes_at_once_needs_no_clock)
{
	char buf[100];

	start_tcp();
	env_run(NSEC_PER_SEC); /* the handshake's */
	fall_asleep(1);
	env_free_until = env_wakes + 1; /* it is the next to run */
	send_some(0, 1);
	CHECK(!me.net.left_timer.armed);
	CHECK(!sock(1)->i.s.channel.listed);
	send_some(0, 1); /* it did not come: nobody is rung for */
	CHECK(me.net.left_timer.armed);
	get_up();
	CHECK_EQ(env_read(end[1], buf, sizeof(buf), MSG_DONTWAIT), 20);
	env_run(NSEC_PER_SEC);
	CHECK(!me.net.left_timer.armed);
	fall_asleep(1);
	send_some(0, 1); /* others run before it */
	CHECK(me.net.left_timer.armed);
	get_up();
	CHECK_EQ(env_read(end[1], buf, sizeof(buf), MSG_DONTWAIT), 10);
	env_run(NSEC_PER_SEC);
	env_free_until = env_wakes + 1;
	send_some(0, 1); /* nobody sleeps */
	CHECK(me.net.left_timer.armed);
	env_free_until = 0;
	finish();
}

TEST(every_call_sees_what_has_come)
{
	char buf[100];
	int n = 0;

	start_tcp();
	send_some(0, 1);
	CHECK(env_poll(end[1]) & POLLIN);
	CHECK_EQ(env_read(end[1], buf, sizeof(buf), MSG_DONTWAIT), 10);
	send_some(0, 1);
	CHECK_EQ(end[1]->ops->ioctl(end[1], FIONREAD, (unsigned long)&n), 0);
	CHECK_EQ(n, 10);
	struct tcp_info info;
	uint32_t len = sizeof(info);

	send_some(0, 1);
	CHECK_EQ(socket_getopt(end[1], SOL_TCP, TCP_INFO, &info, &len), 0);
	CHECK_EQ(info.tcpi_bytes_received, 30);
	send_some(0, 2);
	CHECK_EQ(env_read(end[1], buf, sizeof(buf), MSG_DONTWAIT), 40);
	finish();
}

TEST(a_burst_wakes_a_sleeper_once_and_an_ack_wakes_no_reader)
{
	char buf[1000];

	start_tcp();
	fall_asleep(1);
	unsigned long before = env_wakes;

	send_some(0, 20);
	CHECK_EQ(env_wakes - before, 1);
	get_up();
	CHECK_EQ(env_read(end[1], buf, sizeof(buf), MSG_DONTWAIT), 200);
	fall_asleep(1);
	before = env_wakes;
	send_some(0, 3);
	CHECK_EQ(env_wakes - before, 1); /* it sleeps again: once more */
	get_up();
	fall_asleep(0);
	before = env_wakes;
	CHECK_EQ(env_read(end[1], buf, sizeof(buf), MSG_DONTWAIT), 30);
	env_run(100 * NSEC_PER_MSEC); /* the ACKs */
	CHECK_EQ(sock(0)->snd_una, sock(0)->snd_nxt);
	CHECK_EQ(env_wakes - before, 0);
	get_up();
	finish();
}

TEST(who_was_not_told_is_told_when_the_work_is_done)
{
	start_tcp();
	send_some(0, 1); /* nobody was there to be told */
	fall_asleep(1);
	CHECK(socket_look(&sock(1)->i.s)); /* a sleeper sees it */
	get_up();
	CHECK(env_poll(end[1]) & POLLIN);

	struct socket *s = &sock(1)->i.s;

	fall_asleep(1);
	send_some(0, 1); /* told */
	unsigned long before = env_wakes;

	socket_lock(s); /* takes it */
	socket_unlock(s);
	CHECK_EQ(env_wakes - before, 0);
	send_some(0, 1);
	before = env_wakes;
	socket_lock(s);
	(void)socket_look(s); /* somebody comes while the work is being done */
	socket_unlock(s);
	CHECK_EQ(env_wakes - before, 1);
	get_up();
	finish();
}

TEST(the_protocol_sees_at_once_what_it_needs_at_once)
{
	static char much[300000];
	uint32_t una;

	start_tcp();
	CHECK(env_write(end[0], much, sizeof(much), MSG_DONTWAIT) > 0);
	CHECK(sock(0)->write_seq != sock(0)->snd_nxt); /* more than the window lets go */
	una = sock(0)->snd_una;
	socket_drain(&sock(1)->i.s); /* its ACKs */
	CHECK(sock(0)->snd_una != una);
	file_put(end[1]); /* data that was not read: a reset */
	CHECK_EQ(sock(0)->state, TCP_CLOSE);
	end[1] = socket_create(AF_INET, SOCK_STREAM, 0);
	finish();
}

TEST(a_full_channel_drops_and_keeps_the_order)
{
	struct file *f;
	uint32_t next = 0, last = 0, seen = 0, sent = 0;
	unsigned small = 4096;

	start();
	end[0] = socket_create(AF_INET, SOCK_DGRAM, 0);
	end[1] = f = socket_create(AF_INET, SOCK_DGRAM, 0);
	CHECK_EQ(env_bind(f, ME, 53), 0);
	socket_setopt(f, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	CHECK_EQ(env_dial(end[0], ME, 53), 0);
	struct socket *s = file_socket(f);

	while (!s->channel.dropped && sent < 100000) {
		sent++;
		CHECK_EQ(env_write(end[0], &sent, sizeof(sent), 0), sizeof(sent));
	}
	CHECK_EQ(s->channel.dropped, 1);
	CHECK(s->channel.bytes > channel_limit(s));
	CHECK(s->channel.bytes < channel_limit(s) + 4096);
	for (ssize_t n; (n = env_read(f, &next, sizeof(next), MSG_DONTWAIT)) > 0; seen++) {
		CHECK_EQ(next, last + 1);
		last = next;
	}
	CHECK_EQ(s->channel.bytes, 0);
	CHECK(seen > 0);
	CHECK_EQ(seen + dgram_sk(s)->drops + s->channel.dropped, sent);
	finish();
}

#define CONNECTIONS 10000

/* Idle ones cost an event of another one nothing: no chain is long, nobody else is looked at. */
TEST(ten_thousand_connections_and_one_speaks)
{
	static struct file *all[CONNECTIONS][2];
	unsigned longest = 0;
	char buf[10];

	start_tcp();
	for (int i = 0; i < CONNECTIONS; i++)
		connect_two(all[i], 80);
	env_run(3 * NSEC_PER_SEC);
	for (uint32_t c = 0; c <= me.net.tcp_conn.mask; c++) {
		unsigned n = 0;

		for (struct flow *f = me.net.tcp_conn.chain[c]; f; f = f->next)
			n++;
		longest = MAX(longest, n);
	}
	CHECK(longest < 20);
	uint32_t takes = 0, then = 0;

	for (int i = 0; i < CONNECTIONS; i++)
		takes += file_socket(all[i][0])->channel.takes +
			 file_socket(all[i][1])->channel.takes;
	unsigned long wakes = env_wakes;

	fall_asleep(1);
	send_some(0, 5);
	get_up();
	CHECK_EQ(env_wakes - wakes, 1);
	CHECK_EQ(env_read(end[1], buf, sizeof(buf), MSG_DONTWAIT), 10);
	env_run(3 * NSEC_PER_SEC);
	for (int i = 0; i < CONNECTIONS; i++)
		then += file_socket(all[i][0])->channel.takes +
			file_socket(all[i][1])->channel.takes;
	CHECK_EQ(then, takes);
	for (int i = 0; i < CONNECTIONS; i++)
		for (int k = 0; k < 2; k++)
			file_put(all[i][k]);
	finish();
}
