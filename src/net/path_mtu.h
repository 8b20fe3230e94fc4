/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to net/: what routers said of the MTU of paths (RFC 1191, 8201). */
#pragma once

#include "abi/net.h"
#include "net/addr.h"

struct route_cache;

#define PATH_MTUS 64
struct path_mtu {
	struct ip_addr dst;
	uint32_t mtu; /* 0: an empty slot */
	bool may_fragment;
	uint64_t until;
};

void path_mtu_init(void);
/* A router says so, about a packet of ours. */
void path_mtu_set(struct ip_addr dst, uint32_t mtu);
/* No less is believed; what is no longer is not sent in other ways for what routers say. IPv4:
 * below it, routers may fragment. */
static inline uint32_t path_mtu_least(struct ip_addr dst)
{
	return ip_is_v4(dst) ? 552 : IP6_MIN_MTU;
}
void path_mtu_apply(struct route_cache *r); /* r->mtu: the link's, out: the path's */
