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

#define OLD_QUERIER (260 * NSEC_PER_SEC) /* RFC 3810 9.12 with the default values */

static const struct ip_addr all_nodes = { .b = { 0xff, 2, [15] = 1 } },
			    all_routers = { .b = { 0xff, 2, [15] = 2 } },
			    all_mld2 = { .b = { 0xff, 2, [15] = 0x16 } };

/* RFC 3810 6: the group of all nodes and what never leaves the machine are not reported. */
static bool reported(struct ip_addr group)
{
	return !ip_equal(group, all_nodes) && (group.b[1] & 15) > 1;
}

static struct nd_link *link_of(struct membership *m)
{
	return container_of(m, struct nd_link, groups);
}

static struct ip_addr source(struct nd_link *l)
{
	struct ip_addr a = ip6_source(l->dev, all_routers);

	return ip_is_link_local(a) ? a : IP_ANY; /* RFC 3590: before there is one, any */
}

static void send_old(struct membership *m, const struct member *g)
{
	bool leave = g->record == RECORD_TO_INCLUDE;
	struct packet *p = packet_alloc(TX_HEADROOM, 24);
	struct nd_link *l = link_of(m);

	if (!p)
		return;
	memset(packet_put(p, 24), 0, 24);
	p->data[0] = leave ? ICMP6_MLD_DONE : ICMP6_MLD_REPORT;
	memcpy(p->data + 8, g->group.b, 16);
	icmp6_send_on_link(l->dev, p, source(l), leave ? all_routers : g->group, NULL, 1, true);
}

static void send_report(struct membership *m, uint64_t now);
static const struct membership_ops ops = { reported, send_report, send_old };

static void send_report(struct membership *m, uint64_t now)
{
	struct packet *p = packet_alloc(TX_HEADROOM, 8 + 20 * MEMBER_GROUPS);
	struct nd_link *l = link_of(m);
	uint8_t *o;

	if (!p)
		return;
	o = memset(p->data, 0, 8 + 20 * MEMBER_GROUPS);
	o[0] = ICMP6_MLD2_REPORT;
	o += 8;
	for (unsigned k = 0; k < MEMBER_GROUPS; k++) {
		o[0] = member_record(m, &ops, k, now);
		if (!o[0])
			continue;
		memcpy(o + 4, m->group[k].group.b, 16);
		o += 20;
	}
	put_be16(p->data + 6, (uint16_t)((o - p->data) / 20));
	packet_put(p, (size_t)(o - p->data));
	icmp6_send_on_link(l->dev, p, source(l), all_mld2, NULL, 1, true);
}

uint64_t mld_run(struct nd_link *l, uint64_t now)
{
	return member_run(&l->groups, &ops, now);
}

int mld_join(struct nd_link *l, struct ip_addr group, bool join)
{
	int tell = member_change(&l->groups, group, join);

	if (tell > 0)
		nd_timer_arm(clock_now());
	return MIN(tell, 0);
}

int mld_change(struct netdev *dev, struct ip_addr group, bool join)
{
	struct nd_state *nd = the_net()->nd;
	struct nd_link *l = nd_link_of(dev);
	int err;

	if (!l)
		return 0;
	mutex_lock(&nd->lock);
	err = mld_join(l, group, join);
	mutex_unlock(&nd->lock);
	return err;
}

bool mld_is_member(const struct netdev *dev, struct ip_addr group)
{
	struct nd_state *nd = the_net()->nd;
	struct nd_link *l = nd_link_of(dev);

	if (!l || ip_equal(group, all_nodes))
		return l != NULL;
	mutex_lock(&nd->lock);
	struct member *g = member_find(&l->groups, group);
	bool member = g && g->refs;

	mutex_unlock(&nd->lock);
	return member;
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
	uint32_t code = get_be16(p->data + 4);
	uint64_t wait = (old ? code : member_wait(code, 16)) * NSEC_PER_MSEC, now = clock_now(),
		 at = now + net_random() % (wait + 1);

	mutex_lock(&nd->lock);
	if (old)
		l->groups.old_until = now + OLD_QUERIER;
	if (member_asked(&l->groups, group, at))
		nd_timer_arm(at);
	mutex_unlock(&nd->lock);
out:
	packet_free(p);
}
