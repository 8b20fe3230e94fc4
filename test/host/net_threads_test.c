/* SPDX-License-Identifier: BSD-2-Clause */
/* tsan */
/* sources: $(HOST_NET) src/sched/rcu.c $(HOST_MUTEX) src/sched/wait.c */
/* flags: -DO_PATH=010000000 -Wno-unknown-warning-option -Wno-tsan */
/*
 * The whole stack among real threads: receive threads of a card with several queues, programs that
 * connect, send, read and close, timers and the network thread. Each thread plays a CPU of RCU's.
 * AddressSanitizer and ThreadSanitizer see what is freed too early and what nothing guards.
 */
#define CPUS		 10
#define RCU_HOST_KTHREAD reclaimer_create
#include "t.h"
#include "rcu_host.h"
#include "net_base.h"
#include "lockfree/mpsc.h"
#include "abi/net.h"
#include "net/inet.h"
#include "net/netif.h"
#include "net/rx.h"
#include "sched/random.h"

enum {
	CPU_TIMER,
	CPU_RX,
	CPU_RX2,
	CPU_CLIENT,
	CPU_CLIENT2,
	CPU_SERVER,
	CPU_SERVER2,
	CPU_SENDER,
	CPU_SENDER2,
	CPU_CARD
};

/* ---- timers: one thread, which is the network thread too ---- */

static pthread_mutex_t timer_lock = PTHREAD_MUTEX_INITIALIZER;
static struct timer *timers[4096];
static unsigned timer_count;
static atomic_bool machine_off;
static struct thread net_thread_stub;
static struct net_state stack;

void timer_init(struct timer *t, timer_fn *fn, void *arg)
{
	memset(t, 0, sizeof(*t));
	t->fn = fn;
	t->arg = arg;
}
static bool disarm(struct timer *t)
{
	for (unsigned i = 0; i < timer_count; i++)
		if (timers[i] == t) {
			timers[i] = timers[--timer_count];
			return true;
		}
	return false;
}
void timer_arm(struct timer *t, uint64_t expires)
{
	pthread_mutex_lock(&timer_lock);
	disarm(t);
	t->expires = expires;
	if (timer_count == ARRAY_SIZE(timers))
		abort();
	timers[timer_count++] = t;
	pthread_mutex_unlock(&timer_lock);
}
bool timer_cancel(struct timer *t)
{
	pthread_mutex_lock(&timer_lock);
	bool was = disarm(t);

	pthread_mutex_unlock(&timer_lock);
	return was;
}
static struct timer *timer_running; /* under timer_lock */
bool timer_cancel_sync(struct timer *t)
{
	bool was = timer_cancel(t), runs = true;

	while (runs) {
		pthread_mutex_lock(&timer_lock);
		runs = timer_running == t;
		pthread_mutex_unlock(&timer_lock);
		come_by();
	}
	return was;
}

static void run_timers(void)
{
	uint64_t now = clock_now();

	for (unsigned i = 0;;) {
		pthread_mutex_lock(&timer_lock);
		while (i < timer_count && timers[i]->expires > now)
			i++;
		struct timer *t = i < timer_count ? timers[i] : NULL;

		if (t) {
			timers[i] = timers[--timer_count];
			timer_running = t;
		}
		pthread_mutex_unlock(&timer_lock);
		if (!t)
			return;
		t->fn(t);
		pthread_mutex_lock(&timer_lock);
		timer_running = NULL;
		pthread_mutex_unlock(&timer_lock);
		come_by();
	}
}

static void timer_thread(void *arg)
{
	sleeping(false);
	while (!atomic_load(&machine_off)) {
		run_timers();
		net_thread_work();
		come_by();
		usleep(200);
	}
	net_thread_work();
	sleeping(true);
}

struct thread *kthread_create(
	const char *name, void (*entry)(void *), void *arg, enum thread_class class)
{
	return strcmp(name, "net") == 0 ? &net_thread_stub
					: reclaimer_create(name, entry, arg, class);
}
int thread_sleep(uint64_t ns, bool interruptible, uint64_t *left)
{
	usleep(ns / 1000);
	return 0;
}
uint64_t clock_realtime(void)
{
	return clock_now();
}
uint64_t random_u64(void)
{
	static _Thread_local uint64_t seed;

	if (!seed)
		seed = clock_now() ^ (uintptr_t)&seed;
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return hash_u64(seed);
}
/* mutex.c is told the class of each lock; nobody asks for it here. */

/* ---- a card: what goes out is lost some time later, what comes in is made up ---- */

static struct netdev card;
void (*netdev_registered)(struct netdev *dev);
uint32_t netdev_waiters;
static struct netdev *first_dev;

void netdev_register(struct netdev *dev)
{
	struct netdev **at = &first_dev;

	dev->index = 1;
	for (; *at; at = &(*at)->next)
		dev->index++;
	*at = dev;
	if (netdev_registered)
		netdev_registered(dev);
}
struct netdev *netdev_first(void)
{
	return first_dev;
}
static struct mpsc_list in_card; /* linked through cb */
static int card_send(struct netdev *dev, struct packet *p)
{
	mpsc_push(&in_card, (struct mpsc_node *)p->cb);
	return 0;
}
static void card_sends(void)
{
	struct mpsc_node *n = mpsc_take_all(&in_card), *next;

	for (; n; n = next) {
		next = load_relaxed(&n->next);
		packet_free(container_of((void *)n, struct packet, cb));
		come_by();
	}
}

#define HERE IP4(10, 0, 0, 1)
#define PORT 7000

static void boot(void)
{
	rcu_host_init();
	host_net = &stack;
	net_init();
	netdev_registered = NULL;
	card.mtu = 1500;
	card.queues = 2;
	card.link_up = true;
	card.mac[0] = 2;
	card.send = card_send;
	card.rx = net_rx;
	netdev_register(&card);
	BUG_ON(netif_add_address(&card, HERE, 24));
}

/* A frame to (HERE, to) from (10.0.0.2, from); for TCP with these flags and any sequence numbers.
 */
static struct packet *frame(
	uint8_t protocol, uint16_t from, uint16_t to, uint8_t flags, size_t text)
{
	size_t head = protocol == IPPROTO_TCP ? 20 : 8;
	struct packet *p = packet_alloc(64, 14 + 20 + head + text);
	uint8_t *b = packet_put(p, 14 + 20 + head + text), *ip = b + 14, *l4 = ip + 20;
	uint32_t src = IP4(10, 0, 0, 2), dst = HERE;

	memset(b, 0, p->len);
	memcpy(b, card.mac, 6);
	put_be16(b + 12, ETH_IPV4);
	ip[0] = 0x45;
	put_be16(ip + 2, (uint16_t)(p->len - 14));
	ip[8] = 64;
	ip[9] = protocol;
	memcpy(ip + 12, &src, 4);
	memcpy(ip + 16, &dst, 4);
	uint16_t sum = csum_fold(csum_add(0, ip, 20));

	memcpy(ip + 10, &sum, 2);
	put_be16(l4, from);
	put_be16(l4 + 2, to);
	if (protocol == IPPROTO_TCP) {
		put_be32(l4 + 4, (uint32_t)random_u64());
		put_be32(l4 + 8, (uint32_t)random_u64());
		l4[12] = 5 << 4;
		l4[13] = flags;
		put_be16(l4 + 14, 5000);
	} else {
		put_be16(l4 + 4, (uint16_t)(head + text));
	}
	p->csum_flags = PACKET_CSUM_VALID;
	return p;
}

/* ---- the storm ---- */

static int rounds = 400;
static atomic_int programs; /* that still run */
static atomic_long answered, datagrams, waited;

static int open_socket(int type, struct file **out)
{
	*out = socket_create(AF_INET, type, 0);
	return IS_ERR(*out) ? (int)PTR_ERR(*out) : 0;
}
static int name_call(int (*call)(struct file *, const struct sockaddr_storage *, uint32_t,
			     const struct path_context *),
	struct file *f, uint32_t addr, uint16_t port)
{
	struct sockaddr_storage a;
	uint32_t len;

	inet_addr(&a, &len, addr, port);
	return call(f, &a, len, NULL);
}
static ssize_t transfer(struct file *f, char *buf, size_t n, bool out, unsigned flags)
{
	struct iter it;
	struct socket_message m = { .data = &it, .flags = flags | MSG_NOSIGNAL };

	iter_init_one(&it, buf, n, false);
	return out ? socket_send(f, &m, NULL) : socket_recv(f, &m);
}

/* Frames for everybody: for listeners, for connections that are there, were there, and never were.
 */
static void receiver(void *arg)
{
	static const uint8_t flags[] = { TCP_SYN, TCP_ACK, TCP_RST, TCP_FIN | TCP_ACK,
		TCP_SYN | TCP_ACK, TCP_ACK | TCP_PSH };

	sleeping(false);
	while (atomic_load(&programs)) {
		struct packet *batch = NULL;

		for (int i = 0; i < 16; i++) {
			uint64_t r = random_u64();
			bool tcp = r & 1;
			struct packet *p = frame(tcp ? IPPROTO_TCP : IPPROTO_UDP,
				(uint16_t)(40000 + (r >> 8) % 8),
				(uint16_t)(PORT + (tcp ? 0 : (r >> 16) % 4)),
				flags[(r >> 24) % ARRAY_SIZE(flags)], (r >> 32) % 64);

			p->next = batch;
			batch = p;
		}
		card.rx(&card, batch);
		come_by();
		usleep(50);
	}
	sleeping(true);
}

/* Over loopback, to servers that come and go. */
static void client(void *arg)
{
	char text[64];

	sleeping(false);
	for (int i = 0; i < rounds; i++) {
		struct file *f;

		CHECK_EQ(open_socket(SOCK_STREAM, &f), 0);
		if (name_call(socket_connect, f, IP4(127, 0, 0, 1), PORT) == 0) {
			memset(text, i, sizeof(text));
			if (transfer(f, text, sizeof(text), true, 0) == sizeof(text) &&
				transfer(f, text, 1, false, 0) == 1)
				atomic_fetch_add(&answered, 1);
		}
		if (i % 3 == 0) { /* a reset ends it */
			int linger[2] = { 1, 0 };

			socket_setopt(f, SOL_SOCKET, SO_LINGER, linger, sizeof(linger));
		}
		file_put(f);
		come_by();
	}
	atomic_fetch_sub(&programs, 1);
	sleeping(true);
}

/* A listener of a group that changes all the time, and datagram sockets that bind and connect. */
static void server(void *arg)
{
	int one = 1;
	char text[128];

	sleeping(false);
	while (atomic_load(&programs)) {
		struct file *l, *u;

		CHECK_EQ(open_socket(SOCK_STREAM, &l), 0);
		socket_setopt(l, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
		CHECK_EQ(name_call(socket_bind, l, 0, PORT), 0);
		CHECK_EQ(socket_listen(l, 64), 0);
		l->flags |= SOCK_NONBLOCK;
		CHECK_EQ(open_socket(SOCK_DGRAM, &u), 0);
		socket_setopt(u, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
		CHECK_EQ(name_call(socket_bind, u, random_u64() & 1 ? HERE : 0,
				 (uint16_t)(PORT + random_u64() % 4)),
			0);
		for (int k = 0; k < 40; k++) {
			struct sockaddr_storage a;
			uint32_t len;
			struct file *c = socket_accept(l, SOCK_NONBLOCK, &a, &len);

			if (!IS_ERR(c)) {
				for (int tries = 0; tries < 20; tries++) {
					ssize_t n = transfer(c, text, sizeof(text), false, 0);

					if (n > 0) {
						transfer(c, text, 1, true, 0);
						break;
					}
					if (n != -EAGAIN)
						break;
					usleep(100);
					come_by();
				}
				file_put(c);
			}
			if (k % 4 == 0)
				name_call(socket_connect, u, IP4(10, 0, 0, 2),
					(uint16_t)(40000 + k % 8));
			if (k % 4 == 2) {
				struct sockaddr_storage none = { .ss_family = AF_UNSPEC };

				socket_connect(u, &none, sizeof(none), NULL);
			}
			while (transfer(u, text, sizeof(text), false, MSG_DONTWAIT) >= 0)
				atomic_fetch_add(&datagrams, 1);
			u->ops->poll(u, NULL);
			l->ops->poll(l, NULL);
			come_by();
		}
		file_put(l);
		file_put(u);
		come_by();
	}
	sleeping(true);
}

static void card_thread(void *arg)
{
	sleeping(false);
	while (atomic_load(&programs) || !mpsc_empty(&in_card)) {
		card_sends();
		come_by();
		usleep(20);
	}
	sleeping(true);
}

/*
 * More than fits, so that it waits for the card, on a socket of its own, which it closes at once,
 * and on one that both senders have. A wake-up that is lost is a test without an end.
 */
static struct file *shared;
static void sender(void *arg)
{
	char text[64] = { 0 };

	sleeping(false);
	for (int i = 0; i < rounds; i++) {
		struct file *f;

		CHECK_EQ(open_socket(SOCK_DGRAM, &f), 0);
		file_socket(f)->broadcast = true;
		file_socket(f)->sndbuf = 4608;
		CHECK_EQ(name_call(socket_connect, f, 0xffffffff, 9), 0);
		for (int k = 0; k < 12; k++) {
			if (!(f->ops->poll(f, NULL) & POLLOUT))
				atomic_fetch_add(&waited, 1);
			CHECK_EQ(transfer(f, text, sizeof(text), true, 0), sizeof(text));
			CHECK_EQ(transfer(shared, text, sizeof(text), true, 0), sizeof(text));
		}
		file_put(f);
		come_by();
	}
	atomic_fetch_sub(&programs, 1);
	sleeping(true);
}

TEST(connect_and_close_while_packets_arrive)
{
	static const struct {
		void (*fn)(void *);
		int cpu;
	} who[] = { { receiver, CPU_RX }, { receiver, CPU_RX2 }, { client, CPU_CLIENT },
		{ client, CPU_CLIENT2 }, { server, CPU_SERVER }, { server, CPU_SERVER2 },
		{ sender, CPU_SENDER }, { sender, CPU_SENDER2 }, { card_thread, CPU_CARD } };
	static struct shim_thread clock, threads[ARRAY_SIZE(who)];

	boot();
	CHECK_EQ(open_socket(SOCK_DGRAM, &shared), 0);
	file_socket(shared)->broadcast = true;
	file_socket(shared)->sndbuf = 4608;
	CHECK_EQ(name_call(socket_connect, shared, 0xffffffff, 9), 0);
	atomic_store(&programs, 4);
	shim_start(&clock, timer_thread, NULL, CPU_TIMER);
	for (unsigned i = 0; i < ARRAY_SIZE(who); i++)
		shim_start(&threads[i], who[i].fn, NULL, who[i].cpu);
	for (unsigned i = 0; i < ARRAY_SIZE(who); i++)
		shim_join(&threads[i]);
	file_put(shared);
	atomic_store(&machine_off, true);
	shim_join(&clock);
	card_sends();
	printf("# %ld answers, %ld datagrams\n", atomic_load(&answered), atomic_load(&datagrams));
	CHECK(atomic_load(&answered) > 0);
	CHECK(atomic_load(&datagrams) > 0);
	CHECK(atomic_load(&waited) > 0);
}
