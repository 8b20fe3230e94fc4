/* SPDX-License-Identifier: BSD-2-Clause */
/* Advisory locks: flock(2), POSIX record locks and open file description locks (fcntl(2)). */
#pragma once

#include "lib/types.h"

struct file;

/* Half-open range of bytes; end LOCK_TO_END: to the end of the file, however long it grows. */
struct lock_range {
	uint64_t start, end;
};
#define LOCK_TO_END (1ull << 63)

/* Set for good by the first record lock: until then closing need not look for any. */
extern bool lock_records_used;

/* owner: the descriptor table (POSIX) or the file (OFD, flock). type: F_RDLCK, F_WRLCK, F_UNLCK.
 * pid: for F_GETLK. flock and record locks do not see each other. 0, -EAGAIN, -EDEADLK, -ENOLCK,
 * -ERESTARTSYS. */
int lock_set(
	struct file *f, bool flock, void *owner, int pid, int type, struct lock_range r, bool wait);
/* The first lock that is in the way; *type F_UNLCK if none. */
void lock_test(struct file *f, void *owner, int *type, struct lock_range *r, int *pid);
/* Everything 'owner' holds on the file's vnode (close, end of the process). */
void lock_release_owner(struct file *f, bool flock, void *owner);
