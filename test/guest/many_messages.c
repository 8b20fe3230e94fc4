/* SPDX-License-Identifier: BSD-2-Clause */
/* sendmmsg and recvmmsg: counts, errors in the middle, time, and what is left for the next call. */
#include "net.h"

#define MANY 1100

static struct mmsghdr vec[MANY];
static struct iovec iov[MANY];
static char text[MANY][8];

static void prepare(unsigned n, size_t len)
{
	memset(vec, 0, sizeof(vec));
	for (unsigned i = 0; i < n; i++) {
		iov[i] = (struct iovec){ text[i], len };
		vec[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
		vec[i].msg_len = 77;
		snprintf(text[i], sizeof(text[i]), "%u", i);
	}
}

static void pair(int s[2])
{
	struct sockaddr_in a;

	s[0] = net_bound(SOCK_DGRAM);
	s[1] = net_bound(SOCK_DGRAM);
	a = net_addr(net_port(s[1]));
	NEED(connect(s[0], (struct sockaddr *)&a, sizeof(a)) == 0);
	a = net_addr(net_port(s[0]));
	NEED(connect(s[1], (struct sockaddr *)&a, sizeof(a)) == 0);
}

static void show(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		printf("  %u: len %u, \"%.*s\", flags %x, name %u\n", i, vec[i].msg_len,
			vec[i].msg_len < 8 ? (int)vec[i].msg_len : 0, text[i],
			vec[i].msg_hdr.msg_flags, vec[i].msg_hdr.msg_namelen);
}

static void sending(int s[2])
{
	printf("-- sending\n");
	prepare(4, 3);
	RET(sendmmsg(s[0], vec, 4, 0));
	show(4);
	RET(sendmmsg(s[0], vec, 0, 0));
	RET(sendmmsg(-1, vec, 1, 0));
	RET(sendmmsg(s[0], BAD_PTR, 1, 0));
	RET(sendmmsg(s[0], vec, 4, 0x80000000));
	RET(recvmmsg(s[1], vec, 4, 0x80000000, NULL));
	RET(sendmsg(s[0], &vec[0].msg_hdr, 0x80000000));
	RET(recvmsg(s[1], &vec[0].msg_hdr, 0x80000000));

	printf("-- the third cannot be read\n");
	prepare(4, 3);
	iov[2].iov_base = BAD_PTR;
	RET(sendmmsg(s[0], vec, 4, 0));
	show(2);
	IS(vec[2].msg_len == 77);
	RET(sendmmsg(s[0], vec + 2, 2, 0));
	RET(net_option(s[0], SOL_SOCKET, SO_ERROR));

	printf("-- a bad name, a bad count, a bad length\n");
	prepare(3, 3);
	vec[1].msg_hdr.msg_name = text[0];
	vec[1].msg_hdr.msg_namelen = -1u;
	RET(sendmmsg(s[0], vec, 3, 0));
	RET(sendmmsg(s[0], vec + 1, 1, 0));
	vec[1].msg_hdr.msg_name = NULL;
	RET(sendmmsg(s[0], vec + 1, 1, 0));
	vec[1].msg_hdr.msg_iovlen = 5000;
	RET(sendmmsg(s[0], vec + 1, 1, 0));
	RET(sendmmsg(s[0], vec, 3, 0));
	prepare(3, 3);
	vec[1].msg_hdr.msg_name = text[0];
	vec[1].msg_hdr.msg_namelen = -1u;
	vec[1].msg_hdr.msg_iovlen = 5000;
	RET(sendmmsg(s[0], vec + 1, 1, 0));
	RET(recvmsg(s[1], &vec[1].msg_hdr, MSG_DONTWAIT));

	printf("-- more than a vector may have\n");
	int n = 1 << 20;

	setsockopt(s[1], SOL_SOCKET, SO_RCVBUF, &n, sizeof(n));
	while (recv(s[1], text[0], 8, MSG_DONTWAIT) >= 0)
		;
	prepare(MANY, 2);
	/* A datagram at a time, as how many fit is each system's own business. */
	for (unsigned done = 0; done < 4; done++) {
		RET(sendmmsg(s[0], vec, 3, 0));
		RET(recvmmsg(s[1], vec, 5, MSG_DONTWAIT, NULL));
	}
	int null = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in a = net_addr(net_port(s[1]));

	prepare(MANY, 0);
	for (unsigned i = 0; i < MANY; i++) {
		vec[i].msg_hdr.msg_name = &a;
		vec[i].msg_hdr.msg_namelen = sizeof(a);
	}
	RET(sendmmsg(null, vec, MANY, 0)); /* is not for s[1], which is connected */
	close(null);
	while (recv(s[1], text[0], 8, MSG_DONTWAIT) >= 0)
		;
}

static void receiving(int s[2])
{
	struct timespec zero = { 0, 0 }, bad = { 0, 2000000000 }, negative = { -1, 0 },
			some = { 3600, 5 };

	printf("-- receiving\n");
	prepare(4, 3);
	NEED(sendmmsg(s[0], vec, 3, 0) == 3);
	prepare(6, 2);
	vec[1].msg_hdr.msg_name = text[5];
	vec[1].msg_hdr.msg_namelen = 2;
	RET(recvmmsg(s[1], vec, 6, MSG_DONTWAIT, NULL));
	show(3);
	IS(vec[3].msg_len == 77);
	RET(recvmmsg(s[1], vec, 6, MSG_DONTWAIT, NULL));
	RET(recvmmsg(s[1], vec, 0, 0, NULL));

	printf("-- for one\n");
	prepare(4, 3);
	NEED(sendmmsg(s[0], vec, 3, 0) == 3);
	RET(recvmmsg(s[1], vec, 4, MSG_WAITFORONE, NULL));

	printf("-- time\n");
	prepare(4, 3);
	NEED(sendmmsg(s[0], vec, 3, 0) == 3);
	RET(recvmmsg(s[1], vec, 4, 0, &zero)); /* over after the first */
	printf("left: %ld %ld\n", (long)zero.tv_sec, zero.tv_nsec);
	RET(recvmmsg(s[1], vec, 4, 0, &bad));
	RET(recvmmsg(s[1], vec, 4, 0, &negative));
	RET(recvmmsg(s[1], vec, 2, 0, &some));
	printf("some is left: %d\n", some.tv_sec < 3600 && some.tv_sec > 3000);
	some = (struct timespec){ 3600, 5 };
	RET(recvmmsg(s[1], vec, 2, MSG_DONTWAIT, &some));
	printf("nothing came: %ld %ld\n", (long)some.tv_sec, some.tv_nsec);
	RET(recvmmsg(s[1], vec, 2, MSG_DONTWAIT, BAD_PTR));

	printf("-- one cannot be written: the next call says so\n");
	prepare(4, 3);
	NEED(sendmmsg(s[0], vec, 4, 0) == 4);
	iov[1].iov_base = BAD_PTR;
	RET(recvmmsg(s[1], vec, 4, 0, NULL));
	RET(recvmmsg(s[1], vec, 4, MSG_DONTWAIT, NULL));
	RET(recvmmsg(s[1], vec, 1, MSG_DONTWAIT, NULL));
	while (recv(s[1], text[0], 8, MSG_DONTWAIT) >= 0)
		;
	NEED(sendmmsg(s[0], vec + 2, 2, 0) == 2);
	RET(recvmmsg(s[1], vec + 1, 1, MSG_DONTWAIT, NULL));
	RET(recvmmsg(s[1], vec, 1, MSG_DONTWAIT, NULL));
	RET(recvmmsg(s[1], vec, 1, MSG_DONTWAIT, NULL));

	printf("-- as SO_ERROR\n");
	prepare(4, 3);
	NEED(sendmmsg(s[0], vec, 3, 0) == 3);
	iov[1].iov_base = BAD_PTR;
	RET(recvmmsg(s[1], vec, 3, 0, NULL));
	RET(net_option(s[1], SOL_SOCKET, SO_ERROR));
	RET(net_option(s[1], SOL_SOCKET, SO_ERROR));
	while (recv(s[1], text[0], 8, MSG_DONTWAIT) >= 0)
		;
	printf("-- the length cannot be written\n");
	prepare(4, 3);
	NEED(sendmmsg(s[0], vec, 2, 0) == 2);
	RET(recvmmsg(s[1], (void *)(BAD_PTR + 4000), 1, MSG_DONTWAIT, NULL));
}

/* A peer that is not there: its answer is an error of whichever call comes next. */
static void refused(void)
{
	int s = net_bound(SOCK_DGRAM), gone = net_bound(SOCK_DGRAM);
	struct sockaddr_in a = net_addr(net_port(gone));

	printf("-- refused\n");
	close(gone);
	NEED(connect(s, (struct sockaddr *)&a, sizeof(a)) == 0);
	prepare(3, 3);
	NEED(send(s, "x", 1, 0) == 1);
	NEED(net_poll(s, POLLIN) & POLLERR);
	RET(recvmmsg(s, vec, 0, 0, NULL));
	RET(recvmmsg(s, vec, 1, MSG_DONTWAIT, NULL));
	NEED(send(s, "x", 1, 0) == 1);
	NEED(net_poll(s, POLLIN) & POLLERR);
	RET(sendmmsg(s, vec, 1, 0));
	close(s);
}

static void stream(void)
{
	int s[2];

	printf("-- a stream\n");
	net_pair(s);
	prepare(4, 3);
	RET(sendmmsg(s[0], vec, 4, 0));
	prepare(4, 5);
	RET(recvmmsg(s[1], vec, 2, MSG_WAITALL, NULL));
	show(2);
	RET(recvmmsg(s[1], vec, 2, MSG_DONTWAIT, NULL));
	show(1);
	RET(send(s[0], "!", 1, MSG_OOB));
	NEED(net_poll(s[1], POLLPRI) & POLLPRI);
	prepare(4, 1);
	RET(recvmmsg(s[1], vec, 4, MSG_OOB, NULL));
	show(1);
	shutdown(s[0], SHUT_WR);
	NEED(net_poll(s[1], POLLIN) & POLLIN);
	RET(recvmmsg(s[1], vec, 3, 0, NULL)); /* the end is as long as one asks */
	show(3);

	/* A message that went in part is the last: one that waits for nothing, too large for any
	 * buffer. */
	static char big[32 << 20];

	prepare(2, 3);
	iov[0] = (struct iovec){ big, sizeof(big) };
	long n = sendmmsg(s[1], vec, 2, MSG_DONTWAIT);

	printf("in part: %ld, %d, second %u\n", n,
		vec[0].msg_len > 0 && vec[0].msg_len < sizeof(big), vec[1].msg_len);
	close(s[0]);
	close(s[1]);
}

int main(void)
{
	int s[2];

	pair(s);
	sending(s);
	receiving(s);
	refused();
	stream();
	close(s[0]);
	close(s[1]);
	return 0;
}
