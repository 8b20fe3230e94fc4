/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log: a ring of fixed records. A writer takes the next number, fills that record and marks it
 * complete; whoever then gets the 'printing' flag prints everything complete in order, and the
 * others leave. Nobody waits: a record completed while somebody else prints is picked up by him,
 * because he looks again after giving the flag back.
 */

#include "diag/log.h"
#include "cpu/barrier.h"
#include "cpu/percpu.h"
#include "diag/clockhook.h"
#include "diag/console.h"
#include "lib/format.h"
#include "lib/string.h"

#define RECORDS	    128
#define RECORD_TEXT 232
#define SEIZE_TRIES 100000

struct record {
	uint64_t complete; /* atomic: number + 1 of the line that is in 'text' */
	uint8_t level;
	uint16_t len;
	char text[RECORD_TEXT];
};

static struct record ring[RECORDS];
static uint64_t next_number;		/* atomic */
static uint64_t printed;		/* next to print; of the holder of 'printing' */
static bool printing;			/* atomic flag */
static uint32_t seized;			/* atomic: CPU + 1 that alone prints from now on */
static int console_level = LOG_WARNING; /* fixed after boot */

uint64_t (*diag_clock)(void);

void log_set_level(int level)
{
	console_level = level;
}

static void print_complete(void)
{
	while (printed < load_relaxed(&next_number)) {
		struct record *r = &ring[printed % RECORDS];
		uint64_t complete =
			load_acquire(&r->complete); /* pairs with the release in log_at */

		if (complete < printed + 1)
			return; /* its writer will print it */
		if (complete == printed + 1 && r->level <= console_level)
			console_write(r->text, r->len);
		printed++; /* a later number means we were lapped: the line is lost */
	}
}

static void print_pending(void)
{
	if (unlikely(load_relaxed(&seized))) {
		if (seized == cpu_id() + 1)
			print_complete();
		return;
	}
	do { /* prints one more line each time [waits: log-again] */
		if (__atomic_exchange_n(&printing, true, __ATOMIC_ACQUIRE))
			return;
		print_complete();
		__atomic_store_n(&printing, false, __ATOMIC_SEQ_CST);
		/* Look again: a writer may have found the flag taken after we looked last. */
	} while (printed < load_relaxed(&next_number) &&
		 load_acquire(&ring[printed % RECORDS].complete) == printed + 1);
}

void log_at(int level, const char *fmt, ...)
{
	uint64_t number = atomic_add(&next_number, 1);
	struct record *r = &ring[number % RECORDS];
	uint64_t us = diag_clock ? diag_clock() / NSEC_PER_USEC : 0;
	va_list ap;
	int n;

	n = format(r->text, RECORD_TEXT, "<%d>[%5lu.%06lu] ", level, us / 1000000, us % 1000000);
	va_start(ap, fmt);
	n += format_va(r->text + n, RECORD_TEXT - 1 - n, fmt, ap);
	va_end(ap);
	n = MIN(n, RECORD_TEXT - 2);
	r->text[n++] = '\n';
	r->len = n;
	r->level = level;
	__atomic_store_n(&r->complete, number + 1, __ATOMIC_SEQ_CST);
	print_pending();
}

/*
 * The wait is for another CPU to end its line, and has a bound, for that CPU may be stopped or be
 * this one. Reading the line status is what takes the time.
 */
void log_seize(void)
{
	bool free = false;

	for (int tries = 0; tries < SEIZE_TRIES && !free; tries++) {
		free = !__atomic_exchange_n(&printing, true, __ATOMIC_ACQUIRE);
		if (!free)
			console_pause();
	}
	store_relaxed(&seized, cpu_id() + 1);
	if (!free)
		console_write("\n", 1); /* in the middle of a line */
	print_complete();
}

size_t log_read(char *buf, size_t size)
{
	uint64_t end = load_acquire(&next_number), n = end > RECORDS ? end - RECORDS : 0;
	size_t used = 0;

	for (; n < end; n++) {
		const struct record *r = &ring[n % RECORDS];
		uint16_t len = r->len;

		if (load_acquire(&r->complete) != n + 1 || len > RECORD_TEXT || used + len > size)
			continue;
		memcpy(buf + used, r->text, len);
		used += len;
	}
	return used;
}
