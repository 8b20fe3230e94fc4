/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupted calls with libskiff preloaded. */
/* standalone */
/* env: LD_PRELOAD=/libskiff.so */
/* files: build/libskiff.so:/libskiff.so */
#include "signal_restart.c"
