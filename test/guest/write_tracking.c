/* SPDX-License-Identifier: BSD-2-Clause */
/* No write is missed: threads write on several CPUs while others ask which pages were written and
 * clear that, by each interface alone and by all of them at once. Linux has no dirty_scan, and not
 * every Linux has soft-dirty: there the test only says what must come out. */
/* standalone */
/* root */
/* options: --cpus 4 --memory 256M */
#include "pagemap_scan.h"
#include "../../include/skiff.h"

#define WRITERS 3
#define PAGES	512ul
#define HOT	64ul /* mostly written: they stay in a TLB if nobody flushes it */
#define ROUNDS	8
#define SIZE	(PAGES * PAGE)

/* What is written of a page, and copied. */
struct words {
	unsigned long word[WRITERS + 1];
};
struct page {
	struct words words;
	char rest[PAGE - sizeof(struct words)];
};
static struct page *area;
static int map, clear_refs, watcher;
static _Atomic bool stop, pause_writers;
static _Atomic unsigned long written[WRITERS + 1];
static _Atomic int paused;

/* Waiting for each other must not take the CPU from who is waited for. */
static void rest(void)
{
	usleep(50);
}

/* Each writer has a word of its own in every page. */
static void *writer(void *arg)
{
	unsigned long id = (unsigned long)arg, r = id, page;
	while (!stop) {
		if (pause_writers) {
			paused++;
			while (pause_writers)
				rest();
			paused--;
		}
		r = r * 6364136223846793005ul + 1442695040888963407ul;
		page = (r >> 33) % (r >> 62 ? HOT : PAGES);
		((volatile struct page *)&area[page])->words.word[id]++;
		written[id]++;
	}
	return NULL;
}

/* Everybody writes some pages. */
static void let_write(void)
{
	for (long w = 1; w <= WRITERS; w++)
		for (unsigned long from = written[w]; written[w] - from < 50;)
			rest();
}

/* One at a time, so that nobody takes a writer that goes on for one that stands still. */
static pthread_mutex_t pause_lock = PTHREAD_MUTEX_INITIALIZER;

static void stop_writers(void)
{
	pthread_mutex_lock(&pause_lock);
	pause_writers = true;
	while (paused < WRITERS)
		rest();
}

static void start_writers(void)
{
	pause_writers = false;
	while (paused)
		rest();
	pthread_mutex_unlock(&pause_lock);
}

/* ---- by what was reported: a copy that is kept up to date with it alone ---- */

static struct words *scan_copy, *dirty_copy;

static long copy_differs(const struct words *copy)
{
	long n = 0;
	for (unsigned long i = 0; i < PAGES; i++)
		n += memcmp(&copy[i], &area[i].words, sizeof(*copy)) != 0;
	return n;
}

/* Few regions and pages at a time, so that it stops everywhere. */
static void scan_take(void)
{
	struct region v[8];
	struct scan_arg a = { .size = sizeof(a),
		.flags = SCAN_WP | SCAN_CHECK,
		.start = (uintptr_t)area,
		.end = (uintptr_t)area + SIZE,
		.vec = (uintptr_t)v,
		.vec_len = 8,
		.max_pages = 300,
		.mask = IS_WRITTEN,
		.give = IS_WRITTEN };
	for (; a.start < a.end; a.start = a.walk_end) {
		long n = ioctl(map, SCAN, &a);
		NEED(n >= 0);
		for (long i = 0; i < n; i++)
			for (uint64_t at = v[i].start; at < v[i].end; at += PAGE)
				scan_copy[(at - (uintptr_t)area) / PAGE] =
					((struct page *)at)->words;
	}
}

static void dirty_take(void)
{
	static uint64_t bits[PAGES / 64];
	long n = skiff_dirty_scan(area, SIZE, bits, SKIFF_DIRTY_CLEAR), found = 0;
	for (unsigned long i = 0; i < PAGES; i++)
		if (bits[i / 64] >> (i % 64) & 1) {
			dirty_copy[i] = area[i].words;
			found++;
		}
	if (n != found)
		printf("wrong count\n");
}

static struct copier {
	void (*take)(void);
	struct words **copy;
	long missed;
} by_scan = { scan_take, &scan_copy, 0 }, by_dirty = { dirty_take, &dirty_copy, 0 };

static void *copier(void *arg)
{
	struct copier *c = arg;
	c->missed = 0;
	for (int i = 0; i < ROUNDS; i++) {
		c->take();
		let_write();
		c->take();
		stop_writers();
		c->take();
		c->missed += copy_differs(*c->copy);
		start_writers();
	}
	return NULL;
}

/* ---- by what was cleared: whatever changed since then must be marked ---- */

static long soft_missed;

static void soft_round(struct words *before)
{
	static uint64_t words[PAGES];
	NEED(write(clear_refs, "4", 1) == 1);
	for (unsigned long i = 0; i < PAGES; i++)
		before[i] = area[i].words;
	let_write();
	stop_writers();
	NEED(pread(map, words, sizeof(words), (uintptr_t)area / PAGE * 8) == sizeof(words));
	for (unsigned long i = 0; i < PAGES; i++)
		if (memcmp(&before[i], &area[i].words, sizeof(*before)) && !(words[i] >> 55 & 1))
			soft_missed++;
	start_writers();
}

static void *soft(void *arg)
{
	struct words *before = calloc(PAGES, sizeof(*before));
	soft_missed = 0;
	for (int i = 0; i < ROUNDS; i++)
		soft_round(before);
	free(before);
	return NULL;
}

static long again_without_writers(void)
{
	static uint64_t bits[PAGES / 64];
	struct scan_arg a = { .size = sizeof(a),
		.start = (uintptr_t)area,
		.end = (uintptr_t)area + SIZE,
		.vec = (uintptr_t)bits,
		.vec_len = 1,
		.mask = IS_WRITTEN,
		.give = IS_WRITTEN };
	return ioctl(map, SCAN, &a) + skiff_dirty_scan(area, SIZE, bits, 0);
}

enum { BY_SCAN = 1, BY_DIRTY = 2, BY_SOFT = 4 };

/* fresh: nothing is there yet. Otherwise no fault flushes a TLB that somebody forgot. */
static long missed(int by, int advice, bool fresh)
{
	pthread_t t[WRITERS], scanner[3];
	long wrong = 0;
	int n = 0;
	stop = false;
	area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	scan_copy = calloc(PAGES, sizeof(*scan_copy));
	dirty_copy = calloc(PAGES, sizeof(*dirty_copy));
	NEED(area != MAP_FAILED && scan_copy && dirty_copy);
	madvise(area, SIZE, advice);
	if (!fresh)
		memset(area, 0, SIZE);
	NEED(scan_watch(watcher, area, SIZE) == 0);
	for (long i = 0; i < WRITERS; i++)
		t[i] = t_thread(writer, (void *)(i + 1));
	if (by & BY_SCAN)
		scanner[n++] = t_thread(copier, &by_scan);
	if (by & BY_DIRTY)
		scanner[n++] = t_thread(copier, &by_dirty);
	if (by & BY_SOFT)
		scanner[n++] = t_thread(soft, NULL);
	while (n)
		pthread_join(scanner[--n], NULL);
	stop = true;
	for (int i = 0; i < WRITERS; i++)
		pthread_join(t[i], NULL);
	/* In this order: one must leave to the other what it has taken. */
	if (by & BY_DIRTY) {
		dirty_take();
		wrong += by_dirty.missed + copy_differs(dirty_copy);
	}
	if (by & BY_SCAN) {
		scan_take();
		wrong += by_scan.missed + copy_differs(scan_copy);
	}
	if (by & BY_SOFT)
		wrong += soft_missed;
	if (by == (BY_SCAN | BY_DIRTY | BY_SOFT))
		wrong += again_without_writers();
	munmap(area, SIZE);
	free(scan_copy);
	free(dirty_copy);
	return wrong;
}

/* ---- one write, and one after the other asks ---- */

static bool soft_sees(void)
{
	uint64_t word = 0;
	NEED(pread(map, &word, 8, (uintptr_t)area / PAGE * 8) == 8 &&
		write(clear_refs, "4", 1) == 1);
	return word >> 55 & 1;
}

static bool dirty_sees(void)
{
	return skiff_dirty_scan(area, PAGE, NULL, SKIFF_DIRTY_CLEAR) == 1;
}

static bool scan_sees(void)
{
	struct region v;
	struct scan_arg a = { .size = sizeof(a),
		.flags = SCAN_WP,
		.start = (uintptr_t)area,
		.end = (uintptr_t)area + PAGE,
		.vec = (uintptr_t)&v,
		.vec_len = 1,
		.mask = IS_WRITTEN };
	return ioctl(map, SCAN, &a) == 1;
}

static int seen_in_any_order(void)
{
	static bool (*const ask[])(void) = { soft_sees, dirty_sees, scan_sees };
	int seen = 0;
	area = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(area != MAP_FAILED && scan_watch(watcher, area, PAGE) == 0);
	for (int a = 0; a < 3; a++)
		for (int b = 0; b < 3; b++) {
			if (a == b)
				continue;
			((volatile struct page *)area)->words.word[0]++;
			seen += ask[a]() + ask[b]() + ask[3 - a - b]();
			seen += 100 * (ask[a]() + ask[b]() + ask[3 - a - b]()); /* not twice */
		}
	munmap(area, PAGE);
	return seen;
}

int main(void)
{
	bool skiff = access("/proc/skiff", F_OK) == 0;
	map = open("/proc/self/pagemap", O_RDONLY);
	clear_refs = open("/proc/self/clear_refs", O_WRONLY);
	watcher = scan_watcher();
	NEED(map >= 0 && clear_refs >= 0);
	printf("one write is seen by all, in any order: %d of 18\n",
		skiff ? seen_in_any_order() : 18);
	for (int large = 0; large < 2; large++) {
		int advice = large ? MADV_HUGEPAGE : MADV_NOHUGEPAGE;
		printf("%s pages\n", large ? "large" : "small");
		printf("missed by PAGEMAP_SCAN: %ld\n", missed(BY_SCAN, advice, false));
		printf("missed by it in fresh memory: %ld\n", missed(BY_SCAN, advice, true));
		printf("missed by dirty_scan: %ld\n", skiff ? missed(BY_DIRTY, advice, false) : 0);
		printf("missed by soft-dirty: %ld\n", skiff ? missed(BY_SOFT, advice, false) : 0);
		printf("missed by all at once: %ld\n",
			skiff ? missed(BY_SCAN | BY_DIRTY | BY_SOFT, advice, false) : 0);
	}
	return 0;
}
