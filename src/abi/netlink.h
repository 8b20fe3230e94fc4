/* SPDX-License-Identifier: BSD-2-Clause */
/* AF_NETLINK, family NETLINK_ROUTE, as far as getifaddrs(3) and ip(8) read it (rtnetlink(7)). */
#pragma once

#include "lib/types.h"

#define NETLINK_ROUTE 0

struct nlmsghdr {
	uint32_t nlmsg_len;
	uint16_t nlmsg_type, nlmsg_flags;
	uint32_t nlmsg_seq, nlmsg_pid;
};
struct nlmsgerr {
	int32_t error;
	struct nlmsghdr msg;
};
#define NLMSG_ALIGN(n) (((n) + 3) & ~3u)
#define NLMSG_ERROR    2
#define NLMSG_DONE     3
#define NLM_F_REQUEST  1
#define NLM_F_MULTI    2
#define NLM_F_ACK      4
#define NLM_F_ROOT     0x100
#define NLM_F_MATCH    0x200
#define NLM_F_DUMP     (NLM_F_ROOT | NLM_F_MATCH)
#define NLM_F_EXCL     0x200 /* of RTM_NEW* */
#define NLM_F_CREATE   0x400

/* Groups of NETLINK_ROUTE, by number: bit n - 1 of sockaddr_nl.nl_groups. */
#define RTNLGRP_IPV4_IFADDR 5
#define RTNLGRP_IPV4_ROUTE  7
#define RTNLGRP_IPV6_IFADDR 9
#define RTNLGRP_IPV6_ROUTE  11

#define RTM_NEWLINK  16
#define RTM_GETLINK  18
#define RTM_NEWADDR  20
#define RTM_DELADDR  21
#define RTM_GETADDR  22
#define RTM_NEWROUTE 24
#define RTM_DELROUTE 25
#define RTM_GETROUTE 26
#define RTM_NEWNEIGH 28
#define RTM_GETNEIGH 30

struct rtattr {
	uint16_t rta_len, rta_type;
};
struct ifinfomsg {
	uint8_t ifi_family, pad;
	uint16_t ifi_type;
	int32_t ifi_index;
	uint32_t ifi_flags, ifi_change;
};
struct ifaddrmsg {
	uint8_t ifa_family, ifa_prefixlen, ifa_flags, ifa_scope;
	uint32_t ifa_index;
};
struct rtmsg {
	uint8_t rtm_family, rtm_dst_len, rtm_src_len, rtm_tos;
	uint8_t rtm_table, rtm_protocol, rtm_scope, rtm_type;
	uint32_t rtm_flags;
};

#define IFLA_ADDRESS   1
#define IFLA_BROADCAST 2
#define IFLA_IFNAME    3
#define IFLA_MTU       4
#define IFLA_QDISC     6
#define IFLA_TXQLEN    13
#define IFLA_OPERSTATE 16
#define IFLA_LINKMODE  17
#define IFLA_GROUP     27
#define IFLA_STATS64   23

#define IFA_ADDRESS	 1
#define IFA_LOCAL	 2
#define IFA_LABEL	 3
#define IFA_BROADCAST	 4
#define IFA_CACHEINFO	 6
#define IFA_FLAGS	 8
#define IFA_F_DADFAILED	 0x08
#define IFA_F_DEPRECATED 0x20
#define IFA_F_TENTATIVE	 0x40
#define IFA_F_PERMANENT	 0x80

/* Neighbours */
struct ndmsg {
	uint8_t ndm_family, ndm_pad1;
	uint16_t ndm_pad2;
	int32_t ndm_ifindex;
	uint16_t ndm_state;
	uint8_t ndm_flags, ndm_type;
};
#define NDA_DST	       1
#define NDA_LLADDR     2
#define NUD_INCOMPLETE 0x01
#define NUD_REACHABLE  0x02
#define NUD_STALE      0x04
#define NUD_DELAY      0x08
#define NUD_PROBE      0x10
#define NTF_ROUTER     0x80

#define RTA_DST	    1
#define RTA_OIF	    4
#define RTA_GATEWAY 5
#define RTA_PREFSRC 7
#define RTA_TABLE   15

#define RT_TABLE_MAIN	  254
#define RTPROT_KERNEL	  2
#define RTPROT_BOOT	  3
#define RTPROT_DHCP	  16
#define RT_SCOPE_UNIVERSE 0
#define RT_SCOPE_LINK	  253
#define RT_SCOPE_HOST	  254
#define RTN_UNICAST	  1
#define RTN_LOCAL	  2

#define NLMSG_MIN_TYPE	    16	 /* less: of netlink itself */
#define NLM_F_DUMP_FILTERED 0x20 /* as the request said */

/* Options of SOL_NETLINK. */
#define NETLINK_ADD_MEMBERSHIP	 1
#define NETLINK_DROP_MEMBERSHIP	 2
#define NETLINK_PKTINFO		 3
#define NETLINK_NO_ENOBUFS	 5
#define NETLINK_LISTEN_ALL_NSID	 8
#define NETLINK_LIST_MEMBERSHIPS 9
#define NETLINK_CAP_ACK		 10
#define NETLINK_GET_STRICT_CHK	 12
#define NETLINK_GROUPS		 38 /* of NETLINK_ROUTE */
