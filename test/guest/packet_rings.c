/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets by reference, as skiff.h says: what they carry, what is refused, what is bounded. Linux
 * has none: there the test only says what must come out. */
#include <sys/epoll.h>
#include "net.h"
#include "../../include/skiff.h"

static bool here; /* whether there are rings */

/* A fact about rings: on Linux it is taken for granted. */
#define FACT(cond) printf("%s: %s\n", #cond, !here || (cond) ? "yes" : "no")

static struct skiff_rings *r;

static struct sockaddr_in6 mapped(int fd)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(net_port(fd)) };

	memcpy(&a.sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", 16);
	return a;
}

static int open_rings(unsigned entries)
{
	int fd = net_bound(SOCK_DGRAM);

	NEED(!here || skiff_packet_open(fd, entries, &r) == 0);
	return fd;
}

static int client_of(int server)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	NEED(net_connect(fd, net_port(server)) == 0);
	return fd;
}

static void put_order(int kind, uint64_t handle, uint32_t length)
{
	struct skiff_order *o = skiff_packet_order(r);

	*o = (struct skiff_order){ .handle = handle, .length = length, .kind = kind, .result = 99 };
	skiff_packet_put(r);
}

/* One order alone; its result. */
static int order(int fd, int kind, uint64_t handle, uint32_t length)
{
	struct skiff_order *o = skiff_packet_order(r);

	put_order(kind, handle, length);
	skiff_packet_run(fd, 0);
	return o->result;
}

static struct skiff_packet take(int fd)
{
	struct skiff_packet p = { 0 };

	if (skiff_packet_run(fd, 5000000000ul) > 0) {
		p = *skiff_packet_peek(r);
		skiff_packet_next(r);
	}
	return p;
}

static void errors_of_open(void)
{
	int udp = socket(AF_INET, SOCK_DGRAM, 0), tcp = net_bound(SOCK_STREAM), pipes[2];
	int bound = net_bound(SOCK_DGRAM);

	NEED(pipe(pipes) == 0);
	FACT(skiff_packet_open(-1, 64, &r) == -EBADF);
	FACT(skiff_packet_open(pipes[0], 64, &r) == -ENOTSOCK);
	FACT(skiff_packet_open(tcp, 64, &r) == -EOPNOTSUPP);
	FACT(skiff_packet_open(udp, 64, &r) == -EINVAL);
	FACT(skiff_packet_open(bound, 63, &r) == -EINVAL);
	FACT(skiff_packet_open(bound, 4, &r) == -EINVAL);
	FACT(skiff_packet_open(bound, 8192, &r) == -EINVAL);
	FACT(skiff_packet_open(bound, 64, BAD_PTR) == -EFAULT);
	FACT(skiff_packet_run(bound, 0) == -EINVAL);
	FACT(skiff_packet_run(tcp, 0) == -EINVAL);
	FACT(skiff_packet_run(pipes[0], 0) == -ENOTSOCK);
	FACT(skiff_packet_alloc(bound, BAD_PTR, 1) == -EINVAL);
	FACT(skiff_packet_open(bound, 64, &r) == 0);
	FACT(skiff_packet_open(bound, 64, &r) == -EBUSY);
	FACT(skiff_packet_alloc(bound, BAD_PTR, 1) == -EFAULT);
	FACT(r->version == 1 && r->entries == 64 && r->order_entries == 128);
	close(udp), close(tcp), close(bound), close(pipes[0]), close(pipes[1]);
}

/* Answers turn each byte over. */
static void *echo(void *arg)
{
	int fd = *(int *)arg;
	struct skiff_packet *p;

	while (skiff_packet_run(fd, SKIFF_FOREVER) > 0)
		while ((p = skiff_packet_peek(r))) {
			if (p->length == 4 && !memcmp(p->data, "stop", 4))
				return NULL;
			for (uint32_t i = 0; i < p->length; i++)
				p->data[i] ^= 0xff;
			put_order(SKIFF_ORDER_REPLY, p->handle, p->length);
			skiff_packet_next(r);
		}
	return (void *)1;
}

static void *echo_by_calls(void *arg)
{
	int fd = *(int *)arg;
	static char buf[65536];
	struct sockaddr_storage from;
	ssize_t n;

	for (;;) {
		socklen_t len = sizeof(from);

		n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len);
		if (n == 4 && !memcmp(buf, "stop", 4))
			return NULL;
		for (ssize_t i = 0; i < n; i++)
			buf[i] ^= 0xff;
		sendto(fd, buf, n, 0, (struct sockaddr *)&from, len);
	}
}

static bool asked_and_answered(int fd, unsigned long seed, size_t size)
{
	static unsigned char out[60000], in[60000];

	for (size_t i = 0; i < size; i++)
		out[i] = (unsigned char)(seed * 31 + i * 7);
	if (send(fd, out, size, 0) != (ssize_t)size || recv(fd, in, sizeof(in), 0) != (ssize_t)size)
		return false;
	for (size_t i = 0; i < size; i++)
		if (in[i] != (out[i] ^ 0xff))
			return false;
	return true;
}

static void echoes(int family)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT };
	int server = family == AF_INET ? net_bound(SOCK_DGRAM) : socket(AF_INET6, SOCK_DGRAM, 0);
	int client[2];
	bool right = true;
	void *status;

	if (family == AF_INET6) /* takes both families */
		NEED(bind(server, (struct sockaddr *)&any, sizeof(any)) == 0);
	client[0] = socket(AF_INET, SOCK_DGRAM, 0);
	client[1] = socket(family, SOCK_DGRAM, 0);
	NEED(net_connect(client[0], net_port(server)) == 0);
	any.sin6_port = htons(net_port(server));
	any.sin6_addr = in6addr_loopback;
	NEED(family == AF_INET ? net_connect(client[1], net_port(server)) == 0
			       : connect(client[1], (struct sockaddr *)&any, sizeof(any)) == 0);
	send(client[0], "early", 5, 0); /* before there are rings */
	NEED(!here || skiff_packet_open(server, 16, &r) == 0);
	pthread_t t = t_thread(here ? echo : echo_by_calls, &server);
	char early[8];

	right = recv(client[0], early, 8, 0) == 5 && early[0] == ('e' ^ (char)0xff);
	for (unsigned long i = 0; i < 400; i++)
		right = right && asked_and_answered(client[i % 2], i, i % 1400);
	right = right && asked_and_answered(client[1], 3, 9000); /* larger than a card's buffer */
	right = right && asked_and_answered(client[1], 4, 60000);
	IS(right);
	send(client[0], "stop", 4, 0);
	pthread_join(t, &status);
	IS(!status);
	close(server), close(client[0]), close(client[1]);
}

static void misuse(void)
{
	int fd = open_rings(8), other_fd = net_bound(SOCK_DGRAM), c = client_of(fd);
	struct skiff_rings *mine = r, *other = NULL;
	struct skiff_packet p, q, a;
	char buf[64];

	send(c, "one", 3, 0);
	send(c, "two", 3, 0);
	if (!here) {
		p = q = a = (struct skiff_packet){ 0 };
		goto facts;
	}
	p = take(fd);
	q = take(fd);
	NEED(skiff_packet_open(other_fd, 8, &other) == 0);
facts:
	FACT(p.length == 3 && !memcmp(p.data, "one", 3) && p.peer_port == net_port(c));
	FACT(p.room >= SKIFF_PACKET_ROOM && !memcmp(p.peer, p.local, 16) &&
		p.flags == SKIFF_PACKET_COPIED);
	FACT(p.handle != q.handle && p.handle && q.handle);
	/* not the program's */
	FACT(order(fd, SKIFF_ORDER_FREE, 0, 0) == -EINVAL);
	FACT(order(fd, SKIFF_ORDER_FREE, ~0ul, 0) == -EINVAL);
	FACT(order(fd, SKIFF_ORDER_FREE, p.handle + 1 + (1 << 16), 0) == -EINVAL);
	FACT(order(fd, SKIFF_ORDER_REPLY, p.handle ^ (1ul << 40), 3) == -EINVAL);
	/* no such order, too long */
	FACT(order(fd, 0, p.handle, 3) == -EINVAL);
	FACT(order(fd, 4, p.handle, 3) == -EINVAL);
	FACT(order(fd, SKIFF_ORDER_REPLY, p.handle, p.room + 1) == -EMSGSIZE);
	FACT(order(fd, SKIFF_ORDER_REPLY, p.handle, ~0u) == -EMSGSIZE);
	/* it is still there, and goes once */
	FACT(order(fd, SKIFF_ORDER_REPLY, p.handle, 3) == 0);
	FACT(recv(c, buf, sizeof(buf), 0) == 3 && !memcmp(buf, "one", 3));
	FACT(order(fd, SKIFF_ORDER_REPLY, p.handle, 3) == -EINVAL);
	FACT(order(fd, SKIFF_ORDER_FREE, p.handle, 0) == -EINVAL);
	FACT(order(fd, SKIFF_ORDER_FREE, q.handle, 0) == 0);
	FACT(order(fd, SKIFF_ORDER_FREE, q.handle, 0) == -EINVAL);
	FACT(r->refused == 11);
	/* nobody to answer to; nowhere to send to */
	FACT(skiff_packet_alloc(fd, &a, 1) == 1);
	FACT(order(fd, SKIFF_ORDER_REPLY, a.handle, 1) == -EINVAL);
	FACT(order(fd, SKIFF_ORDER_SEND, a.handle, 1) == -EDESTADDRREQ);
	FACT(order(fd, SKIFF_ORDER_FREE, a.handle, 1) == -EINVAL); /* gone with the attempt */
	/* of another socket */
	if (here) {
		send(c, "three", 5, 0);
		p = take(fd);
		r = other;
	}
	FACT(order(other_fd, SKIFF_ORDER_FREE, p.handle, 0) == -EINVAL);
	/* indexes */
	if (here) {
		r = mine;
		r->orders_tail += 17;
	}
	FACT(skiff_packet_run(fd, 0) == -EINVAL);
	if (here)
		r->orders_tail -= 17;
	FACT(order(fd, SKIFF_ORDER_FREE, p.handle, 0) == 0);
	if (here)
		r->packets_head += 3;
	FACT(skiff_packet_run(fd, SKIFF_FOREVER) == -EINVAL);
	FACT(net_poll(fd, POLLIN) & POLLIN);
	if (here)
		r->packets_head -= 3;
	FACT(skiff_packet_run(fd, 0) == 0);
	FACT(recv(fd, buf, sizeof(buf), 0) == -1 && errno == EINVAL);
	/* what the kernel has for itself: writing it changes nothing */
	if (here) {
		r->packets = NULL;
		r->orders = NULL;
		r->entries = r->order_entries = 1u << 30;
		r->packets_tail += 5;
		r->orders_head += 5;
		send(c, "four", 4, 0);
	}
	FACT(skiff_packet_run(fd, SKIFF_FOREVER) == 1);
	close(fd), close(other_fd), close(c);
}

static void bounds(void)
{
	int fd = open_rings(8), c = client_of(fd);
	struct skiff_packet p[8], one, more[8];
	int same = 0;

	if (!here) {
		memset(more, 0, sizeof(more));
		goto facts;
	}
	for (int i = 0; i < 20; i++)
		send(c, &i, sizeof(i), 0);
	for (int i = 0; i < 8; i++) {
		p[i] = take(fd);
		same += *(int *)p[i].data == i;
	}
facts:
	FACT(same == 8);
	FACT(r->dropped == 12);
	FACT(skiff_packet_run(fd, 1000) == 0);
	FACT(order(fd, SKIFF_ORDER_FREE, p[3].handle, 0) == 0);
	if (here) {
		send(c, "again", 5, 0);
		one = take(fd);
	}
	FACT(one.length == 5 && one.data && !memcmp(one.data, "again", 5));
	FACT(*(int *)p[7].data == 7); /* kept */
	FACT(skiff_packet_alloc(fd, more, 8) == 8);
	FACT(skiff_packet_alloc(fd, more, 1) == 0);
	if (here)
		for (int i = 0; i < 8; i++) { /* all orders that can be, in one call */
			if (i != 3)
				put_order(SKIFF_ORDER_FREE, p[i].handle, 0);
			put_order(SKIFF_ORDER_FREE, more[i].handle, 0);
		}
	FACT(skiff_packet_run(fd, 0) == 0);
	FACT(r->refused == 1); /* more[0] was written over */
	close(fd), close(c);
}

/* A buffer of the kernel's sent to whom nobody asked. */
static void sends(void)
{
	int fd = open_rings(64), c = net_bound(SOCK_DGRAM), same = 0;
	struct sockaddr_in6 to = mapped(c);
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	struct skiff_packet p[32];
	char buf[32];

	if (here) {
		NEED(skiff_packet_alloc(fd, p, 32) == 32);
		for (int i = 0; i < 32; i++) {
			struct skiff_order *o = skiff_packet_order(r);

			snprintf((char *)p[i].data, p[i].room, "message %d", i);
			*o = (struct skiff_order){ .handle = p[i].handle,
				.length = (uint32_t)strlen((char *)p[i].data),
				.kind = SKIFF_ORDER_SEND,
				.peer_port = ntohs(to.sin6_port) };
			memcpy(o->peer, &to.sin6_addr, 16);
			skiff_packet_put(r);
		}
		NEED(skiff_packet_run(fd, 0) == 0);
		for (int i = 0; i < 32; i++) {
			char want[32];
			ssize_t n =
				recvfrom(c, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len);

			snprintf(want, sizeof(want), "message %d", i);
			same += n == (ssize_t)strlen(want) && !memcmp(buf, want, n) &&
				ntohs(from.sin_port) == net_port(fd);
		}
	}
	FACT(same == 32);
	close(fd), close(c);
}

static void *send_later(void *arg)
{
	t_sleep_ms(30);
	send(*(int *)arg, "x", 1, 0);
	return NULL;
}

static void on_signal(int sig, siginfo_t *i, void *c)
{
}

static void waits(void)
{
	int fd = open_rings(16), c = client_of(fd), e = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	pthread_t t;
	long begin;

	NEED(epoll_ctl(e, EPOLL_CTL_ADD, fd, &ev) == 0);
	IS(epoll_wait(e, &ev, 1, 0) == 0);
	IS(net_poll(fd, POLLIN | POLLOUT) == POLLOUT);
	begin = t_now_ms();
	FACT(skiff_packet_run(fd, 20000000) == 0 && t_now_ms() - begin >= 19);
	t = t_thread(send_later, &c);
	IS(epoll_wait(e, &ev, 1, 20000) == 1 && ev.events == EPOLLIN);
	IS(epoll_wait(e, &ev, 1, 0) == 0); /* an edge */
	pthread_join(t, NULL);
	FACT(take(fd).length == 1);
	t = t_thread(send_later, &c);
	FACT(skiff_packet_run(fd, SKIFF_FOREVER) == 1);
	pthread_join(t, NULL);
	FACT(take(fd).length == 1);
	t_handle(SIGALRM, on_signal, 0);
	ualarm(20000, 0);
	FACT(skiff_packet_run(fd, 20000000000ul) == -EINTR);
	close(fd), close(c), close(e);
}

/* Several sockets on a port: a flow always meets the same. */
static void sharing(void)
{
	struct skiff_rings *rings[2];
	int fd[2], on = 1, count[2] = { 0 }, wrong = 0, c[40], of[40];
	struct sockaddr_in a = net_addr(0);

	for (int i = 0; i < 2; i++) {
		fd[i] = socket(AF_INET, SOCK_DGRAM, 0);
		NEED(setsockopt(fd[i], SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0);
		NEED(bind(fd[i], (struct sockaddr *)&a, sizeof(a)) == 0);
		a.sin_port = htons(net_port(fd[i]));
		NEED(!here || skiff_packet_open(fd[i], 256, &rings[i]) == 0);
	}
	for (int i = 0; i < 40; i++) {
		c[i] = client_of(fd[0]);
		of[i] = -1;
	}
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 40; i++)
			send(c[i], &i, sizeof(i), 0);
	for (int k = 0; here && k < 2; k++)
		for (struct skiff_packet *p; (p = skiff_packet_peek(rings[k]));
			skiff_packet_next(rings[k])) {
			int i = *(int *)p->data;

			wrong += of[i] >= 0 && of[i] != k;
			of[i] = k;
			count[k]++;
		}
	FACT(count[0] + count[1] == 120 && count[0] && count[1] && !wrong);
	for (int i = 0; i < 40; i++)
		close(c[i]);
	close(fd[0]), close(fd[1]);
}

/* With packets in the program's hands; the port is free again at once. */
static void closing(void)
{
	bool right = true;

	for (int i = 0; i < 50; i++) {
		int fd = open_rings(64), c = client_of(fd), again;
		struct sockaddr_in a = net_addr(net_port(fd));

		for (int k = 0; k < 100; k++)
			send(c, "x", 1, 0);
		close(fd);
		again = socket(AF_INET, SOCK_DGRAM, 0);
		right = right && bind(again, (struct sockaddr *)&a, sizeof(a)) == 0;
		close(again), close(c);
	}
	IS(right);
}

int main(void)
{
	int probe = net_bound(SOCK_DGRAM);

	here = skiff_packet_open(probe, 8, &r) != -ENOSYS;
	close(probe);
	errors_of_open();
	echoes(AF_INET);
	echoes(AF_INET6);
	misuse();
	bounds();
	sends();
	waits();
	sharing();
	closing();
	return 0;
}
