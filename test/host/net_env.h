/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The world around the network stack for host tests: threads, locks, timers, memory and cards, all
 * in one real thread and in virtual time. Several stacks live side by side (host_net says whose
 * code runs); a link carries frames between two of them, with delay, loss, reordering and
 * duplication from a seed. A call that sleeps lets the world go on until its condition is true.
 */
#ifndef TEST_HOST_NET_ENV_H
#define TEST_HOST_NET_ENV_H

#include "net_base.h"
#include "abi/net.h"
#include "net/config.h"
#include "net/igmp.h"
#include "net/ip6.h"
#include "net/neigh.h"
#include "net/netif.h"
#include "net/rx.h"
#include "net/tcp.h"
#include "sched/random.h"
#include "t.h"
#include "tcp_early.h"

/* ---- time and events ---- */

static uint64_t env_now = 1000000000ull;
static unsigned long env_seed = 1;

struct env_timer {
	struct timer *t;
	struct net_state *net;
	struct env_timer *next;
};
static struct env_timer *env_timers;

struct env_link {
	struct netdev *end[2];
	struct net_state *net[2];
	unsigned loss, dup, reorder, corrupt; /* per 10000 */
	uint64_t delay, jitter;		      /* ns */
	uint64_t ns_per_byte, busy[2];	      /* rate; when the wire is free again */
	unsigned queue_limit;		      /* frames waiting for the wire, 0: any */
	uint64_t gather; /* ns: what comes within such a span is one batch; 0: each alone */
	unsigned long sent, lost;
	/* sees every frame that is sent; may change it; false drops it */
	bool (*tap)(struct env_link *l, int from, struct packet *p);
};
struct env_frame {
	uint64_t when;
	struct packet *p;
	struct env_link *link;
	int to;
	struct env_frame *next;
};
static struct env_frame *env_frames; /* by time */

uint64_t clock_now(void)
{
	return env_now;
}
uint64_t clock_realtime(void)
{
	return env_now + 1700000000ull * NSEC_PER_SEC;
}
uint64_t random_u64(void)
{
	return t_random(&env_seed);
}

void timer_init(struct timer *t, timer_fn *fn, void *arg)
{
	memset(t, 0, sizeof(*t));
	t->fn = fn;
	t->arg = arg;
}
bool timer_cancel(struct timer *t)
{
	for (struct env_timer **p = &env_timers; *p; p = &(*p)->next)
		if ((*p)->t == t) {
			struct env_timer *e = *p;

			*p = e->next;
			free(e);
			t->armed = false;
			return true;
		}
	return false;
}
bool timer_cancel_sync(struct timer *t)
{
	BUG_ON(t->running);
	return timer_cancel(t);
}
void timer_arm(struct timer *t, uint64_t expires)
{
	struct env_timer *e, **p;

	timer_cancel(t);
	e = malloc(sizeof(*e));
	*e = (struct env_timer){ t, host_net, NULL };
	t->expires = expires;
	t->armed = true;
	for (p = &env_timers; *p && (*p)->t->expires <= expires; p = &(*p)->next)
		;
	e->next = *p;
	*p = e;
}
void sleep_timer_start(struct sleep_timer *s, uint64_t deadline)
{
	s->deadline = deadline;
	timer_init(&s->timer, NULL, NULL);
	if (deadline != UINT64_MAX)
		timer_arm(&s->timer, deadline);
}
void sleep_timer_stop(struct sleep_timer *s)
{
	timer_cancel(&s->timer);
}
bool sleep_timer_expired(const struct sleep_timer *s)
{
	return env_now >= s->deadline;
}

/* The next event; false: nothing is going to happen any more. */
static bool env_step(uint64_t until)
{
	uint64_t frame = env_frames ? env_frames->when : UINT64_MAX;
	uint64_t timer = env_timers ? env_timers->t->expires : UINT64_MAX;
	struct net_state *was = host_net;

	if (MIN(frame, timer) > until) {
		env_now = MAX(env_now, until == UINT64_MAX ? env_now : until);
		return false;
	}
	env_now = MAX(env_now, MIN(frame, timer));
	if (frame <= timer) {
		struct env_frame *f = env_frames;
		struct netdev *end = f->link->end[f->to];
		struct packet *batch = NULL, **tail = &batch;
		uint64_t when = f->when;

		host_net = f->link->net[f->to];
		do {
			*tail = f->p;
			tail = &f->p->next;
			*tail = NULL;
			env_frames = f->next;
			free(f);
			f = env_frames;
		} while (f && f->when == when && f->link->gather && f->link->end[f->to] == end);
		end->rx(end, batch);
	} else {
		struct timer *t = env_timers->t;

		host_net = env_timers->net;
		timer_cancel(t);
		if (t->fn) {
			t->running = true;
			t->fn(t);
			t->running = false;
		}
	}
	net_thread_work();
	host_net = was;
	return true;
}
static void env_run(uint64_t ns)
{
	uint64_t until = env_now + ns;

	while (env_step(until))
		;
}

/* ---- threads and locks ---- */

_Thread_local struct thread *host_current;
_Thread_local uint32_t host_cpu_id;
static struct thread env_thread, env_net_thread;
uint32_t cpu_online_count = 1;

__attribute__((constructor)) static void env_start(void)
{
	host_current = &env_thread;
}
static bool env_no_threads; /* no further one can be made */
struct thread *kthread_create(
	const char *name, void (*entry)(void *), void *arg, enum thread_class class)
{
	return env_no_threads ? NULL : &env_net_thread;
}
void thread_prepare_sleep(enum sleep_kind kind)
{
}
void thread_cancel_sleep(void)
{
}
bool thread_wake(struct thread *t)
{
	return false;
}
int thread_sleep(uint64_t ns, bool interruptible, uint64_t *left)
{
	env_run(ns);
	return 0;
}
static bool env_stuck; /* a sleeper that nothing can wake: the test fails */
void schedule(void)
{
	if (!env_step(UINT64_MAX)) {
		T_FAIL("a call sleeps for ever");
		env_stuck = true;
		host_current->flags |= THREAD_SIGNAL;
	}
}
void mutex_init_class(struct mutex *m, const struct lock_class *class)
{
	memset(m, 0, sizeof(*m));
}
void mutex_lock(struct mutex *m)
{
	BUG_ON(m->count);
	m->count = 1;
}
bool mutex_trylock(struct mutex *m)
{
	if (m->count)
		return false;
	m->count = 1;
	return true;
}
void mutex_unlock(struct mutex *m)
{
	BUG_ON(!m->count);
	m->count = 0;
}
void wait_init(struct wait_queue *q)
{
	memset(q, 0, sizeof(*q));
	list_init(&q->waiters);
}
void wait_add(struct wait_queue *q, struct wait_entry *e)
{
	e->queue = q;
	e->picked = e->exclusive = false;
	list_add(&q->waiters, &e->link);
	q->count++;
}
void wait_add_exclusive(struct wait_queue *q, struct wait_entry *e)
{
	wait_add(q, e);
}
bool wait_remove(struct wait_entry *e)
{
	e->queue->count--;
	list_del(&e->link);
	return false;
}
static unsigned long env_wakes;
/* Up to so many wakes a driver's thread runs and nobody queues. */
static unsigned long env_free_until;
bool sched_free_soon(void)
{
	return env_wakes < env_free_until;
}
void wait_wake_all(struct wait_queue *q, uint32_t events)
{
	env_wakes++;
}

bool wait_wake_one(struct wait_queue *q, uint32_t events)
{
	env_wakes++;
	return false;
}
void wait_pass_on(struct wait_queue *q, uint32_t events)
{
	env_wakes++;
}

/* Nobody reads while somebody changes: the grace period is over at once. */
void rcu_call(struct rcu_node *n, void (*fn)(struct rcu_node *))
{
	fn(n);
}

void bug_report(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: BUG: %s (at %llu ns)\n", file, line, what,
		(unsigned long long)env_now);
	abort();
}
/* ---- packets and cards ---- */

void (*netdev_registered)(struct netdev *dev);
uint32_t netdev_waiters;

#define ENV_STACKS 4
static struct {
	struct net_state *net;
	struct netdev *first;
} env_devices[ENV_STACKS];

static struct netdev **env_device_list(void)
{
	for (int i = 0; i < ENV_STACKS; i++) {
		if (!env_devices[i].net)
			env_devices[i].net = host_net;
		if (env_devices[i].net == host_net)
			return &env_devices[i].first;
	}
	abort();
}
void netdev_register(struct netdev *dev)
{
	struct netdev **p = env_device_list();
	int index = 1;

	for (; *p; p = &(*p)->next)
		index++;
	*p = dev;
	dev->next = NULL;
	dev->index = index;
	if (!dev->name[0])
		snprintf(dev->name, sizeof(dev->name), "eth%d", index - 2);
	if (netdev_registered)
		netdev_registered(dev);
}
struct netdev *netdev_first(void)
{
	return *env_device_list();
}

static void env_enqueue(struct env_link *l, int to, struct packet *p, uint64_t when)
{
	struct env_frame *f = malloc(sizeof(*f)), **at = &env_frames;

	if (l->gather)
		when += l->gather - when % l->gather;
	*f = (struct env_frame){ .when = when, .p = p, .link = l, .to = to };
	while (*at && (*at)->when <= when)
		at = &(*at)->next;
	f->next = *at;
	*at = f;
}

static bool env_chance(unsigned per10000)
{
	return per10000 && t_random(&env_seed) % 10000 < per10000;
}

/* NET_TRACE=1 in the environment shows every TCP segment. */
static void env_trace(int from, const struct packet *p)
{
	static int on = -1;
	bool v6 = get_be16(p->data + 12) == ETH_IPV6;
	const uint8_t *ip = p->data + 14, *tcp = ip + (v6 ? 40 : 20);

	if (on < 0)
		on = getenv("NET_TRACE") != NULL;
	if (!on || p->len < (v6 ? 74 : 54) || ip[v6 ? 6 : 9] != IPPROTO_TCP)
		return;
	fprintf(stderr, "%10.3f %s flags %02x seq %u len %u ack %u wnd %u", (double)env_now / 1e6,
		from ? "  <-" : "->", tcp[13], get_be32(tcp + 4),
		(v6 ? get_be16(ip + 4) : get_be16(ip + 2) - 20) - (tcp[12] >> 4) * 4,
		get_be32(tcp + 8), get_be16(tcp + 14));
	for (int o = 20; o < (tcp[12] >> 4) * 4 && tcp[o]; o += tcp[o] == 1  ? 1
								: tcp[o + 1] ? tcp[o + 1]
									     : 40)
		if (tcp[o] == 5)
			for (int k = 2; k < tcp[o + 1]; k += 8)
				fprintf(stderr, " sack %u-%u", get_be32(tcp + o + k),
					get_be32(tcp + o + k + 4));
	fputc('\n', stderr);
}

/* One frame onto the wire: a linear copy, as a real card would send it. Takes p. */
static void env_transmit(struct env_link *l, int from, struct packet *p)
{
	uint64_t start, when;
	unsigned copies = 1;

	l->sent++;
	env_trace(from, p);
	if (l->tap && !l->tap(l, from, p)) {
		packet_free(p);
		return;
	}
	start = MAX(env_now, l->busy[from]);
	if (env_chance(l->loss) ||
		(l->queue_limit && l->ns_per_byte &&
			(start - env_now) / (l->ns_per_byte * 1500) > l->queue_limit)) {
		l->lost++;
		packet_free(p);
		return;
	}
	l->busy[from] = start + l->ns_per_byte * p->len;
	when = l->busy[from] + l->delay;
	if (l->jitter)
		when += t_random(&env_seed) % l->jitter;
	if (env_chance(l->reorder))
		when += l->delay + 3000000;
	/* Beyond what Ethernet's own checksum sees: in a router's memory. ARP has no other. */
	if (get_be16(p->data + 12) != ETH_ARP && env_chance(l->corrupt))
		p->data[14 + t_random(&env_seed) % (p->len - 14)] ^=
			(uint8_t)(1u << t_random(&env_seed) % 8);
	if (env_chance(l->dup))
		copies++;
	for (; copies > 1; copies--)
		env_enqueue(l, !from, pkt_linearise(p, 0), when + 1000);
	p->csum_flags = PACKET_CSUM_NONE;
	env_enqueue(l, !from, p, when);
}

/* The length and checksums of a cut segment whose TCP header is at tcp. */
static void env_fix_segment(struct packet *s, unsigned tcp, bool v6)
{
	uint8_t *ip = s->data + 14;
	uint32_t src, dst, pseudo, n = s->len - tcp;
	uint16_t sum;

	memset(s->data + tcp + 16, 0, 2);
	if (v6) {
		put_be16(ip + 4, (uint16_t)n);
		pseudo =
			csum_pseudo6(ip_from_bytes(ip + 8), ip_from_bytes(ip + 24), IPPROTO_TCP, n);
	} else {
		put_be16(ip + 2, (uint16_t)(s->len - 14));
		put_be16(ip + 10, 0);
		sum = csum_fold(csum_add(0, ip, 20));
		memcpy(ip + 10, &sum, 2);
		memcpy(&src, ip + 12, 4);
		memcpy(&dst, ip + 16, 4);
		pseudo = csum_pseudo(src, dst, IPPROTO_TCP, n);
	}
	sum = csum_fold(csum_add(pseudo, s->data + tcp, n));
	memcpy(s->data + tcp + 16, &sum, 2);
}

static unsigned env_cuts; /* packets that a card cut */

/* A datagram of its own out of PACKET_GSO_UDP_L4; IPv4. */
static void env_fix_datagram(struct packet *s, unsigned udp)
{
	uint16_t len = (uint16_t)(s->len - udp), sum;
	uint32_t src, dst;

	put_be16(s->data + 14 + 2, (uint16_t)(s->len - 14));
	put_be16(s->data + 14 + 10, 0);
	sum = csum_fold(csum_add(0, s->data + 14, 20));
	memcpy(s->data + 14 + 10, &sum, 2);
	memcpy(&src, s->data + 14 + 12, 4);
	memcpy(&dst, s->data + 14 + 16, 4);
	put_be16(s->data + udp + 4, len);
	put_be16(s->data + udp + 6, 0);
	sum = csum_fold(csum_add(csum_pseudo(src, dst, IPPROTO_UDP, len), s->data + udp, len));
	memcpy(s->data + udp + 6, &sum, 2);
}

static void env_cut(struct env_link *l, int from, struct packet *q)
{
	unsigned hlen = q->header_len, tcp = q->csum_start;
	bool udp = q->gso_type == PACKET_GSO_UDP_L4;
	uint32_t payload = q->len - hlen, seq = udp ? 0 : get_be32(q->data + tcp + 4);

	env_cuts++;

	for (uint32_t off = 0; off < payload; off += q->gso_size) {
		uint32_t n = MIN(payload - off, (uint32_t)q->gso_size);
		struct packet *s = packet_alloc(0, hlen + n);

		if (!s)
			break;
		memcpy(packet_put(s, hlen), q->data, hlen);
		memcpy(packet_put(s, n), q->data + hlen + off, n);
		if (udp) {
			env_fix_datagram(s, tcp);
			env_transmit(l, from, s);
			continue;
		}
		put_be32(s->data + tcp + 4, seq + off);
		if (off + n < payload)
			s->data[tcp + 13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		env_fix_segment(s, tcp, q->gso_type == PACKET_GSO_TCP6);
		env_transmit(l, from, s);
	}
	packet_free(q);
}

static int env_send(struct netdev *dev, struct packet *p)
{
	struct env_link *l = dev->driver;
	struct packet *q = pkt_linearise(p, 0);
	int from = l->end[1] == dev;

	packet_free(p);
	if (!q)
		return -ENOBUFS;
	BUG_ON(q->len > dev->mtu + 14 && q->gso_type == PACKET_GSO_NONE);
	if (q->gso_type != PACKET_GSO_NONE) { /* cut as a card would */
		env_cut(l, from, q);
		return 0;
	}
	csum_finish(q);
	env_transmit(l, from, q);
	return 0;
}

/* ---- a stack with one card ---- */

static uint64_t env_patience; /* of new stacks: how long packets may wait for their reader */

struct env_stack {
	struct net_state net;
	struct netdev eth;
};

static void env_boot(struct env_stack *s, int number, uint32_t features)
{
	memset(s, 0, sizeof(*s));
	host_net = &s->net;
	net_init();
	s->net.patience = env_patience;
	netdev_registered = NULL;
	s->eth.mtu = 1500;
	s->eth.features = features;
	s->eth.queues = 1;
	s->eth.link_up = true;
	s->eth.mac[0] = 2;
	s->eth.mac[5] = (uint8_t)number;
	s->eth.send = env_send;
	s->eth.rx = net_rx;
	netdev_register(&s->eth);
}
static void env_connect(struct env_link *l, struct env_stack *a, struct env_stack *b)
{
	struct env_stack *s[2] = { a, b };

	for (int i = 0; i < 2; i++) {
		l->end[i] = &s[i]->eth;
		l->net[i] = &s[i]->net;
		s[i]->eth.driver = l;
	}
}
/* Everything that is on the way or armed is dropped; memory of the stacks given back. */
static void env_reset(struct env_stack **stacks, unsigned n)
{
	while (env_frames) {
		struct env_frame *f = env_frames;

		env_frames = f->next;
		packet_free(f->p);
		free(f);
	}
	for (unsigned i = 0; i < n; i++) {
		struct net_state *net = &stacks[i]->net;

		host_net = net;
		for (uint32_t c = 0; c <= net->tcp_conn.mask; c++)
			while (net->tcp_conn.chain[c]) {
				struct tcp_sock *t = tcp_sk(net->tcp_conn.chain[c]->s);

				socket_get(&t->i.s);
				socket_lock(&t->i.s);
				tcp_done(t, 0);
				socket_unlock(&t->i.s);
				socket_put(&t->i.s);
			}
		for (enum names_source from = NAMES_DHCP; from <= NAMES_DHCP6; from++)
			net_publish_names(&stacks[i]->eth, from, NULL);
		while (!mpsc_empty(&net->left)) { /* what was left alone */
			net->left_due = 1;
			channel_sweep(net);
		}
		net_thread_kick();
		net_thread_work();
		struct list_node *f = &net->frags;

		if (!list_empty(f)) { /* let them time out */
			env_run(31 * NSEC_PER_SEC);
		}
		CHECK_EQ(net->tcp_bytes, 0); /* all that was charged is given back */
		for (int k = 0; k < NEIGH_COUNT; k++)
			pkt_free_list(net->neigh[k].pending);
		timer_cancel(&net->left_timer);
		timer_cancel(&net->neigh_timer);
		timer_cancel(&net->frag_timer);
		flow_table_free(&net->tcp_conn);
		flow_table_free(&net->tcp_listen);
		flow_table_free(&net->udp_conn);
		flow_table_free(&net->udp_bound);
		flow_table_free(&net->raw_flows);
		flow_table_free(&net->ping_flows);
		heap_free(net->tcp_bind);
		heap_free(net->udp_bind);
		heap_free(net->neigh);
		timer_cancel(&net->nd->timer);
		heap_free(net->nd);
		timer_cancel(&net->igmp->timer);
		heap_free(net->igmp);
		heap_free((void *)net->config);
	}
	memset(env_devices, 0, sizeof(env_devices));
	env_thread.flags = 0;
	host_net = NULL;
}

/* The invariants of tcp.h about what is in flight, and of what came early. */
static void env_check_tcp(const struct tcp_sock *t)
{
	uint32_t at = t->snd_una, sacked = 0, lost = 0, again = 0;

	if (t->state == TCP_CLOSE || t->state == TCP_LISTEN || t->state == TCP_SYN_SENT ||
		t->state == TCP_SYN_RECV || t->state == TCP_TIME_WAIT)
		return;
	for (unsigned k = 0; k < t->sent_count; k++) {
		const struct tcp_sent *r = &t->sent[k];
		uint32_t n = r->end - r->start;

		CHECK_EQ(r->start, at);
		CHECK(seq_gt(r->end, r->start));
		CHECK(!(r->flags & SENT_SACKED) || r->flags == SENT_SACKED);
		CHECK(r->time <= env_now);
		at = r->end;
		sacked += r->flags & SENT_SACKED ? n : 0;
		lost += r->flags & SENT_LOST ? n : 0;
		again += (r->flags & (SENT_AGAIN | SENT_LOST)) == SENT_AGAIN ? n : 0;
	}
	CHECK_EQ(at, t->snd_nxt);
	CHECK_EQ(sacked, t->sent_bytes_sacked);
	CHECK_EQ(lost, t->sent_bytes_lost);
	CHECK_EQ(again, t->sent_bytes_retrans);
	CHECK(seq_le(t->copied_seq, t->rcv_nxt) && seq_le(t->rcv_nxt, t->rcv_adv + 1));
	/* none of it is next, or it would not wait */
	CHECK(early_sound(&t->ooo));
	CHECK(!t->ooo.count ||
		seq_gt(rb_entry(rb_first(&t->ooo.runs), struct tcp_run, node)->start, t->rcv_nxt));
	/* something is out, so a clock runs */
	CHECK(t->snd_una == t->snd_nxt || t->when[TCP_T_RETX]);
}

/* ---- socket calls on kernel memory, one name for both sides ---- */

static ssize_t env_write(struct file *f, const void *buf, size_t n, unsigned flags)
{
	struct iter it;
	struct socket_message m = { .data = &it, .flags = flags | MSG_NOSIGNAL };

	iter_init_one(&it, (void *)buf, n, false);
	return socket_send(f, &m, NULL);
}
/* The same by reference, from pages that are the connection's alone. 0: no pages. */
static ssize_t env_write_lent(struct file *f, const void *buf, size_t n, unsigned flags)
{
	struct piece p[PIECES_MAX];
	size_t at = t_random(&env_seed) % 600, done = 0;
	unsigned count = 0;

	while (done < n && count < PIECES_MAX) {
		size_t here = MIN(n - done, PAGE_SIZE - at);
		struct page *page = page_alloc(0);

		if (!page)
			break;
		p[count] = (struct piece){ .data = (uint8_t *)page_to_virt(page) + at,
			.len = (uint32_t)here,
			.owner = page,
			.ops = &piece_of_page };
		memcpy(p[count].data, (const uint8_t *)buf + done, here);
		if (here > 1 && count + 2 < PIECES_MAX && t_random(&env_seed) % 3 == 0) {
			struct piece front = piece_take(&p[count], (uint32_t)here / 2);

			p[count + 1] = p[count];
			p[count++] = front;
		}
		count++;
		done += here;
		at = 0; /* so pages in a row follow each other in memory */
	}
	ssize_t r = count ? f->ops->write_pieces(f, p, count, PIECES_NONBLOCK | flags) : 0;

	pieces_put(p, count);
	return r;
}
/* What the program has there, in pages that stay as they are. */
static int env_pin(uintptr_t addr, size_t len, struct page **pages, unsigned max)
{
	unsigned n = 0;

	for (uintptr_t at = addr, end = addr + len; at < end && n < max; n++) {
		size_t here = MIN(end - at, PAGE_SIZE - at % PAGE_SIZE);

		pages[n] = page_alloc(0);
		if (!pages[n])
			return n ? (int)n : -ENOMEM;
		memcpy((uint8_t *)page_to_virt(pages[n]) + at % PAGE_SIZE, (void *)at, here);
		at += here;
	}
	return (int)n;
}
/* With MSG_ZEROCOPY, of which notifications are read before. 0: too many are out, or no pages. */
static ssize_t env_write_pinned(struct file *f, const void *buf, size_t n)
{
	struct iter none;
	struct socket_message m = { .data = &none };
	struct iter it;
	struct socket_message out = { .data = &it,
		.flags = MSG_NOSIGNAL | MSG_ZEROCOPY | MSG_DONTWAIT,
		.pin_limit = UINT64_MAX };
	ssize_t r;

	pieces_pin_pages = env_pin;
	file_socket(f)->zerocopy = true;
	iter_init_one(&none, NULL, 0, false);
	do
		m.flags = MSG_ERRQUEUE | MSG_DONTWAIT;
	while (socket_recv(f, &m) == 0);
	iter_init_one(&it, (void *)buf, n, false);
	r = socket_send(f, &out, NULL);
	return r == -ENOBUFS || r == -EAGAIN ? 0 : r;
}
static ssize_t env_read(struct file *f, void *buf, size_t n, unsigned flags)
{
	struct iter it;
	struct socket_message m = { .data = &it, .flags = flags };

	iter_init_one(&it, buf, n, false);
	return socket_recv(f, &m);
}
static ssize_t env_sendto(struct file *f, const void *buf, size_t n, uint32_t addr, uint16_t port)
{
	struct iter it;
	struct socket_message m = { .data = &it, .flags = MSG_NOSIGNAL };

	iter_init_one(&it, (void *)buf, n, false);
	inet_addr(&m.name, &m.name_len, addr, port);
	return socket_send(f, &m, NULL);
}
static int env_bind(struct file *f, uint32_t addr, uint16_t port)
{
	struct sockaddr_storage a;
	uint32_t len;

	inet_addr(&a, &len, addr, port);
	return socket_bind(f, &a, len, NULL);
}
static int env_dial(struct file *f, uint32_t addr, uint16_t port)
{
	struct sockaddr_storage a;
	uint32_t len;

	inet_addr(&a, &len, addr, port);
	return socket_connect(f, &a, len, NULL);
}
static uint32_t env_poll(struct file *f)
{
	return f->ops->poll(f, NULL);
}
#endif
