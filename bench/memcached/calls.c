/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagrams by system calls, many with each: for Linux, and to compare with. */
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define BATCH  32
#define PIECES (BATCH + ANSWER_PIECES)

struct carrier {
	int fd;
	struct mmsghdr in[BATCH], out[PIECES];
	struct iovec in_vec[BATCH], out_vec[PIECES];
	struct sockaddr_storage from[BATCH];
	unsigned pieces; /* buffers in use, each with its message */
	uint8_t in_buf[BATCH][REQUEST_MAX], out_buf[PIECES][DATAGRAM];
};

static bool more(struct answer *a, struct piece *p)
{
	struct carrier *c = a->carrier;

	if (c->pieces == PIECES)
		return false;
	p->data = c->out_buf[c->pieces++];
	return true;
}

static void flush(struct carrier *c)
{
	unsigned done = 0;

	while (done < c->pieces) {
		int n = sendmmsg(c->fd, c->out + done, c->pieces - done, 0);

		done += n < 0 ? 1 : (unsigned)n; /* one that cannot go is lost, as datagrams are */
	}
	c->pieces = 0;
}

static void serve_one(struct carrier *c, struct answer *a, unsigned k)
{
	unsigned first = c->pieces;

	more(a, &a->piece[0]);
	if (!serve(a, c->in_buf[k], c->in[k].msg_len)) {
		c->pieces = first;
		return;
	}
	c->pieces = first + a->count; /* an answer that grew too long gave some back */
	for (unsigned i = 0; i < a->count; i++) {
		c->out_vec[first + i].iov_base = a->piece[i].data;
		c->out_vec[first + i].iov_len = a->piece[i].used;
		c->out[first + i].msg_hdr = (struct msghdr){ .msg_name = &c->from[k],
			.msg_namelen = c->in[k].msg_hdr.msg_namelen,
			.msg_iov = &c->out_vec[first + i],
			.msg_iovlen = 1 };
	}
}

void carry_by_calls(int fd)
{
	struct carrier *c = calloc(1, sizeof(*c));
	static _Thread_local struct answer a;

	if (!c) {
		perror("udp_memcached");
		exit(1);
	}
	c->fd = fd;
	a.more = more;
	a.carrier = c;
	for (unsigned i = 0; i < BATCH; i++) {
		c->in_vec[i] = (struct iovec){ c->in_buf[i], REQUEST_MAX };
		c->in[i].msg_hdr = (struct msghdr){
			.msg_name = &c->from[i], .msg_iov = &c->in_vec[i], .msg_iovlen = 1
		};
	}
	for (;;) {
		int n;

		for (unsigned i = 0; i < BATCH; i++)
			c->in[i].msg_hdr.msg_namelen = sizeof(c->from[i]);
		n = recvmmsg(fd, c->in, BATCH, MSG_WAITFORONE, NULL);
		a.now = now();
		for (int i = 0; i < n; i++) {
			if (PIECES - c->pieces < ANSWER_PIECES)
				flush(c);
			serve_one(c, &a, (unsigned)i);
		}
		flush(c);
	}
}
