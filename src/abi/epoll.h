/* SPDX-License-Identifier: BSD-2-Clause */
/* epoll(7). Event bits equal the POLL* ones. */
#pragma once

#include "lib/types.h"

#define EPOLL_CLOEXEC 02000000

#define EPOLL_CTL_ADD 1
#define EPOLL_CTL_DEL 2
#define EPOLL_CTL_MOD 3

#define EPOLLEXCLUSIVE (1u << 28)
#define EPOLLWAKEUP    (1u << 29)
#define EPOLLONESHOT   (1u << 30)
#define EPOLLET	       (1u << 31)

struct epoll_event {
	uint32_t events;
	uint64_t data;
} __packed;
_Static_assert(sizeof(struct epoll_event) == 12, "packed on x86-64");
