/* SPDX-License-Identifier: BSD-2-Clause */
/* direct_calls.c through libc's own syscall instructions; others run with libskiff. */
/* standalone */
/* options: --no-preload */
#include "direct_calls.c"
