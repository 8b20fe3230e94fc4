/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Multicast listener discovery: which groups the machine listens to is reported, so that routers
 * and switches pass them on. MLDv2 (RFC 3810), every source wanted; MLDv1 (RFC 2710) while a
 * querier of that version is there. Reports are sent twice, a second apart.
 */

#include "net/ip6.h"
#include "net/packet.h"
#include "net/rx.h"
#include "net/state.h"
#include "abi/net.h"
#include "sched/clock.h"

#define REPORTS		2
#define REPORT_INTERVAL NSEC_PER_SEC
#define OLD_QUERIER	(260 * NSEC_PER_SEC) /* RFC 3810 9.12 with the default values */

enum { MODE_IS_EXCLUDE = 2, TO_INCLUDE = 3, TO_EXCLUDE = 4 };

static const struct ip_addr all_nodes = { .b = { 0xff, 2, [15] = 1 } },
			    all_routers = { .b = { 0xff, 2, [15] = 2 } },
			    all_mld2 = { .b = { 0xff, 2, [15] = 0x16 } };

/* RFC 3810 6: the group of all nodes and what never leaves the machine are not reported. */
static bool reported(struct ip_addr group)
{
	return !ip_equal(group, all_nodes) && (group.b[1] & 15) > 1;
}

static struct mld_group *find(struct nd_link *l, struct ip_addr group)
{
	for (unsigned i = 0; i < MLD_GROUPS; i++)
		if (ip_equal(l->group[i].group, group))
			return &l->group[i];
	return NULL;
}

static struct ip_addr source(struct nd_link *l)
{
	struct ip_addr a = ip6_source(l->dev, all_routers);

	return ip_is_link_local(a) ? a : IP_ANY; /* RFC 3590: before there is one, any */
}

static void send_old(struct nd_link *l, const struct mld_group *g)
{
	bool leave = g->record == TO_INCLUDE;
	struct packet *p = packet_alloc(TX_HEADROOM, 24);

	if (!p)
		return;
	memset(packet_put(p, 24), 0, 24);
	p->data[0] = leave ? ICMP6_MLD_DONE : ICMP6_MLD_REPORT;
	memcpy(p->data + 8, g->group.b, 16);
	icmp6_send_on_link(l->dev, p, source(l), leave ? all_routers : g->group, NULL, 1, true);
}

static uint8_t *put_record(uint8_t *o, uint8_t kind, struct ip_addr group)
{
	memset(o, 0, 4);
	o[0] = kind;
	memcpy(o + 4, group.b, 16);
	return o + 20;
}

/* The groups that are due (or all) in one report. */
static void send_report(struct nd_link *l, uint64_t now, bool all)
{
	struct packet *p = packet_alloc(TX_HEADROOM, 8 + 20 * MLD_GROUPS);
	unsigned n = 0;

	if (!p)
		return;
	uint8_t *o = p->data + 8;

	memset(p->data, 0, 8);
	for (unsigned i = 0; i < MLD_GROUPS; i++) {
		const struct mld_group *g = &l->group[i];

		if (ip_is_any(g->group) || !reported(g->group))
			continue;
		if ((all && g->refs) || (g->at && now >= g->at)) {
			o = put_record(
				o, g->at && now >= g->at ? g->record : MODE_IS_EXCLUDE, g->group);
			n++;
		}
	}
	p->data[0] = ICMP6_MLD2_REPORT;
	put_be16(p->data + 6, (uint16_t)n);
	packet_put(p, 8 + 20 * n);
	if (n)
		icmp6_send_on_link(l->dev, p, source(l), all_mld2, NULL, 1, true);
	else
		packet_free(p);
}

uint64_t mld_run(struct nd_link *l, uint64_t now)
{
	bool old = now < l->mld_old_until, all = l->query_at && now >= l->query_at, due = all;
	uint64_t next = 0;

	for (unsigned i = 0; i < MLD_GROUPS; i++)
		due |= l->group[i].at && now >= l->group[i].at;
	if (due && !old)
		send_report(l, now, all);
	if (all)
		l->query_at = 0;
	for (unsigned i = 0; i < MLD_GROUPS; i++) {
		struct mld_group *g = &l->group[i];
		bool mine = g->at && now >= g->at;

		if (ip_is_any(g->group))
			continue;
		if (old && reported(g->group) && (mine || (all && g->refs)))
			send_old(l, g);
		if (mine)
			g->at = --g->left ? now + REPORT_INTERVAL : 0;
		if (!g->at && !g->refs)
			*g = (struct mld_group){ 0 };
		else if (g->at && (!next || g->at < next))
			next = g->at;
	}
	if (l->query_at && (!next || l->query_at < next))
		next = l->query_at;
	return next;
}

void mld_join(struct nd_link *l, struct ip_addr group, bool join)
{
	struct mld_group *g = find(l, group);

	if (!g && join)
		g = find(l, IP_ANY);
	if (!g) /* full: it is not reported, and not heard */
		return;
	g->group = group;
	if (join ? g->refs++ : --g->refs)
		return;
	g->record = join ? TO_EXCLUDE : TO_INCLUDE;
	g->left = REPORTS;
	g->at = clock_now();
	nd_timer_arm(g->at);
}

void mld_change(struct netdev *dev, struct ip_addr group, bool join)
{
	struct nd_state *nd = the_net()->nd;
	struct nd_link *l = nd_link_of(dev);

	if (!l)
		return;
	mutex_lock(&nd->lock);
	struct mld_group *g = find(l, group);

	if (join || (g && g->refs))
		mld_join(l, group, join);
	mutex_unlock(&nd->lock);
}

bool mld_is_member(const struct netdev *dev, struct ip_addr group)
{
	struct nd_state *nd = the_net()->nd;
	struct nd_link *l = nd_link_of(dev);

	if (!l || ip_equal(group, all_nodes))
		return l != NULL;
	mutex_lock(&nd->lock);
	struct mld_group *g = find(l, group);
	bool member = g && g->refs;

	mutex_unlock(&nd->lock);
	return member;
}

/* RFC 3810 5.1.3: a wait in ms, the larger ones as a floating-point number. */
static uint32_t wait_of(uint16_t code)
{
	return code < 32768 ? code : ((code & 0xfffu) | 0x1000u) << ((code >> 12 & 7) + 3);
}

void mld_input(struct rx *rx, struct packet *p)
{
	struct nd_state *nd = the_net()->nd;
	struct nd_link *l = nd_link_of(rx->dev);
	const struct pkt_cb *cb = pkt_cb(p);
	size_t total = pkt_total(p);

	if (!l || !ip_is_link_local(cb->src) || cb->ttl != 1 || total < 24 || !pkt_pull_up(p, 24) ||
		(total > 24 && total < 28))
		goto out;
	struct ip_addr group = ip_from_bytes(p->data + 8);
	bool old = total == 24;
	uint64_t wait = (old ? get_be16(p->data + 4) : wait_of(get_be16(p->data + 4))) *
			NSEC_PER_MSEC,
		 now = clock_now(), at = now + net_random() % (wait + 1);

	mutex_lock(&nd->lock);
	if (old)
		l->mld_old_until = now + OLD_QUERIER;
	struct mld_group *g = ip_is_any(group) ? NULL : find(l, group);

	if (ip_is_any(group)) {
		if (!l->query_at || at < l->query_at)
			l->query_at = at;
	} else if (g && g->refs && (!g->at || at < g->at)) {
		g->record = MODE_IS_EXCLUDE;
		g->left = MAX(g->left, 1u);
		g->at = at;
	} else {
		at = ND_FOREVER;
	}
	nd_timer_arm(at);
	mutex_unlock(&nd->lock);
out:
	packet_free(p);
}
