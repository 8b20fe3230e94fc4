/* SPDX-License-Identifier: BSD-2-Clause */
/* signal_restart.c through libc's own syscall instructions; others run with libskiff. */
/* standalone */
/* options: --no-preload */
#include "signal_restart.c"
