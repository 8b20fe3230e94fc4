/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queues: a card with a pair of queues for each CPU, seen from a program. test/harness/boot.py is
 * the other side, on the host's end of the wire.
 *
 *	arrive	a connection whose reader is pinned to one CPU after the other: its packets follow
 *	stream	the same for a reader that sends nothing: a thread of the card acknowledges
 *	stay	a reader that may run anywhere stays where its packets arrive
 *	come	one that was on another CPU, and needs little of it, comes to where they arrive: the
 *		card has a single queue
 *	busy	a reader that needs most of a CPU, and whose packets keep interrupting it, is not
 *		moved each time: nobody takes him who only waits for the card's thread
 *	full	one that could use all of it leaves the CPU where they arrive
 *	hash	connections are spread over the CPUs by the card, and each stays where it is
 *	order	a thread that is moved while it sends: its datagrams stay in order
 *	flood	more packets than there are interrupts
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT	    7000
#define MESSAGES    400 /* at most, until a reader's packets arrive where it is */
#define CONNECTIONS 24
#define IN_A_ROW    20
#define DATAGRAMS   1500
#define FLOOD	    20000
#define BUSY	    10000
#define WORK	    20000
#define FULL	    200000
#define CHECK(x)                                                                                   \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			perror(#x);                                                                \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static int cpus;

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK(sched_setaffinity(0, sizeof(set), &set) == 0);
}

static int server(int type)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int fd = socket(AF_INET, type, 0);

	CHECK(fd >= 0 && bind(fd, (void *)&a, sizeof(a)) == 0);
	return fd;
}

/* The host's end, by its datagram that says hello. */
static int peer(void)
{
	int fd = server(SOCK_DGRAM);
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	char byte;

	printf("ready\n");
	fflush(stdout);
	CHECK(recvfrom(fd, &byte, 1, 0, (void *)&a, &len) == 1);
	CHECK(connect(fd, (void *)&a, len) == 0);
	return fd;
}

/* --- arrive --- */

/* Reads until its packets have come to this CPU many times in a row. */
static int arrives(int fd, int cpu, int answer)
{
	int row = 0, where = -1;
	socklen_t len = sizeof(where);
	char byte;

	for (int i = 0; i < MESSAGES && row < IN_A_ROW; i++) {
		CHECK(read(fd, &byte, 1) == 1);
		CHECK(!answer || write(fd, &byte, 1) == 1);
		CHECK(getsockopt(fd, SOL_SOCKET, SO_INCOMING_CPU, &where, &len) == 0);
		row = where == cpu ? row + 1 : 0;
	}
	return row == IN_A_ROW;
}

static void arrive(int answer)
{
	int listener = server(SOCK_STREAM), fd;

	CHECK(listen(listener, 1) == 0);
	printf("ready\n");
	fflush(stdout);
	CHECK((fd = accept(listener, NULL, NULL)) >= 0);
	for (int round = 0; round < 2 * cpus; round++) {
		pin(round % cpus);
		printf("reader on CPU %d: its packets %s\n", round % cpus,
			arrives(fd, round % cpus, answer) ? "arrive there" : "arrive elsewhere");
	}
}

/* --- stay, come --- */

/* So many exchanges: how many were read on another CPU than where they arrived. */
static int elsewhere(int fd, int exchanges, int *where)
{
	socklen_t len = sizeof(*where);
	int n = 0;
	char byte;

	for (int i = 0; i < exchanges; i++) {
		CHECK(read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1);
		CHECK(getsockopt(fd, SOL_SOCKET, SO_INCOMING_CPU, where, &len) == 0);
		n += *where != sched_getcpu();
	}
	return n;
}

static void stay(int away)
{
	int listener = server(SOCK_STREAM), fd, where = -1;
	cpu_set_t all;

	CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
	CHECK(listen(listener, 1) == 0);
	printf("ready\n");
	fflush(stdout);
	CHECK((fd = accept(listener, NULL, NULL)) >= 0);
	if (away) {
		elsewhere(fd, 20, &where);
		pin((where + 1) % cpus);
		if (elsewhere(fd, 50, &where) < 50)
			printf("the card has several queues\n");
		CHECK(sched_setaffinity(0, sizeof(all), &all) == 0);
	}
	printf("read where they arrive: %s\n", elsewhere(fd, 1000, &where) < 250 ? "most" : "few");
}

/* --- busy, full --- */

static void work(void)
{
	for (int n = 0; n < WORK; n++)
		__asm__ volatile("");
}

/* Answers a datagram, of which the peer has several under way. */
static void answer(int fd)
{
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	char byte;

	CHECK(recvfrom(fd, &byte, 1, 0, (struct sockaddr *)&peer, &len) == 1);
	work();
	CHECK(sendto(fd, &byte, 1, 0, (struct sockaddr *)&peer, len) == 1);
}

static void busy(void)
{
	int fd = server(SOCK_DGRAM), before, moved = 0;

	printf("ready\n");
	fflush(stdout);
	answer(fd);
	before = sched_getcpu();
	for (int i = 0; i < BUSY; i++) {
		answer(fd);
		moved += before != sched_getcpu();
		before = sched_getcpu();
	}
	if (moved < BUSY / 500)
		printf("moved: hardly\n");
	else
		printf("moved: %d times\n", moved);
}

static void full(void)
{
	int fd = server(SOCK_DGRAM), where, in_a_row = 0;
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	char message[128];

	printf("ready\n");
	fflush(stdout);
	CHECK(recvfrom(fd, message, 1, 0, (struct sockaddr *)&peer, &len) == 1);
	len = sizeof(where);
	for (int i = 0; i < FULL && in_a_row < 1000; i++) {
		CHECK(recv(fd, message, sizeof(message), 0) > 0);
		work();
		CHECK(getsockopt(fd, SOL_SOCKET, SO_INCOMING_CPU, &where, &len) == 0);
		in_a_row = where != sched_getcpu() ? in_a_row + 1 : 0;
	}
	printf("it %s\n", in_a_row == 1000 ? "left" : "stayed");
	CHECK(sendto(fd, message, 1, 0, (struct sockaddr *)&peer, sizeof(peer)) == 1);
}

/* --- hash --- */

static void hash(void)
{
	int listener = server(SOCK_STREAM), seen[64] = { 0 }, used = 0, moved = 0;

	CHECK(listen(listener, 64) == 0);
	printf("ready\n");
	fflush(stdout);
	for (int i = 0; i < CONNECTIONS; i++) {
		int fd = accept(listener, NULL, NULL), where = -1, first = -1;
		socklen_t len = sizeof(where);
		char byte;

		CHECK(fd >= 0);
		for (int k = 0; k < 12; k++) {
			pin(k % cpus); /* who reads makes no difference */
			CHECK(read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1);
			CHECK(getsockopt(fd, SOL_SOCKET, SO_INCOMING_CPU, &where, &len) == 0);
			moved += first >= 0 && where != first;
			first = where;
		}
		CHECK(where >= 0 && where < cpus);
		used += !seen[where]++;
		close(fd);
	}
	printf("%s, %d moved\n", used == cpus ? "on all CPUs" : "on few CPUs", moved);
}

/* --- order --- */

static atomic_int done;

/* Others on the same queues, so that these are not empty. */
static void *noise(void *arg)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	int from = *(int *)arg, fd = socket(AF_INET, SOCK_DGRAM, 0);
	char bytes[1200] = { 0 };

	CHECK(getpeername(from, (void *)&a, &len) == 0);
	a.sin_port = htons(9); /* discard */
	while (!atomic_load(&done)) {
		for (int i = 0; i < 60; i++)
			sendto(fd, bytes, sizeof(bytes), 0, (void *)&a, sizeof(a));
		usleep(500);
	}
	close(fd);
	return NULL;
}

static void order(void)
{
	int fd = peer();
	pthread_t id[64];

	for (int i = 0; i < cpus; i++)
		CHECK(pthread_create(&id[i], NULL, noise, &fd) == 0);
	for (uint32_t i = 0; i < DATAGRAMS; i++) {
		if (i % 5 == 0)
			pin((int)(i / 5 % (unsigned)cpus));
		CHECK(write(fd, &i, sizeof(i)) == sizeof(i));
	}
	atomic_store(&done, 1);
	for (int i = 0; i < cpus; i++)
		pthread_join(id[i], NULL);
	for (int i = 0; i < 20; i++) { /* the end; one of them will get through */
		uint32_t last = DATAGRAMS;

		(void)!write(fd, &last, sizeof(last)); /* refused: it has it already */
		usleep(10000);
	}
	printf("sent\n");
}

/* --- flood --- */

static unsigned long counter(const char *name)
{
	FILE *f = fopen("/proc/skiff/counters", "r");
	char line[128], word[64];
	unsigned long value, found = 0;

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %lu", word, &value) == 2 && !strcmp(word, name))
			found = value;
	fclose(f);
	return found;
}

static void flood(int tell)
{
	int fd = peer();
	unsigned long packets = counter("net_rx_packets"),
		      interrupts = counter("net_rx_interrupts");
	struct timeval patience = { .tv_sec = 2 };
	char byte;

	CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
	CHECK(write(fd, "!", 1) == 1);
	while (recv(fd, &byte, 1, 0) == 1)
		;
	packets = counter("net_rx_packets") - packets;
	interrupts = counter("net_rx_interrupts") - interrupts;
	printf("interrupts for packets: %s\n", packets < FLOOD / 40 ? "too few packets"
					       : interrupts == 0    ? "none, which cannot be"
					       : interrupts * 8 < packets
						       ? "less than one for eight"
						       : "too many");
	if (tell)
		printf("%lu packets, %lu interrupts\n", packets, interrupts);
}

int main(int argc, char **argv)
{
	cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	if (argc > 1 && !strcmp(argv[1], "arrive"))
		arrive(1);
	else if (argc > 1 && !strcmp(argv[1], "stream"))
		arrive(0);
	else if (argc > 1 && !strcmp(argv[1], "stay"))
		stay(0);
	else if (argc > 1 && !strcmp(argv[1], "come"))
		stay(1);
	else if (argc > 1 && !strcmp(argv[1], "busy"))
		busy();
	else if (argc > 1 && !strcmp(argv[1], "full"))
		full();
	else if (argc > 1 && !strcmp(argv[1], "hash"))
		hash();
	else if (argc > 1 && !strcmp(argv[1], "order"))
		order();
	else if (argc > 1 && !strcmp(argv[1], "flood"))
		flood(argc > 2);
	return 0;
}
