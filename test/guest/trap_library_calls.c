/* SPDX-License-Identifier: BSD-2-Clause */
/* library_calls.c through libc's own syscall instructions; others run with libskiff. */
/* standalone */
/* options: --no-preload */
#include "library_calls.c"
