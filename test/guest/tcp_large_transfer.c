/* SPDX-License-Identifier: BSD-2-Clause */
/* Megabytes through several TCP connections at once, both ways, in odd sizes: every byte is right.
 */
#include "net.h"

#define TOTAL (3l << 20)

static unsigned char byte_at(long i, long seed)
{
	return (i * 31 + (i >> 8) * 17 + seed) & 0xff;
}

struct job {
	int fd;
	long seed, bad;
};

static void *sender(void *arg)
{
	struct job *j = arg;
	static __thread unsigned char buf[20000];
	for (long done = 0, size = 1; done < TOTAL; size = size * 7 % 19997 + 1) {
		long n = TOTAL - done < size ? TOTAL - done : size;
		for (long i = 0; i < n; i++)
			buf[i] = byte_at(done + i, j->seed);
		for (long sent = 0; sent < n;) {
			ssize_t w = send(j->fd, buf + sent, n - sent, MSG_NOSIGNAL);
			if (w <= 0)
				return (void *)1;
			sent += w;
		}
		done += n;
	}
	shutdown(j->fd, SHUT_WR);
	return NULL;
}

static void *receiver(void *arg)
{
	struct job *j = arg;
	static __thread unsigned char buf[30000];
	long done = 0;
	for (ssize_t n; (n = recv(j->fd, buf, sizeof(buf), 0)) > 0; done += n)
		for (long i = 0; i < n; i++)
			j->bad += buf[i] != byte_at(done + i, j->seed);
	return (void *)done;
}

int main(void)
{
	pthread_t id[8];
	struct job jobs[8];
	for (int i = 0; i < 8; i += 4) {
		int p[2];
		net_pair(p);
		jobs[i] = (struct job){ p[0], i, 0 };
		jobs[i + 1] = (struct job){ p[1], i, 0 };
		jobs[i + 2] = (struct job){ p[1], i + 2, 0 };
		jobs[i + 3] = (struct job){ p[0], i + 2, 0 };
	}
	for (int i = 0; i < 8; i++)
		id[i] = t_thread(i & 1 ? receiver : sender, &jobs[i]);
	for (int i = 0; i < 8; i++) {
		void *r;
		pthread_join(id[i], &r);
		printf("%s: %ld, bad %ld\n", i & 1 ? "received" : "sent", (long)r, jobs[i].bad);
	}
	return 0;
}
