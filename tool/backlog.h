/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QEMU's user network listens on published ports with a backlog of one: of several clients that
 * connect at once the host's kernel turns most away, and they stall for seconds.
 */
#pragma once

#include <sys/types.h>

/*
 * Gives every listening TCP socket of the process room for 1024 connections. Returns how many there
 * are, 0 when it may not look (the process must be ours).
 */
int backlog_widen(pid_t pid);
