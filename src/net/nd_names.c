/* SPDX-License-Identifier: BSD-2-Clause */
/* Name servers and search lists that routers tell (RFC 8106), with their lifetimes. */

#include "net/config.h"
#include "net/dhcp.h"
#include "net/ip6.h"
#include "net/state.h"
#include "sched/clock.h"

bool nd_servers_option(struct nd_link *l, const uint8_t *o)
{
	uint64_t until = nd_seconds(get_be32(o + 4));
	bool changed = false;

	for (unsigned at = 8; at + 16 <= o[1] * 8u; at += 16) {
		struct ip_addr a = ip_from_bytes(o + at);
		unsigned k = 0, spare = ND_SERVERS;

		for (; k < ND_SERVERS; k++) {
			if (l->server[k].until && ip_equal(l->server[k].addr, a))
				break;
			if (!l->server[k].until && spare == ND_SERVERS)
				spare = k;
		}
		if (k == ND_SERVERS) {
			if (spare == ND_SERVERS || until <= clock_now() || ip_is_any(a) ||
				ip_is_multicast(a))
				continue;
			k = spare;
			l->server[k].addr = a;
			changed = true;
		}
		if (until <= clock_now()) {
			l->server[k].until = 0;
			changed = true;
		} else {
			l->server[k].until = until;
		}
	}
	return changed;
}

bool nd_search_option(struct nd_link *l, const uint8_t *o)
{
	char text[sizeof(l->search)];
	uint64_t until = nd_seconds(get_be32(o + 4));

	dns_names(text, sizeof(text), o + 8, o[1] * 8u - 8);
	if (until <= clock_now())
		text[0] = 0;
	l->search_until = text[0] ? until : 0;
	if (strcmp(text, l->search) == 0)
		return false;
	memcpy(l->search, text, sizeof(text));
	return true;
}

/* Tells what is known now. The lock is not held. */
void nd_publish_servers(struct nd_link *l)
{
	struct net_names names = { 0 };

	_Static_assert(
		ND_SERVERS <= ARRAY_SIZE(names.dns) && sizeof(l->search) <= sizeof(names.search),
		"all of them");
	mutex_lock(&the_net()->nd->lock);
	for (unsigned k = 0; k < ND_SERVERS; k++)
		if (l->server[k].until)
			names.dns[names.dns_count++] = l->server[k].addr;
	memcpy(names.search, l->search, sizeof(l->search));
	const struct netdev *dev = l->dev;

	mutex_unlock(&the_net()->nd->lock);
	net_publish_names(dev, NAMES_ROUTER, &names);
}

bool nd_run_servers(struct nd_link *l, uint64_t now, uint64_t *next)
{
	bool changed = false;

	for (unsigned k = 0; k < ND_SERVERS; k++) {
		if (!l->server[k].until)
			continue;
		if (now >= l->server[k].until) {
			l->server[k].until = 0;
			changed = true;
		} else {
			*next = MIN(*next, l->server[k].until);
		}
	}
	if (l->search_until && now >= l->search_until) {
		l->search[0] = 0;
		l->search_until = 0;
		changed = true;
	} else if (l->search_until) {
		*next = MIN(*next, l->search_until);
	}
	return changed;
}
