/* SPDX-License-Identifier: BSD-2-Clause */
/* What boot calls to bring the hardware up, in this order. Nothing here waits by looping. */
#pragma once

#include "lib/types.h"

struct boot_info;
struct wait_queue;

/* ACPI tables or MP table or QEMU's fw_cfg: CPUs, I/O APICs, power-off. No hardware is touched
 * otherwise. */
void machine_init(const struct boot_info *boot);
/* APIC ids of all CPUs, the boot CPU first; returns how many (at least 1, at most max). */
unsigned machine_cpus(uint32_t *apic_ids, unsigned max);
unsigned machine_cpu_count(void); /* of the machine, whether they run or not; at most MAX_CPUS */
/* Powers the machine off; also installed as crash_power_off. */
__noreturn void machine_power_off(void);

void clocks_init(void);	    /* clock source, LAPIC timer rate, wall clock; before sched timers */
void clocks_init_cpu(void); /* on each other CPU, before it runs threads */
void kvm_guest_init(void);  /* KVM's help for halts and interrupts; before others are started */
void kvm_guest_init_cpu(void);
/* In a thread of its own, when the program runs: better calibration. Sleeps for seconds. */
void clocks_refine(void);
void pci_init(void);			    /* finds devices; calls the virtio drivers' probes */
void virtio_mmio_init(const char *cmdline); /* virtio_mmio.device=SIZE@BASE:IRQ[:ID] */

/*
 * virtio-rng's answer joins the kernel's generator when it comes. Boot thread, before secrets are
 * made that a program or a peer relies on: waits for it (20 ms at most) if nothing else is random.
 */
void rng_device_wait(void);

/* The program's stdio (virtio console ports, else COM1). Bytes as they are; no line discipline. */
struct stdio_port {
	/* Sleeps for data; 0 = end of file; -ERESTARTSYS. nonblock: -EAGAIN. Kernel memory. */
	ssize_t (*read)(struct stdio_port *p, void *buf, size_t n, bool nonblock);
	ssize_t (*write)(struct stdio_port *p, const void *buf, size_t n, bool nonblock);
	/* What is true now (abi POLLIN/POLLOUT/POLLHUP values); changes are announced on 'wait'. */
	uint32_t (*ready)(struct stdio_port *p);
	struct wait_queue *wait;
	void (*drain)(struct stdio_port *p); /* returns when all is out */
};
extern struct stdio_port *stdio_in_out; /* fd 0 and 1; never NULL after drivers are up */
extern struct stdio_port *stdio_err;	/* fd 2 */
/* Lines from the control port; called in the driver's thread. Set by process/. */
extern void (*stdio_control)(const char *line);
