/* SPDX-License-Identifier: BSD-2-Clause */
/* Where log lines and trace entries get their time from: sched/clock.h lies above this folder. */
#pragma once

#include "lib/types.h"

extern uint64_t (*diag_clock)(void); /* ns since boot; NULL: no clock yet */
