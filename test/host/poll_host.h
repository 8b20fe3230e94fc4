/* SPDX-License-Identifier: BSD-2-Clause */
/* What waiting for files needs: a deadline is either never or long ago, files have no locks. */
#ifndef TEST_HOST_POLL_HOST_H
#define TEST_HOST_POLL_HOST_H

#include "file/anon.h"
#include "file/lock.h"
#include "sched/timer.h"

void sleep_timer_start(struct sleep_timer *s, uint64_t deadline)
{
	s->deadline = deadline;
}
void sleep_timer_stop(struct sleep_timer *s)
{
}
bool sleep_timer_expired(const struct sleep_timer *s)
{
	return s->deadline != UINT64_MAX;
}
void lock_release_owner(struct file *f, bool flock, void *owner)
{
}
int anon_file_stat(struct file *f, struct stat *st)
{
	return 0;
}
#endif
