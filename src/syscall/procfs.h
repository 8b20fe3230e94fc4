/* SPDX-License-Identifier: BSD-2-Clause */
/* Fills /proc and /sys; called once by syscall_init. */
#pragma once

void procfs_system_init(void);	/* procfs_system.c: what is about the machine */
void procfs_process_init(void); /* procfs_process.c: /proc/<pid>, self, thread-self */
void sysfs_init(void);		/* sysfs.c */
