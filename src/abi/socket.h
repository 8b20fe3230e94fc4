/* SPDX-License-Identifier: BSD-2-Clause */
/* Linux socket numbers and structures for x86-64 (socket(7), ip(7), tcp(7), udp(7), unix(7)). */
#pragma once

#include "abi/ioctl.h"
#include "lib/types.h"

#define AF_UNSPEC  0
#define AF_UNIX	   1
#define AF_INET	   2
#define AF_INET6   10
#define AF_NETLINK 16
#define AF_PACKET  17
#define AF_MAX	   46

#define SOCK_STREAM    1
#define SOCK_DGRAM     2
#define SOCK_RAW       3
#define SOCK_RDM       4
#define SOCK_SEQPACKET 5
#define SOCK_PACKET    10
#define SOCK_TYPE_MASK 0xf
#define SOCK_NONBLOCK  04000	/* = O_NONBLOCK */
#define SOCK_CLOEXEC   02000000 /* = O_CLOEXEC */

#define IPPROTO_IP	0
#define IPPROTO_ICMP	1
#define IPPROTO_IGMP	2
#define IPPROTO_TCP	6
#define IPPROTO_UDP	17
#define IPPROTO_IPV6	41
#define IPPROTO_ICMPV6	58
#define IPPROTO_UDPLITE 136
#define IPPROTO_RAW	255

struct sockaddr_storage {
	uint16_t ss_family;
	char data[126];
} __aligned(8);

struct sockaddr_in {
	uint16_t sin_family;
	uint16_t sin_port; /* network order, as the address */
	uint32_t sin_addr;
	uint8_t sin_zero[8];
};

struct sockaddr_in6 {
	uint16_t sin6_family;
	uint16_t sin6_port;
	uint32_t sin6_flowinfo;
	uint8_t sin6_addr[16];
	uint32_t sin6_scope_id;
};

#define UNIX_PATH_MAX 108
struct sockaddr_un {
	uint16_t sun_family;
	char sun_path[UNIX_PATH_MAX];
};

struct sockaddr_nl {
	uint16_t nl_family;
	uint16_t nl_pad;
	uint32_t nl_pid;
	uint32_t nl_groups;
};

struct msghdr { /* as the program lays it out */
	void *msg_name;
	uint32_t msg_namelen;
	void *msg_iov; /* struct iter_segment has iovec's layout */
	size_t msg_iovlen;
	void *msg_control;
	size_t msg_controllen;
	uint32_t msg_flags;
};

struct mmsghdr {
	struct msghdr msg_hdr;
	uint32_t msg_len;
};

struct cmsghdr {
	size_t cmsg_len; /* with this header */
	int32_t cmsg_level, cmsg_type;
};
#define CMSG_ALIGN(n) (((n) + 7) & ~(size_t)7)
#define CMSG_SPACE(n) (CMSG_ALIGN(n) + sizeof(struct cmsghdr))
#define CMSG_LEN(n)   (sizeof(struct cmsghdr) + (n))

#define MSG_OOB		 0x1
#define MSG_PEEK	 0x2
#define MSG_DONTROUTE	 0x4
#define MSG_CTRUNC	 0x8
#define MSG_PROBE	 0x10
#define MSG_TRUNC	 0x20
#define MSG_DONTWAIT	 0x40
#define MSG_EOR		 0x80
#define MSG_WAITALL	 0x100
#define MSG_CONFIRM	 0x800
#define MSG_ERRQUEUE	 0x2000
#define MSG_NOSIGNAL	 0x4000
#define MSG_MORE	 0x8000
#define MSG_WAITFORONE	 0x10000
#define MSG_ZEROCOPY	 0x4000000
#define MSG_FASTOPEN	 0x20000000
#define MSG_CMSG_CLOEXEC 0x40000000
#define MSG_CMSG_COMPAT	 0x80000000u

#define SHUT_RD	  0
#define SHUT_WR	  1
#define SHUT_RDWR 2

#define SOMAXCONN 4096

#define SOL_SOCKET  1
#define SOL_IP	    0
#define SOL_TCP	    6
#define SOL_UDP	    17
#define SOL_IPV6    41
#define SOL_ICMPV6  58
#define SOL_NETLINK 270

#define SO_DEBUG	    1
#define SO_REUSEADDR	    2
#define SO_TYPE		    3
#define SO_ERROR	    4
#define SO_DONTROUTE	    5
#define SO_BROADCAST	    6
#define SO_SNDBUF	    7
#define SO_RCVBUF	    8
#define SO_KEEPALIVE	    9
#define SO_OOBINLINE	    10
#define SO_NO_CHECK	    11
#define SO_PRIORITY	    12
#define SO_LINGER	    13
#define SO_BSDCOMPAT	    14
#define SO_REUSEPORT	    15
#define SO_PASSCRED	    16
#define SO_PEERCRED	    17
#define SO_RCVLOWAT	    18
#define SO_SNDLOWAT	    19
#define SO_RCVTIMEO	    20
#define SO_SNDTIMEO	    21
#define SO_BINDTODEVICE	    25
#define SO_ATTACH_FILTER    26
#define SO_DETACH_FILTER    27
#define SO_PEERNAME	    28
#define SO_TIMESTAMP	    29
#define SO_ACCEPTCONN	    30
#define SO_PEERSEC	    31
#define SO_SNDBUFFORCE	    32
#define SO_RCVBUFFORCE	    33
#define SO_PASSSEC	    34
#define SO_TIMESTAMPNS	    35
#define SO_MARK		    36
#define SO_TIMESTAMPING	    37
#define SO_PROTOCOL	    38
#define SO_DOMAIN	    39
#define SO_RXQ_OVFL	    40
#define SO_WIFI_STATUS	    41
#define SO_PEEK_OFF	    42
#define SO_NOFCS	    43
#define SO_LOCK_FILTER	    44
#define SO_SELECT_ERR_QUEUE 45
#define SO_BUSY_POLL	    46
#define SO_MAX_PACING_RATE  47
#define SO_INCOMING_CPU	    49
#define SO_INCOMING_NAPI_ID 56
#define SO_CNX_ADVICE	    53
#define SO_COOKIE	    57
#define SO_PEERGROUPS	    59
#define SO_ZEROCOPY	    60
#define SO_BUF_LOCK	    72
#define SO_BUSY_POLL_BUDGET 70
#define SO_NETNS_COOKIE	    71
#define SO_RESERVE_MEM	    73
#define SO_TXREHASH	    74
#define SO_RCVTIMEO_NEW	    66
#define SO_SNDTIMEO_NEW	    67
#define SO_BINDTOIFINDEX    62
#define SO_TIMESTAMP_NEW    63
#define SO_TIMESTAMPNS_NEW  64
#define SO_TIMESTAMPING_NEW 65
#define SO_PREFER_BUSY_POLL 69
#define SO_RCVMARK	    75
#define SO_RCVPRIORITY	    82

#define SO_BUF_LOCK_SND 1
#define SO_BUF_LOCK_RCV 2

/* SO_TIMESTAMPING: all bits that there are; those of sent packets without a card's help. */
#define SOF_TIMESTAMPING_SOFTWARE 0x10
#define SOF_TIMESTAMPING_TX_SOFT  0x302
#define SOF_TIMESTAMPING_MASK	  0x7ffff

#define SCM_RIGHTS	1
#define SCM_CREDENTIALS 2

struct ucred {
	uint32_t pid, uid, gid;
};
struct linger {
	int32_t l_onoff, l_linger;
};
struct timeval_sock { /* struct timeval */
	int64_t tv_sec, tv_usec;
};

#define IP_TOS			  1
#define IP_TTL			  2
#define IP_HDRINCL		  3
#define IP_OPTIONS		  4
#define IP_RECVOPTS		  6
#define IP_PKTINFO		  8
#define IP_MTU_DISCOVER		  10
#define IP_RECVERR		  11
#define IP_RECVTTL		  12
#define IP_RECVTOS		  13
#define IP_MTU			  14
#define IP_FREEBIND		  15
#define IP_PASSSEC		  18
#define IP_TRANSPARENT		  19
#define IP_RECVORIGDSTADDR	  20
#define IP_MINTTL		  21
#define IP_NODEFRAG		  22
#define IP_CHECKSUM		  23
#define IP_BIND_ADDRESS_NO_PORT	  24
#define IP_MULTICAST_IF		  32
#define IP_MULTICAST_TTL	  33
#define IP_MULTICAST_LOOP	  34
#define IP_ADD_MEMBERSHIP	  35
#define IP_DROP_MEMBERSHIP	  36
#define IP_UNBLOCK_SOURCE	  37
#define IP_BLOCK_SOURCE		  38
#define IP_ADD_SOURCE_MEMBERSHIP  39
#define IP_DROP_SOURCE_MEMBERSHIP 40
#define IP_MULTICAST_ALL	  49
#define IP_UNICAST_IF		  50
#define IP_LOCAL_PORT_RANGE	  51
#define IP_PROTOCOL		  52

/* What IP_RECVERR and IPV6_RECVERR messages begin with; the offender's address follows. */
struct sock_extended_err {
	uint32_t ee_errno;
	uint8_t ee_origin, ee_type, ee_code, ee_pad;
	uint32_t ee_info, ee_data;
};
#define SO_EE_ORIGIN_LOCAL	   1
#define SO_EE_ORIGIN_ICMP	   2
#define SO_EE_ORIGIN_ICMP6	   3
#define SO_EE_ORIGIN_ZEROCOPY	   5
#define SO_EE_CODE_ZEROCOPY_COPIED 1

#define IP_PMTUDISC_DONT      0
#define IP_PMTUDISC_WANT      1
#define IP_PMTUDISC_DO	      2
#define IP_PMTUDISC_PROBE     3 /* DF, but what routers say is not heeded */
#define IP_PMTUDISC_INTERFACE 4 /* no DF, but nothing longer than the link takes */
#define IP_PMTUDISC_OMIT      5 /* no DF, cut as the link wants it */

struct in_pktinfo {
	int32_t ipi_ifindex;
	uint32_t ipi_spec_dst, ipi_addr;
};
struct ip_mreqn { /* struct ip_mreq is the first two */
	uint32_t imr_multiaddr, imr_address;
	int32_t imr_ifindex;
};

#define IPV6_2292PKTINFO	 2
#define IPV6_2292HOPOPTS	 3
#define IPV6_2292DSTOPTS	 4
#define IPV6_2292RTHDR		 5
#define IPV6_CHECKSUM		 7
#define IPV6_2292HOPLIMIT	 8
#define IPV6_FLOWINFO		 11
#define IPV6_UNICAST_HOPS	 16
#define IPV6_MULTICAST_IF	 17
#define IPV6_MULTICAST_HOPS	 18
#define IPV6_MULTICAST_LOOP	 19
#define IPV6_JOIN_GROUP		 20
#define IPV6_LEAVE_GROUP	 21
#define IPV6_ROUTER_ALERT	 22
#define IPV6_MTU_DISCOVER	 23
#define IPV6_MTU		 24
#define IPV6_RECVERR		 25
#define IPV6_V6ONLY		 26
#define IPV6_MULTICAST_ALL	 29
#define IPV6_HDRINCL		 36
#define IPV6_RECVPKTINFO	 49
#define IPV6_PKTINFO		 50
#define IPV6_RECVHOPLIMIT	 51
#define IPV6_HOPLIMIT		 52
#define IPV6_RECVHOPOPTS	 53
#define IPV6_HOPOPTS		 54
#define IPV6_RECVRTHDR		 56
#define IPV6_RTHDR		 57
#define IPV6_RECVDSTOPTS	 58
#define IPV6_DSTOPTS		 59
#define IPV6_RECVPATHMTU	 60
#define IPV6_PATHMTU		 61
#define IPV6_DONTFRAG		 62
#define IPV6_RECVTCLASS		 66
#define IPV6_TCLASS		 67
#define IPV6_AUTOFLOWLABEL	 70
#define IPV6_ADDR_PREFERENCES	 72
#define IPV6_MINHOPCOUNT	 73
#define IPV6_RECVORIGDSTADDR	 74
#define IPV6_TRANSPARENT	 75
#define IPV6_UNICAST_IF		 76
#define IPV6_FREEBIND		 78
#define MCAST_JOIN_GROUP	 42 /* of SOL_IP and SOL_IPV6 */
#define MCAST_BLOCK_SOURCE	 43
#define MCAST_UNBLOCK_SOURCE	 44
#define MCAST_LEAVE_GROUP	 45
#define MCAST_JOIN_SOURCE_GROUP	 46
#define MCAST_LEAVE_SOURCE_GROUP 47
#define ICMP6_FILTER		 1
#define SOL_RAW			 255
#define ICMP_FILTER		 1

#define SIN6_LEN_RFC2133 24 /* of a sockaddr_in6 without its scope: the least that Linux takes */

struct in6_pktinfo {
	uint8_t ipi6_addr[16];
	int32_t ipi6_ifindex;
};
struct ipv6_mreq {
	uint8_t ipv6mr_multiaddr[16];
	int32_t ipv6mr_ifindex;
};
struct ip_mreq_source {
	uint32_t imr_multiaddr, imr_interface, imr_sourceaddr;
};
struct group_source_req {
	uint32_t gsr_interface;
	struct sockaddr_storage gsr_group, gsr_source;
};
struct group_req {
	uint32_t gr_interface;
	struct sockaddr_storage gr_group;
};
struct ip6_mtuinfo {
	struct sockaddr_in6 ip6m_addr;
	uint32_t ip6m_mtu;
};

#define TCP_NODELAY		 1
#define TCP_MAXSEG		 2
#define TCP_CORK		 3
#define TCP_KEEPIDLE		 4
#define TCP_KEEPINTVL		 5
#define TCP_KEEPCNT		 6
#define TCP_SYNCNT		 7
#define TCP_LINGER2		 8
#define TCP_DEFER_ACCEPT	 9
#define TCP_WINDOW_CLAMP	 10
#define TCP_INFO		 11
#define TCP_QUICKACK		 12
#define TCP_CONGESTION		 13
#define TCP_MD5SIG		 14
#define TCP_THIN_LINEAR_TIMEOUTS 16
#define TCP_THIN_DUPACK		 17
#define TCP_USER_TIMEOUT	 18
#define TCP_REPAIR		 19
#define TCP_FASTOPEN		 23
#define TCP_TIMESTAMP		 24
#define TCP_NOTSENT_LOWAT	 25
#define TCP_SAVE_SYN		 27
#define TCP_FASTOPEN_CONNECT	 30
#define TCP_ULP			 31
#define TCP_INQ			 36
#define TCP_IS_MPTCP		 43

/* States as TCP_INFO and /proc/net/tcp number them. */
enum tcp_state {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
};

#define TCPI_OPT_TIMESTAMPS 1
#define TCPI_OPT_SACK	    2
#define TCPI_OPT_WSCALE	    4

struct tcp_info {
	uint8_t tcpi_state, tcpi_ca_state, tcpi_retransmits, tcpi_probes, tcpi_backoff,
		tcpi_options;
	uint8_t tcpi_wscale; /* snd : 4, rcv : 4 */
	uint8_t tcpi_app_limited;
	uint32_t tcpi_rto, tcpi_ato, tcpi_snd_mss, tcpi_rcv_mss;
	uint32_t tcpi_unacked, tcpi_sacked, tcpi_lost, tcpi_retrans, tcpi_fackets;
	uint32_t tcpi_last_data_sent, tcpi_last_ack_sent, tcpi_last_data_recv, tcpi_last_ack_recv;
	uint32_t tcpi_pmtu, tcpi_rcv_ssthresh, tcpi_rtt, tcpi_rttvar, tcpi_snd_ssthresh,
		tcpi_snd_cwnd;
	uint32_t tcpi_advmss, tcpi_reordering, tcpi_rcv_rtt, tcpi_rcv_space, tcpi_total_retrans;
	uint64_t tcpi_pacing_rate, tcpi_max_pacing_rate, tcpi_bytes_acked, tcpi_bytes_received;
	uint32_t tcpi_segs_out, tcpi_segs_in, tcpi_notsent_bytes, tcpi_min_rtt, tcpi_data_segs_in,
		tcpi_data_segs_out;
	uint64_t tcpi_delivery_rate, tcpi_busy_time, tcpi_rwnd_limited, tcpi_sndbuf_limited;
	uint32_t tcpi_delivered, tcpi_delivered_ce;
	uint64_t tcpi_bytes_sent, tcpi_bytes_retrans;
	uint32_t tcpi_dsack_dups, tcpi_reord_seen, tcpi_rcv_ooopack, tcpi_snd_wnd;
};

#define UDP_CORK    1
#define UDP_SEGMENT 103
#define UDP_GRO	    104

#define UDP_MAX_SEGMENTS 128 /* of one call */

/* ioctls, beside FIONREAD (SIOCINQ) */
#define SIOCOUTQ       0x5411 /* also TIOCOUTQ */
#define SIOCOUTQNSD    0x894b /* of them, not sent yet */
#define FIOSETOWN      0x8901
#define SIOCSPGRP      0x8902
#define FIOGETOWN      0x8903
#define SIOCGPGRP      0x8904
#define SIOCATMARK     0x8905
#define SIOCGSTAMP     0x8906
#define SIOCGIFNAME    0x8910
#define SIOCGIFCONF    0x8912
#define SIOCGIFFLAGS   0x8913
#define SIOCGIFADDR    0x8915
#define SIOCGIFDSTADDR 0x8917
#define SIOCGIFBRDADDR 0x8919
#define SIOCGIFNETMASK 0x891b
#define SIOCGIFMETRIC  0x891d
#define SIOCGIFMTU     0x8921
#define SIOCGIFHWADDR  0x8927
#define SIOCGIFSLAVE   0x8929
#define SIOCGIFINDEX   0x8933
#define SIOCGIFPFLAGS  0x8935
#define SIOCGIFTXQLEN  0x8942
#define SIOCGIFMAP     0x8970
#define SIOC_TYPE      0x89 /* second byte of them all */

#define IFNAMSIZ 16
struct ifreq {
	char ifr_name[IFNAMSIZ];
	union {
		struct sockaddr_in addr;
		struct {
			uint16_t family;
			uint8_t data[14];
		} hwaddr;
		int16_t flags;
		int32_t value; /* ifindex, mtu, metric, qlen */
		char pad[24];
	} u;
};
struct ifconf {
	int32_t ifc_len;
	void *ifc_buf;
};

#define IFF_UP		0x1
#define IFF_BROADCAST	0x2
#define IFF_LOOPBACK	0x8
#define IFF_RUNNING	0x40
#define IFF_MULTICAST	0x1000
#define IFF_LOWER_UP	0x10000
#define ARPHRD_ETHER	1
#define ARPHRD_LOOPBACK 772

_Static_assert(sizeof(struct sockaddr_storage) == 128, "as Linux");
_Static_assert(sizeof(struct msghdr) == 56, "as Linux");
_Static_assert(sizeof(struct mmsghdr) == 64, "as Linux");
_Static_assert(sizeof(struct tcp_info) == 232, "as Linux 6.1");
_Static_assert(sizeof(struct ifreq) == 40, "as Linux");
