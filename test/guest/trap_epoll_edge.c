/* SPDX-License-Identifier: BSD-2-Clause */
/* epoll_edge.c through libc's own syscall instructions; others run with libskiff. */
/* standalone */
/* options: --no-preload */
#include "epoll_edge.c"
