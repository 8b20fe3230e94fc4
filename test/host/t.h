/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_HOST_T_H
#define TEST_HOST_T_H
/*
 * A host unit test is one file test/host/NAME_test.c that includes this header once and holds
 * TEST(name) functions; main() is here. Each test prints one line "ok NAME" or "not ok NAME";
 * the program's status is 0 when all passed. With arguments only the tests so named are run.
 *
 * One-line comments at the start of a line of the test file tell host.mk how to build it:
 *	sources: src/lib/string.c src/mem/heap.c	kernel sources linked in
 *	flags: -DFOO -Wno-bar				more compiler flags
 *	tsan						build and run a second time under TSan
 *
 * CHECK fails the test and goes on; REQUIRE leaves the test function. Both may be used from helper
 * functions and from other threads (REQUIRE then leaves that function only).
 *
 * Failing allocations: give the code under test an allocator that calls t_malloc/t_calloc/t_free
 * (for example kmalloc and kfree defined in the test file). T_EACH_ALLOC_FAILS(stmt) then runs stmt
 * once with no failure, and again with the 1st, 2nd, ... allocation failing until stmt needs no
 * more; t_failing() tells the statement whether a failure was injected in this round. Memory that
 * stmt leaks is reported by LeakSanitizer at exit and, by t_live(), at once.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct t_test {
	const char *name;
	void (*fn)(void);
	struct t_test *next;
};

static struct t_test *t_first, **t_last = &t_first;
static atomic_int t_failures;	     /* of the running test */
static atomic_long t_alloc_count;    /* allocations so far in this round */
static atomic_long t_alloc_fail_at;  /* this one fails, counted from 1; 0 means none */
static atomic_long t_alloc_live;     /* blocks not freed yet */
static atomic_bool t_alloc_injected; /* the failure has happened in this round */

#define TEST(test_name)                                                                            \
	static void test_##test_name(void);                                                        \
	__attribute__((constructor)) static void t_register_##test_name(void)                      \
	{                                                                                          \
		static struct t_test t = { #test_name, test_##test_name, NULL };                   \
		*t_last = &t;                                                                      \
		t_last = &t.next;                                                                  \
	}                                                                                          \
	static void test_##test_name(void)

#define T_FAIL(...)                                                                                \
	do {                                                                                       \
		atomic_fetch_add(&t_failures, 1);                                                  \
		fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                    \
		fprintf(stderr, __VA_ARGS__);                                                      \
		fputc('\n', stderr);                                                               \
	} while (0)

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond))                                                                       \
			T_FAIL("CHECK failed: %s", #cond);                                         \
	} while (0)

/* Both sides are integers; their values are printed when they differ. */
#define CHECK_EQ(a, b)                                                                             \
	do {                                                                                       \
		long long t_a = (long long)(a), t_b = (long long)(b);                              \
		if (t_a != t_b)                                                                    \
			T_FAIL("CHECK failed: %s == %s: %lld (%#llx) is not %lld (%#llx)", #a, #b, \
				t_a, (unsigned long long)t_a, t_b, (unsigned long long)t_b);       \
	} while (0)

#define CHECK_STR(a, b)                                                                            \
	do {                                                                                       \
		const char *t_a = (a), *t_b = (b);                                                 \
		if (strcmp(t_a, t_b) != 0)                                                         \
			T_FAIL("CHECK failed: %s is \"%s\", not \"%s\"", #a, t_a, t_b);            \
	} while (0)

#define CHECK_MEM(a, b, len)                                                                       \
	do {                                                                                       \
		if (memcmp((a), (b), (len)) != 0)                                                  \
			T_FAIL("CHECK failed: %s and %s differ", #a, #b);                          \
	} while (0)

#define REQUIRE(cond)                                                                              \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			T_FAIL("REQUIRE failed: %s", #cond);                                       \
			return;                                                                    \
		}                                                                                  \
	} while (0)

static inline bool t_alloc_must_fail(void)
{
	if (atomic_fetch_add(&t_alloc_count, 1) + 1 != atomic_load(&t_alloc_fail_at))
		return false;
	atomic_store(&t_alloc_injected, true);
	return true;
}

static inline void *t_malloc(size_t size)
{
	if (t_alloc_must_fail())
		return NULL;
	void *p = malloc(size ? size : 1);
	if (p)
		atomic_fetch_add(&t_alloc_live, 1);
	return p;
}

static inline void *t_calloc(size_t size)
{
	void *p = t_malloc(size);
	return p ? memset(p, 0, size) : NULL;
}

/* align is a power of two. */
static inline void *t_malloc_aligned(size_t align, size_t size)
{
	void *p;
	if (t_alloc_must_fail())
		return NULL;
	if (align < sizeof(void *))
		align = sizeof(void *);
	if (posix_memalign(&p, align, size ? size : 1) != 0)
		return NULL;
	atomic_fetch_add(&t_alloc_live, 1);
	return p;
}

static inline void t_free(void *p)
{
	if (p)
		atomic_fetch_sub(&t_alloc_live, 1);
	free(p);
}

static inline bool t_failing(void)
{
	return atomic_load(&t_alloc_injected);
}

static inline long t_live(void)
{
	return atomic_load(&t_alloc_live);
}

static inline void t_fail_alloc(long n)
{
	atomic_store(&t_alloc_count, 0);
	atomic_store(&t_alloc_injected, false);
	atomic_store(&t_alloc_fail_at, n);
}

#define T_EACH_ALLOC_FAILS(...)                                                                    \
	do {                                                                                       \
		long t_round = 0;                                                                  \
		do {                                                                               \
			t_fail_alloc(t_round++);                                                   \
			__VA_ARGS__;                                                               \
		} while (t_round == 1 || t_failing());                                             \
		t_fail_alloc(0);                                                                   \
	} while (0)

/* A small repeatable generator (xorshift64*), so that a failure can be run again. */
static inline unsigned long t_random(unsigned long *state)
{
	unsigned long x = *state ? *state : 0x9e3779b97f4a7c15ul;
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1dul;
}

static bool t_selected(const char *name, int argc, char **argv)
{
	if (argc < 2)
		return true;
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return false;
}

int main(int argc, char **argv)
{
	int bad = 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (struct t_test *t = t_first; t; t = t->next) {
		if (!t_selected(t->name, argc, argv))
			continue;
		atomic_store(&t_failures, 0);
		t_fail_alloc(0);
		t->fn();
		bool ok = atomic_load(&t_failures) == 0;
		printf("%s %s\n", ok ? "ok" : "not ok", t->name);
		bad += !ok;
	}
	return bad != 0;
}

#endif
