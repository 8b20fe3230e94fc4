/* SPDX-License-Identifier: BSD-2-Clause */
/* userfaultfd(2), as much as asynchronous write protection needs. Numbers of Linux's
 * include/uapi/linux/userfaultfd.h. */
#pragma once

#include "lib/types.h"

#define UFFD_USER_MODE_ONLY 1
#define UFFD_API	    0xaaull

#define UFFD_FEATURE_WP_UNPOPULATED (1ull << 13)
#define UFFD_FEATURE_WP_ASYNC	    (1ull << 15)

/* Commands by their number, which is also their bit in what UFFDIO_API and _REGISTER report. */
#define UFFD_BIT_REGISTER     (1ull << 0x00)
#define UFFD_BIT_UNREGISTER   (1ull << 0x01)
#define UFFD_BIT_WAKE	      (1ull << 0x02)
#define UFFD_BIT_WRITEPROTECT (1ull << 0x06)
#define UFFD_BIT_API	      (1ull << 0x3f)

#define UFFDIO_REGISTER	    0xc020aa00u
#define UFFDIO_UNREGISTER   0x8010aa01u
#define UFFDIO_WAKE	    0x8010aa02u
#define UFFDIO_WRITEPROTECT 0xc018aa06u
#define UFFDIO_API	    0xc018aa3fu

#define UFFDIO_REGISTER_MODE_WP		  (1ull << 1)
#define UFFDIO_WRITEPROTECT_MODE_WP	  (1ull << 0)
#define UFFDIO_WRITEPROTECT_MODE_DONTWAKE (1ull << 1)

#define UFFD_MSG_SIZE 32 /* of struct uffd_msg, what a read gives at least */

struct uffdio_api {
	uint64_t api, features, ioctls;
};
struct uffdio_range {
	uint64_t start, len;
};
struct uffdio_register {
	struct uffdio_range range;
	uint64_t mode, ioctls;
};
struct uffdio_writeprotect {
	struct uffdio_range range;
	uint64_t mode;
};
