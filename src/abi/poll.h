/* SPDX-License-Identifier: BSD-2-Clause */
/* poll(2) and select(2): structs; the POLL* bits are in file/poll.h beside their users. */
#pragma once

#include "lib/types.h"

struct pollfd {
	int32_t fd;
	int16_t events, revents;
};

#define SKIFF_FD_SETSIZE 1024
