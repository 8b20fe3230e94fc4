/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio network card against a simulated device: features and configuration, pairs of queues
 * and their commands, packets both ways with their offloads, notifications, and devices that lie.
 * Threads are coroutines; the device reads and writes the rings as one would, and nothing else.
 */
/* sources: $(HOST_VIRTIO_NET) src/drivers/netdev.c src/lib/string.c src/lib/format.c */
#include "t.h"

#include <sanitizer/asan_interface.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "abi/errno.h"
#include "cpu/barrier.h"
#include "cpu/layout.h"
#include "drivers/drivers.h"
#include "drivers/virtio_net.h"
#include "lib/bug.h"
#include "lib/format.h"
#include "mem/heap.h"
#include "mem/page.h"
#include "sched/clock.h"
#include "sched/random.h"
#include "sched/wait.h"

/* --- Memory: what the device reaches, with a poisoned zone around every block --- */

#define MEMORY	(64u << 20)
#define CLASSES 16
#define LEAST	64u
#define LARGEST (LEAST << (CLASSES - 1))
char *host_physmap;
static size_t memory_used;
static void *memory_free[CLASSES];
static long blocks;

const char *__asan_default_options(void)
{
	return "detect_stack_use_after_return=0";
}
void bug_report(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}
static void memory_start(void)
{
	if (!host_physmap)
		host_physmap = mmap(
			NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(memory_free, 0, sizeof(memory_free));
	ASAN_POISON_MEMORY_REGION(host_physmap, MEMORY);
	memory_used = 1 << 20;
	blocks = 0;
}
/* A block of class c is LEAST << c bytes on that boundary; the same again behind it is poisoned. */
static unsigned class_of(size_t n)
{
	unsigned c = 0;

	while (LEAST << c < n)
		c++;
	return c;
}
static uint8_t class_at[MEMORY / LEAST];
void *heap_alloc(size_t n)
{
	unsigned c = class_of(n);
	size_t size = (size_t)LEAST << c;
	char *p = memory_free[c];

	if (t_alloc_must_fail() || size > LARGEST)
		return NULL;
	if (p) {
		ASAN_UNPOISON_MEMORY_REGION(p, sizeof(void *));
		memory_free[c] = *(void **)p;
	} else {
		memory_used = ALIGN_UP(memory_used, size);
		if (memory_used + 2 * size > MEMORY)
			return NULL;
		p = host_physmap + memory_used;
		memory_used += 2 * size;
	}
	ASAN_UNPOISON_MEMORY_REGION(p, n);
	class_at[(p - host_physmap) / LEAST] = (uint8_t)c;
	memset(p, 0xa5, n);
	blocks++;
	return p;
}
void *heap_alloc_zeroed(size_t n)
{
	void *p = heap_alloc(n);

	return p ? memset(p, 0, n) : NULL;
}
void heap_free(void *v)
{
	char *p = v;
	unsigned c;

	if (!p)
		return;
	c = class_at[(p - host_physmap) / LEAST];
	ASAN_UNPOISON_MEMORY_REGION(p, sizeof(void *));
	*(void **)p = memory_free[c];
	memory_free[c] = p;
	ASAN_POISON_MEMORY_REGION(p, (size_t)LEAST << c);
	blocks--;
}
struct page *page_alloc_zeroed(unsigned order)
{
	return heap_alloc_zeroed(PAGE_SIZE << order);
}
paddr_t page_to_phys(const struct page *page)
{
	return virt_to_phys(page);
}
static uint64_t ram_pages = 65536;
struct page_stats page_stats(void)
{
	return (struct page_stats){ .total = ram_pages, .free = ram_pages };
}

/* --- Threads and time --- */

#define THREADS 16
struct co {
	struct thread t; /* first */
	ucontext_t context;
	char stack[128 << 10];
	bool used, awake, yielded;
	uint64_t cpu; /* mask */
	uint64_t deadline;
};
static struct co co[THREADS];
static struct co *running;
static ucontext_t main_context;
static unsigned thread_limit = THREADS;
static uint64_t now = 1000;

_Thread_local struct thread *host_current;
_Thread_local uint32_t host_cpu_id;
uint32_t cpu_online_count = 1;
static unsigned machine = 1;
unsigned machine_cpu_count(void)
{
	return machine;
}
uint64_t clock_now(void)
{
	return now;
}

static void co_main(void);
static __noinline void prepare_context(struct co *c)
{
	getcontext(&c->context);
	c->context.uc_stack.ss_sp = c->stack;
	c->context.uc_stack.ss_size = sizeof(c->stack);
	makecontext(&c->context, co_main, 0);
}
struct thread *kthread_create(
	const char *name, void (*entry)(void *), void *arg, enum thread_class class)
{
	for (unsigned i = 0; i < thread_limit; i++) {
		struct co *c = &co[i];

		if (c->used)
			continue;
		memset(c, 0, offsetof(struct co, stack));
		c->used = c->awake = true;
		c->yielded = false;
		c->cpu = UINT64_MAX;
		c->deadline = UINT64_MAX;
		snprintf(c->t.name, sizeof(c->t.name), "%s", name);
		c->t.entry = entry;
		c->t.arg = arg;
		prepare_context(c);
		return &c->t;
	}
	return NULL;
}
static void back(void)
{
	swapcontext(&running->context, &main_context);
}
static void co_main(void)
{
	running->t.entry(running->t.arg);
	running->used = false;
	back();
}
bool thread_wake(struct thread *t)
{
	struct co *c = (struct co *)t;
	bool slept = !c->awake;

	c->awake = true;
	return slept;
}
void thread_prepare_sleep(enum sleep_kind kind)
{
	running->awake = false;
}
void thread_cancel_sleep(void)
{
	running->awake = true;
}
void schedule(void)
{
	if (!running->awake)
		back();
}
void thread_yield(void)
{
	running->yielded = true;
	back();
}
int thread_sleep(uint64_t ns, bool interruptible, uint64_t *left)
{
	if (!running)
		return 0;
	running->deadline = now + ns;
	running->awake = false;
	back();
	return 0;
}
int thread_set_affinity(struct thread *t, const uint64_t *mask, unsigned words)
{
	((struct co *)t)->cpu = mask[0];
	return 0;
}
/* All threads, each until it sleeps. */
static __noinline void enter(struct co *c)
{
	running = c;
	host_current = &c->t;
	swapcontext(&main_context, &c->context);
	running = NULL;
	host_current = NULL;
}
static void run(void)
{
	bool again = true;

	for (int rounds = 0; again && rounds < 100000; rounds++) {
		again = false;
		for (unsigned i = 0; i < THREADS; i++) {
			if (!co[i].used || !co[i].awake)
				continue;
			enter(&co[i]);
			again = true;
		}
	}
	CHECK(!again);
}

static struct timer *armed[THREADS];
void timer_init(struct timer *t, timer_fn *fn, void *arg)
{
	memset(t, 0, sizeof(*t));
	t->fn = fn;
	t->arg = arg;
}
void timer_arm(struct timer *t, uint64_t expires)
{
	for (unsigned i = 0; i < THREADS; i++)
		if (!armed[i] || armed[i] == t) {
			armed[i] = t;
			return;
		}
	abort();
}
void sleep_timer_start(struct sleep_timer *s, uint64_t deadline)
{
	s->deadline = running->deadline = deadline;
}
void sleep_timer_stop(struct sleep_timer *s)
{
	running->deadline = UINT64_MAX;
}
bool sleep_timer_expired(const struct sleep_timer *s)
{
	return now >= s->deadline;
}
static void pass(uint64_t ns)
{
	now += ns;
	for (unsigned i = 0; i < THREADS; i++) {
		struct timer *t = armed[i];

		armed[i] = NULL;
		if (t)
			t->fn(t);
		if (co[i].used && co[i].deadline <= now) {
			co[i].deadline = UINT64_MAX;
			co[i].awake = true;
		}
	}
	run();
}
void wait_init(struct wait_queue *q)
{
}
void wait_add(struct wait_queue *q, struct wait_entry *e)
{
}
void wait_remove(struct wait_entry *e)
{
}
void mutex_lock(struct mutex *m)
{
}
void mutex_unlock(struct mutex *m)
{
}
void log_at(int level, const char *fmt, ...)
{
}
static unsigned long seed = 3;
void random_bytes(void *buf, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)buf)[i] = (uint8_t)t_random(&seed);
}
int virtio_console_probe(struct virtio_device *dev)
{
	return -ENODEV;
}
int virtio_rng_probe(struct virtio_device *dev)
{
	return -ENODEV;
}

/* --- The device --- */

#define QUEUES 40
#define FRAMES 512
struct sim_queue {
	struct virtqueue *q;
	irq_handler_fn *handler;
	void *arg;
	uint16_t seen, used;
	int cpu;
	unsigned interrupts;
};
struct frame {
	unsigned queue, pieces;
	struct virtio_net_hdr h;
	uint32_t len; /* without the header */
	uint8_t bytes[256];
};
static struct sim {
	struct virtio_device dev;
	uint64_t offered;
	uint8_t status, config[32];
	unsigned queue_count, control;
	unsigned refuse;   /* refuse: 1 RSS, 2 PAIRS_SET */
	bool silent, hold; /* answers no command; leaves what is sent on the ring */
	struct sim_queue queue[QUEUES];
	struct frame frame[FRAMES];
	unsigned frames, commands;
	uint8_t command[1024];
	uint32_t command_len;
} sim;
static struct netdev *card;
static unsigned batches;
static struct packet *received, **received_tail;

static uint64_t sim_get_features(struct virtio_device *d)
{
	return sim.offered;
}
static void sim_set_features(struct virtio_device *d, uint64_t f)
{
	CHECK_EQ(f & ~sim.offered, 0);
}
static uint8_t sim_get_status(struct virtio_device *d)
{
	return sim.status;
}
static void sim_set_status(struct virtio_device *d, uint8_t s)
{
	sim.status = s;
}
static uint8_t sim_config_read8(struct virtio_device *d, unsigned offset)
{
	return offset < sizeof(sim.config) ? sim.config[offset] : 0xff;
}
static uint32_t sim_generation(struct virtio_device *d)
{
	return 0;
}
static unsigned sim_queue_max(struct virtio_device *d, unsigned index)
{
	return index < sim.queue_count ? 256 : 0;
}
static int sim_queue_start(
	struct virtio_device *d, struct virtqueue *q, irq_handler_fn *handler, void *arg)
{
	sim.queue[q->index] =
		(struct sim_queue){ .q = q, .handler = handler, .arg = arg, .cpu = -1 };
	return 0;
}

static void sim_interrupt(struct sim_queue *s, uint16_t before)
{
	uint16_t event;

	mb_device();
	event = load_relaxed(&s->q->avail->ring[s->q->size]);
	if (!s->handler ||
		(s->q->event_idx ? (uint16_t)(s->used - event - 1) >= (uint16_t)(s->used - before)
				 : load_relaxed(&s->q->avail->flags)))
		return;
	s->interrupts++;
	s->handler(s->arg);
}
static bool sim_next(struct sim_queue *s, uint16_t *head)
{
	if (load_acquire(&s->q->avail->idx) == s->seen)
		return false;
	*head = s->q->avail->ring[s->seen++ & (s->q->size - 1)];
	return true;
}
static void sim_use(struct sim_queue *s, uint16_t head, uint32_t len)
{
	s->q->used->ring[s->used & (s->q->size - 1)] = (struct vring_used_elem){ head, len };
	store_release(&s->q->used->idx, ++s->used);
	/* It wants to hear of the next one. */
	store_relaxed((uint16_t *)&s->q->used->ring[s->q->size], s->seen);
}
/* All descriptors of one buffer. */
static unsigned sim_walk(struct sim_queue *s, uint16_t head, struct vring_desc *out)
{
	struct vring_desc *table = s->q->desc, d = table[head];
	unsigned n = 0;

	if (d.flags & VRING_DESC_INDIRECT) {
		table = phys_to_virt(PADDR(d.addr));
		d = table[0];
	}
	for (;;) {
		out[n++] = d;
		if (!(d.flags & VRING_DESC_NEXT) || n == VIRTQUEUE_MAX_SEGMENTS)
			return n;
		d = table[d.next];
	}
}

static void sim_transmit(struct sim_queue *s)
{
	struct vring_desc d[VIRTQUEUE_MAX_SEGMENTS];
	uint16_t head;

	while (!sim.hold && sim_next(s, &head)) {
		struct frame *f = &sim.frame[sim.frames++ % FRAMES];
		static uint8_t bytes[70000];
		uint32_t len = 0;
		unsigned n = sim_walk(s, head, d);

		for (unsigned i = 0; i < n && len + d[i].len <= sizeof(bytes); i++) {
			CHECK(!(d[i].flags & VRING_DESC_WRITE));
			memcpy(bytes + len, phys_to_virt(PADDR(d[i].addr)), d[i].len);
			len += d[i].len;
		}
		*f = (struct frame){ .queue = s->q->index, .pieces = n, .len = len - 12 };
		memcpy(&f->h, bytes, 12);
		memcpy(f->bytes, bytes + 12, MIN(f->len, (uint32_t)sizeof(f->bytes)));
		sim_use(s, head, 0);
	}
}
static void sim_control(struct sim_queue *s)
{
	struct vring_desc d[VIRTQUEUE_MAX_SEGMENTS];
	uint16_t head, before = s->used;

	while (!sim.silent && sim_next(s, &head)) {
		unsigned n = sim_walk(s, head, d), what;

		REQUIRE(n == 3 && d[0].len == 2 && d[2].len == 1 && d[2].flags & VRING_DESC_WRITE);
		what = ((uint8_t *)phys_to_virt(PADDR(d[0].addr)))[1];
		CHECK_EQ(*(uint8_t *)phys_to_virt(PADDR(d[0].addr)), VIRTIO_NET_CTRL_MQ);
		memcpy(sim.command, phys_to_virt(PADDR(d[0].addr)), 2);
		memcpy(sim.command + 2, phys_to_virt(PADDR(d[1].addr)), d[1].len);
		sim.command_len = d[1].len;
		sim.commands++;
		*(uint8_t *)phys_to_virt(PADDR(d[2].addr)) =
			what == VIRTIO_NET_CTRL_MQ_RSS ? sim.refuse & 1 : sim.refuse >> 1 & 1;
		sim_use(s, head, 1);
	}
	sim_interrupt(s, before);
}
static void sim_notify(struct virtio_device *d, struct virtqueue *q)
{
	struct sim_queue *s = &sim.queue[q->index];

	if (q->index == sim.control)
		sim_control(s);
	else if (q->index & 1)
		sim_transmit(s);
}
static void sim_queue_cpu(struct virtio_device *d, struct virtqueue *q, uint32_t cpu)
{
	sim.queue[q->index].cpu = (int)cpu;
}
static const struct virtio_transport sim_ops = {
	.get_features = sim_get_features,
	.set_features = sim_set_features,
	.get_status = sim_get_status,
	.set_status = sim_set_status,
	.config_read8 = sim_config_read8,
	.config_generation = sim_generation,
	.queue_max = sim_queue_max,
	.queue_start = sim_queue_start,
	.notify = sim_notify,
	.queue_cpu = sim_queue_cpu,
};

/* One packet into a receive queue, over as many buffers as it takes; the header says 'promised'. */
static bool sim_receive(
	unsigned pair, struct virtio_net_hdr h, const void *bytes, uint32_t len, int promised)
{
	struct sim_queue *s = &sim.queue[VIRTIO_NET_QUEUE_RX(pair)];
	static uint8_t all[70000];
	uint16_t heads[64];
	uint32_t lens[64], at = 0, total = len + 12;
	unsigned n = 0;

	memcpy(all + 12, bytes, len);
	for (; at < total && n < 64; n++) {
		struct vring_desc *d;

		if (!sim_next(s, &heads[n]))
			return false;
		d = &s->q->desc[heads[n]];
		CHECK(d->flags & VRING_DESC_WRITE);
		lens[n] = MIN(d->len, total - at);
		at += lens[n];
	}
	h.num_buffers = (uint16_t)(promised >= 0 ? promised : (int)n);
	memcpy(all, &h, 12);
	at = 0;
	for (unsigned i = 0; i < n; i++) {
		memcpy(phys_to_virt(PADDR(s->q->desc[heads[i]].addr)), all + at, lens[i]);
		at += lens[i];
		sim_use(s, heads[i], lens[i]);
	}
	return true;
}
static void sim_kick(unsigned pair, uint16_t before)
{
	sim_interrupt(&sim.queue[VIRTIO_NET_QUEUE_RX(pair)], before);
}

/* --- The stack above --- */

static void take_batch(struct netdev *d, struct packet *batch)
{
	batches++;
	*received_tail = batch;
	while (*received_tail)
		received_tail = &(*received_tail)->next;
}
static void registered(struct netdev *d)
{
	card = d;
	d->rx = take_batch;
}
static void drop_received(void)
{
	packet_free_list(received);
	received = NULL;
	received_tail = &received;
}

#define ALL                                                                                        \
	(VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC | VIRTIO_NET_F_CSUM |    \
		VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_MAC | VIRTIO_NET_F_GUEST_TSO4 |             \
		VIRTIO_NET_F_GUEST_TSO6 | VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_TSO6 |        \
		VIRTIO_NET_F_MRG_RXBUF | VIRTIO_NET_F_CTRL_VQ | VIRTIO_NET_F_MQ |                  \
		VIRTIO_NET_F_GUEST_USO4 | VIRTIO_NET_F_GUEST_USO6 | VIRTIO_NET_F_HOST_USO)

static void put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)v;
	at[1] = (uint8_t)(v >> 8);
}

/* A machine of so many CPUs, all up, and a card of so many pairs. */
static void prepare(uint64_t offered, unsigned cpus, unsigned pairs)
{
	memory_start();
	memset(&sim, 0, sizeof(sim));
	memset(armed, 0, sizeof(armed));
	for (unsigned i = 0; i < THREADS; i++)
		co[i].used = false;
	received = NULL;
	received_tail = &received;
	batches = 0;
	card = NULL;
	netdev_registered = registered;
	machine = cpu_online_count = cpus;
	host_cpu_id = 0;
	thread_limit = THREADS;
	sim.offered = offered;
	sim.dev.ops = &sim_ops;
	sim.dev.id = VIRTIO_ID_NET;
	sim.dev.ring_align = 4;
	sim.config[0] = 2;
	sim.config[5] = 9;
	put16(sim.config + VIRTIO_NET_CONFIG_MAX_PAIRS, pairs);
	sim.control = 2 * pairs;
	sim.queue_count = MIN(2 * pairs + 1, (unsigned)QUEUES);
	sim.config[VIRTIO_NET_CONFIG_RSS_MAX_KEY] = 40;
	put16(sim.config + VIRTIO_NET_CONFIG_RSS_MAX_TABLE, 128);
	sim.config[VIRTIO_NET_CONFIG_RSS_HASHES] = 0xff;
}
static struct virtio_net *start(void)
{
	if (!virtio_probe(&sim.dev))
		abort();
	run();
	card->all_cpus(card);
	run();
	return card->driver;
}
static struct virtio_net *begin(uint64_t offered, unsigned cpus, unsigned pairs)
{
	prepare(offered, cpus, pairs);
	return start();
}

/* --- Pairs --- */

TEST(one_cpu_has_one_pair)
{
	struct virtio_net *n = begin(ALL, 1, 4);

	CHECK_EQ(n->made, 1);
	CHECK_EQ(card->queues, 1);
	CHECK(sim.queue[0].q && sim.queue[1].q && !sim.queue[2].q && !sim.queue[8].q);
	CHECK_EQ(sim.dev.features & (VIRTIO_NET_F_CTRL_VQ | VIRTIO_NET_F_MQ), 0);
	CHECK(co[0].used && !co[1].used);
}

TEST(a_pair_for_each_cpu)
{
	struct virtio_net *n;

	prepare(ALL, 4, 8);
	REQUIRE(virtio_probe(&sim.dev));
	run();
	CHECK_EQ(card->queues, 1); /* until the CPUs are up and the device knows */
	CHECK_EQ(sim.commands, 0);
	card->all_cpus(card);
	run();
	n = card->driver;
	CHECK_EQ(n->made, 4);
	CHECK_EQ(card->queues, 4);
	CHECK_EQ(sim.commands, 1);
	CHECK(memcmp(sim.command, "\4\0\4\0", 4) == 0);
	CHECK_EQ(sim.command_len, 2);
	CHECK(sim.queue[16].q && sim.queue[16].q->index == 16); /* behind all that there could be */
	for (unsigned i = 0; i < 4; i++) {
		struct virtio_net_rx *r = &n->pair[i]->rx;

		CHECK_EQ(((struct co *)r->thread)->cpu, 1u << i);
		CHECK_EQ(sim.queue[2 * i].cpu, i ? (int)i : -1); /* it was 0's anyway */
		CHECK_EQ(r->queue->in_flight, r->target);
		CHECK_EQ((uintptr_t)n->pair[i] % 64, 0);
	}
}

TEST(fewer_pairs_than_cpus)
{
	struct virtio_net *n = begin(ALL, 6, 2);

	CHECK_EQ(card->queues, 2);
	CHECK_EQ(n->made, 2);
	prepare(ALL, 6, 4);
	sim.queue_count = 5; /* it has fewer than it says, and not the one for commands */
	start();
	CHECK_EQ(card->queues, 1);
	prepare(ALL, 6, 4);
	machine = 6;
	cpu_online_count = 3; /* not all came up */
	start();
	CHECK_EQ(card->queues, 3);
	CHECK(memcmp(sim.command, "\4\0\3\0", 4) == 0);
	prepare(ALL, 4, 4);
	thread_limit = 3; /* queue 0's, the one that starts, one more */
	start();
	CHECK_EQ(card->queues, 2);
}

TEST(a_card_that_refuses_has_one_pair)
{
	prepare(ALL, 4, 4);
	sim.refuse = 2;
	start();
	CHECK_EQ(sim.commands, 1);
	CHECK_EQ(card->queues, 1);
	prepare(ALL & ~VIRTIO_NET_F_CTRL_VQ, 4, 4); /* nothing to ask by */
	start();
	CHECK_EQ(card->queues, 1);
	CHECK_EQ(sim.dev.features & VIRTIO_NET_F_MQ, 0);
}

TEST(a_card_that_does_not_answer_has_one_pair)
{
	struct virtio_net *n;
	uint8_t *memory;

	prepare(ALL | VIRTIO_NET_F_RSS, 4, 4);
	sim.silent = true;
	n = start();
	CHECK_EQ(card->queues, 1);
	CHECK(!n->control.dead);
	pass(3 * NSEC_PER_SEC);
	CHECK_EQ(card->queues, 1);
	CHECK(n->control.dead); /* no second command over the memory of the first */
	memory = n->control.memory;
	memory[VIRTIO_NET_CONTROL_MEMORY - 1] = 0; /* still the device's */
	sim.silent = false;
	sim_control(&sim.queue[8]);
	run();
	CHECK_EQ(card->queues, 1);
}

TEST(spreading_by_a_keyed_hash)
{
	uint8_t *c = sim.command + 2, sum = 0, first[40];
	uint32_t hashes;

	begin(ALL | VIRTIO_NET_F_RSS, 3, 4);
	CHECK_EQ(card->queues, 3);
	CHECK_EQ(sim.commands, 1);
	CHECK_EQ(sim.command[1], VIRTIO_NET_CTRL_MQ_RSS);
	CHECK_EQ(sim.command_len, 8 + 2 * 128 + 3 + 40);
	memcpy(&hashes, c, 4);
	CHECK_EQ(hashes, 0x3f);
	CHECK_EQ(c[4] | c[5] << 8, 127);
	for (unsigned i = 0; i < 128; i++)
		CHECK_EQ(c[8 + 2 * i] | c[9 + 2 * i] << 8, i % 3);
	CHECK_EQ(c[264] | c[265] << 8, 3);
	CHECK_EQ(c[266], 40);
	for (unsigned i = 0; i < 40; i++)
		sum |= first[i] = c[267 + i];
	CHECK(sum != 0);
	begin(ALL | VIRTIO_NET_F_RSS, 3, 4);
	CHECK(memcmp(first, c + 267, 40) != 0); /* another machine, another key */
	prepare(ALL | VIRTIO_NET_F_RSS, 3, 4);
	sim.refuse = 1; /* then by its own rules */
	start();
	CHECK_EQ(sim.commands, 2);
	CHECK(memcmp(sim.command, "\4\0\3\0", 4) == 0);
	CHECK_EQ(card->queues, 3);
}

TEST(nonsense_in_the_configuration)
{
	static const uint16_t pairs[] = { 0, 1, 0x8001, 0xffff };
	static const struct {
		uint16_t table;
		uint8_t key, hashes;
	} rss[] = { { 0, 40, 0x3f }, { 1, 40, 0x3f }, { 128, 0, 0x3f }, { 128, 39, 0x3f },
		{ 128, 40, 0 } };

	for (unsigned i = 0; i < 4; i++) {
		prepare(ALL, 4, 4);
		put16(sim.config + VIRTIO_NET_CONFIG_MAX_PAIRS, pairs[i]);
		start();
		CHECK_EQ(card->queues, 1);
	}
	for (unsigned i = 0; i < 5; i++) { /* without RSS, but with pairs */
		prepare(ALL | VIRTIO_NET_F_RSS, 4, 4);
		put16(sim.config + VIRTIO_NET_CONFIG_RSS_MAX_TABLE, rss[i].table);
		sim.config[VIRTIO_NET_CONFIG_RSS_MAX_KEY] = rss[i].key;
		sim.config[VIRTIO_NET_CONFIG_RSS_HASHES] = rss[i].hashes;
		start();
		CHECK_EQ(card->queues, 4);
		CHECK_EQ(sim.command[1], VIRTIO_NET_CTRL_MQ_PAIRS_SET);
	}
	prepare(ALL | VIRTIO_NET_F_RSS, 4, 4);
	put16(sim.config + VIRTIO_NET_CONFIG_RSS_MAX_TABLE, 0xffff);
	sim.config[VIRTIO_NET_CONFIG_RSS_MAX_KEY] = 255;
	start();
	CHECK_EQ(sim.command_len, 8 + 2 * 128 + 3 + 40);
}

TEST(every_allocation_fails_once)
{
	for (long i = 1; i < 60; i++) {
		prepare(ALL, 4, 4);
		t_fail_alloc(i);
		if (virtio_probe(&sim.dev)) {
			run();
			card->all_cpus(card);
			run();
			CHECK(card->queues >= 1);
		}
		t_fail_alloc(0);
	}
}

TEST(memory_for_rings)
{
	struct virtio_net *n;

	ram_pages = (16 << 20) / PAGE_SIZE;
	n = begin(ALL, 4, 4);
	CHECK_EQ(n->pair[0]->rx.target, 64);
	ram_pages = (128 << 20) / PAGE_SIZE;
	n = begin(ALL, 16, 16);
	CHECK_EQ(n->pair[15]->rx.target, 128); /* all together: a 32nd */
	ram_pages = 65536;
	n = begin(ALL, 1, 1);
	CHECK_EQ(n->pair[0]->rx.target, 256);
}

/* --- Features --- */

TEST(offloads_need_what_they_stand_on)
{
	begin(ALL, 1, 1);
	CHECK_EQ(card->features,
		NETDEV_TX_CSUM | NETDEV_RX_CSUM | NETDEV_TSO4 | NETDEV_TSO6 | NETDEV_USO);
	CHECK(sim.dev.features & VIRTIO_NET_F_GUEST_USO4);
	begin(ALL & ~VIRTIO_NET_F_CSUM, 1, 1);
	CHECK_EQ(card->features, NETDEV_RX_CSUM);
	begin(ALL & ~VIRTIO_NET_F_GUEST_CSUM, 1, 1);
	CHECK_EQ(sim.dev.features & (VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_USO6), 0);
	begin(ALL & ~VIRTIO_NET_F_MRG_RXBUF, 1, 1);
	CHECK_EQ(sim.dev.features & (VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6 |
					    VIRTIO_NET_F_GUEST_USO4 | VIRTIO_NET_F_GUEST_USO6),
		0);
	begin(ALL & ~VIRTIO_NET_F_HOST_USO, 1, 1);
	CHECK(!(card->features & NETDEV_USO));
}

/* --- Sending --- */

static struct packet *frame_of(uint32_t n, uint8_t fill)
{
	struct packet *p = packet_alloc(NETDEV_HEADROOM, n);

	memset(packet_put(p, n), fill, n);
	return p;
}
TEST(each_cpu_sends_on_its_queue)
{
	struct packet *p;

	begin(ALL, 4, 4);
	for (unsigned cpu = 0; cpu < 4; cpu++) {
		host_cpu_id = cpu;
		CHECK_EQ(card->send(card, frame_of(60, (uint8_t)cpu)), 0);
		CHECK_EQ(sim.frame[cpu].queue, 2 * cpu + 1);
		CHECK_EQ(sim.frame[cpu].len, 60);
		CHECK_EQ(sim.frame[cpu].bytes[59], cpu);
	}
	p = frame_of(60, 9);
	p->queue = 1 + 2; /* where CPU 2 sends */
	card->send(card, p);
	CHECK_EQ(sim.frame[4].queue, 5);
	begin(ALL, 4, 3); /* fewer queues: two CPUs share one */
	host_cpu_id = 3;
	card->send(card, frame_of(60, 9));
	CHECK_EQ(sim.frame[0].queue, 1);
	struct netdev_stats s = netdev_stats(card);

	CHECK_EQ(s.tx_packets, 1);
	CHECK_EQ(s.tx_bytes, 60);
}

TEST(a_queue_is_empty_when_the_device_has_sent_all)
{
	begin(ALL, 2, 2);
	CHECK(card->queue_empty(card, 1) && card->queue_empty(card, 2));
	sim.hold = true;
	card->send(card, frame_of(60, 1));
	CHECK(!card->queue_empty(card, 1));
	CHECK(card->queue_empty(card, 2));
	sim.hold = false;
	sim_transmit(&sim.queue[1]);
	CHECK(card->queue_empty(card, 1)); /* before the driver has looked */
	pass(NSEC_PER_SEC);
	CHECK(card->queue_empty(card, 1));
}

TEST(what_the_header_tells_the_card)
{
	static const struct {
		uint8_t kind, on_the_wire;
	} gso[] = { { PACKET_GSO_NONE, 0 }, { PACKET_GSO_TCP4, 1 }, { PACKET_GSO_TCP6, 4 },
		{ PACKET_GSO_UDP_L4, 5 } };

	begin(ALL, 1, 1);
	for (unsigned i = 0; i < 4; i++) {
		struct packet *p = frame_of(2000, 1), *f = frame_of(3000, 2);
		struct frame *sent = &sim.frame[i];

		p->csum_flags = PACKET_CSUM_PARTIAL;
		p->csum_start = 34;
		p->csum_offset = 6;
		p->gso_type = gso[i].kind;
		p->gso_size = 1400;
		p->header_len = 42;
		p->frags = f;
		card->send(card, p);
		CHECK_EQ(sent->h.gso_type, gso[i].on_the_wire);
		CHECK_EQ(sent->h.gso_size, i ? 1400 : 0);
		CHECK_EQ(sent->h.hdr_len, i ? 42 : 0);
		CHECK_EQ(sent->h.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
		CHECK_EQ(sent->h.csum_start, 34);
		CHECK_EQ(sent->h.csum_offset, 6);
		CHECK_EQ(sent->len, 5000);
		CHECK_EQ(sent->pieces, 2);
	}
}

TEST(a_full_ring_drops_and_nothing_leaks)
{
	long before;

	begin(ALL, 1, 1);
	sim.hold = true;
	before = blocks;
	for (unsigned i = 0; i < 400; i++)
		card->send(card, frame_of(60, 1));
	CHECK_EQ(netdev_stats(card).tx_dropped, 400 - 256);
	CHECK_EQ(blocks, before + 256);
	sim.hold = false;
	sim_transmit(&sim.queue[1]);
	pass(NSEC_PER_SEC); /* nobody sends: the timer frees */
	CHECK_EQ(blocks, before);
	CHECK_EQ(sim.queue[1].interrupts, 0);
}

/* --- Receiving --- */

static uint8_t wire[70000];

TEST(packets_say_where_they_came_from)
{
	begin(ALL, 3, 3);
	for (unsigned pair = 0; pair < 3; pair++) {
		uint16_t before = sim.queue[2 * pair].used;

		REQUIRE(sim_receive(pair, (struct virtio_net_hdr){ 0 }, wire, 60, -1));
		sim_kick(pair, before);
		run();
		REQUIRE(received);
		CHECK_EQ(received->queue, 1 + pair);
		CHECK_EQ(received->len, 60);
		drop_received();
	}
	CHECK_EQ(netdev_stats(card).rx_packets, 3);
	CHECK_EQ(netdev_stats(card).rx_bytes, 180);
}

TEST(what_the_card_tells_of_a_packet)
{
	static const struct {
		uint8_t on_the_wire, kind;
	} gso[] = { { 0, PACKET_GSO_NONE }, { 1, PACKET_GSO_TCP4 }, { 0x81, PACKET_GSO_TCP4 },
		{ 4, PACKET_GSO_TCP6 }, { 3, PACKET_GSO_UDP }, { 5, PACKET_GSO_UDP_L4 },
		{ 77, PACKET_GSO_NONE }, { 1, PACKET_GSO_NONE } };

	begin(ALL, 1, 1);
	for (unsigned i = 0; i < 8; i++) {
		struct virtio_net_hdr h = { .flags = i & 1 ? VIRTIO_NET_HDR_F_DATA_VALID : 0,
			.gso_type = gso[i].on_the_wire,
			.gso_size = i < 7 ? 1400 : 0, /* no size: then it is no such packet */
			.hdr_len = 54 };
		uint16_t before = sim.queue[0].used;
		uint32_t total = 0;

		for (unsigned k = 0; k < 9000; k++)
			wire[k] = (uint8_t)(k * 7);
		REQUIRE(sim_receive(0, h, wire, 9000, -1));
		sim_kick(0, before);
		run();
		REQUIRE(received && !received->next);
		CHECK_EQ(received->gso_type, gso[i].kind);
		CHECK_EQ(received->csum_flags, i & 1 ? PACKET_CSUM_VALID : PACKET_CSUM_NONE);
		for (struct packet *f = received; f; f = f == received ? received->frags : f->next)
			for (uint32_t k = 0; k < f->len; k++, total++)
				REQUIRE(f->data[k] == (uint8_t)(total * 7));
		CHECK_EQ(total, 9000);
		drop_received();
	}
}

/* A packet of so many bytes comes and is right; in how many buffers. */
static unsigned buffers_of(uint32_t len, bool small)
{
	uint16_t before = sim.queue[0].used;
	unsigned n = 0;
	uint32_t total = 0;

	for (uint32_t k = 0; k < len; k++)
		wire[k] = (uint8_t)(k * 7 + len);
	if (!sim_receive(0, (struct virtio_net_hdr){ 0 }, wire, len, -1))
		return 0;
	sim_kick(0, before);
	run();
	for (struct packet *f = received; f; f = f == received ? received->frags : f->next, n++) {
		if (small)
			CHECK((size_t)(f->end - (uint8_t *)f) <= 2048);
		for (uint32_t k = 0; k < f->len; k++, total++)
			if (f->data[k] != (uint8_t)(total * 7 + len))
				return 0;
	}
	drop_received();
	return total == len ? n : 0;
}

TEST(buffers_follow_what_arrives)
{
	struct virtio_net_rx *r = &begin(ALL, 1, 1)->pair[0]->rx;
	long before = blocks;

	CHECK_EQ(buffers_of(65000, true), 35);
	for (unsigned i = 0; i < 40; i++)
		CHECK(buffers_of(65000, false) > 0);
	CHECK_EQ(buffers_of(65000, false), 5);
	CHECK_EQ(r->queue->in_flight, 32);
	/* A small packet never keeps a large buffer, and the device gets that back or what fits. */
	for (unsigned i = 0; i < 300; i++) {
		CHECK_EQ(buffers_of(20 + i * 5, true), 1);
		CHECK_EQ(r->posted, 256 * 2048);
	}
	CHECK_EQ(r->queue->in_flight, 256);
	CHECK_EQ(blocks, before);
	CHECK_EQ(buffers_of(65000, true), 35);
}

TEST(the_least_ring_holds_the_largest_packet)
{
	ram_pages = (1 << 20) / PAGE_SIZE;
	begin(ALL, 16, 16);
	ram_pages = 65536;
	CHECK_EQ(buffers_of(65535 + 14, true), 35);
}

/* Interrupts: one for the first packet, none while there is work, whatever comes meanwhile. */
static unsigned more_to_come;
static void flooding_batch(struct netdev *d, struct packet *batch)
{
	uint16_t before = sim.queue[0].used;

	packet_free_list(batch);
	batches++;
	for (unsigned i = 0; i < 100 && more_to_come; i++)
		if (sim_receive(0, (struct virtio_net_hdr){ 0 }, wire, 60, -1))
			more_to_come--;
	sim_kick(0, before);
}
static void flood(uint64_t offered)
{
	begin(offered, 1, 1);
	card->rx = flooding_batch;
	for (unsigned round = 1; round <= 3; round++) {
		uint16_t before = sim.queue[0].used;

		more_to_come = 60000; /* together past the end of the ring's numbers */
		REQUIRE(sim_receive(0, (struct virtio_net_hdr){ 0 }, wire, 60, -1));
		sim_kick(0, before);
		run();
		CHECK_EQ(more_to_come, 0);
		CHECK_EQ(sim.queue[0].interrupts, round);
	}
	CHECK_EQ(netdev_stats(card).rx_packets, 180003);
}
TEST(no_interrupts_while_there_is_work)
{
	flood(ALL);
	flood(ALL & ~VIRTIO_F_EVENT_IDX);
}

TEST(a_shared_interrupt_wakes_only_who_has_work)
{
	struct virtio_net *n = begin(ALL, 2, 2);

	REQUIRE(sim_receive(1, (struct virtio_net_hdr){ 0 }, wire, 60, -1));
	for (unsigned i = 0; i < 2; i++)
		sim.queue[2 * i].handler(sim.queue[2 * i].arg);
	CHECK(!((struct co *)n->pair[0]->rx.thread)->awake);
	CHECK(((struct co *)n->pair[1]->rx.thread)->awake);
	run();
	CHECK(received != NULL);
	drop_received();
}

/* --- A device that lies --- */

TEST(lies_about_one_packet)
{
	static const int promised[] = { 0, 2, 300, 65535 };

	for (unsigned i = 0; i < 4; i++) {
		struct virtio_net *n = begin(ALL, 1, 1);
		uint16_t before = sim.queue[0].used;

		REQUIRE(sim_receive(0, (struct virtio_net_hdr){ 0 }, wire, 60, promised[i]));
		if (promised[i] != 2) /* else the next one is taken for a part of it */
			REQUIRE(sim_receive(0, (struct virtio_net_hdr){ 0 }, wire, 61, -1));
		sim_kick(0, before);
		run();
		CHECK_EQ(received ? received->len : 0, promised[i] == 2 ? 0 : 61);
		drop_received();
		CHECK_EQ(netdev_stats(card).rx_dropped, 1);
		CHECK_EQ(n->pair[0]->rx.queue->in_flight, 256); /* and on it goes */
		before = sim.queue[0].used;
		REQUIRE(sim_receive(0, (struct virtio_net_hdr){ 0 }, wire, 60, -1));
		sim_kick(0, before);
		run();
		CHECK(received != NULL);
		drop_received();
	}
	begin(ALL, 1, 1); /* too short for a frame; longer than the buffer */
	for (unsigned i = 0; i < 2; i++) {
		uint16_t head, before = sim.queue[0].used;

		REQUIRE(sim_next(&sim.queue[0], &head));
		memset(phys_to_virt(PADDR(sim.queue[0].q->desc[head].addr)), 0, 12);
		((uint8_t *)phys_to_virt(PADDR(sim.queue[0].q->desc[head].addr)))[10] = 1;
		sim_use(&sim.queue[0], head, i ? 0xffffffff : 25);
		sim_kick(0, before);
		run();
		CHECK(!received == !i);
	}
	REQUIRE(received);
	CHECK(received->data + received->len <= received->end);
	drop_received();
}

TEST(lies_at_random)
{
	for (int round = 0; round < 300; round++) {
		struct virtio_net *n;
		long made;

		prepare(ALL | (round & 1 ? VIRTIO_NET_F_RSS : 0), 3, 3);
		sim.refuse = (unsigned)t_random(&seed) % 4;
		n = start();
		made = blocks;
		for (int step = 0; step < 60; step++) {
			unsigned long r = t_random(&seed);
			struct sim_queue *s = &sim.queue[r % 7];
			struct virtio_net_hdr h;

			for (unsigned k = 0; k < 12; k++)
				((uint8_t *)&h)[k] = (uint8_t)t_random(&seed);
			switch (r / 7 % 8) {
			case 0: /* an entry, and perhaps the index, out of thin air */
				s->q->used->ring[r / 64 % s->q->size] =
					(struct vring_used_elem){ (uint32_t)(t_random(&seed) % 300),
						(uint32_t)t_random(&seed) };
				s->q->used->idx += (uint16_t)(r / 16384 % 3);
				break;
			case 1: s->q->used->idx = (uint16_t)t_random(&seed); break;
			case 2:
				((uint16_t *)&s->q->used->ring[s->q->size])[0] =
					(uint16_t)t_random(&seed);
				break;
			case 3: sim.config[r / 64 % 32] = (uint8_t)t_random(&seed); break;
			case 4:
				host_cpu_id = r / 64 % 3;
				card->send(card, frame_of(60, 1));
				break;
			default:
				if (!n->pair[r % 3]->rx.queue->broken)
					sim_receive(r % 3, h, wire, 60 + r / 64 % 4000,
						r / 1024 % 2 ? -1 : (int)(r / 2048 % 5));
			}
			if (s->handler)
				s->handler(s->arg);
			run();
			drop_received();
		}
		CHECK(blocks <= made + 3 * 256 + 100);
	}
}
