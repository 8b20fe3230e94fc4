/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether KVM truly works here. */
#ifndef TOOL_KVM_H
#define TOOL_KVM_H

#include <stdbool.h>

/*
 * Runs a tiny guest through /dev/kvm in a child process with a time limit. Some hosts offer the
 * device and then fail in the middle, hang, or interpret each instruction; for those QEMU's own
 * translation is the better choice. With @fast, a guest that runs but is interpreted counts as not
 * working. *@why is a static string when the answer is no.
 */
bool kvm_works(bool fast, const char **why);

#endif
