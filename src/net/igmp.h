/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to net/: which IPv4 groups the machine listens to, by interface, told to the link's
 * routers and switches (RFC 3376, 2236, 1112). igmp_state.lock is taken with any socket's lock
 * held.
 */
#pragma once

#include "net/membership.h"
#include "sched/mutex.h"
#include "sched/timer.h"

struct netdev;
struct packet;
struct rx;

#define IGMP_LINKS 8
struct igmp_link {
	struct netdev *dev; /* NULL: a free slot */
	struct membership groups;
	uint64_t v1_until; /* that old querier is of version 1 */
};
struct igmp_state {
	struct mutex lock; /* all of it */
	struct igmp_link link[IGMP_LINKS];
	struct timer timer;
	uint64_t timer_at; /* 0: not armed */
};

void igmp_init(void);
/* A socket joins or leaves. -ENOBUFS: too many groups. dev NULL: nothing. */
int igmp_change(struct netdev *dev, struct ip_addr group, bool join);
bool igmp_is_member(int ifindex, struct ip_addr group);
void igmp_input(struct rx *rx, struct packet *p); /* data at the IGMP header */
