/* SPDX-License-Identifier: BSD-2-Clause */
/* Two whole stacks over a bad link, in virtual time: every byte checked, nothing may get stuck. */
/* sources: $(HOST_NET) */
/* sources: src/net/ip.c src/net/ip_frag.c src/net/netif.c src/net/netlink.c */
/* sources: src/net/packet.c src/net/raw.c src/net/socket.c src/net/sockopt.c */
/* sources: src/net/tcp_ack.c src/net/tcp_cong.c src/net/tcp_data.c src/net/tcp_in.c */
/* sources: src/net/tcp_listen.c src/net/tcp_opt.c src/net/tcp_out.c src/net/tcp_sack.c */
/* sources: src/net/tcp_sockopt.c src/net/tcp_state.c src/net/tcp_timer.c src/net/udp.c */
/* sources: src/net/unix.c src/net/unix_data.c src/net/unix_msg.c src/net/unix_name.c */
/* sources: src/net/dhcp.c src/net/dhcp_packet.c src/lib/hash.c src/lib/string.c */
/* sources: src/lib/format.c src/lib/cmdline.c src/file/iter.c src/net/config.c */
/* flags: -D_GNU_SOURCE */
#include "net_env.h"

#define A IP4(10, 0, 0, 1)
#define B IP4(10, 0, 0, 2)

static struct env_stack a, b;
static struct env_link wire;

static void setup(uint32_t features)
{
	memset(&wire, 0, sizeof(wire));
	wire.delay = 1000000;
	env_boot(&a, 1, features);
	netif_add_address(&a.eth, A, 24);
	env_boot(&b, 2, features);
	netif_add_address(&b.eth, B, 24);
	env_connect(&wire, &a, &b);
	host_net = &a.net;
}
static void teardown(void)
{
	struct env_stack *s[] = { &a, &b };

	env_reset(s, 2);
}

/* One direction of a transfer. */
struct flow {
	struct file *from, *to;
	struct env_stack *from_stack, *to_stack;
	size_t total, sent, got;
	unsigned salt;
	bool closed, eof;
};

static uint8_t pattern(unsigned salt, size_t at)
{
	return (uint8_t)(at * 31 + (at >> 8) * 7 + (at >> 16) + salt);
}

static void pump_send(struct flow *f)
{
	uint8_t buf[8192];

	host_net = &f->from_stack->net;
	while (f->sent < f->total) {
		size_t n = MIN(f->total - f->sent, 1 + t_random(&env_seed) % sizeof(buf));

		for (size_t i = 0; i < n; i++)
			buf[i] = pattern(f->salt, f->sent + i);
		ssize_t r = env_write(f->from, buf, n, MSG_DONTWAIT);

		if (r == -EAGAIN)
			return;
		if (r <= 0) {
			T_FAIL("send: %zd after %zu bytes", r, f->sent);
			f->sent = f->total;
			return;
		}
		f->sent += (size_t)r;
	}
	if (!f->closed) {
		f->closed = true;
		socket_shutdown(f->from, SHUT_WR);
	}
}

static void pump_recv(struct flow *f)
{
	uint8_t buf[8192];

	host_net = &f->to_stack->net;
	while (!f->eof) {
		ssize_t r =
			env_read(f->to, buf, 1 + t_random(&env_seed) % sizeof(buf), MSG_DONTWAIT);

		if (r == -EAGAIN)
			return;
		if (r <= 0) {
			f->eof = true;
			if (r < 0)
				T_FAIL("recv: %zd after %zu bytes", r, f->got);
			return;
		}
		for (ssize_t i = 0; i < r; i++)
			if (buf[i] != pattern(f->salt, f->got + (size_t)i)) {
				T_FAIL("wrong byte at %zu", f->got + (size_t)i);
				f->eof = true;
				return;
			}
		f->got += (size_t)r;
	}
}

/* A connection from a to b: out[0] at a, out[1] at b. */
static bool connected(struct file *out[2], struct file **listener)
{
	struct file *l, *c;

	host_net = &b.net;
	l = socket_create(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	env_bind(l, 0, 80);
	socket_listen(l, 10);
	host_net = &a.net;
	c = socket_create(AF_INET, SOCK_STREAM, 0);
	int err = env_dial(c, B, 80);

	if (err) {
		T_FAIL("connect: %d", err);
		return false;
	}
	host_net = &b.net;
	for (int i = 0; i < 100000; i++) {
		out[1] = socket_accept(l, SOCK_NONBLOCK, NULL, NULL);
		if (!IS_ERR(out[1]))
			break;
		if (!env_step(env_now + 300 * NSEC_PER_SEC))
			break;
	}
	if (IS_ERR(out[1])) {
		T_FAIL("accept: %ld", PTR_ERR(out[1]));
		return false;
	}
	out[0] = c;
	*listener = l;
	return true;
}

static void finish(struct file *end[2], struct file *l)
{
	host_net = &a.net;
	file_put(end[0]);
	host_net = &b.net;
	file_put(end[1]);
	file_put(l);
}

/* Both ways at once. Returns the virtual time it took, 0 on failure. */
static uint64_t transfer(size_t there, size_t back)
{
	struct file *end[2], *l;

	if (!connected(end, &l))
		return 0;
	struct flow f[2] = {
		{ end[0], end[1], &a, &b, there, .salt = 1 },
		{ end[1], end[0], &b, &a, back, .salt = 77 },
	};
	uint64_t start = env_now, limit = start + 3600 * NSEC_PER_SEC;

	while (!(f[0].eof && f[1].eof)) {
		for (int i = 0; i < 2; i++) {
			pump_send(&f[i]);
			pump_recv(&f[i]);
		}
		if (f[0].eof && f[1].eof)
			break;
		if (!env_step(limit)) {
			T_FAIL("stuck: %zu of %zu there, %zu of %zu back, at %llu ms", f[0].got,
				there, f[1].got, back, (unsigned long long)(env_now / 1000000));
			struct tcp_sock *t = tcp_sk(end[0]->private), *u = tcp_sk(end[1]->private);

			fprintf(stderr,
				"a: state %u una %u nxt %u write %u wnd %u cwnd %u ca %u | b: state %u rcv_nxt %u\n",
				t->state, t->snd_una - t->iss, t->snd_nxt - t->iss,
				t->write_seq - t->iss, t->snd_wnd, t->cwnd, t->ca_state, u->state,
				u->rcv_nxt - u->irs);
			break;
		}
	}
	uint64_t took = env_now - start;

	CHECK_EQ(f[0].got, there);
	CHECK_EQ(f[1].got, back);
	finish(end, l);
	env_run(200 * NSEC_PER_SEC); /* TIME_WAIT and all */
	CHECK(!a.net.tcp_time_wait && !b.net.tcp_time_wait);
	return took;
}

TEST(clean_link)
{
	setup(0);
	wire.ns_per_byte = 8; /* 1 Gbit/s */
	uint64_t ns = transfer(4000000, 0);

	CHECK(ns && ns < 200 * NSEC_PER_MSEC);
	teardown();
	CHECK_EQ(t_live(), 0);
}
TEST(clean_link_both_ways_with_offloads)
{
	setup(NETDEV_TX_CSUM | NETDEV_TSO4);
	transfer(3000000, 2000000);
	teardown();
	CHECK_EQ(t_live(), 0);
}
TEST(one_percent_loss)
{
	setup(0);
	wire.loss = 100;
	transfer(1000000, 1000000);
	teardown();
}
TEST(goodput_under_loss)
{
	/* 100 Mbit/s, 10 ms each way, 0.1% loss: most of the link is used */
	setup(0);
	wire.ns_per_byte = 80;
	wire.delay = 2000000;
	wire.loss = 10;
	wire.queue_limit = 200;
	uint64_t ns = transfer(10000000, 0);

	CHECK(ns < 10000000ull * 80 * 2);
	teardown();
}
TEST(reordering)
{
	setup(0);
	wire.reorder = 500;
	wire.jitter = 500000;
	transfer(500000, 500000);
	teardown();
}
TEST(duplication)
{
	setup(0);
	wire.dup = 3000;
	transfer(500000, 500000);
	teardown();
}
TEST(corruption_is_never_delivered)
{
	setup(0);
	wire.corrupt = 200;
	transfer(300000, 300000);
	teardown();
}
TEST(narrow_window)
{
	setup(0);
	wire.loss = 50;
	transfer(100000, 1);
	teardown();
}
TEST(many_seeds)
{
	for (unsigned long seed = 1; seed <= 150; seed++) {
		env_seed = seed * 7919;
		setup(seed & 1 ? NETDEV_TSO4 | NETDEV_TX_CSUM : 0);
		wire.loss = (unsigned)(t_random(&env_seed) % 1000);
		wire.dup = (unsigned)(t_random(&env_seed) % 500);
		wire.reorder = (unsigned)(t_random(&env_seed) % 1000);
		wire.corrupt = (unsigned)(t_random(&env_seed) % 100);
		wire.jitter = t_random(&env_seed) % 5000000;
		wire.delay = 1000 + t_random(&env_seed) % 50000000;
		wire.ns_per_byte = t_random(&env_seed) % 800;
		int before = atomic_load(&t_failures);

		transfer(t_random(&env_seed) % 100000, t_random(&env_seed) % 100000);
		teardown();
		CHECK_EQ(t_live(), 0);
		if (atomic_load(&t_failures) != before) {
			fprintf(stderr, "seed %lu\n", seed);
			return;
		}
	}
}
