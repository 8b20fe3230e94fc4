/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to net/: how the machine gets its addresses and names. */
#pragma once

#include "net/addr.h"

struct netdev;

void net_config_device(struct netdev *dev);
void net_set_configured(void);
void net_ip6_ready(void); /* an address that others reach has passed its test */

/* Of routers: from card to card, and from a card's fixed one to those of its lease. */
#define CARD_METRIC 200
#define DHCP_METRIC 100 /* less than CARD_METRIC */

/* Where names are heard of, in the order in which those of one card stand. */
enum names_source { NAMES_DHCP, NAMES_ROUTER, NAMES_DHCP6 };
struct net_names {
	struct ip_addr dns[4], ntp[4];
	unsigned dns_count, ntp_count;
	char search[256]; /* with blanks between */
};
/* In place of what this source said on dev before. NULL: it says nothing any more. */
void net_publish_names(
	const struct netdev *dev, enum names_source from, const struct net_names *names);

/* dhcp.c */
void dhcp_start(struct netdev *dev, unsigned card);	/* card: how many come before it; at boot */
void dhcp_stop(void);					/* on all cards */
void dhcp_arp(const struct netdev *dev, uint32_t addr); /* another host speaks as addr */

/* dhcp6.c; any thread */
void dhcp6_start(struct netdev *dev, bool stateful); /* or for other configuration only */
void dhcp6_stop(void);				     /* on all cards */
