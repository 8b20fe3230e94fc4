/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads that write and read one pipe wait for its lock, and the kernel's table of locks says so.
 */
/* options: --cpus 2 */
/* standalone */
#include "t.h"
#include <stdatomic.h>

#define LIMIT_MS 60000

struct row {
	unsigned long waits, wait_ns, longest_ns, tokens;
};

static int ends[2];
static atomic_int stop;
static bool skiff;

/* The row of a class in the file's text. */
static bool find(const char *text, const char *class, struct row *r)
{
	const char *line = text;
	size_t n = strlen(class);

	for (; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (strncmp(line, class, n) == 0 && line[n] == ' ')
			return sscanf(line + n, "%lu %lu %lu %lu", &r->waits, &r->wait_ns,
				       &r->longest_ns, &r->tokens) == 4;
	return false;
}

static const char *table(void)
{
	static char text[16384];
	size_t n = 0;
	ssize_t got;
	int fd = open("/proc/skiff/locks", O_RDONLY);

	NEED(fd >= 0);
	while ((got = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	close(fd);
	text[n] = 0;
	return text;
}

static struct row row_of(const char *class)
{
	struct row r = { 0 };

	if (!find(table(), class, &r))
		printf("no row for %s\n", class);
	return r;
}

/* Half write, half read, each a byte at a time; what is left in the pipe at the end stays there. */
static void *user(void *arg)
{
	char byte = 0;

	while (!atomic_load(&stop)) {
		ssize_t n = (long)arg % 2 ? write(ends[1], &byte, 1) : read(ends[0], &byte, 1);

		if (n != 1 && errno != EAGAIN)
			return "failed";
	}
	return NULL;
}

static bool grown(const struct row *before, struct row *after)
{
	*after = row_of("pipe.lock");
	return after->waits > before->waits + 10;
}

int main(void)
{
	struct row before = { 0 }, after = { 0 }, other = { 0 };
	const char *failed = NULL;
	unsigned long last = ~0ul;
	bool sorted = true, sane = true, counted = true;
	pthread_t id[4];
	long until = t_now_ms() + LIMIT_MS;

	skiff = access("/proc/skiff", F_OK) == 0;
	NEED(pipe2(ends, O_NONBLOCK) == 0);
	if (skiff)
		before = row_of("pipe.lock");
	for (long i = 0; i < (long)LENGTH(id); i++)
		id[i] = t_thread(user, (void *)i);
	if (skiff)
		while (!(counted = grown(&before, &after)) && t_now_ms() < until)
			t_sleep_ms(10);
	atomic_store(&stop, 1);
	for (size_t i = 0; i < LENGTH(id); i++) {
		void *r;

		pthread_join(id[i], &r);
		if (r)
			failed = r;
	}
	IS(!failed);
	IS(counted);
	if (skiff) {
		const char *line = strchr(table(), '\n');
		struct row r;
		char class[64];

		sane = after.wait_ns > before.wait_ns && after.longest_ns > 0 &&
		       after.longest_ns <= after.wait_ns && after.tokens <= after.waits;
		for (; line && line[1]; line = strchr(line + 1, '\n')) {
			if (sscanf(line + 1, "%63s %lu %lu %lu %lu", class, &r.waits, &r.wait_ns,
				    &r.longest_ns, &r.tokens) != 5)
				sane = false;
			sorted = sorted && r.waits <= last;
			last = r.waits;
		}
		other = row_of("other");
	}
	IS(sane);
	IS(sorted);
	IS(other.waits == 0); /* every lock that was waited for has a class */
	return 0;
}
