/* SPDX-License-Identifier: BSD-2-Clause */
/* root */
/*
 * Ping sockets of both families: what may be sent, whose answers come where, identifiers as local
 * ports, errors. On Linux in a network of its own, whose groups that may have such sockets the test
 * sets: by default nobody may, where neither systemd nor Docker says something else.
 */
#include "net6.h"

#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>

#define RANGE "/proc/sys/net/ipv4/ping_group_range"

static int family; /* that is looked at */

static void allow_everybody(void)
{
	int fd = open(RANGE, O_WRONLY);

	NEED(fd >= 0 && write(fd, "0 2147483647", 12) == 12);
	close(fd);
}

static int make(void)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK,
		family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);

	NEED(fd >= 0);
	return fd;
}

/* The address of both families, by IPv4's text. */
static socklen_t address(struct sockaddr_in6 *a, const char *text, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	char mapped[64];

	if (family == AF_INET6 || strchr(text, ':')) {
		snprintf(mapped, sizeof(mapped), "%s", strcmp(text, "127.0.0.1") ? text : "::1");
		*a = addr6(mapped, port);
		return sizeof(*a);
	}
	NEED(inet_pton(AF_INET, text, &in.sin_addr) == 1);
	memcpy(a, &in, sizeof(in));
	return sizeof(in);
}

struct echo {
	uint8_t type, code;
	uint16_t sum, id, seq;
	char text[8];
};

static struct echo request(int seq)
{
	return (struct echo){ .type = family == AF_INET ? ICMP_ECHO : ICMP6_ECHO_REQUEST,
		.id = htons(0xdead), /* means nothing */
		.sum = 7,
		.seq = htons((uint16_t)seq),
		.text = "skiffs" };
}

static int send_to(int fd, const struct echo *e, size_t n, const char *to)
{
	struct sockaddr_in6 a;
	socklen_t len = address(&a, to, 0);
	ssize_t r = sendto(fd, e, n, 0, (void *)&a, len);

	return r < 0 ? -errno : (int)r;
}

static uint16_t id_of(int fd)
{
	struct sockaddr_in6 a;
	socklen_t len = sizeof(a);

	NEED(getsockname(fd, (void *)&a, &len) == 0);
	return ntohs(a.sin6_port);
}

static uint16_t sum4(const void *data, size_t n)
{
	const uint16_t *w = data;
	uint32_t sum = 0;

	for (size_t k = 0; k < n / 2; k++)
		sum += w[k];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)(sum + (sum >> 16));
}

static void show_answer(const char *what, int fd, int flags)
{
	struct sockaddr_in6 from = { 0 };
	socklen_t len = sizeof(from);
	struct echo e = { 0 };
	struct pollfd p = { fd, POLLIN, 0 };
	int got = poll(&p, 1, 100);
	ssize_t n = recvfrom(fd, &e, sizeof(e), flags, (void *)&from, &len);

	printf("%s: poll %d %x, ", what, got, p.revents);
	if (n < 0) {
		puts(t_errno(errno));
		return;
	}
	printf("%zd bytes, type %d code %d, id %s, seq %d, \"%.8s\", sum %s, from family %d len %u "
	       "port %d\n",
		n, e.type, e.code, ntohs(e.id) == id_of(fd) ? "the port" : "another", ntohs(e.seq),
		e.text, family == AF_INET6 || sum4(&e, sizeof(e)) == 0xffff ? "right" : "wrong",
		from.sin6_family, len, ntohs(from.sin6_port));
}

static void name_of(int fd, const char *what)
{
	struct sockaddr_in6 a = { 0 };
	socklen_t len = sizeof(a);

	NEED(getsockname(fd, (void *)&a, &len) == 0);
	printf("%s: %s, port %s; peer ", what,
		memcmp((char *)&a + 4, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
			family == AF_INET ? 4 : 20) == 0
			? "any"
			: "an address",
		a.sin6_port ? "some" : "none");
	puts(getpeername(fd, (void *)&a, &len) ? t_errno(errno) : "is there");
}

static void round_trip(void)
{
	struct echo e = request(1);
	int fd = make(), other = make();

	name_of(fd, "new");
	printf("poll of nothing: %d\n", poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 0));
	printf("sent %d\n", send_to(fd, &e, sizeof(e), "127.0.0.1"));
	name_of(fd, "sent");
	show_answer("answer", fd, MSG_PEEK);
	show_answer("answer", fd, 0);
	show_answer("no more", fd, 0);
	printf("sent %d, %d\n", send_to(other, &e, sizeof(e), "127.0.0.1"),
		send_to(fd, &e, 8, "127.0.0.1"));
	show_answer("other's", other, 0);
	show_answer("short", fd, 0);
	printf("ids %s\n", id_of(fd) == id_of(other) ? "are one" : "differ");
	close(fd);
	close(other);
}

static void truncated(void)
{
	struct echo e = request(2);
	char b[10];
	int fd = make(), n = -1;
	struct iovec v = { b, sizeof(b) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	printf("sent %d\n", send_to(fd, &e, sizeof(e), "127.0.0.1"));
	net_poll(fd, POLLIN);
	RET(recvmsg(fd, &m, MSG_PEEK));
	printf("flags %x\n", m.msg_flags);
	RET(recvmsg(fd, &m, MSG_TRUNC | MSG_PEEK));
	RET(recv(fd, b, sizeof(b), MSG_OOB));
	RET(ioctl(fd, FIONREAD, &n));
	RET(recv(fd, b, sizeof(b), 0));
	RET(recv(fd, b, sizeof(b), 0));
	RET(ioctl(fd, TIOCOUTQ, &n));
	close(fd);
}

/* Everything but an echo request, and what else is wrong with a message. */
static void refused(void)
{
	static char big[70000];
	struct echo e = request(3);
	struct sockaddr_in6 a;
	socklen_t len = address(&a, "127.0.0.1", 0);
	int fd = make();

	for (int type = 0; type < 256; type++) {
		int r;

		e.type = (uint8_t)type;
		r = send_to(fd, &e, sizeof(e), "127.0.0.1");
		if (r != -EINVAL)
			printf("type %d: %s\n", type, r < 0 ? t_errno(-r) : "sent");
	}
	e = request(3);
	e.code = 1;
	printf("code 1: %d\n", send_to(fd, &e, sizeof(e), "127.0.0.1"));
	e = request(3);
	printf("7 bytes: %d\n", send_to(fd, &e, 7, "127.0.0.1"));
	printf("nothing: %d\n", send_to(fd, &e, 0, "127.0.0.1"));
	memcpy(big, &e, sizeof(e));
	RET(sendto(fd, big, 65536, 0, (void *)&a, len));
	RET(sendto(fd, big, 65535, 0, (void *)&a, len) < 0 && errno == EMSGSIZE);
	RET(sendto(fd, big, 65515, 0, (void *)&a, len));
	RET(sendto(fd, &e, sizeof(e), MSG_OOB, (void *)&a, len));
	RET(sendto(fd, &e, sizeof(e), 0, NULL, 0));
	RET(sendto(fd, &e, sizeof(e), 0, (void *)&a, len - 1));
	a.sin6_family = AF_UNIX;
	RET(sendto(fd, &e, sizeof(e), 0, (void *)&a, len));
	a.sin6_family = AF_UNSPEC;
	RET(sendto(fd, &e, sizeof(e), 0, (void *)&a, len));
	RET(sendto(fd, BAD_PTR, sizeof(e), 0, (void *)&a, len));
	if (family == AF_INET6)
		printf("mapped: %d\n", send_to(fd, &e, sizeof(e), "::ffff:127.0.0.1"));
	close(fd);
}

static int bind_to(int fd, const char *to, uint16_t id)
{
	struct sockaddr_in6 a;
	socklen_t len = address(&a, to, id);

	return bind(fd, (void *)&a, len) ? errno : 0;
}

static void show_bind(const char *what, int fd, const char *to, uint16_t id)
{
	int e = bind_to(fd, to, id);

	printf("%s: %s\n", what, t_errno(e));
}

static void identifiers(void)
{
	struct echo e = request(4);
	const char *any = family == AF_INET ? "0.0.0.0" : "::";
	int a = make(), b = make(), c = make(), off = 0;
	struct sockaddr_in6 wrong = { .sin6_family = AF_UNIX };

	printf("SO_REUSEADDR is %d\n", net_option(a, SOL_SOCKET, SO_REUSEADDR));
	RET(bind(a, (void *)&wrong, sizeof(wrong)));
	RET(bind(a, (void *)&wrong, 15));
	show_bind("bind", a, any, 4711);
	show_bind("again", a, any, 0);
	printf("id %d\n", id_of(a));
	printf("sent %d\n", send_to(a, &e, sizeof(e), "127.0.0.1"));
	show_answer("bound", a, 0);
	show_bind("the same", b, "127.0.0.1", 4711);
	printf("sent %d\n", send_to(a, &e, sizeof(e), "127.0.0.1"));
	show_answer("the first", a, 0);
	show_answer("the second", b, 0);
	NEED(setsockopt(c, SOL_SOCKET, SO_REUSEADDR, &off, sizeof(off)) == 0);
	show_bind("exclusive", c, any, 4711);
	show_bind("another", c, any, 4712);
	close(b);
	b = make();
	show_bind("held", b, any, 4712);
	show_bind("any other", b, "127.0.0.1", 0);
	name_of(b, "bound to 0");
	close(c);
	c = make();
	show_bind("absent", c, family == AF_INET ? "192.0.2.1" : "2001:db8::1", 0);
	show_bind("group", c, family == AF_INET ? "224.0.0.1" : "ff02::1", 0);
	show_bind("broadcast, mapped", c,
		family == AF_INET ? "255.255.255.255" : "::ffff:127.0.0.1", 0);
	if (family == AF_INET6)
		show_bind("no link", c, "fe80::1", 0);
	name_of(c, "not bound");
	close(a);
	close(b);
	close(c);
}

static void connected(void)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct sockaddr_in6 a;
	socklen_t len = address(&a, "127.0.0.1", 0);
	struct echo e = request(5);
	int fd = make();

	RET(connect(fd, (void *)&a, len));
	name_of(fd, "connected");
	RET(send(fd, &e, sizeof(e), 0));
	show_answer("answer", fd, 0);
	RET(connect(fd, &none, sizeof(none)));
	name_of(fd, "dissolved");
	RET(send(fd, &e, sizeof(e), 0));
	close(fd);
	fd = make();
	show_bind("bind", fd, "127.0.0.1", 4713);
	address(&a, "127.0.0.1", 5);
	RET(connect(fd, (void *)&a, len));
	name_of(fd, "bound, connected to a port");
	RET(connect(fd, &none, sizeof(none)));
	name_of(fd, "dissolved");
	RET(shutdown(fd, SHUT_WR));
	printf("sent %d\n", send_to(fd, &e, sizeof(e), "127.0.0.1"));
	close(fd);
}

static void told(void)
{
	struct echo e = request(6);
	int fd = make(), on = 1;
	char control[512];
	struct iovec v = { &e, sizeof(e) };
	struct msghdr m = { .msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };

	if (family == AF_INET) {
		setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &on, sizeof(on));
		setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	} else {
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof(on));
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	}
	setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof(on));
	printf("sent %d\n", send_to(fd, &e, sizeof(e), "127.0.0.1"));
	net_poll(fd, POLLIN);
	RET(recvmsg(fd, &m, 0));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		printf("level %d type %d, %zu bytes", c->cmsg_level, c->cmsg_type,
			c->cmsg_len - CMSG_LEN(0));
		if (c->cmsg_len == CMSG_LEN(sizeof(int)))
			printf(", %d", *(int *)(void *)CMSG_DATA(c));
		puts("");
	}
	close(fd);
}

/* ---- errors: what a router would say ---- */

static void icmp_error(int raw, uint16_t id, int type, int code, int mtu)
{
	struct {
		struct icmphdr h;
		struct ip ip;
		struct echo e;
	} p = { .h = { .type = (uint8_t)type, .code = (uint8_t)code } };
	struct sockaddr_in a = net_addr(0);

	p.h.un.frag.mtu = htons((uint16_t)mtu);
	p.ip = (struct ip){ .ip_v = 4, .ip_hl = 5, .ip_len = htons(1500), .ip_p = IPPROTO_ICMP };
	p.ip.ip_src = p.ip.ip_dst = a.sin_addr;
	p.e = request(9);
	p.e.id = htons(id);
	p.h.checksum = (uint16_t)~sum4(&p, sizeof(p));
	NEED(sendto(raw, &p, sizeof(p), 0, (void *)&a, sizeof(a)) == sizeof(p));
}

static void show_error(const char *what, int fd, bool queue)
{
	char data[100], control[200];
	struct iovec v = { data, sizeof(data) };
	struct sockaddr_in from = { 0 };
	struct msghdr m = { &from, sizeof(from), &v, 1, control, sizeof(control), 0 };
	struct pollfd p = { fd, POLLIN, 0 };
	ssize_t n;

	poll(&p, 1, 0); /* over loopback it is there at once */
	int e = net_option(fd, SOL_SOCKET, SO_ERROR);

	printf("%s: poll %x, error %s\n", what, p.revents, t_errno(e));
	n = queue ? recvmsg(fd, &m, MSG_ERRQUEUE) : -1;
	if (n < 0)
		return;
	printf("  %zd bytes, type %d seq %d, flags %x, to %s port %d", n, data[0],
		ntohs(((struct echo *)(void *)data)->seq), m.msg_flags, inet_ntoa(from.sin_addr),
		from.sin_port);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		struct sock_extended_err *e = (void *)CMSG_DATA(c);

		printf("; level %d type %d: %s origin %d type %d code %d info %u", c->cmsg_level,
			c->cmsg_type, t_errno((int)e->ee_errno), e->ee_origin, e->ee_type,
			e->ee_code, e->ee_info);
	}
	puts("");
}

static void errors(void)
{
	static const struct {
		int type, code, mtu;
	} all[] = { { 3, 0, 0 }, { 3, 1, 0 }, { 3, 3, 0 }, { 3, 4, 1300 }, { 3, 13, 0 },
		{ 11, 0, 0 }, { 12, 0, 0 } };
	int raw = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), on = 1, mode;
	struct sockaddr_in a = net_addr(0);
	char what[80];

	for (int kind = 0; kind < 4; kind++) { /* 1: connected, 2: IP_RECVERR */
		for (size_t k = 0; k < LENGTH(all); k++) {
			int fd = make();

			NEED(bind_to(fd, "0.0.0.0", 5000) == 0);
			if (kind & 1)
				NEED(connect(fd, (void *)&a, sizeof(a)) == 0);
			if (kind & 2)
				setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
			mode = IP_PMTUDISC_INTERFACE; /* the machine does not learn of it */
			setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &mode, sizeof(mode));
			icmp_error(raw, 5000, all[k].type, all[k].code, all[k].mtu);
			snprintf(what, sizeof(what), "kind %d, %d/%d", kind, all[k].type,
				all[k].code);
			show_error(what, fd, kind & 2);
			close(fd);
		}
	}
	int fd = make();

	NEED(bind_to(fd, "0.0.0.0", 5000) == 0);
	setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
	icmp_error(raw, 5001, 3, 1, 0);
	show_error("another's", fd, true);
	mode = IP_PMTUDISC_DONT;
	setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &mode, sizeof(mode));
	icmp_error(raw, 5000, 3, 4, 1300);
	show_error("who lets routers cut", fd, true);
	close(fd);
	close(raw);
}

static void in_proc(void)
{
	const char *path = family == AF_INET ? "/proc/net/icmp" : "/proc/net/icmp6";
	int fd = make();
	char line[300];
	FILE *f;

	NEED(bind_to(fd, "127.0.0.1", 4242) == 0);
	f = fopen(path, "r");
	NEED(f);
	while (fgets(line, sizeof(line), f)) {
		char *ports = strstr(line, ":1092"), *colon = strchr(line, ':');

		if (strstr(line, "local_address"))
			printf("%.*s\n", (int)(strstr(line, " drops") - line), line);
		else if (ports && colon)
			printf("%.*s\n", family == AF_INET ? 30 : 78, colon);
	}
	fclose(f);
	close(fd);
}

int main(void)
{
	int before = net_own();

	if (before >= 0)
		allow_everybody();
	RET(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMPV6));
	RET(socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMP));
	for (int k = 0; k < 2; k++) {
		family = k ? AF_INET6 : AF_INET;
		printf("family %d\n", family);
		round_trip();
		truncated();
		refused();
		identifiers();
		connected();
		told();
		in_proc();
	}
	family = AF_INET;
	errors();
	net_back(before);
	return 0;
}
