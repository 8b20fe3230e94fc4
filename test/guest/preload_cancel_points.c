/* SPDX-License-Identifier: BSD-2-Clause */
/* Cancellation with libskiff preloaded. */
/* standalone */
/* env: LD_PRELOAD=/libskiff.so */
/* files: build/libskiff.so:/libskiff.so */
#include "cancel_points.c"
