/* SPDX-License-Identifier: BSD-2-Clause */
/* Iterators and descriptor tables. */
/* sources: src/file/iter.c src/file/file.c src/file/fdtable.c src/lib/string.c */
/* flags: -D_GNU_SOURCE */
/* tsan */
#include "t.h"
#include "bug_host.h"
#include "heap_host.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "cpu/percpu.h"
#include "cpu/uaccess.h"
#include "file/file.h"
#include "file/impl.h"
#include "file/lock.h"
#include <pthread.h>

/* The kernel's services, as little as these files need. */
_Thread_local uint32_t host_cpu_id;
uint32_t cpu_online_count = 8;
bool lock_records_used;

void mutex_init_class(struct mutex *m, const struct lock_class *class)
{
	memset(m, 0, sizeof(*m));
}
/* A test-only lock: the pthread one does not fit into struct mutex. */
void mutex_lock(struct mutex *m)
{
	int32_t expected = 0;

	while (!__atomic_compare_exchange_n(
		&m->count, &expected, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		expected = 0;
		sched_yield();
	}
}
void mutex_unlock(struct mutex *m)
{
	__atomic_store_n(&m->count, 0, __ATOMIC_RELEASE);
}
void epoll_forget_file(struct file *f)
{
}
void lock_release_owner(struct file *f, bool flock, void *owner)
{
}
/* "User memory" of these tests: an address below 4096 faults, a copy stops at 'wall'. */
static const char *wall;
static size_t user_copy(void *dst, const void *src, size_t n, const char *user)
{
	size_t can = n;

	if (wall && user + n > wall)
		can = user < wall ? wall - user : 0;
	memcpy(dst, src, can);
	return n - can;
}
size_t copy_from_user_partial(void *dst, const void *usrc, size_t n)
{
	return user_copy(dst, usrc, n, usrc);
}
size_t copy_to_user_partial(void *udst, const void *src, size_t n)
{
	return user_copy(udst, src, n, udst);
}
int clear_user(void *udst, size_t n)
{
	memset(udst, 0, n);
	return 0;
}

TEST(iter_walks_over_segments)
{
	char a[3], b[5], out[8];
	struct iter_segment s[] = { { a, 3 }, { NULL, 0 }, { b, 5 } };
	struct iter it;

	iter_init(&it, s, 3, false);
	CHECK(it.left == 8);
	CHECK(iter_copy_to(&it, "abcd", 4) == 4 && it.left == 4);
	CHECK(memcmp(a, "abc", 3) == 0 && b[0] == 'd');
	iter_revert(&it, 2);
	CHECK(it.left == 6);
	CHECK(iter_copy_to(&it, "CDEFGHIJ", 8) == 6 && it.left == 0);
	CHECK(memcmp(a, "abC", 3) == 0 && memcmp(b, "DEFGH", 5) == 0);
	iter_init(&it, s, 3, false);
	iter_advance(&it, 2);
	CHECK(iter_copy_from(&it, out, 8) == 6 && memcmp(out, "CDEFGH", 6) == 0);
	iter_init(&it, s, 3, false);
	CHECK(iter_zero(&it, 4) == 4 && a[0] == 0 && b[0] == 0 && b[1] == 'E');
}

TEST(iter_stops_at_a_bad_address)
{
	char a[4] = "....", b[4] = "....";
	struct iter_segment s[] = { { a, 4 }, { b, 4 } };
	struct iter it;

	wall = &a[0] < &b[0] ? b + 1 : NULL;
	if (!wall) { /* keep the order of the two in memory out of it */
		s[0].base = b;
		s[1].base = a;
		wall = a + 1;
	}
	iter_init(&it, s, 2, true);
	CHECK(iter_copy_to(&it, "12345678", 8) == 5);
	CHECK(it.fault && it.left == 3);
	CHECK(iter_copy_to(&it, "9", 1) == 0);
	wall = NULL;
}

static int released;
static void on_release(struct file *f)
{
	__atomic_fetch_add(&released, 1, __ATOMIC_RELAXED);
}
static const struct file_ops ops = { .kind = "test", .release = on_release };

TEST(descriptors_are_the_lowest_free)
{
	struct fdtable *t = fdtable_create();
	struct file *f = file_create(&ops, NULL, O_RDWR);

	released = 0;
	CHECK(fd_install(t, f, 0, false) == 0);
	for (int i = 1; i < 200; i++) {
		file_get(f);
		CHECK(fd_install(t, f, 0, i % 2) == i);
	}
	CHECK(fd_close(t, 5) == 0 && fd_close(t, 5) == -EBADF);
	CHECK(fd_close(t, 100) == 0);
	file_get(f);
	CHECK(fd_install(t, f, 50, false) == 100);
	file_get(f);
	CHECK(fd_install(t, f, 0, false) == 5);
	CHECK(fd_get_cloexec(t, 7) == 1 && fd_get_cloexec(t, 8) == 0 &&
		fd_get_cloexec(t, 1000) == -EBADF);
	fdtable_close_on_exec(t);
	CHECK(fd_next(t, 0) == 0 && fd_next(t, 1) == 2);
	fdtable_set_limit(t, 10);
	file_get(f);
	CHECK(fd_install(t, f, 300, false) == -EMFILE);
	CHECK(fd_install_at(t, f, 10, false) == -EBADF);
	file_put(f);
	CHECK(released == 0);
	fdtable_put(t);
	CHECK(released == 1);
}

TEST(copies_are_independent)
{
	struct fdtable *t = fdtable_create(), *c;
	struct file *f = file_create(&ops, NULL, O_RDWR);

	released = 0;
	fd_install(t, f, 90, false);
	c = fdtable_copy(t);
	CHECK(fd_close(t, 90) == 0 && released == 0);
	CHECK(fd_get(c, 90) == f);
	file_put(f);
	fdtable_put(t);
	fdtable_put(c);
	CHECK(released == 1);
}

TEST(every_allocation_fails_once)
{
	T_EACH_ALLOC_FAILS({
		struct fdtable *t = fdtable_create();

		if (t) {
			struct file *f = file_create(&ops, NULL, O_RDWR);

			if (f && fd_install(t, f, 70, false) < 0)
				file_put(f);
			fdtable_put(t);
		}
	});
}

enum { ROUNDS = 20000, FDS = 4 };
static struct fdtable *shared;
static int wrong;

static void *reader(void *arg)
{
	host_cpu_id = (uintptr_t)arg;
	for (int i = 0; i < ROUNDS; i++) {
		struct file *f = fd_get(shared, i % FDS);

		if (!f)
			continue;
		if (f->ops != &ops)
			__atomic_store_n(&wrong, 1, __ATOMIC_RELAXED);
		file_put(f);
	}
	return NULL;
}

static void *writer(void *arg)
{
	host_cpu_id = (uintptr_t)arg;
	for (int i = 0; i < ROUNDS; i++) {
		struct file *f = file_create(&ops, NULL, O_RDWR);
		int fd = fd_install_at(shared, f, i % FDS, false);

		if (fd >= 0 && i % 3 == 0)
			fd_close(shared, fd);
		if (i == ROUNDS / 2) { /* grows while others read */
			file_get(f = file_create(&ops, NULL, O_RDWR));
			fd_install_at(shared, f, 500, false);
			file_put(f);
		}
	}
	return NULL;
}

TEST(readers_race_with_closers)
{
	pthread_t t[4];

	shared = fdtable_create();
	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, i < 2 ? reader : writer, (void *)(i + 1));
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	CHECK(!wrong);
	fdtable_put(shared);
}
