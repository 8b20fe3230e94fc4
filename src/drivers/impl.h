/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared inside drivers/. */
#pragma once

#include "lib/types.h"

enum hypervisor { HYPERVISOR_NONE, HYPERVISOR_TCG, HYPERVISOR_KVM, HYPERVISOR_OTHER };
extern enum hypervisor hypervisor; /* known after machine_init */

/* kvmclock.c: KVM's paravirtual clock. */
bool kvmclock_init(void);	/* on the boot CPU; false: not offered */
void kvmclock_init_cpu(void);	/* on each other CPU; does nothing unless kvmclock_init said true */
uint64_t kvmclock_tsc_hz(void); /* as KVM sees it */
bool kvmclock_tsc_is_stable(void); /* the TSC is one clock for all CPUs */
uint64_t kvmclock_read(void);	   /* ns, never goes back on any CPU */
uint64_t kvmclock_realtime(void);  /* ns since 1970; 0: unknown */

/* rtc.c: seconds since 1970; 0: there is no clock, or its time makes no sense. */
uint64_t rtc_read(void);
