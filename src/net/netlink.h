/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to net/: netlink answers. An answer is made of messages in one buffer of at most
 * NL_REPLY_MAX bytes, which one recv(2) reads. A dump that is longer goes on when the reader has
 * taken what there was, from where its nl_dump says, so that it never holds more than a buffer.
 */
#pragma once

#include "abi/netlink.h"
#include "lib/types.h"

#define NL_REPLY_MAX 16384u

struct nl_message {
	struct nl_message *next;
	uint32_t size;
	uint32_t charge; /* of the reader's buffer, for what nobody asked for */
	uint32_t group;	 /* that it was multicast to, 0: an answer */
	uint8_t data[];
};

struct nl_reply {
	struct nl_message *m;	   /* capacity NL_REPLY_MAX */
	uint32_t seq, port, start; /* start of the message being built */
};
/*
 * Begins a message: its zeroed body, or NULL when 'room' bytes, which must cover the body and all
 * attributes, are not left. nl_attr and nl_finish then always succeed.
 */
void *nl_begin(struct nl_reply *r, uint16_t type, uint16_t flags, size_t body, size_t room);
void nl_attr(struct nl_reply *r, uint16_t type, const void *data, size_t n);
void nl_finish(struct nl_reply *r);
bool nl_reply_alloc(struct nl_reply *r); /* its buffer, for heap_free */

/* Of NETLINK_ROUTE: a message to all members of a group (RTNLGRP_*). Waits for no reader. */
void nl_multicast(unsigned group, const void *message, size_t size);
void nl_lost(void); /* one to some group cannot be made: they hear ENOBUFS with the next */

/* rtnetlink.c. RTM_GET*: what the end of a dump, or of the answer, says. *flags: of a dump's
 * messages. */
int rtnl_request(struct nl_reply *r, const struct nlmsghdr *h, size_t len, bool dump, bool strict,
	uint16_t *flags);

#define NL_REQUEST_MAX 1024u
struct nl_dump {
	unsigned table, bucket, skip; /* where to go on; 0 at first */
	uint32_t seq;
	size_t len;
	uint8_t request[NL_REQUEST_MAX]; /* with its header */
};

/* sock_diag.c. The answer about one socket, or -errno. */
int sock_diag_one(struct nl_reply *r, const struct nlmsghdr *h, size_t len);
/* -errno: such a request starts no dump. */
int sock_diag_check(const struct nlmsghdr *h, size_t len);
/* 1: r is full, there is more. 0: the end. -errno: the end, for NLMSG_DONE. */
int sock_diag_dump(struct nl_reply *r, struct nl_dump *d);

/* unix_diag.c, likewise; d->request and h are long enough for struct unix_diag_req. */
int unix_diag_one(struct nl_reply *r, const struct nlmsghdr *h);
int unix_diag_dump(struct nl_reply *r, struct nl_dump *d);
