/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What routers said of the MTU of paths (RFC 1191, 8201): one table for both families and all
 * protocols, by destination, for ten minutes; then a larger one is tried. Routes have it from here
 * (route_lookup). News make all routes that sockets keep be asked anew, so every connection to the
 * destination hears of it. Two destinations of one slot forget each other's.
 *
 * Guarded by net_state.path_lock; path_known and a slot's mtu are also looked at without, to take
 * no lock for destinations that nothing is known of. What was set before config_generation moved is
 * seen by whoever has read the new generation first, as route_lookup does.
 */

#include "net/path_mtu.h"
#include "net/route.h"
#include "net/state.h"
#include "diag/counter.h"
#include "sched/clock.h"

#define PATH_MTU_LIFE (600 * NSEC_PER_SEC) /* RFC 1191 6.3, 8201 5.3 */

COUNTER(path_mtu_news);

static struct path_mtu *slot_of(struct ip_addr dst)
{
	struct net_state *n = the_net();

	return &n->path[hash_siphash(&n->hash_key, &dst, sizeof(dst)) % PATH_MTUS];
}

void path_mtu_init(void)
{
	mutex_init(&the_net()->path_lock, "net_state.path_lock");
}

void path_mtu_apply(struct route_cache *r)
{
	struct net_state *n = the_net();
	struct path_mtu *p;

	if (likely(!load_relaxed(&n->path_known)))
		return;
	p = slot_of(r->dst);
	if (!load_relaxed(&p->mtu))
		return;
	mutex_lock(&n->path_lock);
	if (ip_equal(p->dst, r->dst) && clock_now() < p->until && p->mtu < r->mtu) {
		r->mtu = p->mtu;
		r->path_until = p->until;
		r->may_fragment = p->may_fragment;
	}
	mutex_unlock(&n->path_lock);
}

void path_mtu_set(struct ip_addr dst, uint32_t mtu)
{
	struct net_state *n = the_net();
	uint32_t least = path_mtu_least(dst);
	bool fragment = ip_is_v4(dst) && mtu < least, known, news = false;
	struct path_mtu *p = slot_of(dst);
	uint64_t now = clock_now();

	mtu = MAX(mtu, least);
	mutex_lock(&n->path_lock);
	known = ip_equal(p->dst, dst) && now < p->until;
	if (!known || mtu <= p->mtu) { /* RFC 8201 4: never larger while it is believed */
		news = !known || mtu < p->mtu || fragment > p->may_fragment;
		p->may_fragment = fragment || (known && p->may_fragment);
		p->dst = dst;
		p->until = now + PATH_MTU_LIFE;
		store_relaxed(&p->mtu, mtu);
	}
	mutex_unlock(&n->path_lock);
	if (!news)
		return;
	counter_inc(path_mtu_news);
	store_relaxed(&n->path_known, 1);
	atomic_add(&n->config_generation, 1);
}
