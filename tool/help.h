/* SPDX-License-Identifier: BSD-2-Clause */
/* The text of --help. */
#ifndef TOOL_HELP_H
#define TOOL_HELP_H

/* The page for a command ("" for the overview); a static string. */
const char *help_text(const char *command);

#endif
