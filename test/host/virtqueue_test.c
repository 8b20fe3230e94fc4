/* SPDX-License-Identifier: BSD-2-Clause */
/* Split rings against a model device: in order, out of order, hostile, and in a thread of its own.
 */
/* sources: src/drivers/virtqueue.c */
/* tsan */
#include "t.h"
#include "bug_host.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include "abi/errno.h"
#include "cpu/barrier.h"
#include "cpu/layout.h"
#include "drivers/virtqueue.h"
#include "mem/heap.h"
#include "virtqueue_walk.h"

char *host_physmap;
#define MEMORY (1 << 20)
static size_t memory_used;

static void memory_start(void)
{
	if (!host_physmap)
		host_physmap = mmap(
			NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(host_physmap, 0, MEMORY);
	memory_used = 4096;
}
static void *memory_take(size_t n)
{
	void *p = host_physmap + memory_used;

	memory_used += (n + 4095) & ~4095ul;
	return p;
}
void *heap_alloc(size_t n)
{
	return t_alloc_must_fail() ? NULL : memory_take(n);
}
void heap_free(void *p)
{
}

static struct virtqueue q;
static struct virtqueue_slot slots[256];

static void start(unsigned size, unsigned align, bool event_idx, bool indirect)
{
	memory_start();
	memset(slots, 0, sizeof(slots));
	virtqueue_init(&q, 0, size, align, memory_take(virtqueue_ring_bytes(size, align)), slots,
		event_idx, indirect);
}

/* The device. */
static uint16_t dev_avail, dev_used;

static bool device_next(uint16_t *head)
{
	if (__atomic_load_n(&q.avail->idx, __ATOMIC_ACQUIRE) == dev_avail)
		return false;
	*head = __atomic_load_n(&q.avail->ring[dev_avail++ % q.size], __ATOMIC_RELAXED);
	return true;
}
static void device_use(uint32_t id, uint32_t len)
{
	struct vring_used_elem *e = &q.used->ring[dev_used % q.size];

	__atomic_store_n(&e->id, id, __ATOMIC_RELAXED);
	__atomic_store_n(&e->len, len, __ATOMIC_RELAXED);
	__atomic_store_n(&q.used->idx, ++dev_used, __ATOMIC_RELEASE);
}
static uint16_t *device_avail_event(void)
{
	return (uint16_t *)&q.used->ring[q.size];
}

static struct virtqueue_segment segments(struct virtqueue_segment *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		s[i] = (struct virtqueue_segment){ 0x1000 + i * 0x100, 10 + i };
	return s[0];
}

static void round_trips(bool indirect)
{
	struct virtqueue_segment s[8];
	struct vring_desc d[VIRTQUEUE_MAX_SEGMENTS];
	uint32_t written;
	uint16_t head;
	int token[4];

	start(16, 4, true, indirect);
	dev_avail = dev_used = 0;
	segments(s, 8);
	for (int round = 0; round < 70000; round++) {
		unsigned out = round % 4, in = 1 + round % 3;

		REQUIRE(virtqueue_add(&q, s, out, in, &token[round % 4]) == 0);
		REQUIRE(device_next(&head));
		if (round < 100) {
			REQUIRE(virtqueue_walk(&q, head, d) == out + in);
			for (unsigned i = 0; i < out + in; i++) {
				CHECK_EQ(d[i].addr, s[i].addr);
				CHECK_EQ(d[i].len, s[i].len);
				CHECK_EQ(!!(d[i].flags & VRING_DESC_WRITE), i >= out);
			}
		}
		CHECK(!virtqueue_has_used(&q));
		device_use(head, 5);
		CHECK(virtqueue_has_used(&q));
		CHECK(virtqueue_take(&q, &written) == &token[round % 4]);
		CHECK_EQ(written, 5);
		CHECK(virtqueue_take(&q, &written) == NULL);
	}
	CHECK_EQ(virtqueue_space(&q), 16);
}
TEST(round_trips_direct)
{
	round_trips(false);
}
TEST(round_trips_indirect)
{
	round_trips(true);
}

TEST(full_ring_and_out_of_order)
{
	struct virtqueue_segment s[4];
	uint16_t heads[16];
	uint32_t written;
	int tokens[16], n = 0;

	start(16, 4096, false, false);
	dev_avail = dev_used = 0;
	segments(s, 4);
	while (virtqueue_add(&q, s, 1, 1, &tokens[n]) == 0)
		n++;
	CHECK_EQ(n, 8);
	CHECK_EQ(virtqueue_add(&q, s, 1, 0, &tokens[n]), -ENOSPC);
	for (int i = 0; i < n; i++)
		REQUIRE(device_next(&heads[i]));
	for (int i = n - 1; i >= 0; i--) /* last first */
		device_use(heads[i], 0);
	for (int i = n - 1; i >= 0; i--)
		CHECK(virtqueue_take(&q, &written) == &tokens[i]);
	CHECK_EQ(virtqueue_space(&q), 16);
	/* Three at a time fit five times. */
	for (n = 0; virtqueue_add(&q, s, 2, 1, &tokens[n]) == 0;)
		n++;
	CHECK_EQ(n, 5);
	for (int i = 0; i < n; i++)
		CHECK(virtqueue_detach(&q) != NULL);
	CHECK(virtqueue_detach(&q) == NULL);
	CHECK_EQ(virtqueue_space(&q), 16);
}

TEST(bad_arguments)
{
	struct virtqueue_segment s[40];
	int token;

	start(64, 4, false, true);
	segments(s, 40);
	CHECK_EQ(virtqueue_add(&q, s, 0, 0, &token), -EINVAL);
	CHECK_EQ(virtqueue_add(&q, s, 33, 0, &token), -EINVAL);
	CHECK_EQ(virtqueue_add(&q, s, 1, 0, NULL), -EINVAL);
	CHECK_EQ(virtqueue_add(&q, s, 32, 0, &token), 0);
	CHECK_EQ(virtqueue_space(&q), 63);
}

TEST(no_memory_for_an_indirect_table_uses_the_ring)
{
	struct virtqueue_segment s[4];
	int token;

	start(16, 4, false, true);
	segments(s, 4);
	t_fail_alloc(1);
	CHECK_EQ(virtqueue_add(&q, s, 2, 2, &token), 0);
	CHECK_EQ(virtqueue_space(&q), 12);
}

TEST(event_index_notifications)
{
	struct virtqueue_segment s[1];
	uint32_t written;
	uint16_t head;
	int token;

	start(16, 4, true, false);
	dev_avail = dev_used = 0;
	segments(s, 1);
	*device_avail_event() = 0; /* wants to hear of entry 0 */
	CHECK(!virtqueue_kick_needed(&q));
	virtqueue_add(&q, s, 0, 1, &token);
	virtqueue_add(&q, s, 0, 1, &token);
	CHECK(virtqueue_kick_needed(&q));
	CHECK(!virtqueue_kick_needed(&q)); /* asked already */
	virtqueue_add(&q, s, 0, 1, &token);
	CHECK(!virtqueue_kick_needed(&q)); /* 0 is long past */
	*device_avail_event() = 3;
	virtqueue_add(&q, s, 0, 1, &token);
	CHECK(virtqueue_kick_needed(&q));

	CHECK(virtqueue_interrupts_on(&q));
	CHECK_EQ(q.avail->ring[q.size], 0);
	REQUIRE(device_next(&head));
	device_use(head, 1);
	CHECK(!virtqueue_interrupts_on(&q)); /* look first */
	CHECK(virtqueue_take(&q, &written) == &token);
	CHECK(virtqueue_interrupts_on(&q));
	CHECK_EQ(q.avail->ring[q.size], 1);
}

TEST(flag_notifications)
{
	struct virtqueue_segment s[1];
	int token;

	start(16, 4, false, false);
	segments(s, 1);
	CHECK_EQ(q.avail->flags, VRING_AVAIL_NO_INTERRUPT);
	CHECK(virtqueue_interrupts_on(&q));
	CHECK_EQ(q.avail->flags, 0);
	virtqueue_interrupts_off(&q);
	CHECK_EQ(q.avail->flags, VRING_AVAIL_NO_INTERRUPT);
	q.used->flags = VRING_USED_NO_NOTIFY;
	virtqueue_add(&q, s, 1, 0, &token);
	CHECK(!virtqueue_kick_needed(&q));
	q.used->flags = 0;
	virtqueue_add(&q, s, 1, 0, &token);
	CHECK(virtqueue_kick_needed(&q));
}

/* Each lie ends the queue, none ends us. */
static void hostile(uint32_t id, uint32_t len, uint16_t idx)
{
	struct virtqueue_segment s[1];
	uint32_t written = 0;
	int token;

	start(16, 4, false, false);
	segments(s, 1);
	virtqueue_add(&q, s, 0, 1, &token);
	q.used->ring[0] = (struct vring_used_elem){ id, len };
	q.used->idx = idx;
	CHECK(virtqueue_take(&q, &written) == NULL);
	CHECK(q.broken);
	CHECK(!virtqueue_has_used(&q));
	CHECK(!virtqueue_kick_needed(&q));
	CHECK_EQ(virtqueue_add(&q, s, 0, 1, &token), -EIO);
}
TEST(hostile_device)
{
	uint32_t written;
	struct virtqueue_segment s[1];
	int token;

	hostile(16, 0, 1); /* no such descriptor */
	hostile(0xffffffff, 0, 1);
	hostile(5, 0, 1); /* not given out */
	hostile(0, 0, 2); /* more used than given */
	hostile(0, 0, 0xffff);

	/* Too long an answer is cut to what the buffer holds. */
	start(16, 4, false, false);
	segments(s, 1);
	virtqueue_add(&q, s, 0, 1, &token);
	q.used->ring[0] = (struct vring_used_elem){ 0, 0xfffffff0 };
	q.used->idx = 1;
	CHECK(virtqueue_take(&q, &written) == &token);
	CHECK_EQ(written, 10);

	/* A table overwritten under us does not lead the free list astray. */
	start(16, 4, false, false);
	segments(s, 1);
	virtqueue_add(&q, s, 0, 1, &token);
	memset(q.desc, 0xff, 16 * sizeof(struct vring_desc));
	q.used->ring[0] = (struct vring_used_elem){ 0, 1 };
	q.used->idx = 1;
	CHECK(virtqueue_take(&q, &written) == &token);
	CHECK_EQ(virtqueue_space(&q), 16);
	for (int i = 0; i < 16; i++)
		CHECK_EQ(virtqueue_add(&q, s, 0, 1, &token), 0);
}

TEST(hostile_random)
{
	unsigned long seed = 7;
	struct virtqueue_segment s[4];
	static int tokens[16];
	uint32_t written;

	for (int round = 0; round < 3000; round++) {
		unsigned in_flight = 0;

		start(16, 4, round & 1, round & 2);
		segments(s, 4);
		for (int step = 0; step < 40; step++) {
			unsigned long r = t_random(&seed);

			if (virtqueue_add(&q, s, r % 3, 1 + r / 4 % 2, &tokens[r % 16]) == 0)
				in_flight++;
			virtqueue_kick_needed(&q);
			q.used->ring[r / 16 % 16] =
				(struct vring_used_elem){ r / 256 % 18, r >> 32 };
			q.used->idx += r / 8192 % 2;
			while (virtqueue_take(&q, &written)) {
				REQUIRE(in_flight);
				in_flight--;
				CHECK(written <= 13 * 2);
			}
			CHECK_EQ(q.in_flight, in_flight);
			CHECK(virtqueue_space(&q) <= 16);
		}
	}
}

/*
 * Driver and device as threads, both sleeping by the event index alone: a lost notification is a
 * hang, which the deadline turns into a failure.
 */
#define MESSAGES 30000
static struct bell {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool rung;
} door = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false },
  irq = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };
static atomic_bool hang;

static void ring(struct bell *b)
{
	pthread_mutex_lock(&b->lock);
	b->rung = true;
	pthread_cond_signal(&b->cond);
	pthread_mutex_unlock(&b->lock);
}
static void await(struct bell *b)
{
	struct timespec limit;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += 20;
	pthread_mutex_lock(&b->lock);
	while (!b->rung && !atomic_load(&hang))
		if (pthread_cond_timedwait(&b->cond, &b->lock, &limit) != 0)
			atomic_store(&hang, true);
	b->rung = false;
	pthread_mutex_unlock(&b->lock);
}

static void *device_thread(void *arg)
{
	uint16_t head, before, event;
	unsigned done = 0;

	while (done < MESSAGES && !atomic_load(&hang)) {
		if (!device_next(&head)) {
			__atomic_store_n(device_avail_event(), dev_avail, __ATOMIC_RELAXED);
			mb_device();
			if (__atomic_load_n(&q.avail->idx, __ATOMIC_ACQUIRE) == dev_avail)
				await(&door);
			continue;
		}
		uint32_t *bytes = phys_to_virt(PADDR(q.desc[head].addr));

		*bytes += 1;
		before = dev_used;
		device_use(head, 4);
		done++;
		mb_device();
		event = __atomic_load_n(&q.avail->ring[q.size], __ATOMIC_RELAXED);
		if ((uint16_t)(dev_used - event - 1) < (uint16_t)(dev_used - before))
			ring(&irq);
	}
	return NULL;
}

TEST(threads)
{
	pthread_t device;
	unsigned sent = 0, got = 0;
	uint32_t *cells, written, *cell;

	start(16, 4, true, false);
	dev_avail = dev_used = 0;
	cells = memory_take(MESSAGES * sizeof(*cells));
	pthread_create(&device, NULL, device_thread, NULL);
	while (got < MESSAGES && !atomic_load(&hang)) {
		while (sent < MESSAGES) {
			struct virtqueue_segment s = { virt_to_phys(&cells[sent]).raw, 4 };

			cells[sent] = sent;
			if (virtqueue_add(&q, &s, 0, 1, &cells[sent]) < 0)
				break;
			sent++;
			if (sent % 3 == 0 && virtqueue_kick_needed(&q))
				ring(&door);
		}
		if (virtqueue_kick_needed(&q))
			ring(&door);
		while ((cell = virtqueue_take(&q, &written))) {
			CHECK_EQ(*cell, got + 1);
			got++;
		}
		if (got < MESSAGES && (sent == MESSAGES || !virtqueue_space(&q)) &&
			virtqueue_interrupts_on(&q))
			await(&irq);
	}
	pthread_join(device, NULL);
	CHECK(!atomic_load(&hang));
	CHECK_EQ(got, MESSAGES);
}
