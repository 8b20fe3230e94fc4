/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bad cable between a tap interface and a virtual machine: link TAP SOCKET [WORD=NUMBER...]
 *
 *	host's stack -- TAP -- read --> [emulator] --> write -- SOCKET -- QEMU -- guest
 *	                    <-- write --            <-- read
 *
 * QEMU connects to SOCKET (-netdev stream): each frame follows its length in four bytes. The words
 * are those of struct emulator_rules, the same for both directions, whose seeds differ: loss,
 * doubled, held and corrupted in percent, delay, jitter and hold in milliseconds, rate in Mbit/s,
 * queue in KiB.
 *
 * It says "ready" when QEMU may connect, and obeys lines on standard input: "cut" (nothing passes),
 * "join" (again), "stats". It ends at the end of its input, so it never outlives who started it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "emulator.h"

#define FRAME_MAX 65550
#define BATCH	  64 /* frames read from the tap before others get their turn */

static struct emulator up, down; /* from the guest, to the guest */
static int tap, listener, guest = -1;

/* To the guest: what write(2) did not take yet. From it: what is no whole frame yet. */
static unsigned char out[1 << 18], in[1 << 18];
static size_t out_begin, out_end, in_end;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * EMULATOR_SECOND + t.tv_nsec;
}

static void rule(struct emulator_rules *r, const char *word)
{
	const struct {
		const char *name;
		uint32_t *share;
		uint64_t *number;
		double unit;
	} rules[] = {
		{ "seed=", NULL, &r->seed, 1 },
		{ "loss=", &r->loss, NULL, 10000 },
		{ "doubled=", &r->doubled, NULL, 10000 },
		{ "held=", &r->held, NULL, 10000 },
		{ "corrupted=", &r->corrupted, NULL, 10000 },
		{ "delay=", NULL, &r->delay, 1e6 },
		{ "jitter=", NULL, &r->jitter, 1e6 },
		{ "hold=", NULL, &r->hold, 1e6 },
		{ "rate=", NULL, &r->rate, 1e6 },
		{ "queue=", NULL, &r->queue, 1024 },
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		size_t len = strlen(rules[i].name);
		if (strncmp(word, rules[i].name, len))
			continue;
		if (rules[i].share)
			*rules[i].share = atof(word + len) * rules[i].unit;
		else
			*rules[i].number = atof(word + len) * rules[i].unit;
		return;
	}
	fprintf(stderr, "link: %s is no rule\n", word);
	exit(2);
}

static void open_tap(const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI };

	tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	strncpy(r.ifr_name, name, IFNAMSIZ - 1);
	if (tap < 0 || ioctl(tap, TUNSETIFF, &r) < 0)
		die(name);
}

static void open_socket(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strncpy(a.sun_path, path, sizeof(a.sun_path) - 1);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, (void *)&a, sizeof(a)) < 0 || listen(listener, 1) < 0)
		die(path);
}

static void statistics(const char *name, const struct emulator *e)
{
	printf("%s: put %lu taken %lu dropped %lu overflowed %lu doubled %lu held %lu corrupted %lu "
	       "waiting %zu\n",
		name, e->put, e->taken, e->dropped, e->overflowed, e->doubled, e->held,
		e->corrupted, e->waiting);
}

static void obey(void)
{
	static char line[256];
	static size_t len;
	ssize_t n = read(0, line + len, sizeof(line) - 1 - len);
	char *end;

	if (n <= 0)
		exit(0);
	line[len += n] = 0;
	while ((end = strchr(line, '\n'))) {
		*end = 0;
		if (!strcmp(line, "cut") || !strcmp(line, "join"))
			up.cut = down.cut = line[0] == 'c';
		else if (strcmp(line, "stats"))
			fprintf(stderr, "link: what is %s?\n", line);
		statistics("up", &up);
		statistics("down", &down);
		len -= end + 1 - line;
		memmove(line, end + 1, len + 1);
	}
	fflush(stdout);
}

static void guest_gone(void)
{
	close(guest);
	guest = -1;
	in_end = out_begin = out_end = 0;
}

static void flush(void)
{
	while (out_begin < out_end) {
		ssize_t n = send(guest, out + out_begin, out_end - out_begin, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			guest_gone();
			return;
		}
		out_begin += n;
	}
	out_begin = out_end = 0;
}

static void from_guest(void)
{
	ssize_t n = recv(guest, in + in_end, sizeof(in) - in_end, MSG_DONTWAIT);
	uint64_t t = now();
	size_t at = 0;
	uint32_t len;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		guest_gone();
		return;
	}
	for (in_end += n; in_end - at >= sizeof(len); at += sizeof(len) + len) {
		memcpy(&len, in + at, sizeof(len));
		len = ntohl(len);
		if (len > FRAME_MAX) {
			fprintf(stderr, "link: a frame of %u bytes\n", len);
			exit(1);
		}
		if (in_end - at < sizeof(len) + len)
			break;
		emulator_put(&up, in + at + sizeof(len), len, t);
	}
	memmove(in, in + at, in_end -= at);
}

static void from_tap(void)
{
	unsigned char frame[FRAME_MAX];

	for (int i = 0; i < BATCH; i++) {
		ssize_t n = read(tap, frame, sizeof(frame));
		if (n < 0)
			return; /* EAGAIN, or the interface is down (EIO) */
		emulator_put(&down, frame, n, now());
	}
}

static void to_tap(void)
{
	struct emulator_frame *f;

	while ((f = emulator_take(&up, now()))) {
		if (write(tap, f->bytes, f->len) < 0 && errno != EIO && errno != EINVAL)
			perror("link: write to the tap");
		free(f);
	}
}

/* Only as much as fits; without a guest what is due falls on the floor. */
static void to_guest(void)
{
	struct emulator_frame *f;

	while (sizeof(out) - out_end >= sizeof(uint32_t) + FRAME_MAX &&
		(f = emulator_take(&down, now()))) {
		uint32_t len = htonl(f->len);
		memcpy(out + out_end, &len, sizeof(len));
		memcpy(out + out_end + sizeof(len), f->bytes, f->len);
		out_end += sizeof(len) + f->len;
		free(f);
		if (guest < 0)
			out_end = 0;
	}
	if (guest >= 0)
		flush();
}

static void wait_for_work(void)
{
	bool blocked = out_end > 0;
	struct pollfd p[] = {
		{ 0, POLLIN, 0 },
		{ tap, POLLIN, 0 },
		{ listener, guest < 0 ? POLLIN : 0, 0 },
		{ guest, POLLIN | (blocked ? POLLOUT : 0), 0 },
	};
	uint64_t due = emulator_due(&up), t = now();
	struct timespec left = { 3600, 0 };

	if (!blocked && emulator_due(&down) < due)
		due = emulator_due(&down);
	if (due != EMULATOR_NEVER) {
		due = due > t ? due - t : 0;
		left = (struct timespec){ due / EMULATOR_SECOND, due % EMULATOR_SECOND };
	}
	if (ppoll(p, 4, &left, NULL) < 0)
		die("ppoll");
	if (p[0].revents)
		obey();
	if (p[1].revents)
		from_tap();
	if (p[2].revents)
		guest = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	else if (p[3].revents & (POLLIN | POLLHUP | POLLERR))
		from_guest();
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: link TAP SOCKET [WORD=NUMBER...]\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	for (int i = 3; i < argc; i++)
		rule(&up.rules, argv[i]);
	if (up.rules.rate && !up.rules.queue)
		up.rules.queue = 1 << 18;
	down.rules = up.rules;
	down.rules.seed++;
	open_tap(argv[1]);
	open_socket(argv[2]);
	puts("ready");
	fflush(stdout);
	for (;;) {
		wait_for_work();
		to_tap();
		to_guest();
	}
}
