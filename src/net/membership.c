/* SPDX-License-Identifier: BSD-2-Clause */
/* The groups of a link and their reports: see the header. */

#include "net/membership.h"
#include "abi/errno.h"
#include "lib/string.h"
#include "sched/clock.h"

#define REPORTS		2 /* the robustness variable's default */
#define REPORT_INTERVAL NSEC_PER_SEC

struct member *member_find(struct membership *m, struct ip_addr group)
{
	for (unsigned k = 0; k < MEMBER_GROUPS; k++)
		if (ip_equal(m->group[k].group, group))
			return &m->group[k];
	return NULL;
}

int member_change(struct membership *m, struct ip_addr group, bool join)
{
	struct member *g = member_find(m, group);

	if (!join && (!g || !g->refs))
		return 0;
	if (!g)
		g = member_find(m, IP_ANY);
	if (!g)
		return -ENOBUFS;
	g->group = group;
	if (join ? g->refs++ : --g->refs)
		return 0;
	g->record = join ? RECORD_TO_EXCLUDE : RECORD_TO_INCLUDE;
	g->left = REPORTS;
	g->at = clock_now();
	return 1;
}

bool member_asked(struct membership *m, struct ip_addr group, uint64_t at)
{
	struct member *g;

	if (ip_is_any(group)) {
		if (!m->query_at || at < m->query_at)
			m->query_at = at;
		return true;
	}
	g = member_find(m, group);
	if (!g || !g->refs || (g->at && g->at <= at))
		return false;
	g->record = RECORD_IS_EXCLUDE;
	g->left = MAX(g->left, 1u);
	g->at = at;
	return true;
}

static bool all_due(const struct membership *m, uint64_t now)
{
	return m->query_at && now >= m->query_at;
}

static bool is_due(const struct member *g, uint64_t now)
{
	return g->at && now >= g->at;
}

uint8_t member_record(
	const struct membership *m, const struct membership_ops *ops, unsigned k, uint64_t now)
{
	const struct member *g = &m->group[k];

	if (ip_is_any(g->group) || !ops->reported(g->group))
		return RECORD_NONE;
	if (is_due(g, now))
		return g->record;
	return all_due(m, now) && g->refs ? RECORD_IS_EXCLUDE : RECORD_NONE;
}

static void report(struct membership *m, const struct membership_ops *ops, uint64_t now)
{
	bool old = now < m->old_until, any = false;

	for (unsigned k = 0; k < MEMBER_GROUPS; k++)
		if (member_record(m, ops, k, now)) {
			any = true;
			if (old)
				ops->report_old(m, &m->group[k]);
		}
	if (any && !old)
		ops->report(m, now);
}

uint64_t member_run(struct membership *m, const struct membership_ops *ops, uint64_t now)
{
	uint64_t next = 0;

	report(m, ops, now);
	if (all_due(m, now))
		m->query_at = 0;
	for (unsigned k = 0; k < MEMBER_GROUPS; k++) {
		struct member *g = &m->group[k];

		if (ip_is_any(g->group))
			continue;
		if (is_due(g, now))
			g->at = --g->left ? now + REPORT_INTERVAL : 0;
		if (!g->at && !g->refs)
			*g = (struct member){ 0 };
		else if (g->at && (!next || g->at < next))
			next = g->at;
	}
	if (m->query_at && (!next || m->query_at < next))
		next = m->query_at;
	return next;
}

uint32_t member_wait(uint32_t code, unsigned bits)
{
	unsigned mantissa = bits - 4;

	if (!(code >> (bits - 1)))
		return code;
	return ((code & ((1u << mantissa) - 1)) | 1u << mantissa) << ((code >> mantissa & 7) + 3);
}
