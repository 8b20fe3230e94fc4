/* SPDX-License-Identifier: BSD-2-Clause */
/* DHCP messages (RFC 2131, 2132, 3442), as pure functions. Addresses in network order. */
#pragma once

#include "abi/net.h"
#include "lib/types.h"

#define DHCP_MAX_ROUTES 16
#define DHCP_MAX_DNS	4
#define DHCP_MAX_NTP	4
#define DHCP_MAX_PACKET 576

struct dhcp_route {
	uint32_t dst, gateway;
	uint8_t prefix;
};

struct dhcp_lease {
	uint8_t type; /* enum dhcp_message */
	uint32_t addr, mask, server, router;
	unsigned prefix;
	uint32_t dns[DHCP_MAX_DNS];
	unsigned dns_count;
	uint32_t ntp[DHCP_MAX_NTP];
	unsigned ntp_count;
	uint32_t broadcast;			   /* 0: not said */
	struct dhcp_route routes[DHCP_MAX_ROUTES]; /* option 121: then 'router' does not count */
	unsigned route_count;
	bool has_routes;
	uint32_t lease, t1, t2; /* seconds; UINT32_MAX: for ever */
	uint16_t mtu;		/* 0: not said */
	char hostname[64], domain[128], search[256];
};

/* False: no sound answer to xid and mac. Text fields are cleaned of what cannot stand in a file. */
bool dhcp_parse(
	const void *data, size_t len, uint32_t xid, const uint8_t mac[6], struct dhcp_lease *out);

struct dhcp_request {
	uint8_t type;
	uint32_t xid;
	uint16_t secs;
	uint8_t mac[6];
	uint32_t ciaddr;	    /* renewing: our address */
	uint32_t requested, server; /* options 50 and 54, 0: left out */
	const char *hostname;	    /* or NULL */
};
/* Into buf of DHCP_MAX_PACKET bytes; the length. */
size_t dhcp_build(uint8_t *buf, const struct dhcp_request *r);

/*
 * DNS names in wire form, possibly compressed within these bytes (RFC 3397), as a list with blanks
 * between. size includes the end.
 */
void dns_names(char *out, size_t size, const uint8_t *p, size_t n);
const char *net_parse_ipv4(const char *s, uint32_t *addr); /* the end, or NULL */
