/* SPDX-License-Identifier: BSD-2-Clause */
/* tcp_sim_test once more, over IPv6: the same transfers over the same bad links. */
/* sources: $(HOST_NET) */
/* flags: -D_GNU_SOURCE */
#include "net_env.h"

static void add6(struct netdev *dev, uint32_t v4, unsigned prefix)
{
	struct ip_addr a = { .b = { 0x20, 0x01, 0x0d, 0xb8, [15] = (uint8_t)(v4 >> 24) } };

	netif_add(&(struct net_addr){ .dev = dev, .addr = a, .prefix = 64 });
}
static int dial6(struct file *f, uint32_t v4, uint16_t port)
{
	struct ip_addr a = { .b = { 0x20, 0x01, 0x0d, 0xb8, [15] = (uint8_t)(v4 >> 24) } };
	struct sockaddr_storage s;
	uint32_t len;

	inet_put_addr(&s, &len, AF_INET6, a, port, 0);
	return socket_connect(f, &s, len, NULL);
}
static int bind6(struct file *f, uint32_t any, uint16_t port)
{
	struct sockaddr_storage s;
	uint32_t len;

	inet_put_addr(&s, &len, AF_INET6, IP_ANY, port, 0);
	return socket_bind(f, &s, len, NULL);
}
/* Links without anything that tells an address: each end knows the other. */
static void meet(struct netdev *dev)
{
	struct ip_addr a = { .b = { 0x20, 0x01, 0x0d, 0xb8, [15] = (uint8_t)(3 - dev->mac[5]) } };
	uint8_t mac[6] = { 2, 0, 0, 0, 0, (uint8_t)(3 - dev->mac[5]) };

	neigh_update(dev, a, mac, NEIGH_CREATE | NEIGH_SOLICITED);
}

#define AF_INET4 AF_INET
#undef AF_INET
#define AF_INET				     AF_INET6
#define NETDEV_TSO4			     NETDEV_TSO6
#define LEAST_MTU			     IP6_MIN_MTU
#define env_dial			     dial6
#define env_bind			     bind6
#define netif_add_address(dev, addr, prefix) (add6(dev, addr, prefix), meet(dev))
#include "tcp_sim_test.c"
