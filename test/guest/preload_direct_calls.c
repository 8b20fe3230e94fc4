/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals and the doors with libskiff preloaded. */
/* standalone */
/* env: LD_PRELOAD=/libskiff.so */
/* files: build/libskiff.so:/libskiff.so */
#include "direct_calls.c"
