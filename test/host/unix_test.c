/* SPDX-License-Identifier: BSD-2-Clause */
/* AF_UNIX sockets, descriptor passing, netlink dumps. */
/* sources: $(HOST_NET) */
/* flags: -D_GNU_SOURCE */
#include "tcp_peer.h"
#include "abi/netlink.h"

static char buf[300000];

static void pair(int type, struct file *f[2])
{
	CHECK_EQ(socket_pair(AF_UNIX, type | SOCK_NONBLOCK, 0, f), 0);
}
static uint32_t abstract(struct sockaddr_storage *a, const char *name)
{
	struct sockaddr_un *u = (void *)a;

	memset(a, 0, sizeof(*a));
	u->sun_family = AF_UNIX;
	strcpy(u->sun_path + 1, name);
	return (uint32_t)(3 + strlen(name));
}

TEST(stream_pair)
{
	struct file *f[2];

	peer_setup();
	pair(SOCK_STREAM, f);
	CHECK_EQ(env_write(f[0], "hello ", 6, 0), 6);
	CHECK_EQ(env_write(f[0], "world", 5, 0), 5);
	CHECK_EQ(env_read(f[1], buf, 3, MSG_PEEK), 3);
	CHECK_EQ(env_read(f[1], buf, 100, MSG_PEEK), 11);
	CHECK_EQ(env_read(f[1], buf, 8, 0), 8);
	CHECK_EQ(env_read(f[1], buf, 100, 0), 3);
	CHECK_MEM(buf, "rld", 3);
	CHECK_EQ(env_read(f[1], buf, 100, 0), -EAGAIN);
	file_put(f[0]);
	CHECK_EQ(env_read(f[1], buf, 100, 0), 0);
	CHECK_EQ(env_write(f[1], "x", 1, 0), -EPIPE);
	CHECK_EQ(env_poll(f[1]) & (POLLHUP | POLLRDHUP), POLLHUP | POLLRDHUP);
	file_put(f[1]);
	peer_teardown();
}
TEST(stream_fills_and_empties)
{
	struct file *f[2];
	size_t in = 0, out = 0;

	peer_setup();
	pair(SOCK_STREAM, f);
	for (int round = 0; round < 5; round++) {
		ssize_t r;

		while ((r = env_write(f[0], buf, 100000, 0)) > 0)
			in += (size_t)r;
		CHECK_EQ(r, -EAGAIN);
		CHECK(!(env_poll(f[0]) & POLLOUT));
		while ((r = env_read(f[1], buf, 7777, 0)) > 0)
			out += (size_t)r;
		CHECK_EQ(in, out);
		CHECK(env_poll(f[0]) & POLLOUT);
	}
	CHECK(in > 500000);
	file_put(f[0]);
	file_put(f[1]);
	peer_teardown();
}
TEST(unread_data_at_close_is_a_reset)
{
	struct file *f[2];

	peer_setup();
	pair(SOCK_STREAM, f);
	env_write(f[0], "x", 1, 0);
	file_put(f[1]);
	CHECK_EQ(env_read(f[0], buf, 10, 0), -ECONNRESET);
	CHECK_EQ(env_read(f[0], buf, 10, 0), 0);
	file_put(f[0]);
	peer_teardown();
}
TEST(datagrams_keep_their_borders)
{
	struct file *f[2];

	peer_setup();
	pair(SOCK_DGRAM, f);
	env_write(f[0], "one", 3, 0);
	env_write(f[0], "", 0, 0);
	env_write(f[0], "three", 5, 0);
	CHECK_EQ(env_read(f[1], buf, 100, 0), 3);
	CHECK_EQ(env_read(f[1], buf, 100, 0), 0);
	CHECK_EQ(env_read(f[1], buf, 2, 0), 2);
	CHECK_EQ(env_read(f[1], buf, 100, 0), -EAGAIN);
	file_put(f[0]);
	file_put(f[1]);
	peer_teardown();
}
TEST(abstract_names)
{
	struct sockaddr_storage a;
	uint32_t n = abstract(&a, "here");
	struct file *l, *c, *s;

	peer_setup();
	l = socket_create(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	c = socket_create(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_EQ(socket_connect(c, &a, n, NULL), -ECONNREFUSED);
	CHECK_EQ(socket_listen(l, 1), -EINVAL);
	CHECK_EQ(socket_bind(l, &a, n, NULL), 0);
	CHECK_EQ(socket_bind(c, &a, n, NULL), -EADDRINUSE);
	CHECK_EQ(socket_connect(c, &a, n, NULL), -ECONNREFUSED);
	CHECK_EQ(socket_listen(l, 1), 0);
	CHECK_EQ(socket_connect(c, &a, n, NULL), 0);
	CHECK_EQ(socket_connect(c, &a, n, NULL), -EISCONN);
	s = socket_accept(l, SOCK_NONBLOCK, NULL, NULL);
	REQUIRE(!IS_ERR(s));
	env_write(c, "hi", 2, 0);
	CHECK_EQ(env_read(s, buf, 10, 0), 2);
	struct sockaddr_storage who;
	uint32_t wn;

	CHECK_EQ(socket_getname(c, true, &who, &wn), 0);
	CHECK_EQ(wn, n);
	CHECK_MEM(&who, &a, n);
	file_put(s);
	file_put(c);
	c = socket_create(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_EQ(socket_connect(c, &a, n, NULL), 0); /* never accepted */
	file_put(l);
	CHECK_EQ(env_read(c, buf, 10, 0), -ECONNRESET);
	file_put(c);
	peer_teardown();
}
TEST(descriptors_travel)
{
	struct file *f[2], *g[2];
	uint8_t control[64] = { 0 };
	struct cmsghdr h = { CMSG_LEN(8), SOL_SOCKET, SCM_RIGHTS };
	int fds[2] = { 5, 6 };
	struct iter it;
	struct socket_message m = {
		.data = &it, .control = control, .control_len = CMSG_LEN(8), .fds = (void *)1
	};

	peer_setup();
	pair(SOCK_STREAM, f);
	pair(SOCK_STREAM, g);
	env_fds[5] = g[0];
	env_fds[6] = g[1];
	memcpy(control, &h, sizeof(h));
	memcpy(control + sizeof(h), fds, 8);
	iter_init_one(&it, "x", 1, false);
	CHECK_EQ(socket_send(f[0], &m, NULL), 1);
	file_put(g[0]);
	file_put(g[1]);
	env_fds[5] = env_fds[6] = NULL;
	m.control_len = sizeof(control);
	iter_init_one(&it, buf, 10, false);
	CHECK_EQ(socket_recv(f[1], &m), 1);
	CHECK_EQ(m.control_used, CMSG_SPACE(8));
	memcpy(fds, control + sizeof(h), 8);
	CHECK_EQ(fds[0], 0);
	CHECK_EQ(fds[1], 1);
	REQUIRE(env_fds[0] && env_fds[1]);
	CHECK_EQ(env_write(env_fds[0], "through", 7, 0), 7);
	CHECK_EQ(env_read(env_fds[1], buf, 10, 0), 7);
	file_put(env_fds[0]);
	file_put(env_fds[1]);
	env_fds[0] = env_fds[1] = NULL;
	/* sent and never received: closed with the queue */
	pair(SOCK_STREAM, g);
	env_fds[5] = g[0];
	fds[0] = 5;
	h.cmsg_len = CMSG_LEN(4);
	memcpy(control, &h, sizeof(h));
	memcpy(control + sizeof(h), fds, 4);
	m = (struct socket_message){
		.data = &it, .control = control, .control_len = CMSG_LEN(4), .fds = (void *)1
	};
	iter_init_one(&it, "x", 1, false);
	CHECK_EQ(socket_send(f[0], &m, NULL), 1);
	env_fds[5] = NULL;
	file_put(g[0]);
	file_put(g[1]);
	fds[0] = 40;
	m.control_len = CMSG_LEN(4);
	memcpy(control + sizeof(h), fds, 4);
	iter_init_one(&it, "x", 1, false);
	CHECK_EQ(socket_send(f[0], &m, NULL), -EBADF);
	file_put(f[0]);
	file_put(f[1]);
	peer_teardown();
}
TEST(netlink_lists_addresses)
{
	struct {
		struct nlmsghdr h;
		struct ifaddrmsg m;
	} req = { { sizeof(req), RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, 1, 0 }, { AF_INET } };
	struct file *n;
	unsigned addresses = 0, done = 0;

	peer_setup();
	n = socket_create(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE);
	REQUIRE(!IS_ERR(n));
	CHECK_EQ(env_write(n, &req, sizeof(req), 0), sizeof(req));
	ssize_t r = env_read(n, buf, sizeof(buf), 0);

	for (ssize_t at = 0; at < r;) {
		struct nlmsghdr *h = (struct nlmsghdr *)(buf + at);

		addresses += h->nlmsg_type == RTM_NEWADDR;
		done += h->nlmsg_type == NLMSG_DONE;
		CHECK_EQ(h->nlmsg_seq, 1);
		REQUIRE(h->nlmsg_len >= sizeof(*h));
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	CHECK_EQ(addresses, 2);
	CHECK_EQ(done, 1);
	file_put(n);
	peer_teardown();
}
TEST(families_and_types)
{
	peer_setup();
	CHECK_EQ(PTR_ERR(socket_create(AF_PACKET, SOCK_RAW, 0)), -EAFNOSUPPORT);
	CHECK_EQ(PTR_ERR(socket_create(99, SOCK_STREAM, 0)), -EAFNOSUPPORT);
	CHECK_EQ(PTR_ERR(socket_create(AF_INET, 0, 0)), -ESOCKTNOSUPPORT);
	CHECK_EQ(PTR_ERR(socket_create(AF_INET, SOCK_STREAM, IPPROTO_UDP)), -EPROTONOSUPPORT);
	CHECK_EQ(PTR_ERR(socket_create(AF_INET, SOCK_RAW, 0)), -EPROTONOSUPPORT);
	CHECK_EQ(PTR_ERR(socket_create(AF_INET, SOCK_SEQPACKET, 0)), -ESOCKTNOSUPPORT);
	CHECK_EQ(socket_pair(AF_INET, SOCK_STREAM, 0, NULL), -EOPNOTSUPP);
	peer_teardown();
}
