/* SPDX-License-Identifier: BSD-2-Clause */
/* epoll with libskiff preloaded. */
/* standalone */
/* env: LD_PRELOAD=/libskiff.so */
/* files: build/libskiff.so:/libskiff.so */
#include "epoll_edge.c"
