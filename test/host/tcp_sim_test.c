/* SPDX-License-Identifier: BSD-2-Clause */
/* Two whole stacks over a bad link, in virtual time: every byte checked, nothing may get stuck. */
/* sources: $(HOST_NET) */
/* flags: -D_GNU_SOURCE */
#include "net_env.h"

#ifndef LEAST_MTU
#define LEAST_MTU 576 /* that a path may have */
#endif
#define A IP4(10, 0, 0, 1)
#define B IP4(10, 0, 0, 2)

static struct env_stack a, b;
static struct env_link wire;
static const char *congestion; /* NULL: as it comes */
static unsigned lazy, buffers; /* buffers: SO_RCVBUF and SO_SNDBUF, 0: as they come */

/* ---- a path with a mind of its own ---- */

static unsigned path_mtu;  /* larger packets vanish without a word; 0: any */
static uint32_t forbidden; /* bit k: option k does not survive in a SYN */

static bool path_tap(struct env_link *l, int from, struct packet *p)
{
	bool v6 = get_be16(p->data + 12) == ETH_IPV6;
	unsigned at = v6 ? 54 : 34;
	uint8_t *tcp = p->data + at;

	if (p->len < at + 20 || p->data[v6 ? 20 : 23] != IPPROTO_TCP)
		return true;
	if (path_mtu && p->len - 14 > path_mtu)
		return false;
	if (!forbidden || !(tcp[13] & TCP_SYN))
		return true;
	for (int o = 20, n; o < (tcp[12] >> 4) * 4 && tcp[o]; o += n) {
		n = tcp[o] == TCPOPT_NOP ? 1 : tcp[o + 1];
		if (forbidden >> tcp[o] & 1)
			memset(tcp + o, TCPOPT_NOP, (size_t)n);
	}
	env_fix_segment(p, at, v6);
	return true;
}

static void setup(uint32_t features)
{
	memset(&wire, 0, sizeof(wire));
	wire.delay = 1000000;
	wire.tap = path_tap;
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
struct stream {
	struct file *from, *to;
	struct env_stack *from_stack, *to_stack;
	size_t total, sent, got;
	unsigned salt, lazy; /* lazy: the reader looks once in so many events, or a second */
	uint64_t looked;
	bool closed, eof;
};

static uint8_t pattern(unsigned salt, size_t at)
{
	return (uint8_t)(at * 31 + (at >> 8) * 7 + (at >> 16) + salt);
}

static void pump_send(struct stream *f)
{
	uint8_t buf[8192];

	host_net = &f->from_stack->net;
	while (f->sent < f->total) {
		size_t n = MIN(f->total - f->sent, 1 + t_random(&env_seed) % sizeof(buf));

		for (size_t i = 0; i < n; i++)
			buf[i] = pattern(f->salt, f->sent + i);
		unsigned how = t_random(&env_seed) % 8;
		ssize_t r = how == 0   ? env_write_lent(f->from, buf, n, 0)
			    : how == 1 ? env_write_pinned(f->from, buf, n)
				       : 0;

		if (!r)
			r = env_write(f->from, buf, n, MSG_DONTWAIT);
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

static void pump_recv(struct stream *f)
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

/* One attempt: 0, or what a program would try again after. On such links a handshake may fail. */
static int attempt(struct file *out[2], struct file *l)
{
	int err;

	host_net = &a.net;
	out[0] = socket_create(AF_INET, SOCK_STREAM, 0);
	err = env_dial(out[0], B, 80);
	host_net = &b.net;
	while (!err) {
		out[1] = socket_accept(l, SOCK_NONBLOCK, NULL, NULL);
		if (!IS_ERR(out[1]))
			return 0;
		if (!env_step(env_now + 300 * NSEC_PER_SEC))
			err = -ETIMEDOUT; /* we are connected, but our last ACK never arrived */
	}
	host_net = &a.net;
	file_put(out[0]);
	return err;
}

/* A connection from a to b: out[0] at a, out[1] at b. */
static bool connected(struct file *out[2], struct file **listener)
{
	struct file *l;
	int err = -1;

	host_net = &b.net;
	l = socket_create(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	env_bind(l, 0, 80);
	socket_listen(l, 10);
	for (int k = 0; err && k < (wire.loss ? 4 : 1); k++)
		err = attempt(out, l);
	if (err) {
		T_FAIL("connect: %d", err);
		return false;
	}
	for (int i = 0; i < 2; i++) {
		host_net = i ? &b.net : &a.net;
		if (congestion)
			CHECK_EQ(socket_setopt(out[i], SOL_TCP, TCP_CONGESTION, congestion,
					 (uint32_t)strlen(congestion)),
				0);
		if (buffers) {
			socket_setopt(out[i], SOL_SOCKET, SO_RCVBUF, &buffers, 4);
			socket_setopt(out[i], SOL_SOCKET, SO_SNDBUF, &buffers, 4);
		}
	}
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
	struct stream f[2] = {
		{ end[0], end[1], &a, &b, there, .salt = 1, .lazy = lazy },
		{ end[1], end[0], &b, &a, back, .salt = 77, .lazy = lazy },
	};
	uint64_t start = env_now, limit = start + 3600 * NSEC_PER_SEC;

	while (!(f[0].eof && f[1].eof)) {
		for (int i = 0; i < 2; i++) {
			pump_send(&f[i]);
			if (f[i].lazy && t_random(&env_seed) % f[i].lazy &&
				env_now - f[i].looked < NSEC_PER_SEC)
				continue;
			f[i].looked = env_now;
			pump_recv(&f[i]);
		}
		for (int i = 0; i < 2; i++)
			env_check_tcp(tcp_sk(end[i]->private));
		if (f[0].eof && f[1].eof)
			break;
		if (env_step(limit))
			continue;
		if (f[0].lazy) { /* all is quiet because all has arrived */
			f[0].lazy = f[1].lazy = 0;
		} else {
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
	/* TIME_WAIT, and on the worst of days a FIN's last retransmission */
	env_run(1200 * NSEC_PER_SEC);
	CHECK(!a.net.tcp_time_wait && !b.net.tcp_time_wait);
	CHECK_EQ(env_pages_used, 0); /* what was lent has come back */
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
/*
 * Goodput: at least 85% of what the wire carries, headers and retransmissions counted against us.
 * A window of C segments survives a loss rate p when C is below about 1.2 / sqrt(p) (RFC 5681,
 * 9438 with beta 0.7): at 1% the pipe may hold 10 segments, so 20 Mbit/s over 4 ms.
 */
static uint64_t gathered;
static void goodput(const char *cong, unsigned loss, unsigned reorder, uint64_t jitter,
	uint64_t ns_per_byte, uint64_t delay, unsigned seed)
{
	size_t bytes = 12000000;

	env_seed = seed;
	setup(0);
	transfer(1, 0); /* a neighbour is asked a second later if the first question is lost */
	congestion = cong;
	wire.ns_per_byte = ns_per_byte;
	wire.delay = delay;
	wire.loss = loss;
	wire.reorder = reorder;
	wire.jitter = jitter;
	wire.queue_limit = 60;
	wire.gather = gathered;
	uint64_t ns = transfer(bytes, 0), best = bytes * ns_per_byte;

	if (getenv("NET_RATE"))
		fprintf(stderr, "%s loss %u reorder %u: %.1f%% of the link\n", cong, loss, reorder,
			100.0 * (double)best / (double)ns);
	CHECK(ns && best * 100 >= ns * 85);
	congestion = NULL;
	teardown();
}
TEST(goodput_clean_cubic)
{
	goodput("cubic", 0, 0, 0, 400, 2000000, 1);
}
TEST(goodput_clean_reno)
{
	goodput("reno", 0, 0, 0, 400, 2000000, 2);
}
TEST(goodput_one_percent_loss_cubic)
{
	for (unsigned seed = 1; seed <= 3; seed++)
		goodput("cubic", 100, 0, 0, 400, 2000000, seed);
}
TEST(goodput_one_percent_loss_reno)
{
	for (unsigned seed = 1; seed <= 3; seed++)
		goodput("reno", 100, 0, 0, 400, 2000000, seed);
}
TEST(goodput_reordering)
{
	goodput("cubic", 0, 200, 0, 400, 2000000, 5);
}
TEST(goodput_loss_and_reordering)
{
	goodput("cubic", 100, 200, 0, 400, 2000000, 6);
}
TEST(goodput_jitter)
{
	goodput("cubic", 0, 0, 3000000, 400, 2000000, 7);
}
TEST(goodput_gathered)
{
	gathered = 500000; /* twelve segments are one packet */
	goodput("cubic", 0, 0, 0, 400, 2000000, 9);
	goodput("cubic", 100, 0, 0, 400, 2000000, 10);
	gathered = 0;
}
TEST(goodput_long_fat_pipe)
{
	/* 100 Mbit/s, 40 ms: 340 segments in flight, and 1 of 100000 is lost */
	env_seed = 8;
	setup(0);
	wire.ns_per_byte = 80;
	wire.delay = 20000000;
	wire.queue_limit = 400;
	uint64_t ns = transfer(40000000, 0);

	if (getenv("NET_RATE"))
		fprintf(stderr, "long fat: %.1f%%\n", 100.0 * 40000000 * 80 / (double)ns);
	CHECK(ns && 40000000ull * 80 * 100 >= ns * 85);
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
TEST(black_hole_is_found_and_measured)
{
	setup(0);
	path_mtu = 1300;
	transfer(400000, 400000);
	path_mtu = 0;
	teardown();
}
TEST(lazy_readers_close_windows)
{
	setup(0);
	lazy = 50;
	buffers = 4096;
	wire.loss = 200;
	transfer(200000, 200000);
	lazy = buffers = 0;
	teardown();
}

/* ---- thousands of bad days ---- */

static unsigned long rnd(unsigned long n)
{
	return t_random(&env_seed) % n;
}
/* Most links have only some vices. */
static unsigned vice(unsigned most)
{
	return rnd(2) ? 0 : (unsigned)rnd(most);
}

static void bad_day(unsigned long seed)
{
	env_seed = seed * 7919;
	setup(seed & 1 ? NETDEV_TSO4 | NETDEV_TX_CSUM : 0);
	wire.loss = vice(1500);
	wire.dup = vice(500);
	wire.reorder = vice(1000);
	wire.corrupt = vice(100);
	wire.jitter = vice(2) ? rnd(20000000) : 0;
	wire.delay = 1000 + rnd(rnd(2) ? 100000000 : 100000);
	wire.ns_per_byte = rnd(800);
	wire.queue_limit = vice(50);
	wire.gather = vice(1000000);
	congestion = rnd(2) ? "reno" : NULL;
	lazy = vice(30);
	buffers = vice(30000);
	path_mtu = rnd(4) ? 0 : LEAST_MTU + (unsigned)rnd(1476 - LEAST_MTU);
	for (int k = 0; k < 3; k++) /* SACK, window scale, timestamps */
		if (rnd(4) == 0)
			forbidden |=
				1u
				<< ((int[]){ TCPOPT_SACK_OK, TCPOPT_WSCALE, TCPOPT_TIMESTAMPS })[k];
	size_t most = rnd(16) ? 20000 : 300000;

	transfer(rnd(most), rnd(most));
	congestion = NULL;
	lazy = buffers = path_mtu = forbidden = 0;
	teardown();
	CHECK_EQ(t_live(), 0);
}

static unsigned long setting(const char *name, unsigned long otherwise)
{
	const char *s = getenv(name);

	return s ? strtoul(s, NULL, 10) : otherwise;
}

/* TCP_SEEDS=N for so many, from TCP_FIRST on; TCP_SEED=K for one. */
TEST(thousands_of_seeds)
{
	unsigned long one = setting("TCP_SEED", 0), first = one ? one : setting("TCP_FIRST", 1);
	unsigned long last = first - 1 + (one ? 1 : setting("TCP_SEEDS", 2000));

	for (unsigned long seed = first; seed <= last; seed++) {
		bad_day(seed);
		if (atomic_load(&t_failures)) {
			fprintf(stderr, "TCP_SEED=%lu\n", seed);
			return;
		}
	}
}
