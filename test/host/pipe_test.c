/* SPDX-License-Identifier: BSD-2-Clause */
/* tsan */
/* sources: src/file/pipe.c src/file/pipe_pieces.c src/file/pollset.c src/file/epoll.c */
/* sources: src/file/file.c src/file/iter.c src/file/piece.c */
/* sources: $(HOST_MUTEX) src/sched/wait.c src/lib/rbtree.c src/lib/format.c */
/* flags: -D_GNU_SOURCE -include test/host/shake.h -Wno-unknown-warning-option -Wno-tsan */
/* Pipes among writers, readers and pollers: every byte arrives, nobody sleeps on for ever. */
#include "abi/fcntl.h" /* before what unistd.h has of it */
#include "t.h"
#include "sched_shim.h"
#include "heap_host.h"
#include "poll_host.h"
#include "uaccess_host.h"
#include "abi/epoll.h"
#include "abi/errno.h"
#include "file/epoll.h"
#include "file/file.h"
#include "file/pipe.h"
#include "file/pollset.h"
#include "mem/page.h"

uint64_t clock_realtime(void)
{
	return 0;
}

/* Pages; taking and giving back one orders nothing but its own contents, so races stay visible. */
#define PAGES 1024

static char page_memory[PAGES][PAGE_SIZE] __aligned(PAGE_SIZE);
char *host_physmap = page_memory[0];
static struct page pages[PAGES]; /* refcount: atomic, 1 while in use */
static atomic_long pages_used;

struct page *page_alloc(unsigned order)
{
	for (unsigned n = host_cpu_id * 32;; n++) {
		struct page *p = &pages[n % PAGES];

		if (!__atomic_exchange_n(&p->refcount, 1, __ATOMIC_ACQUIRE)) {
			atomic_fetch_add_explicit(&pages_used, 1, memory_order_relaxed);
			return p;
		}
	}
}
struct page *page_alloc_zeroed(unsigned order)
{
	T_FAIL("no pipe has holes");
	return NULL;
}
void page_get(struct page *p)
{
	__atomic_fetch_add(&p->refcount, 1, __ATOMIC_RELAXED);
}
void page_put(struct page *p)
{
	uint32_t refs = __atomic_fetch_sub(&p->refcount, 1, __ATOMIC_RELEASE);

	if (refs == 1)
		atomic_fetch_sub_explicit(&pages_used, 1, memory_order_relaxed);
}
paddr_t page_to_phys(const struct page *p)
{
	return PADDR((uint64_t)(p - pages) * PAGE_SIZE);
}
struct page *phys_to_page(paddr_t pa)
{
	return &pages[pa.raw / PAGE_SIZE];
}

/* Threads that the test shakes are often late. */
static _Thread_local unsigned long shaking;
void shake(void)
{
	if (shaking && t_random(&shaking) % 4 == 0)
		usleep(1 + t_random(&shaking) % 20);
}

static atomic_long signals;
static void count_signal(void)
{
	atomic_fetch_add(&signals, 1);
}

/* --- Waiting, in every way that there is --- */

enum way { BLOCKING, POLLING, EPOLL_LEVEL, EPOLL_EDGE, WAYS };

struct end {
	struct file *file, *set; /* set: an epoll set that watches the file, or NULL */
	enum way way;
	uint32_t events;
};

/* Takes a reference on f. */
static void end_open(struct end *e, struct file *f, enum way way, uint32_t events)
{
	struct epoll_event watch = { .events = events | (way == EPOLL_EDGE ? EPOLLET : 0) };

	*e = (struct end){ .file = f, .way = way, .events = events };
	file_get(f);
	if (way != EPOLL_LEVEL && way != EPOLL_EDGE)
		return;
	e->set = epoll_create(0);
	CHECK_EQ(epoll_control(e->set, EPOLL_CTL_ADD, f, 0, &watch), 0);
}

static void end_close(struct end *e)
{
	if (e->set)
		file_put(e->set);
	file_put(e->file);
}

static void end_wait(struct end *e)
{
	struct epoll_event event;
	struct pollset set;

	if (e->set) {
		CHECK_EQ(epoll_wait_events(e->set, &event, 1, UINT64_MAX), 1);
		return;
	}
	CHECK_EQ(e->way, POLLING); /* a blocking call does not tell us to come again */
	pollset_begin(&set, UINT64_MAX);
	while (!(pollset_check(&set, e->file) & (e->events | POLLERR | POLLHUP)))
		CHECK_EQ(pollset_sleep(&set), 0);
	pollset_end(&set);
}

/* As a program does it: an edge is only waited for when there is nothing left. */
static ssize_t end_do(struct end *e, void *buf, size_t n, bool write)
{
	ssize_t done;

	for (;;) {
		struct iter it;

		if (e->way == POLLING || e->way == EPOLL_LEVEL)
			end_wait(e);
		iter_init_one(&it, buf, n, true);
		done = write ? file_write(e->file, &it) : file_read(e->file, &it);
		if (done != -EAGAIN)
			return done;
		if (e->way == EPOLL_EDGE)
			end_wait(e);
	}
}

/* --- Every byte arrives once, and in order --- */

#define WRITERS 3
#define READERS 2
#define RECORDS 600 /* of each writer */
#define RECORD	1500

struct record {
	uint16_t size; /* in all */
	uint16_t writer;
	uint32_t number;
	uint8_t byte[RECORD];
};
#define HEADER offsetof(struct record, byte)

static struct file *ends[2];
static enum way read_way, write_way;
static atomic_uchar seen[WRITERS][RECORDS];
static atomic_bool over;

static void writer(void *arg)
{
	unsigned long seed = (unsigned long)arg + 1;
	struct record r = { .writer = (uint16_t)(long)arg };
	struct end e;

	end_open(&e, ends[1], write_way, POLLOUT);
	file_put(ends[1]); /* the writer's own, of before it started */
	for (r.number = 0; r.number < RECORDS; r.number++) {
		r.size = HEADER + t_random(&seed) % RECORD;
		memset(r.byte, (int)(r.number * 7 + r.writer), sizeof(r.byte));
		CHECK_EQ(end_do(&e, &r, r.size, true), r.size);
	}
	end_close(&e);
}

static void check_record(const struct record *r, long *last)
{
	REQUIRE(r->size >= HEADER && r->writer < WRITERS && r->number < RECORDS);
	CHECK((long)r->number > last[r->writer]); /* one writer's keep their order */
	last[r->writer] = r->number;
	CHECK_EQ(atomic_fetch_add(&seen[r->writer][r->number], 1), 0);
	for (unsigned i = 0; i + HEADER < r->size; i++)
		if (r->byte[i] != (uint8_t)(r->number * 7 + r->writer)) {
			T_FAIL("writer %u record %u: byte %u", r->writer, r->number, i);
			return;
		}
}

/* Of a stream: one reader, who takes what he gets. */
static void stream_reader(void *arg)
{
	static char buf[3 * sizeof(struct record)];
	long last[WRITERS] = { -1, -1, -1 };
	unsigned long seed = 99;
	size_t have = 0, at;
	struct end e;
	ssize_t n;

	end_open(&e, ends[0], read_way, POLLIN);
	while ((n = end_do(&e, buf + have, 1 + t_random(&seed) % (sizeof(buf) - have), false)) >
		0) {
		struct record r;

		have += (size_t)n;
		for (at = 0; have - at >= HEADER; at += r.size) {
			memcpy(&r, buf + at, HEADER);
			REQUIRE(r.size >= HEADER && r.size <= sizeof(r));
			if (have - at < r.size)
				break;
			memcpy(&r, buf + at, r.size);
			check_record(&r, last);
		}
		have -= at;
		memmove(buf, buf + at, have);
	}
	CHECK_EQ(n, 0);
	CHECK_EQ(have, 0);
	end_close(&e);
}

/* Of packets: each read is one. */
static void packet_reader(void *arg)
{
	long last[WRITERS] = { -1, -1, -1 };
	struct record r;
	struct end e;
	ssize_t n;

	end_open(&e, ends[0], read_way, POLLIN);
	while ((n = end_do(&e, &r, sizeof(r), false)) > 0) {
		CHECK_EQ(n, r.size);
		check_record(&r, last);
	}
	CHECK_EQ(n, 0);
	end_close(&e);
}

/*
 * Looks at both ends all the time. The order of the writers, the bytes and what poll says: when the
 * last writer is seen to be gone all bytes are seen too, so an end that is over stays over.
 */
static void observer(void *arg)
{
	bool ended = false;

	shaking = 1;
	while (!atomic_load_explicit(&over, memory_order_relaxed)) {
		uint32_t in = ends[0]->ops->poll(ends[0], NULL);

		CHECK(!ended || in == POLLHUP);
		ended = in == POLLHUP;
	}
}

/* Between one slot and four. */
static void resizer(void *arg)
{
	for (unsigned i = 0; !atomic_load_explicit(&over, memory_order_relaxed); i++) {
		long size = ends[0]->ops->fcntl(ends[0], F_SETPIPE_SZ, PAGE_SIZE << i % 3);

		CHECK(size == -EBUSY || size == PAGE_SIZE << i % 3);
		size = ends[0]->ops->fcntl(ends[0], F_GETPIPE_SZ, 0);
		CHECK(size >= PAGE_SIZE && size <= PAGE_SIZE << 2);
		usleep(50);
	}
}

static void run(bool packets, bool resize)
{
	uint32_t flags = packets ? O_DIRECT : 0;
	unsigned readers = packets ? READERS : 1;
	struct shim_thread w[WRITERS], r[READERS], o, s;

	memset(seen, 0, sizeof(seen));
	atomic_store(&over, false);
	REQUIRE(pipe_create(ends, flags) == 0);
	ends[0]->flags |= read_way == BLOCKING ? 0 : O_NONBLOCK;
	ends[1]->flags |= write_way == BLOCKING ? 0 : O_NONBLOCK;
	CHECK_EQ(ends[0]->ops->fcntl(ends[0], F_SETPIPE_SZ, PAGE_SIZE), PAGE_SIZE);
	shim_start(&o, observer, NULL, 1);
	if (resize)
		shim_start(&s, resizer, NULL, 2);
	for (unsigned i = 0; i < readers; i++)
		shim_start(&r[i], packets ? packet_reader : stream_reader, NULL, 3 + i);
	for (unsigned i = 0; i < WRITERS; i++) {
		file_get(ends[1]);
		shim_start(&w[i], writer, (void *)(long)i, 3 + READERS + i);
	}
	file_put(ends[1]);
	for (unsigned i = 0; i < WRITERS; i++)
		shim_join(&w[i]);
	for (unsigned i = 0; i < readers; i++)
		shim_join(&r[i]);
	atomic_store(&over, true);
	shim_join(&o);
	if (resize)
		shim_join(&s);
	for (unsigned i = 0; i < WRITERS; i++)
		for (unsigned n = 0; n < RECORDS; n++)
			if (atomic_load(&seen[i][n]) != 1)
				T_FAIL("writer %u record %u: %u times", i, n, seen[i][n]);
	file_put(ends[0]);
	CHECK_EQ(atomic_load(&pages_used), 0);
}

static void run_all_ways(bool packets, bool resize)
{
	for (read_way = 0; read_way < WAYS; read_way++)
		for (write_way = 0; write_way < WAYS; write_way++)
			run(packets, resize);
}

TEST(pipe_every_byte_in_order)
{
	run_all_ways(false, false);
}

TEST(pipe_every_packet_once)
{
	run_all_ways(true, false);
}

/* A new size wakes writers, too: by itself, so that it does not stand in for those who have to. */
TEST(pipe_resized_meanwhile)
{
	run_all_ways(false, true);
	run_all_ways(true, true);
}

/* --- The other side goes --- */

#define ROUNDS 2000

static pthread_barrier_t round_begins, round_ends;
static atomic_bool last_round;
static struct pipe *fifo;
static unsigned last_words; /* of the writer before it goes; not atomic, the pipe has to order it */

/* Writes a byte, or none, and goes, while another waits for that. */
static void leaving_writer(void *arg)
{
	for (unsigned i = 0;; i++) {
		struct iter it;

		pthread_barrier_wait(&round_begins);
		if (atomic_load(&last_round))
			return;
		iter_init_one(&it, "x", 1, true);
		if (i % 4)
			CHECK_EQ(file_write(ends[1], &it), 1);
		last_words = i;
		file_put(ends[1]);
		pthread_barrier_wait(&round_ends);
	}
}

static void round_observer(void *arg)
{
	for (unsigned i = 0;; i++) {
		pthread_barrier_wait(&round_begins);
		if (atomic_load(&last_round))
			return;
		while (!(ends[0]->ops->poll(ends[0], NULL) & POLLHUP))
			;
		CHECK_EQ(last_words, i);
		observer(NULL);
		pthread_barrier_wait(&round_ends);
	}
}

TEST(pipe_last_byte_before_the_end)
{
	struct shim_thread w, o;
	struct end e;
	char c;

	pthread_barrier_init(&round_begins, NULL, 3);
	pthread_barrier_init(&round_ends, NULL, 3);
	atomic_store(&last_round, false);
	shim_start(&w, leaving_writer, NULL, 1);
	shim_start(&o, round_observer, NULL, 2);
	for (unsigned i = 0; i < ROUNDS; i++) {
		REQUIRE(pipe_create(ends, 0) == 0);
		ends[0]->flags |= i % WAYS ? O_NONBLOCK : 0;
		end_open(&e, ends[0], i % WAYS, POLLIN);
		atomic_store(&over, false);
		pthread_barrier_wait(&round_begins);
		if (i % 3 == 0)
			usleep(200); /* the observer is to see the byte */
		if (i % 4)
			CHECK_EQ(end_do(&e, &c, 1, false), 1);
		CHECK_EQ(end_do(&e, &c, 1, false), 0);
		atomic_store(&over, true);
		pthread_barrier_wait(&round_ends);
		end_close(&e);
		file_put(ends[0]);
	}
	atomic_store(&last_round, true);
	pthread_barrier_wait(&round_begins);
	shim_join(&w);
	shim_join(&o);
}

/* Comes and stays: nobody has hung up, and he is not to be taken for one who has. */
static void coming_writer(void *arg)
{
	for (;;) {
		struct file *f;

		pthread_barrier_wait(&round_begins);
		if (atomic_load(&last_round))
			return;
		f = pipe_object_open(fifo, O_WRONLY | O_NONBLOCK);
		CHECK(!IS_ERR(f));
		pthread_barrier_wait(&round_ends);
		file_put(f);
		pthread_barrier_wait(&round_begins);
	}
}

TEST(pipe_coming_is_no_hangup)
{
	struct shim_thread w;

	pthread_barrier_init(&round_begins, NULL, 2);
	pthread_barrier_init(&round_ends, NULL, 2);
	atomic_store(&last_round, false);
	shim_start(&w, coming_writer, NULL, 1);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct file *f;

		fifo = pipe_object_create();
		REQUIRE(fifo);
		f = pipe_object_open(fifo, O_RDONLY | O_NONBLOCK);
		REQUIRE(!IS_ERR(f));
		pthread_barrier_wait(&round_begins);
		shaking = i + 1;
		for (int n = 0; n < 5; n++)
			CHECK(!f->ops->poll(f, NULL));
		shaking = 0;
		pthread_barrier_wait(&round_ends);
		pthread_barrier_wait(&round_begins);
		CHECK_EQ(f->ops->poll(f, NULL), POLLHUP);
		file_put(f);
		pipe_object_put(fifo);
	}
	atomic_store(&last_round, true);
	pthread_barrier_wait(&round_begins);
	shim_join(&w);
}

/* Reads a byte, or none, and goes. */
static void leaving_reader(void *arg)
{
	for (unsigned i = 0;; i++) {
		struct iter it;
		char c;

		pthread_barrier_wait(&round_begins);
		if (atomic_load(&last_round))
			return;
		iter_init_one(&it, &c, 1, true);
		if (i % 4)
			CHECK_EQ(file_read(ends[0], &it), 1);
		file_put(ends[0]);
		pthread_barrier_wait(&round_ends);
	}
}

TEST(pipe_writers_hear_that_nobody_reads)
{
	struct shim_thread r;
	char page[PAGE_SIZE];
	struct end e;

	memset(page, 'x', sizeof(page));
	pipe_sigpipe = count_signal;
	atomic_store(&signals, 0);
	pthread_barrier_init(&round_begins, NULL, 2);
	pthread_barrier_init(&round_ends, NULL, 2);
	atomic_store(&last_round, false);
	shim_start(&r, leaving_reader, NULL, 1);
	for (unsigned i = 0; i < ROUNDS; i++) {
		REQUIRE(pipe_create(ends, 0) == 0);
		ends[1]->flags |= i % WAYS ? O_NONBLOCK : 0;
		CHECK_EQ(ends[0]->ops->fcntl(ends[0], F_SETPIPE_SZ, PAGE_SIZE), PAGE_SIZE);
		end_open(&e, ends[1], i % WAYS, POLLOUT);
		pthread_barrier_wait(&round_begins);
		while (end_do(&e, page, sizeof(page), true) > 0)
			;
		CHECK_EQ(atomic_load(&signals), i + 1);
		CHECK(ends[1]->ops->poll(ends[1], NULL) & POLLERR);
		pthread_barrier_wait(&round_ends);
		end_close(&e);
		file_put(ends[1]);
	}
	atomic_store(&last_round, true);
	pthread_barrier_wait(&round_begins);
	shim_join(&r);
	CHECK_EQ(atomic_load(&pages_used), 0);
}
