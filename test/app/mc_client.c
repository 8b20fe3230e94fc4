/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client that believes nothing: mc_client HOST PORT KEYS CONNECTIONS sets KEYS keys over
 * CONNECTIONS connections with DEPTH requests under way on each, gets them all back over other
 * connections than those that set them, and compares every byte of every answer. The answers are
 * known in full beforehand, so the stream from the server is simply compared.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEPTH	  32
#define VALUE_MAX 2000

static struct sockaddr_in server;
static long keys, connections;
static pthread_barrier_t all_set;
static long failures;

struct text {
	char *bytes;
	size_t len;
};

static void fail(const char *what, long key)
{
	if (__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED) < 5)
		fprintf(stderr, "mc_client: %s at key %ld: %s\n", what, key, strerror(errno));
}

static size_t value_of(long key, char *value)
{
	unsigned long x = key * 0x9e3779b97f4a7c15ul + 1;
	size_t len = key % 97 == 0 ? VALUE_MAX : key % 211;
	for (size_t i = 0; i < len; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		value[i] = x >> 24;
	}
	return len;
}

static void add(struct text *t, const void *bytes, size_t len)
{
	memcpy(t->bytes + t->len, bytes, len);
	t->len += len;
}

static void add_set(struct text *request, struct text *answer, long key)
{
	char line[64], value[VALUE_MAX];
	size_t len = value_of(key, value);
	add(request, line, sprintf(line, "set key:%08ld %ld 0 %zu\r\n", key, key % 1000, len));
	add(request, value, len);
	add(request, "\r\n", 2);
	add(answer, "STORED\r\n", 8);
}

static void add_get(struct text *request, struct text *answer, long key)
{
	char line[64], value[VALUE_MAX];
	size_t len = value_of(key, value);
	add(request, line, sprintf(line, "get key:%08ld\r\n", key));
	add(answer, line, sprintf(line, "VALUE key:%08ld %ld %zu\r\n", key, key % 1000, len));
	add(answer, value, len);
	add(answer, "\r\nEND\r\n", 7);
}

/* Send the request and compare the answer; false at the first difference. */
static int exchange(int fd, struct text *request, struct text *answer, long key)
{
	char got[65536];
	size_t done = 0;
	while (done < request->len) {
		ssize_t n = send(fd, request->bytes + done, request->len - done, MSG_NOSIGNAL);
		if (n <= 0) {
			fail("send", key);
			return 0;
		}
		done += n;
	}
	for (done = 0; done < answer->len;) {
		size_t want = answer->len - done;
		ssize_t n = recv(fd, got, want < sizeof(got) ? want : sizeof(got), 0);
		if (n <= 0) {
			fail(n == 0 ? "connection closed" : "recv", key);
			return 0;
		}
		if (memcmp(got, answer->bytes + done, n) != 0) {
			errno = 0;
			fail("wrong answer", key);
			return 0;
		}
		done += n;
	}
	return 1;
}

static int dial(void)
{
	struct timeval limit = { 60, 0 };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&server, sizeof(server)) == 0)
		return fd;
	fail("connect", 0);
	close(fd);
	return -1;
}

static void walk(long part, void (*request_of)(struct text *, struct text *, long))
{
	struct text request = { malloc(DEPTH * (VALUE_MAX + 100)), 0 };
	struct text answer = { malloc(DEPTH * (VALUE_MAX + 100)), 0 };
	int fd = dial();
	for (long key = part; fd >= 0 && key < keys;) {
		long first = key;
		request.len = answer.len = 0;
		for (int i = 0; i < DEPTH && key < keys; i++, key += connections)
			request_of(&request, &answer, key);
		if (!exchange(fd, &request, &answer, first))
			break;
	}
	close(fd);
	free(request.bytes);
	free(answer.bytes);
}

static void *client(void *arg)
{
	long part = (long)arg;
	walk(part, add_set);
	pthread_barrier_wait(&all_set);
	walk((part + 1) % connections, add_get);
	return NULL;
}

int main(int argc, char **argv)
{
	struct addrinfo *list, hint = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	if (argc != 5 || getaddrinfo(argv[1], argv[2], &hint, &list) != 0) {
		fprintf(stderr, "usage: mc_client HOST PORT KEYS CONNECTIONS\n");
		return 2;
	}
	memcpy(&server, list->ai_addr, sizeof(server));
	keys = atol(argv[3]);
	connections = atol(argv[4]);
	pthread_t *id = calloc(connections, sizeof(*id));
	pthread_barrier_init(&all_set, NULL, connections);
	for (long i = 0; i < connections; i++)
		if ((errno = pthread_create(&id[i], NULL, client, (void *)i)) != 0)
			return 2;
	for (long i = 0; i < connections; i++)
		pthread_join(id[i], NULL);
	printf("%ld keys set and read back over %ld connections, %ld failures\n", keys, connections,
		failures);
	return failures != 0;
}
