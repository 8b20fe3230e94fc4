/* SPDX-License-Identifier: BSD-2-Clause */
#include "file/anon.h"
#include "abi/stat.h"
#include "lib/string.h"

int anon_file_stat(struct file *f, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_dev = 0xd;
	st->st_ino = 1;
	st->st_mode = 0600;
	st->st_nlink = 1;
	st->st_blksize = 4096;
	return 0;
}
