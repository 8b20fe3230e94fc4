/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to net/: ICMP, and errors of either family about packets of ours. */
#pragma once

#include "net/addr.h"

struct packet;
struct rx;

/* What an unreachable code means to a socket, and whether it is final. */
struct icmp_meaning {
	uint8_t err;
	bool fatal;
};

void icmp_input(struct rx *rx, struct packet *p);
/* p: the packet complained about, not consumed. */
void icmp_send_error(struct packet *p, uint8_t type, uint8_t code, uint32_t info);
/* A packet of ours that an ICMP error is about, as far as it is quoted. */
struct ip_quote {
	struct ip_addr src, dst;
	uint8_t protocol;
	const uint8_t *l4;
	size_t len;		 /* from l4; at least 8 */
	struct ip_addr offender; /* who says so, and what: for error queues */
	uint8_t type, code;
};
bool ip_quote(const uint8_t *header, size_t len, struct ip_quote *q); /* either family */
/* Tells the socket that sent it. */
void ip_quote_error(const struct ip_quote *q, int err, bool hard, uint32_t mtu);
bool icmp_rate_ok(void);
/* The message about p, with as much of it as max allows, but for its checksum; NULL: no memory. */
struct packet *icmp_make_error(
	const struct packet *p, uint8_t type, uint8_t code, uint32_t info, size_t max);
/* The answer to an echo request, which is freed, but for its checksum; NULL: no memory. */
struct packet *icmp_make_echo_reply(struct packet *p, uint8_t type);
/* Either family's: nobody listens; a part of it has not come in time. */
void icmp_send_port_unreachable(struct packet *p);
void icmp_send_timeout(struct packet *p);
