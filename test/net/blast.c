// SPDX-License-Identifier: BSD-2-Clause
/*
 * UDP as fast as the machine goes: what the sender and its own machine say of it. The last line
 *says how often the program had to wait, what the card sent and what was dropped before it.
 *
 *	blast HOST PORT COUNT BYTES HOW [SOCKETS [SNDBUF]]
 *
 * HOW: send, a blocking socket; poll, one that does not block; many, sendmmsg of 64; gso,
 * UDP_SEGMENT of 32. COUNT datagrams of each socket, which has a thread of its own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#define MANY	 64u
#define SEGMENTS 32u

static struct sockaddr_in to;
static unsigned long count, bytes, sndbuf;
static const char *how;
static unsigned long sent, waited, refused; /* atomic */

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static unsigned long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (unsigned long long)t.tv_sec * 1000000000u + (unsigned long long)t.tv_nsec;
}

/* What the card says that it sent and that was dropped before it. */
static void card(unsigned long *packets, unsigned long *dropped)
{
	FILE *f = fopen("/proc/net/dev", "r");
	char line[512], name[64];

	*packets = *dropped = 0;
	while (f && fgets(line, sizeof(line), f)) {
		unsigned long n[12];

		if (sscanf(line, " %63[^:]: %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu", name,
			    n, n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7, n + 8, n + 9,
			    n + 10, n + 11) == 13 &&
			strcmp(name, "lo") != 0) {
			*packets += n[9];
			*dropped += n[11];
		}
	}
	if (f)
		fclose(f);
}

/* One call's worth; how many datagrams went, or -1. */
static long one_call(int s, unsigned char *data, unsigned long left)
{
	if (strcmp(how, "many") == 0) {
		struct iovec v = { data, bytes };
		struct mmsghdr m[MANY];

		memset(m, 0, sizeof(m));
		for (unsigned i = 0; i < MANY; i++) {
			m[i].msg_hdr.msg_iov = &v;
			m[i].msg_hdr.msg_iovlen = 1;
		}
		return sendmmsg(s, m, left < MANY ? (unsigned)left : MANY, 0);
	}
	if (strcmp(how, "gso") == 0) {
		unsigned long n = left < SEGMENTS ? left : SEGMENTS;

		return send(s, data, n * bytes, 0) < 0 ? -1 : (long)n;
	}
	return send(s, data, bytes, 0) < 0 ? -1 : 1;
}

/* Until the card has sent all. */
static void until_sent(int s)
{
	for (int left = 1; left; usleep(1000))
		if (ioctl(s, SIOCOUTQ, &left))
			fail("SIOCOUTQ");
}

/*
 * One datagram, until the card has sent it: while the receiver's address on the link is not known
 * only so many wait for it, and several sockets send more than that before a busy machine answers.
 */
static void introduce(void)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	if (s < 0 || sendto(s, "", 1, 0, (struct sockaddr *)&to, sizeof(to)) != 1)
		fail("sendto");
	until_sent(s);
	close(s);
}

static void *blast(void *arg)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0), size = (int)bytes, buffer = (int)sndbuf;
	unsigned char *data = calloc(SEGMENTS, bytes);
	unsigned long done = 0;

	if (s < 0 || !data || connect(s, (struct sockaddr *)&to, sizeof(to)))
		fail("connect");
	if (sndbuf && setsockopt(s, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer)))
		fail("SO_SNDBUF");
	if (strcmp(how, "gso") == 0 && setsockopt(s, SOL_UDP, UDP_SEGMENT, &size, sizeof(size)))
		fail("UDP_SEGMENT");
	while (done < count) {
		struct pollfd p = { s, POLLOUT, 0 };
		long n;

		if (strcmp(how, "poll") == 0) {
			n = send(s, data, bytes, MSG_DONTWAIT) < 0 ? -1 : 1;
			if (n < 0 && errno == EAGAIN) {
				__atomic_fetch_add(&waited, 1, __ATOMIC_RELAXED);
				if (poll(&p, 1, 5000) != 1)
					fail("poll");
				continue;
			}
		} else {
			n = one_call(s, data, count - done);
		}
		if (n < 0 && errno == ECONNREFUSED) { /* nobody listens: the datagram went */
			__atomic_fetch_add(&refused, 1, __ATOMIC_RELAXED);
			continue;
		}
		if (n < 0)
			fail("send");
		done += (unsigned long)n;
	}
	until_sent(s);
	__atomic_fetch_add(&sent, done, __ATOMIC_RELAXED);
	return arg;
}

int main(int argc, char **argv)
{
	unsigned long sockets = argc > 6 ? strtoul(argv[6], NULL, 10) : 1, before[2], after[2];
	unsigned long long start, took;
	pthread_t t[64];

	if (argc < 6 || !sockets || sockets > 64)
		return 2;
	to = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons((unsigned short)atoi(argv[2])) };
	if (inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
		return 2;
	count = strtoul(argv[3], NULL, 10);
	bytes = strtoul(argv[4], NULL, 10);
	how = argv[5];
	sndbuf = argc > 7 ? strtoul(argv[7], NULL, 10) : 0;
	introduce();
	card(&before[0], &before[1]);
	start = now();
	for (unsigned long i = 0; i < sockets; i++)
		if (pthread_create(&t[i], NULL, blast, NULL))
			fail("pthread_create");
	for (unsigned long i = 0; i < sockets; i++)
		pthread_join(t[i], NULL);
	took = now() - start;
	card(&after[0], &after[1]);
	printf("sent %lu waited %lu refused %lu card %lu dropped %lu ms %llu\n", sent, waited,
		refused, after[0] - before[0], after[1] - before[1], took / 1000000);
	return 0;
}
