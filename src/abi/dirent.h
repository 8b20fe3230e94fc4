/* SPDX-License-Identifier: BSD-2-Clause */
/* getdents(2), the old record; the current one is struct linux_dirent64 in abi/stat.h. */
#pragma once

#include "abi/stat.h"

struct linux_dirent { /* the type is the record's last byte */
	uint64_t d_ino;
	int64_t d_off;
	uint16_t d_reclen;
	char d_name[];
} __packed;

#define NAME_MAX_LEN 255
#define PATH_MAX_LEN 4096 /* terminator included */
#define SYMLINK_MAX  40
