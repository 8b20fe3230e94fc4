/* SPDX-License-Identifier: BSD-2-Clause */
/* write_tracking.c on 1 CPU instead of four. */
/* standalone */
/* root */
/* options: --cpus 1 --memory 256M */
#include "write_tracking.c"
