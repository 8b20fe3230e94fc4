/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was lent by MSG_ZEROCOPY and vmsplice and unmapped at once comes free: three times as much
 * as there is.
 */
/* standalone */
/* options: --memory 64M */
#include "t.h"
#include "net.h"

#define SIZE   (1ul << 20)
#define ROUNDS 100

static char *filled(void)
{
	char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NEED(p != MAP_FAILED);
	memset(p, 'm', SIZE);
	return p;
}

int main(void)
{
	int s[2], p[2], one = 1;
	size_t sent = 0, read = 0, spliced = 0;

	net_pair(s);
	NEED(setsockopt(s[0], SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) == 0);
	NEED(pipe(p) == 0);
	fcntl(s[0], F_SETFL, O_NONBLOCK);
	for (unsigned i = 0; i < ROUNDS; i++) {
		char *m = filled();

		for (size_t at = 0; at < SIZE;) {
			ssize_t n = send(s[0], m + at, SIZE - at, MSG_ZEROCOPY);

			if (n > 0) {
				sent += (size_t)n;
				at += (size_t)n;
			} else {
				NEED(errno == EAGAIN || errno == ENOBUFS);
				n = recv(s[1], NULL, SIZE, MSG_TRUNC);
				NEED(n > 0);
				read += (size_t)n;
				char control[200];
				struct msghdr h = { .msg_control = control,
					.msg_controllen = sizeof(control) };

				while (recvmsg(s[0], &h, MSG_ERRQUEUE) == 0)
					h.msg_controllen = sizeof(control);
			}
		}
		munmap(m, SIZE);
	}
	shutdown(s[0], SHUT_WR);
	for (ssize_t n; (n = recv(s[1], NULL, SIZE, MSG_TRUNC)) > 0;)
		read += (size_t)n;
	printf("sent %zu, read %zu\n", sent, read);
	for (unsigned i = 0; i < ROUNDS; i++) {
		char *m = filled();
		struct iovec v = { m, SIZE };
		ssize_t n = vmsplice(p[1], &v, 1, 0);

		munmap(m, SIZE);
		NEED(n > 0);
		spliced += (size_t)n;
		close(p[0]);
		close(p[1]);
		NEED(pipe(p) == 0);
	}
	printf("spliced %zu\n", spliced);
	return 0;
}
