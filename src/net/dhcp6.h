/* SPDX-License-Identifier: BSD-2-Clause */
/* DHCPv6 messages (RFC 8415, 3646), as pure functions. Lifetimes in seconds, ~0: for ever. */
#pragma once

#include "abi/net.h"
#include "net/addr.h"

#define DHCP6_CLIENT_PORT 546
#define DHCP6_SERVER_PORT 547
#define DHCP6_MAX_DNS	  4
#define DHCP6_MAX_PACKET  512
#define DHCP6_MAX_DUID	  130 /* 11.1: at most 128 bytes behind its type */

enum dhcp6_message {
	DHCP6_SOLICIT = 1,
	DHCP6_ADVERTISE = 2,
	DHCP6_REQUEST = 3,
	DHCP6_RENEW = 5,
	DHCP6_REBIND = 6,
	DHCP6_REPLY = 7,
	DHCP6_RELEASE = 8,
	DHCP6_DECLINE = 9,
	DHCP6_INFORMATION = 11,
};
enum dhcp6_status {
	DHCP6_OK,
	DHCP6_FAILED,
	DHCP6_NO_ADDRESSES,
	DHCP6_NO_BINDING,
	DHCP6_NOT_ON_LINK,
	DHCP6_USE_MULTICAST
};

struct dhcp6_answer {
	uint8_t type; /* DHCP6_ADVERTISE or DHCP6_REPLY */
	uint8_t preference;
	uint8_t server[DHCP6_MAX_DUID];
	unsigned server_len;
	uint16_t status, ia_status;
	bool has_ia;	     /* with our id */
	struct ip_addr addr; /* any: none that can be used */
	uint32_t preferred, valid, t1, t2;
	struct ip_addr dns[DHCP6_MAX_DNS];
	unsigned dns_count;
	char search[256];
	uint32_t refresh; /* 0: not said */
};

/*
 * Who asks: a DUID of the link-layer kind (11.4), the same on every boot and for all cards of the
 * machine (11), and an IAID for the card (12).
 */
struct dhcp6_id {
	uint8_t duid[10];
	uint8_t iaid[4];
};
struct dhcp6_id dhcp6_id(const uint8_t first_mac[6], const uint8_t mac[6]);
/* False: no sound answer to xid from a server that knows who it is talking to. */
bool dhcp6_parse(const void *data, size_t len, uint32_t xid, const struct dhcp6_id *id,
	struct dhcp6_answer *out);

struct dhcp6_request {
	uint8_t type;
	uint32_t xid; /* 24 bits */
	struct dhcp6_id id;
	uint16_t elapsed;      /* 1/100 s */
	const uint8_t *server; /* its DUID, or NULL */
	unsigned server_len;
	struct ip_addr addr; /* in the IA; any: none */
};
/* Into buf of DHCP6_MAX_PACKET bytes; the length. */
size_t dhcp6_build(uint8_t *buf, const struct dhcp6_request *r);
