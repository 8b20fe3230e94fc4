/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two ends of a network benchmark agree on: the server in the guest, the client outside. */
#pragma once

enum {
	WIRE_ECHO = 7000,   /* TCP: sends back what it gets. UDP: each datagram */
	WIRE_SINK = 7001,   /* TCP: reads all, then says one byte */
	WIRE_SOURCE = 7002, /* TCP: sends until the other end closes */
	WIRE_CLOSE = 7003,  /* TCP: accepts, sends one byte, closes */
	WIRE_LENT = 7004,   /* as WIRE_SOURCE, with MSG_ZEROCOPY */
};
#define WIRE_BLOCK 65536 /* bytes of a call in a stream */
