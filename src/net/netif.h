/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to net/: the interfaces, loopback's queue and the network thread. */
#pragma once

#include "lib/types.h"

struct netdev;

struct netdev *netdev_by_index(int index);
struct netdev *netdev_by_name(const char *name);
struct netdev *netdev_next(struct netdev *dev); /* NULL: first (lo); NULL after the last */
long netif_ioctl(int family, unsigned cmd, unsigned long arg);
/* Runs what loopback has queued; called with no socket lock held. */
void lo_run(void);
void net_thread_kick(void);
bool net_thread_work(void); /* what the network thread does when kicked; false: nothing was due */
