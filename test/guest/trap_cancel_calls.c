/* SPDX-License-Identifier: BSD-2-Clause */
/* cancel_calls.c through libc's own syscall instructions; others run with libskiff. */
/* standalone */
/* options: --no-preload */
#include "cancel_calls.c"
