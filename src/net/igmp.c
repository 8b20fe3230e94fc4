/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Internet group management: a host's side of IGMPv3 (RFC 3376), every source wanted, and of v2
 * (RFC 2236) and v1 (RFC 1112) while such a querier is there. Reports of others are not listened
 * to: a switch that watches wants ours, too.
 */

#include "net/igmp.h"
#include "net/ip.h"
#include "net/netif.h"
#include "net/packet.h"
#include "net/route.h"
#include "net/rx.h"
#include "net/state.h"
#include "abi/errno.h"
#include "abi/net.h"
#include "abi/socket.h"
#include "lib/bug.h"
#include "lib/format.h"
#include "mem/heap.h"
#include "sched/clock.h"

#define OLD_QUERIER (260 * NSEC_PER_SEC) /* RFC 3376 8.12 with the default values */
#define TENTH	    (NSEC_PER_SEC / 10)

static const uint32_t all_systems = IP4(224, 0, 0, 1), all_routers = IP4(224, 0, 0, 2),
		      all_igmp3 = IP4(224, 0, 0, 22);

static struct igmp_link *link_of(const struct netdev *dev)
{
	struct igmp_state *s = the_net()->igmp;

	for (unsigned k = 0; k < IGMP_LINKS; k++)
		if (s->link[k].dev == dev)
			return &s->link[k];
	return NULL;
}

/* lock held */
static void arm(uint64_t at)
{
	struct igmp_state *s = the_net()->igmp;

	if (!at || (s->timer_at && s->timer_at <= at))
		return;
	s->timer_at = at;
	timer_arm(&s->timer, at);
}

/* ---- out ---- */

/* RFC 3376 6: nobody needs to be told of the group of all. */
static bool reported(struct ip_addr group)
{
	return ip_v4(group) != all_systems;
}

/* With the router alert option (RFC 2113), so that routers look at it. */
static void send(struct netdev *dev, struct packet *p, uint32_t dst)
{
	static const uint8_t alert[4] = { 0x94, 4 };
	struct route_cache link = { .dev = dev };
	struct ip_header *ip;
	uint16_t sum = csum_fold(csum_add(0, p->data, p->len));

	if (dev->features & NETDEV_LOOPBACK) {
		packet_free(p);
		return;
	}
	memcpy(p->data + 2, &sum, 2);
	memcpy(packet_push(p, sizeof(alert)), alert, sizeof(alert));
	ip = packet_push(p, sizeof(*ip));
	*ip = (struct ip_header){ .ver_ihl = 0x46,
		.tos = 0xc0,
		.total_len = be16((uint16_t)p->len),
		.frag = be16(IP_DF),
		.ttl = 1,
		.protocol = IPPROTO_IGMP,
		.src = net_addr4(dev),
		.dst = dst };
	ip->checksum = csum_fold(csum_add(0, ip, sizeof(*ip) + sizeof(alert)));
	ip_link_output(p, ip_map(dst), &link);
}

static void send_old(struct membership *m, const struct member *g)
{
	struct igmp_link *l = container_of(m, struct igmp_link, groups);
	bool leave = g->record == RECORD_TO_INCLUDE, v1 = clock_now() < l->v1_until;
	struct packet *p;
	uint32_t group = ip_v4(g->group);

	if (leave && v1) /* there is no word for it */
		return;
	p = packet_alloc(TX_HEADROOM, 8);
	if (!p)
		return;
	memset(packet_put(p, 8), 0, 8);
	p->data[0] = leave ? IGMP_LEAVE : v1 ? IGMP1_REPORT : IGMP2_REPORT;
	memcpy(p->data + 4, &group, 4);
	send(l->dev, p, leave ? all_routers : group);
}

static void send_report(struct membership *m, uint64_t now);
static const struct membership_ops ops = { reported, send_report, send_old };

static void send_report(struct membership *m, uint64_t now)
{
	struct packet *p = packet_alloc(TX_HEADROOM, 8 + 8 * MEMBER_GROUPS);
	uint8_t *o;

	if (!p)
		return;
	o = memset(p->data, 0, 8 + 8 * MEMBER_GROUPS);
	o[0] = IGMP3_REPORT;
	o += 8;
	for (unsigned k = 0; k < MEMBER_GROUPS; k++) {
		uint32_t group = ip_v4(m->group[k].group);

		o[0] = member_record(m, &ops, k, now);
		if (!o[0])
			continue;
		memcpy(o + 4, &group, 4);
		o += 8;
	}
	put_be16(p->data + 6, (uint16_t)((o - p->data) / 8 - 1));
	packet_put(p, (size_t)(o - p->data));
	send(container_of(m, struct igmp_link, groups)->dev, p, all_igmp3);
}

static void timer_fired(struct timer *t)
{
	struct igmp_state *s = the_net()->igmp;

	mutex_lock(&s->lock);
	s->timer_at = 0;
	for (unsigned k = 0; k < IGMP_LINKS; k++)
		if (s->link[k].dev)
			arm(member_run(&s->link[k].groups, &ops, clock_now()));
	mutex_unlock(&s->lock);
}

/* ---- sockets ---- */

int igmp_change(struct netdev *dev, struct ip_addr group, bool join)
{
	struct igmp_state *s = the_net()->igmp;
	struct igmp_link *l;
	int tell = 0;

	if (!dev)
		return 0;
	mutex_lock(&s->lock);
	l = link_of(dev);
	if (!l && join) {
		l = link_of(NULL);
		if (l)
			l->dev = dev;
		else
			tell = -ENOBUFS;
	}
	if (l)
		tell = member_change(&l->groups, group, join);
	if (tell > 0)
		arm(clock_now());
	mutex_unlock(&s->lock);
	return MIN(tell, 0);
}

bool igmp_is_member(int ifindex, struct ip_addr group)
{
	struct igmp_state *s = the_net()->igmp;
	struct igmp_link *l;
	struct member *g = NULL;
	bool is;

	if (ip_v4(group) == all_systems)
		return true;
	mutex_lock(&s->lock);
	l = link_of(netdev_by_index(ifindex));
	if (l && l->dev)
		g = member_find(&l->groups, group);
	is = g && g->refs;
	mutex_unlock(&s->lock);
	return is;
}

/* ---- in ---- */

/* What a querier's message says; lock held. */
static void asked(struct igmp_link *l, const uint8_t *q, size_t n)
{
	uint64_t now = clock_now(), wait, at;
	uint32_t group, code = q[1];

	memcpy(&group, q + 4, 4);
	if (n == 8) {
		l->groups.old_until = now + OLD_QUERIER;
		if (!code)
			l->v1_until = now + OLD_QUERIER;
		wait = (code ? code : 100) * TENTH;
	} else {
		wait = member_wait(code, 8) * TENTH;
	}
	at = now + net_random() % (wait + 1);
	if (member_asked(&l->groups, ip_map_any(group), at))
		arm(at);
}

static bool is_query(struct packet *p)
{
	const struct pkt_cb *cb = pkt_cb(p);
	size_t n = pkt_total(p);

	return (n == 8 || n >= 12) && cb->ttl == 1 && pkt_pull_up(p, 8) &&
	       csum_fold(csum_packet(0, p)) == 0 && p->data[0] == IGMP_QUERY &&
	       (memcmp(p->data + 4, "\0\0\0", 4) || ip_v4(cb->dst) == all_systems);
}

void igmp_input(struct rx *rx, struct packet *p)
{
	struct igmp_state *s = the_net()->igmp;

	if (is_query(p)) {
		mutex_lock(&s->lock);
		struct igmp_link *l = link_of(rx->dev);

		if (l)
			asked(l, p->data, pkt_total(p));
		mutex_unlock(&s->lock);
	}
	packet_free(p);
}

/* ---- /proc/net/igmp ---- */

static unsigned count_of(const struct igmp_link *l)
{
	unsigned n = 1;

	for (unsigned k = 0; l && k < MEMBER_GROUPS; k++)
		n += l->groups.group[k].refs != 0;
	return n;
}

static void show_group(struct net_text *t, uint32_t group, unsigned refs, uint64_t at, uint64_t now)
{
	char line[80];

	format(line, sizeof(line), "\t\t\t\t%08X %5u %u:%08lX\t\t0\n", group, refs, at > now,
		at > now ? (at - now) / (NSEC_PER_SEC / 100) : 0ul);
	t->print(t, line);
}

void net_show_igmp(struct net_text *t)
{
	struct igmp_state *s = the_net()->igmp;
	uint64_t now = clock_now();
	char line[80];

	t->print(t, "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n");
	mutex_lock(&s->lock);
	for (struct netdev *d = netdev_first(); d; d = d->next) {
		const struct igmp_link *l = link_of(d);
		bool old = l && now < l->groups.old_until;

		format(line, sizeof(line), "%d\t%-10s: %5u      V%d\n", d->index, d->name,
			count_of(l), old ? now < l->v1_until ? 1 : 2 : 3);
		t->print(t, line);
		for (unsigned k = 0; l && k < MEMBER_GROUPS; k++)
			if (l->groups.group[k].refs)
				show_group(t, ip_v4(l->groups.group[k].group),
					l->groups.group[k].refs, l->groups.group[k].at, now);
		show_group(t, all_systems, 1, 0, now);
	}
	mutex_unlock(&s->lock);
}

void igmp_init(void)
{
	struct igmp_state *s = heap_alloc_zeroed(sizeof(*s));

	BUG_ON(!s);
	the_net()->igmp = s;
	mutex_init(&s->lock, "igmp_state.lock");
	timer_init(&s->timer, timer_fired, NULL);
}
