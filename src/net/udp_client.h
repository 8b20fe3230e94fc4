/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to net/: the kernel as a client of servers over UDP. One thread receives on each. */
#pragma once

#include "net/addr.h"

struct netdev;
struct socket;

/* Bound to dev, and to port on any address; may broadcast. 0 or -errno. */
int udp_client_create(int family, const struct netdev *dev, uint16_t port, struct socket **out);
/* What cannot be sent is lost, like what the net loses. */
void udp_client_send(
	struct socket *s, const void *data, size_t n, struct ip_addr to, uint16_t port);
/* Sleeps for the next datagram: its length as far as buf goes, 0: none came until the deadline. */
size_t udp_client_recv(struct socket *s, void *buf, size_t size, uint64_t deadline);
