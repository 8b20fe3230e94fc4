/* SPDX-License-Identifier: BSD-2-Clause */
/* skiff run: starting the machine and being the program's stand-in until it ends. */
#ifndef TOOL_RUN_H
#define TOOL_RUN_H

#include "options.h"

/* Returns the exit status of the command. */
int run_program(struct options *o);

#endif
