/* SPDX-License-Identifier: BSD-2-Clause */
/* readv(2) and friends. */
#pragma once

#include "lib/types.h"

#ifdef SKIFF_HOST
#include <sys/uio.h>
#else
struct iovec {
	void *iov_base;
	size_t iov_len;
};
#define RWF_HIPRI  0x01
#define RWF_DSYNC  0x02
#define RWF_SYNC   0x04
#define RWF_NOWAIT 0x08
#define RWF_APPEND 0x10
#endif

#define IOV_MAX 1024
