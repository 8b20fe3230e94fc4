/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Wire formats: Ethernet (IEEE 802.3), ARP (RFC 826), IPv4 (791), IPv6 (8200), ICMP (792), UDP
 * (768), TCP (9293), DHCP (2131). Multi-byte fields are in network order; get_be16 and friends
 * read and write them at any alignment.
 */
#pragma once

#include "lib/types.h"

static inline uint16_t be16(uint16_t v) /* both ways */
{
	return __builtin_bswap16(v);
}
static inline uint32_t be32(uint32_t v)
{
	return __builtin_bswap32(v);
}
static inline uint16_t get_be16(const void *p)
{
	const uint8_t *b = p;

	return (uint16_t)(b[0] << 8 | b[1]);
}
static inline uint32_t get_be32(const void *p)
{
	const uint8_t *b = p;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}
static inline void put_be16(void *p, uint16_t v)
{
	uint8_t *b = p;

	b[0] = (uint8_t)(v >> 8);
	b[1] = (uint8_t)v;
}
static inline void put_be32(void *p, uint32_t v)
{
	uint8_t *b = p;

	b[0] = (uint8_t)(v >> 24);
	b[1] = (uint8_t)(v >> 16);
	b[2] = (uint8_t)(v >> 8);
	b[3] = (uint8_t)v;
}

#define ETH_HLEN    14
#define ETH_IPV4    0x0800
#define ETH_ARP	    0x0806
#define ETH_IPV6    0x86dd
#define ETH_MIN_MTU 68

struct eth_header {
	uint8_t dst[6], src[6];
	uint16_t type;
} __packed;

#define ARP_REQUEST 1
#define ARP_REPLY   2
struct arp_packet {
	uint16_t htype, ptype;
	uint8_t hlen, plen;
	uint16_t op;
	uint8_t sha[6];
	uint32_t spa;
	uint8_t tha[6];
	uint32_t tpa;
} __packed;

#define IP_DF	     0x4000
#define IP_MF	     0x2000
#define IP_OFFSET    0x1fff
#define IP_MAX_TOTAL 65535

struct ip_header {
	uint8_t ver_ihl;
	uint8_t tos;
	uint16_t total_len, id, frag;
	uint8_t ttl, protocol;
	uint16_t checksum;
	uint32_t src, dst;
} __packed;

struct ip6_header {
	uint32_t ver_class_flow;
	uint16_t payload_len;
	uint8_t next_header, hop_limit;
	uint8_t src[16], dst[16];
} __packed;

/* Options of an IPv4 header. */
#define IPOPT_END  0
#define IPOPT_NOP  1
#define IPOPT_LSRR 131
#define IPOPT_SSRR 137

#define ICMP_ECHO_REPLY	    0
#define ICMP_UNREACHABLE    3
#define ICMP_ECHO	    8
#define ICMP_TIME_EXCEEDED  11
#define ICMP_PARAMETER	    12
#define ICMP_EXT_ECHO	    42 /* RFC 8335 */
#define ICMP_EXT_ECHO_REPLY 43
/* codes of ICMP_UNREACHABLE */
#define ICMP_NET_UNREACH  0
#define ICMP_HOST_UNREACH 1
#define ICMP_PROT_UNREACH 2
#define ICMP_PORT_UNREACH 3
#define ICMP_FRAG_NEEDED  4
struct icmp_header {
	uint8_t type, code;
	uint16_t checksum;
	union {
		struct {
			uint16_t id, seq;
		} echo;
		struct {
			uint16_t unused, mtu;
		} frag;
		uint32_t unused;
	};
} __packed;

/* Extension headers (RFC 8200 4); ICMPv6 and AH, ESP are upper layers here. */
#define IP6_HOPOPTS  0
#define IP6_ROUTING  43
#define IP6_FRAGMENT 44
#define IP6_NONE     59
#define IP6_DSTOPTS  60
#define IP6_MF	     1
#define IP6_MIN_MTU  1280
struct ip6_fragment {
	uint8_t next_header, reserved;
	uint16_t offset; /* bytes, a multiple of 8, | IP6_MF */
	uint32_t id;
} __packed;

/* ICMPv6 (RFC 4443), neighbour discovery (4861), MLD (2710, 3810) */
#define ICMP6_UNREACHABLE    1
#define ICMP6_TOO_BIG	     2
#define ICMP6_TIME_EXCEEDED  3
#define ICMP6_PARAMETER	     4
#define ICMP6_ECHO	     128
#define ICMP6_ECHO_REPLY     129
#define ICMP6_EXT_ECHO	     160 /* RFC 8335 */
#define ICMP6_EXT_ECHO_REPLY 161
#define IGMP_QUERY	     0x11 /* RFC 3376 4, 2236 2 */
#define IGMP1_REPORT	     0x12
#define IGMP2_REPORT	     0x16
#define IGMP_LEAVE	     0x17
#define IGMP3_REPORT	     0x22

#define ICMP6_MLD_QUERY	   130
#define ICMP6_MLD_REPORT   131
#define ICMP6_MLD_DONE	   132
#define ICMP6_ROUTER_SOL   133
#define ICMP6_ROUTER_ADV   134
#define ICMP6_NEIGH_SOL	   135
#define ICMP6_NEIGH_ADV	   136
#define ICMP6_REDIRECT	   137
#define ICMP6_MLD2_REPORT  143
#define ICMP6_PORT_UNREACH 4 /* codes */
#define ICMP6_BAD_HEADER   0
#define ICMP6_BAD_NEXT	   1
#define ICMP6_BAD_OPTION   2

struct nd_neighbour { /* solicitation and advertisement */
	uint8_t type, code;
	uint16_t checksum;
	uint32_t flags;
	uint8_t target[16];
} __packed;
#define NA_ROUTER    0x80000000u
#define NA_SOLICITED 0x40000000u
#define NA_OVERRIDE  0x20000000u
struct nd_router_adv {
	uint8_t type, code;
	uint16_t checksum;
	uint8_t hop_limit, flags;
	uint16_t lifetime;
	uint32_t reachable, retransmit; /* ms */
} __packed;
#define RA_MANAGED 0x80
#define RA_OTHER   0x40
struct nd_redirect {
	uint8_t type, code;
	uint16_t checksum;
	uint32_t reserved;
	uint8_t target[16], dst[16];
} __packed;
#define ND_OPT_SOURCE 1
#define ND_OPT_TARGET 2
#define ND_OPT_PREFIX 3
#define ND_OPT_MTU    5
#define ND_OPT_RDNSS  25
#define ND_OPT_DNSSL  31
struct nd_prefix {
	uint8_t type, len, prefix_len, flags;
	uint32_t valid, preferred, reserved; /* s */
	uint8_t prefix[16];
} __packed;
#define ND_PREFIX_ONLINK 0x80
#define ND_PREFIX_AUTO	 0x40

struct udp_header {
	uint16_t sport, dport, len, checksum;
} __packed;

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20
#define TCP_ECE 0x40
#define TCP_CWR 0x80
struct tcp_header {
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint8_t offset; /* header words << 4 */
	uint8_t flags;
	uint16_t window, checksum, urgent;
} __packed;

#define TCPOPT_END	  0
#define TCPOPT_NOP	  1
#define TCPOPT_MSS	  2
#define TCPOPT_WSCALE	  3
#define TCPOPT_SACK_OK	  4
#define TCPOPT_SACK	  5
#define TCPOPT_TIMESTAMPS 8

#define DHCP_SERVER_PORT 67
#define DHCP_CLIENT_PORT 68
#define DHCP_MAGIC	 0x63825363u
#define DHCP_BROADCAST	 0x8000
struct dhcp_packet {
	uint8_t op, htype, hlen, hops;
	uint32_t xid;
	uint16_t secs, flags;
	uint32_t ciaddr, yiaddr, siaddr, giaddr;
	uint8_t chaddr[16];
	uint8_t sname[64], file[128];
	uint32_t magic;
	uint8_t options[];
} __packed;

enum dhcp_message {
	DHCPDISCOVER = 1,
	DHCPOFFER,
	DHCPREQUEST,
	DHCPDECLINE,
	DHCPACK,
	DHCPNAK,
	DHCPRELEASE,
	DHCPINFORM
};

_Static_assert(sizeof(struct eth_header) == 14, "wire");
_Static_assert(sizeof(struct arp_packet) == 28, "wire");
_Static_assert(sizeof(struct ip_header) == 20, "wire");
_Static_assert(sizeof(struct ip6_header) == 40, "wire");
_Static_assert(sizeof(struct icmp_header) == 8, "wire");
_Static_assert(sizeof(struct nd_neighbour) == 24, "wire");
_Static_assert(sizeof(struct nd_router_adv) == 16, "wire");
_Static_assert(sizeof(struct nd_redirect) == 40, "wire");
_Static_assert(sizeof(struct nd_prefix) == 32, "wire");
_Static_assert(sizeof(struct ip6_fragment) == 8, "wire");
_Static_assert(sizeof(struct udp_header) == 8, "wire");
_Static_assert(sizeof(struct tcp_header) == 20, "wire");
_Static_assert(sizeof(struct dhcp_packet) == 240, "wire");
