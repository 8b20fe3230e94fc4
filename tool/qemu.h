/* SPDX-License-Identifier: BSD-2-Clause */
/* The virtual machine: its QEMU command line, and what can be checked before it starts. */
#ifndef TOOL_QEMU_H
#define TOOL_QEMU_H

#include "image.h"

/* How the guest's channels reach skiff: file descriptors for QEMU, -1 for none. */
struct channels {
	int console;		   /* COM1; -1: standard input and output (--dry-run) */
	int in, out, err, control; /* virtio console ports */
	bool tty;
	unsigned short rows, cols; /* of the terminal, with tty */
};

/* Dies unless QEMU and the kernel are there: asked before the work of packing. */
void qemu_check_installed(void);
/* Checks what can be wrong with the host: KVM usable, ports free. Picks the host ports
 * given as 0 and the accelerator for auto. Dies with words. */
void qemu_check(struct options *o);

/* The whole command, ready for execv and for printing. */
void qemu_command(const struct options *o, const struct image *img, const struct channels *ch,
	struct strv *argv);

#endif
