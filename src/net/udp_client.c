/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets of the kernel's own, for DHCP of both families. */

#include "net/inet.h"
#include "net/transport.h"
#include "net/udp_client.h"

int udp_client_create(int family, const struct netdev *dev, uint16_t port, struct socket **out)
{
	struct socket *s = udp_create(family);
	struct sockaddr_storage a;
	uint32_t len;
	int err;

	if (IS_ERR(s))
		return (int)PTR_ERR(s);
	s->bound_if = dev->index;
	s->reuseaddr = s->broadcast = true;
	inet_sk(s)->v6.v6only = family == AF_INET6;
	inet_put_addr(&a, &len, family, IP_ANY, port, 0);
	err = s->ops->bind(s, &a, len, NULL);
	if (err)
		socket_put(s);
	else
		*out = s;
	return err;
}

void udp_client_send(struct socket *s, const void *data, size_t n, struct ip_addr to, uint16_t port)
{
	struct iter it;
	struct socket_message m = { .data = &it, .flags = MSG_NOSIGNAL | MSG_DONTWAIT };

	iter_init_one(&it, (void *)(uintptr_t)data, n, false);
	inet_put_addr(&m.name, &m.name_len, s->family, to, port, s->bound_if);
	(void)s->ops->send(s, &m, NULL);
}

size_t udp_client_recv(struct socket *s, void *buf, size_t size, uint64_t deadline)
{
	for (;;) {
		uint64_t now = clock_now();
		struct iter it;
		struct socket_message m = { .data = &it };
		ssize_t n;

		if (now >= deadline)
			return 0;
		s->rcvtimeo = deadline - now;
		iter_init_one(&it, buf, size, false);
		n = s->ops->recv(s, &m);
		if (n > 0)
			return (size_t)n;
	}
}
