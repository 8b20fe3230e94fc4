/* SPDX-License-Identifier: BSD-2-Clause */
/* Tap interfaces; see tap.h. Asks the kernel, not /sys, which shows the network namespace of
 * whoever mounted it. */
#include "tap.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

void tap_check(const char *name)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq r = {};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die(EXIT_SKIFF, "cannot make a socket: %s", strerror(errno));
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (strlen(name) >= sizeof(r.ifr_name) || ioctl(fd, SIOCGIFFLAGS, &r) < 0)
		die(EXIT_SKIFF,
			"there is no network interface %s\n"
			"skiff: make it with: ip tuntap add %s mode tap && ip link set %s up",
			name, name, name);
	if (!(r.ifr_flags & IFF_UP))
		warn("%s is down; ip link set %s up", name, name);
	r.ifr_data = (char *)&info;
	if (ioctl(fd, SIOCETHTOOL, &r) < 0 || strcmp(info.driver, "tun") ||
		strcmp(info.bus_info, "tap"))
		die(EXIT_SKIFF, "%s is no tap interface; ip tuntap add NAME mode tap makes one",
			name);
	close(fd);
}

/* The attribute of that kind among @len bytes, NULL: none. Its length goes to *@len. */
static const void *find(const void *from, int *len, unsigned short kind)
{
	int left = *len;

	for (const struct rtattr *a = from; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if ((a->rta_type & NLA_TYPE_MASK) != kind)
			continue;
		*len = RTA_PAYLOAD(a);
		return RTA_DATA(a);
	}
	return NULL;
}

/* A link's description as the kernel gives it to "ip -d link show". */
bool tap_multi_queue(const char *name)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg link;
	} ask = { .h = { .nlmsg_len = sizeof(ask),
			  .nlmsg_type = RTM_GETLINK,
			  .nlmsg_flags = NLM_F_REQUEST },
		.link = { .ifi_index = (int)if_nametoindex(name) } };
	union {
		struct nlmsghdr h;
		char bytes[16384];
	} answer;
	const unsigned short path[] = { IFLA_LINKINFO, IFLA_INFO_DATA, IFLA_TUN_MULTI_QUEUE };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), len = 0;
	const void *at = NULL;
	ssize_t n = -1;

	if (fd < 0)
		return false;
	if (send(fd, &ask, sizeof(ask), 0) == sizeof(ask))
		n = recv(fd, &answer, sizeof(answer), 0);
	close(fd);
	if (n >= 0 && NLMSG_OK(&answer.h, n) && answer.h.nlmsg_type == RTM_NEWLINK) {
		at = IFLA_RTA(NLMSG_DATA(&answer.h));
		len = IFLA_PAYLOAD(&answer.h);
	}
	for (size_t i = 0; at && i < sizeof(path) / sizeof(path[0]); i++)
		at = find(at, &len, path[i]);
	return at && len >= 1 && *(const unsigned char *)at;
}
