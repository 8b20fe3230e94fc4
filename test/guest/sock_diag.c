/* SPDX-License-Identifier: BSD-2-Clause */
/* NETLINK_SOCK_DIAG about sockets of our own: dumps, filters, single questions, wrong questions. */
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/stat.h>
#include "net.h"

static int diag;
static unsigned inode_of(int fd)
{
	struct stat st;
	NEED(fstat(fd, &st) == 0);
	return (unsigned)st.st_ino;
}

/* Our sockets by inode, so that what else the machine has is not shown. */
static struct {
	unsigned inode;
	const char *name;
} mine[40];
static int count;
static int add(int fd, const char *name)
{
	NEED(fd >= 0 && count < 40);
	mine[count].inode = inode_of(fd);
	mine[count++].name = name;
	return fd;
}
static const char *name_of(unsigned inode)
{
	for (int i = 0; i < count; i++)
		if (mine[i].inode == inode)
			return mine[i].name;
	return NULL;
}

/* Lines are sorted: tables have no order. */
static char lines[64][400];
static int line_count;
static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}
static FILE *out;
#define printf(...) fprintf(out, __VA_ARGS__)

static void show_attribute(int type, const void *data, int len)
{
	const unsigned char *b = data;
	struct tcp_info info = { 0 };

	switch (type) {
	case INET_DIAG_SHUTDOWN: printf(" shutdown %d", *b); break;
	case INET_DIAG_TOS: printf(" tos %d", *b); break;
	case INET_DIAG_TCLASS: printf(" tclass %d", *b); break;
	case INET_DIAG_SKV6ONLY: printf(" v6only %d", *b); break;
	case INET_DIAG_CONG: printf(" %s", (const char *)data); break;
	case INET_DIAG_MEMINFO: printf(" meminfo %d", len); break;
	case INET_DIAG_SKMEMINFO: printf(" skmeminfo %d", len); break;
	case INET_DIAG_INFO:
		memcpy(&info, data, sizeof(info) < (size_t)len ? sizeof(info) : (size_t)len);
		printf(" info %d of state %d, unacked %u", len >= 232, info.tcpi_state,
			info.tcpi_unacked);
		break;
	}
}

static void show_inet(const struct nlmsghdr *h)
{
	const struct inet_diag_msg *m = NLMSG_DATA(h);
	int len = (int)h->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*m));

	printf("family %d state %d timer %d queues %u %u connected %d", m->idiag_family,
		m->idiag_state, m->idiag_timer, m->idiag_rqueue, m->idiag_wqueue,
		m->id.idiag_dport != 0);
	for (const struct rtattr *a = (const void *)(m + 1); RTA_OK(a, len); a = RTA_NEXT(a, len))
		show_attribute(a->rta_type, RTA_DATA(a), (int)RTA_PAYLOAD(a));
}
static void show_unix(const struct nlmsghdr *h)
{
	const struct unix_diag_msg *m = NLMSG_DATA(h);
	int len = (int)h->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*m));

	printf("type %d state %d", m->udiag_type, m->udiag_state);
	for (const struct rtattr *a = (const void *)(m + 1); RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		const unsigned *w = RTA_DATA(a);
		const char *name;

		switch (a->rta_type) {
		case UNIX_DIAG_NAME:
			name = RTA_DATA(a);
			printf(" name %c%.*s", *name ? *name : '@', (int)RTA_PAYLOAD(a) - 1,
				name + 1);
			break;
		case UNIX_DIAG_PEER:
			name = name_of(*w);
			printf(" peer %s", name ? name : "?");
			break;
		case UNIX_DIAG_RQLEN: printf(" queues %u %u", w[0], w[1]); break;
		case UNIX_DIAG_SHUTDOWN: printf(" shutdown %d", *(char *)w); break;
		case UNIX_DIAG_ICONS: printf(" waiting %d", (int)RTA_PAYLOAD(a) / 4); break;
		case UNIX_DIAG_MEMINFO: printf(" meminfo %d", (int)RTA_PAYLOAD(a)); break;
		case UNIX_DIAG_UID: printf(" uid %u", *w); break;
		}
	}
}

static void show(const struct nlmsghdr *h, bool unixes)
{
	const struct inet_diag_msg *m = NLMSG_DATA(h);
	const struct unix_diag_msg *u = NLMSG_DATA(h);
	const char *name = name_of(unixes ? u->udiag_ino : m->idiag_inode);
	char *line = lines[line_count];

	if (!name || line_count == 64)
		return;
	line_count++;
	out = fmemopen(line, sizeof(lines[0]), "w");
	printf("  %s: ", name);
	if (unixes)
		show_unix(h);
	else
		show_inet(h);
	fclose(out);
}
#undef printf

/* Sends a request of any shape, and shows what comes until its end. */
static void ask(const char *what, void *request, size_t len, bool unixes)
{
	static char buf[65536];
	struct nlmsghdr *sent = request;
	bool more = true;

	sent->nlmsg_len = (unsigned)len;
	sent->nlmsg_seq++;
	NEED(send(diag, request, len, 0) == (ssize_t)len);
	line_count = 0;
	while (more) {
		ssize_t n = recv(diag, buf, sizeof(buf), 0);
		int left = (int)n;

		NEED(n > 0);
		for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			more = h->nlmsg_flags & NLM_F_MULTI;
			NEED(h->nlmsg_seq == sent->nlmsg_seq);
			if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
				int err = *(int *)NLMSG_DATA(h);

				printf("%s: %s %s\n", what,
					h->nlmsg_type == NLMSG_DONE ? "done" : "error",
					err ? strerror(-err) : "0");
				more = false;
			} else {
				show(h, unixes);
				if (!more)
					printf("%s: one\n", what);
			}
		}
	}
	qsort(lines, (size_t)line_count, sizeof(lines[0]), compare);
	for (int i = 0; i < line_count; i++)
		printf("%s\n", lines[i]);
}

struct inet_request {
	struct nlmsghdr h;
	struct inet_diag_req_v2 r;
	struct rtattr a;
	char code[64];
};
#define DUMP (NLM_F_REQUEST | NLM_F_ROOT | NLM_F_MATCH)
static struct inet_request inet(int flags, int family, int protocol, unsigned states, int ext)
{
	struct inet_request q = { .h = { .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = flags },
		.r = { .sdiag_family = family,
			.sdiag_protocol = protocol,
			.idiag_states = states,
			.idiag_ext = ext } };
	return q;
}
static void dump(const char *what, int family, int protocol, unsigned states, int ext)
{
	struct inet_request q = inet(DUMP, family, protocol, states, ext);
	ask(what, &q, sizeof(q.h) + sizeof(q.r), false);
}

/* One condition on a port, as "ss sport = :N" sends it. */
static void filtered(const char *what, int op, int port)
{
	struct inet_request q = inet(DUMP, AF_INET, IPPROTO_TCP, ~0u, 0);
	struct inet_diag_bc_op *code = (void *)q.code;

	code[0] = (struct inet_diag_bc_op){ op, 8, 12 };
	code[1] = (struct inet_diag_bc_op){ 0, 0, (unsigned short)port };
	q.a.rta_type = INET_DIAG_REQ_BYTECODE;
	q.a.rta_len = RTA_LENGTH(8);
	ask(what, &q, sizeof(q.h) + sizeof(q.r) + RTA_LENGTH(8), false);
}

/* The peer's kernel takes its time to acknowledge a FIN. */
static void until_state(int fd, int state)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	for (int tries = 0; info.tcpi_state != state && tries < 10000; tries++, usleep(1000))
		NEED(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0);
}
static void inet_sockets(void)
{
	int listener = add(net_listener(7), "listener"), pair[2], half[2], tos = 0x10;
	struct sockaddr_in a = net_addr(net_port(listener));
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6 };
	struct inet_request q;
	socklen_t len = sizeof(a);

	NEED(setsockopt(listener, IPPROTO_TCP, TCP_CONGESTION, "reno", 4) == 0);
	net_pair(pair);
	add(pair[0], "client");
	add(pair[1], "server");
	NEED(setsockopt(pair[0], IPPROTO_TCP, TCP_CONGESTION, "reno", 4) == 0);
	NEED(setsockopt(pair[1], IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) == 0);
	NEED(setsockopt(pair[0], IPPROTO_IP, IP_TOS, &tos, sizeof(tos)) == 0);
	NEED(write(pair[0], "hello", 5) == 5);
	net_pair(half);
	NEED(setsockopt(half[0], IPPROTO_TCP, TCP_CONGESTION, "reno", 4) == 0);
	NEED(setsockopt(half[1], IPPROTO_TCP, TCP_CONGESTION, "reno", 4) == 0);
	add(half[0], "closed half");
	add(half[1], "other half");
	NEED(shutdown(half[0], SHUT_WR) == 0);
	NEED(net_poll(half[1], POLLRDHUP) & POLLRDHUP);
	until_state(half[0], 5);
	NEED(net_poll(pair[1], POLLIN) == POLLIN);
	add(net_bound(SOCK_DGRAM), "udp");
	int connected = add(net_bound(SOCK_DGRAM), "udp connected");
	NEED(connect(connected, (struct sockaddr *)&a, sizeof(a)) == 0);
	int six = add(socket(AF_INET6, SOCK_STREAM, 0), "listener6");
	NEED(bind(six, (struct sockaddr *)&a6, sizeof(a6)) == 0 && listen(six, 3) == 0);
	int waiting = add(socket(AF_INET, SOCK_STREAM, 0), "waiting");
	NEED(setsockopt(waiting, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) == 0);
	NEED(net_connect(waiting, net_port(listener)) == 0);
	NEED(net_poll(listener, POLLIN) == POLLIN);

	dump("tcp", AF_INET, IPPROTO_TCP, ~0u, 0);
	dump("tcp, all", AF_INET, IPPROTO_TCP, ~0u & ~(1u << 6), 0x5b);
	dump("tcp listening", AF_INET, IPPROTO_TCP, 1 << 10, 0);
	dump("tcp established", AF_INET, IPPROTO_TCP, 1 << 1, 0);
	dump("tcp6", AF_INET6, IPPROTO_TCP, ~0u, 0x30);
	dump("udp", AF_INET, IPPROTO_UDP, ~0u, 0x10);
	dump("udp closed", AF_INET, IPPROTO_UDP, 1 << 7, 0);
	dump("no protocol", AF_INET, 200, ~0u, 0);
	filtered("source port", INET_DIAG_BC_S_EQ, net_port(listener));
	filtered("destination port", INET_DIAG_BC_D_EQ, net_port(listener));
	filtered("no port", INET_DIAG_BC_D_EQ, 1);

	/* one by its addresses */
	q = inet(NLM_F_REQUEST, AF_INET, IPPROTO_TCP, ~0u, 2);
	q.r.id.idiag_sport = htons(net_port(pair[0]));
	NEED(getpeername(pair[0], (struct sockaddr *)&a, &len) == 0);
	q.r.id.idiag_dport = a.sin_port;
	q.r.id.idiag_src[0] = q.r.id.idiag_dst[0] = htonl(INADDR_LOOPBACK);
	q.r.id.idiag_cookie[0] = q.r.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	ask("one", &q, sizeof(q.h) + sizeof(q.r), false);
	q.r.id.idiag_cookie[1] = 77;
	ask("stale", &q, sizeof(q.h) + sizeof(q.r), false);
	q.r.id.idiag_dport = htons(1);
	ask("nobody", &q, sizeof(q.h) + sizeof(q.r), false);
}

struct unix_request {
	struct nlmsghdr h;
	struct unix_diag_req r;
};
static void unix_sockets(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct unix_request q = { .h = { .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = DUMP },
		.r = { .sdiag_family = AF_UNIX, .udiag_states = ~0u } };
	int pair[2], listener, client, dgram, size = (int)sizeof(a.sun_family) + 12;

	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	add(pair[0], "first");
	add(pair[1], "second");
	NEED(write(pair[0], "hello, you", 10) == 10);
	memcpy(a.sun_path, "\0sock_diag_1", 12);
	listener = add(socket(AF_UNIX, SOCK_SEQPACKET, 0), "unix listener");
	NEED(bind(listener, (struct sockaddr *)&a, (socklen_t)size) == 0 &&
		listen(listener, 9) == 0);
	client = add(socket(AF_UNIX, SOCK_SEQPACKET, 0), "unix client");
	NEED(connect(client, (struct sockaddr *)&a, (socklen_t)size) == 0);
	dgram = add(socket(AF_UNIX, SOCK_DGRAM, 0), "unix dgram");
	a.sun_path[11] = '2';
	NEED(bind(dgram, (struct sockaddr *)&a, (socklen_t)size) == 0);
	q.r.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS;
	ask("unix", &q, sizeof(q), true);
	q.r.udiag_states = 1 << 10;
	q.r.udiag_show = UDIAG_SHOW_RQLEN | UDIAG_SHOW_MEMINFO;
	ask("unix listening", &q, sizeof(q), true);
	q.h.nlmsg_flags = NLM_F_REQUEST;
	q.r.udiag_ino = inode_of(pair[1]);
	q.r.udiag_cookie[0] = q.r.udiag_cookie[1] = INET_DIAG_NOCOOKIE;
	q.r.udiag_show = UDIAG_SHOW_PEER;
	ask("unix one", &q, sizeof(q), true);
	q.r.udiag_ino = 1;
	ask("unix nobody", &q, sizeof(q), true);
	q.r.udiag_ino = 0;
	ask("unix no inode", &q, sizeof(q), true);
}

static void wrong_questions(void)
{
	struct inet_request q = inet(DUMP, AF_INET, IPPROTO_TCP, ~0u, 0);

	ask("short", &q, sizeof(q.h) + 8, false);
	ask("shorter", &q, sizeof(q.h) + 1, false);
	q.r.sdiag_family = 200;
	ask("no family", &q, sizeof(q.h) + sizeof(q.r), false);
	q.r.sdiag_family = AF_BLUETOOTH;
	ask("family without", &q, sizeof(q.h) + sizeof(q.r), false);
	q.r.sdiag_family = AF_INET;
	q.h.nlmsg_type = 99;
	ask("no type", &q, sizeof(q.h) + sizeof(q.r), false);
}

int main(void)
{
	RET(diag = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_SOCK_DIAG));
	NEED(diag >= 0);
	inet_sockets();
	unix_sockets();
	wrong_questions();
	return 0;
}
