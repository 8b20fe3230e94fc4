/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/ip6.h"
void dhcp6_start(struct netdev *dev, bool stateful)
{
}
void dhcp6_stop(void)
{
}
