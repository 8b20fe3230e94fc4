/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to net/: how the machine gets its addresses and names. */
#pragma once

#include "net/addr.h"

struct netdev;

void net_config_device(struct netdev *dev);
void net_set_configured(void);
void net_ip6_ready(void); /* an address that others reach has passed its test */
void net_publish_names(const uint32_t *dns, unsigned count, const char *domain, const char *search);
void net_publish_ntp(const uint32_t *servers, unsigned count);
enum names_source { NAMES_ROUTER, NAMES_DHCP6, NAMES_SOURCES };
/* ifindex: of link-local servers. */
void net_publish_names6(enum names_source from, const struct ip_addr *dns, unsigned count,
	const char *search, int ifindex);

/* dhcp.c */
void dhcp_start(struct netdev *dev);
void dhcp_stop(void);
void dhcp_arp(const struct netdev *dev, uint32_t addr); /* another host speaks as addr */

/* dhcp6.c */
void dhcp6_start(struct netdev *dev, bool stateful); /* or for other configuration only */
void dhcp6_stop(void);
