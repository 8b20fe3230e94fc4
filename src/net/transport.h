/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to net/: the protocols above IP, as IP and the making of sockets see them. */
#pragma once

#include "lib/types.h"

struct ip_quote;
struct packet;
struct rx;
struct socket;

void tcp_init(void);
struct socket *tcp_create(int family);
void tcp_input(struct rx *rx, struct packet *p); /* data at the TCP header */
void tcp_icmp_error(const struct ip_quote *q, int err, bool hard, uint32_t mtu);
/* Connections to others that were closed but not acknowledged to the end yet. */
unsigned tcp_closing_count(void);

void udp_init(void);
struct socket *udp_create(int family);
void udp_input(struct rx *rx, struct packet *p); /* data at the UDP header */
void udp_icmp_error(const struct ip_quote *q, int err, bool hard, uint32_t mtu);

void raw_init(void);
struct socket *raw_create(int family, int protocol);
bool raw_input(struct rx *rx, struct packet *p); /* copies for raw sockets; true if there was one */

void ping_init(void);
struct socket *ping_create(int family);
/* An echo reply, its data at the ICMP header, for who asked; ownership passes. */
void ping_input(struct rx *rx, struct packet *p);
void ping_icmp_error(const struct ip_quote *q, int err, bool hard, uint32_t mtu);
