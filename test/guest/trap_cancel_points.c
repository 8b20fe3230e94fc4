/* SPDX-License-Identifier: BSD-2-Clause */
/* cancel_points.c through libc's own syscall instructions; others run with libskiff. */
/* standalone */
/* options: --no-preload */
#include "cancel_points.c"
