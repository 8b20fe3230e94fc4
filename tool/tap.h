/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's tap interface that a machine is to use. */
#ifndef TOOL_TAP_H
#define TOOL_TAP_H

#include "util.h"

/* Dies with a sentence if @name is not there or no tap; warns if it is down. */
void tap_check(const char *name);

/* Whether it takes several queues: made by "ip tuntap add NAME mode tap multi_queue". */
bool tap_multi_queue(const char *name);

#endif
