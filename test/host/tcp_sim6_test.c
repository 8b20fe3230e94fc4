/* SPDX-License-Identifier: BSD-2-Clause */
/* tcp_sim_test once more, over IPv6: the same transfers over the same bad links. */
/* sources: $(HOST_NET) */
/* flags: -D_GNU_SOURCE */
#include "net_env.h"
#include "net/ip6.h"

static struct ip_addr end_of(uint32_t v4)
{
	return (struct ip_addr){ .b = { 0x20, 0x01, 0x0d, 0xb8, [15] = (uint8_t)(v4 >> 24) } };
}
/* An address that neighbours may ask for: on such links they forget it (RFC 4861 7.3.3). */
static void add6(struct netdev *dev, uint32_t v4, unsigned prefix)
{
	nd_start(dev, false);
	CHECK_EQ(nd_add_address(dev, end_of(v4), 64, ND_STATIC, ND_FOREVER, ND_FOREVER), 0);
}
static int dial6(struct file *f, uint32_t v4, uint16_t port)
{
	struct sockaddr_storage s;
	uint32_t len;

	inet_put_addr(&s, &len, AF_INET6, end_of(v4), port, 0);
	return socket_connect(f, &s, len, NULL);
}
static int bind6(struct file *f, uint32_t any, uint16_t port)
{
	struct sockaddr_storage s;
	uint32_t len;

	inet_put_addr(&s, &len, AF_INET6, IP_ANY, port, 0);
	return socket_bind(f, &s, len, NULL);
}
/* Then both have tested their addresses, and the link is as bad as it will be only after that. */
static void link_up(struct env_link *l, struct env_stack *a, struct env_stack *b)
{
	env_connect(l, a, b);
	env_run(3 * NSEC_PER_SEC);
}

#define AF_INET4 AF_INET
#undef AF_INET
#define AF_INET				     AF_INET6
#define NETDEV_TSO4			     NETDEV_TSO6
#define LEAST_MTU			     IP6_MIN_MTU
#define env_dial			     dial6
#define env_bind			     bind6
#define netif_add_address(dev, addr, prefix) add6(dev, addr, prefix)
#define env_connect			     link_up
#include "tcp_sim_test.c"
