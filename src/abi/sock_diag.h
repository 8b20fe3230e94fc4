/* SPDX-License-Identifier: BSD-2-Clause */
/* NETLINK_SOCK_DIAG (sock_diag(7)): what ss(8) asks about sockets. Ports and addresses in network
 * order. */
#pragma once

#include "lib/types.h"

#define NETLINK_SOCK_DIAG 4

#define SOCK_DIAG_BY_FAMILY 20
#define SOCK_DESTROY	    21

struct inet_diag_sockid {
	uint16_t sport, dport;
	uint32_t src[4], dst[4];
	uint32_t ifindex;
	uint32_t cookie[2];
};
#define INET_DIAG_NOCOOKIE ~0u

struct inet_diag_req_v2 {
	uint8_t family, protocol;
	uint8_t ext; /* bit k - 1: attribute k is wanted */
	uint8_t raw_protocol;
	uint32_t states; /* bit k: those in state k */
	struct inet_diag_sockid id;
};
struct inet_diag_msg {
	uint8_t family, state, timer, retrans;
	struct inet_diag_sockid id;
	uint32_t expires, rqueue, wqueue, uid, inode;
};
_Static_assert(sizeof(struct inet_diag_req_v2) == 56, "as Linux");
_Static_assert(sizeof(struct inet_diag_msg) == 72, "as Linux");

enum inet_diag_timer {
	INET_DIAG_TIMER_NONE,
	INET_DIAG_TIMER_RETX,
	INET_DIAG_TIMER_KEEPALIVE,
	INET_DIAG_TIMER_WAIT,
	INET_DIAG_TIMER_PROBE
};
enum inet_diag_attribute {
	INET_DIAG_MEMINFO = 1,
	INET_DIAG_INFO = 2,
	INET_DIAG_CONG = 4,
	INET_DIAG_TOS = 5,
	INET_DIAG_TCLASS = 6,
	INET_DIAG_SKMEMINFO = 7,
	INET_DIAG_SHUTDOWN = 8,
	INET_DIAG_SKV6ONLY = 11,
	INET_DIAG_MARK = 15,
};
enum inet_diag_request_attribute { INET_DIAG_REQ_BYTECODE = 1 };

/* A filter: conditional jumps forward, to 'yes' or 'no' bytes on; its end means yes. */
struct inet_diag_bc_op {
	uint8_t code, yes;
	uint16_t no;
};
enum inet_diag_bc {
	INET_DIAG_BC_NOP,
	INET_DIAG_BC_JMP,
	INET_DIAG_BC_S_GE,
	INET_DIAG_BC_S_LE,
	INET_DIAG_BC_D_GE,
	INET_DIAG_BC_D_LE,
	INET_DIAG_BC_AUTO,
	INET_DIAG_BC_S_COND,
	INET_DIAG_BC_D_COND,
	INET_DIAG_BC_DEV_COND,
	INET_DIAG_BC_MARK_COND,
	INET_DIAG_BC_S_EQ,
	INET_DIAG_BC_D_EQ,
};
struct inet_diag_hostcond { /* the address behind it */
	uint8_t family, prefix_len;
	int32_t port; /* -1: any */
};

struct inet_diag_meminfo {
	uint32_t rmem, wmem, fmem, tmem;
};
enum sk_meminfo { /* INET_DIAG_SKMEMINFO, UNIX_DIAG_MEMINFO: words */
	SK_MEMINFO_RMEM_ALLOC,
	SK_MEMINFO_RCVBUF,
	SK_MEMINFO_WMEM_ALLOC,
	SK_MEMINFO_SNDBUF,
	SK_MEMINFO_FWD_ALLOC,
	SK_MEMINFO_WMEM_QUEUED,
	SK_MEMINFO_OPTMEM,
	SK_MEMINFO_BACKLOG,
	SK_MEMINFO_DROPS,
	SK_MEMINFO_VARS,
};

struct unix_diag_req {
	uint8_t family, protocol;
	uint16_t pad;
	uint32_t states, ino, show;
	uint32_t cookie[2];
};
struct unix_diag_msg {
	uint8_t family, type, state, pad;
	uint32_t ino;
	uint32_t cookie[2];
};
#define UDIAG_SHOW_NAME	   0x01
#define UDIAG_SHOW_VFS	   0x02
#define UDIAG_SHOW_PEER	   0x04
#define UDIAG_SHOW_ICONS   0x08
#define UDIAG_SHOW_RQLEN   0x10
#define UDIAG_SHOW_MEMINFO 0x20
#define UDIAG_SHOW_UID	   0x40
enum unix_diag_attribute {
	UNIX_DIAG_NAME,
	UNIX_DIAG_VFS,
	UNIX_DIAG_PEER,
	UNIX_DIAG_ICONS,
	UNIX_DIAG_RQLEN,
	UNIX_DIAG_MEMINFO,
	UNIX_DIAG_SHUTDOWN,
	UNIX_DIAG_UID,
};
struct unix_diag_rqlen {
	uint32_t rqueue, wqueue;
};
