/* SPDX-License-Identifier: BSD-2-Clause */
/* write_tracking.c on 2 CPUs instead of four. */
/* standalone */
/* root */
/* options: --cpus 2 --memory 256M */
#include "write_tracking.c"
