/* SPDX-License-Identifier: BSD-2-Clause */
/* Enabling the FPU and its extended states on a CPU; saving them is in cpu/context.h. */
#pragma once

void cpu_fpu_init(void);
