/* SPDX-License-Identifier: BSD-2-Clause */
/* A broken invariant ends the test. */
#ifndef TEST_HOST_BUG_HOST_H
#define TEST_HOST_BUG_HOST_H

#include "lib/bug.h"
#include "t.h"

void bug_report(const char *file, int line, const char *what)
{
	fprintf(stderr, "BUG %s:%d: %s\n", file, line, what);
	abort();
}
#endif
