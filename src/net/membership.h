/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to net/: which groups a link is told that we listen to, and when, as RFC 3376 and 3810
 * have it alike: a change is told REPORTS times, a second apart, and what a querier asks is
 * answered after a wait of its choice. What a report looks like is igmp.c's and mld.c's. Whoever
 * has a membership has a lock for it, which is held throughout.
 */
#pragma once

#include "net/addr.h"

#define MEMBER_GROUPS 48
/* Record types of both protocols' reports (RFC 3376 4.2.12, 3810 5.2.12). */
enum { RECORD_NONE, RECORD_IS_EXCLUDE = 2, RECORD_TO_INCLUDE = 3, RECORD_TO_EXCLUDE = 4 };

struct member {
	struct ip_addr group; /* any: a free slot */
	unsigned refs;	      /* sockets and addresses; 0 with left: on its way out */
	unsigned left;	      /* reports to send */
	uint64_t at;	      /* when; 0: none */
	uint8_t record;	      /* which kind */
};
struct membership {
	struct member group[MEMBER_GROUPS];
	uint64_t query_at;  /* a general query is to be answered; 0: none */
	uint64_t old_until; /* a querier of an older version is there (3376 7.2.1, 3810 8.2.1) */
};
struct membership_ops {
	bool (*reported)(struct ip_addr group);
	/* One report of all for which member_record says something. */
	void (*report)(struct membership *m, uint64_t now);
	void (*report_old)(struct membership *m, const struct member *g); /* one group's */
};

struct member *member_find(struct membership *m, struct ip_addr group);
/* 1: the link is to be told, now. 0: it need not be. -ENOBUFS: no room. */
int member_change(struct membership *m, struct ip_addr group, bool join);
/* A query about one group, or about all (any), is to be answered at 'at'. False: not by us. */
bool member_asked(struct membership *m, struct ip_addr group, uint64_t at);
/* Sends what is due; when there is something to do again, 0: never. */
uint64_t member_run(struct membership *m, const struct membership_ops *ops, uint64_t now);
/* In the report that is being made at 'now'; RECORD_NONE: not in it. */
uint8_t member_record(
	const struct membership *m, const struct membership_ops *ops, unsigned k, uint64_t now);
/* A wait in units of the protocol, of 'bits' bits, the upper half as a floating-point number. */
uint32_t member_wait(uint32_t code, unsigned bits);
