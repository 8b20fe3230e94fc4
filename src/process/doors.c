/* SPDX-License-Identifier: BSD-2-Clause */
/* A program's way through its page of gates, as far as signals and faults must know of it. */

#include "process/impl.h"
#include "mem/page.h"
#include "skiff.h"

#define RFLAGS_IF      0x200
#define SYSCALL_LENGTH 2

void process_leave_door(struct trap_frame *f)
{
	uintptr_t gates = process_current()->gates;

	f->rflags |= RFLAGS_IF;
	if (!gates || f->rip - gates >= PAGE_SIZE)
		return;
	/* r11, rax and the arguments are set; only the fourth has another place for syscall. */
	f->r10 = f->rcx;
	f->rip = f->r11 - SYSCALL_LENGTH;
}
