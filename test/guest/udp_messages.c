/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP: boundaries kept, truncation, connect and disconnect, refused ports, sendmmsg and recvmmsg.
 */
#include "net.h"

int main(void)
{
	int a = net_bound(SOCK_DGRAM), b = net_bound(SOCK_DGRAM);
	struct sockaddr_in to = net_addr(net_port(b)), from;
	socklen_t len = sizeof(from);
	char buf[64] = "";
	RET(sendto(a, "first", 5, 0, (struct sockaddr *)&to, sizeof(to)));
	RET(sendto(a, "second one", 10, 0, (struct sockaddr *)&to, sizeof(to)));
	RET(sendto(a, "", 0, 0, (struct sockaddr *)&to, sizeof(to)));
	RET(recvfrom(b, buf, sizeof(buf), MSG_PEEK, (struct sockaddr *)&from, &len));
	RET(recvfrom(b, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len));
	printf("%s, from a %d, len %u\n", buf, ntohs(from.sin_port) == net_port(a), len);
	int avail = -1;
	RET(ioctl(b, FIONREAD, &avail));
	printf("available %d\n", avail);
	RET(recv(b, buf, 6, MSG_PEEK | MSG_TRUNC));
	struct iovec iov = { buf, 6 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	RET(recvmsg(b, &msg, 0));
	printf("%.6s truncated %d\n", buf, !!(msg.msg_flags & MSG_TRUNC));
	RET(recv(b, buf, sizeof(buf), 0));
	RET(recv(b, buf, sizeof(buf), MSG_DONTWAIT));
	RET(send(a, "x", 1, 0));
	static char huge[70000];
	RET(sendto(a, huge, sizeof(huge), 0, (struct sockaddr *)&to, sizeof(to)));
	RET(sendto(a, huge, 60000, 0, (struct sockaddr *)&to, sizeof(to)));
	RET(recv(b, huge, sizeof(huge), 0));
	/* connected: only from the peer, refused when it is gone */
	RET(connect(a, (struct sockaddr *)&to, sizeof(to)));
	RET(send(a, "connected", 9, 0));
	RET(recv(b, buf, sizeof(buf), 0));
	int stranger = net_bound(SOCK_DGRAM);
	struct sockaddr_in to_a = net_addr(net_port(a));
	RET(sendto(stranger, "stranger", 8, 0, (struct sockaddr *)&to_a, sizeof(to_a)));
	RET(sendto(b, "friend", 6, 0, (struct sockaddr *)&to_a, sizeof(to_a)));
	memset(buf, 0, sizeof(buf));
	RET(recv(a, buf, sizeof(buf), 0));
	printf("%s\n", buf);
	close(b);
	RET(send(a, "nobody", 6, 0));
	IS(net_poll(a, POLLIN) & POLLERR);
	RET(recv(a, buf, sizeof(buf), 0));
	RET(recv(a, buf, sizeof(buf), MSG_DONTWAIT));
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	RET(connect(a, &none, sizeof(none)));
	len = sizeof(from);
	RET(getpeername(a, (struct sockaddr *)&from, &len));
	RET(send(a, "x", 1, 0));
	RET(listen(a, 1));
	/* several in one call */
	int c = net_bound(SOCK_DGRAM);
	to = net_addr(net_port(c));
	struct iovec out[3] = { { "one", 3 }, { "two", 3 }, { "three", 5 } }, in[4];
	char texts[4][16] = { "" };
	struct mmsghdr m[4];
	memset(m, 0, sizeof(m));
	for (int i = 0; i < 3; i++) {
		m[i].msg_hdr.msg_iov = &out[i];
		m[i].msg_hdr.msg_iovlen = 1;
		m[i].msg_hdr.msg_name = &to;
		m[i].msg_hdr.msg_namelen = sizeof(to);
	}
	RET(sendmmsg(a, m, 3, 0));
	memset(m, 0, sizeof(m));
	for (int i = 0; i < 4; i++) {
		in[i] = (struct iovec){ texts[i], 15 };
		m[i].msg_hdr.msg_iov = &in[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	RET(recvmmsg(c, m, 4, MSG_WAITFORONE, NULL));
	printf("%s %s %s, %u\n", texts[0], texts[1], texts[2], m[2].msg_len);
	RET(recvmmsg(c, m, 4, MSG_DONTWAIT, NULL));
	return 0;
}
