/* SPDX-License-Identifier: BSD-2-Clause */
/* Boot as a list, in the order of the layers. */

#include "entry/entry.h"
#include "cpu/apic.h"
#include "cpu/boot_info.h"
#include "cpu/cpu.h"
#include "cpu/io.h"
#include "cpu/irqflags.h"
#include "diag/clockhook.h"
#include "diag/console.h"
#include "diag/crash.h"
#include "diag/log.h"
#include "drivers/drivers.h"
#include "drivers/netdev.h"
#include "fs/vnode.h"
#include "lib/cmdline.h"
#include "mem/heap.h"
#include "mem/page.h"
#include "mem/pagetable.h"
#include "net/net.h"
#include "process/process.h"
#include "sched/clock.h"
#include "sched/futex.h"
#include "sched/random.h"
#include "sched/rcu.h"
#include "sched/thread.h"
#include "sched/timer.h"
#include "syscall/syscall.h"
#include "vm/vm.h"

extern uintptr_t __stack_chk_guard;

static void log_init(void)
{
	log_set_level(cmdline_get_u64(boot_info.cmdline, "loglevel", LOG_WARNING));
	diag_clock = clock_now;
}

static const void *root_image(void)
{
	return boot_info.initrd_end > boot_info.initrd_start
		       ? phys_to_virt(PADDR(boot_info.initrd_start))
		       : NULL;
}

static void fs_start(void)
{
	fs_init(root_image(), boot_info.initrd_end - boot_info.initrd_start);
}

static volatile void *map_registers(paddr_t base, size_t len)
{
	return map_device(base, len);
}

static void memory_init(void)
{
	page_init(&boot_info);
	pagetable_init_kernel(&boot_info);
	heap_init();
	apic_map = map_registers;
}

static void devices_init(void)
{
	pci_init();
	virtio_mmio_init(boot_info.cmdline);
}

/* Only ever called from kernel_main, which has no canary of its own to be upset by the change. */
__no_canary static void canary_init(void)
{
	uintptr_t canary;

	random_bytes(&canary, sizeof(canary));
	__stack_chk_guard = canary & ~0xfful; /* a zero byte stops string overruns */
}

__no_canary void kernel_main(void)
{
	cpu_init_boot(trap_table, (uintptr_t)syscall_entry, (uintptr_t)boot_stack_top);
	log_init();		  /* reports from here on */
	memory_init();		  /* pages, kernel tables, heap */
	apic_init_cpu();	  /* interrupts can be delivered, but are off */
	machine_init(&boot_info); /* how many CPUs, where the I/O APIC is */
	clocks_init();		  /* time passes */
	kvm_guest_init();	  /* halts and interrupts by KVM's short ways */
	sched_init();		  /* this flow is a thread now */
	canary_init();
	irq_enable(); /* from here on we may sleep */
	timer_system_init();
	rcu_init();
	futex_init();
	smp_start_others(); /* they come up meanwhile */
	vm_init();
	fs_start(); /* the root image is mounted */
	syscall_init();
	net_init();			  /* loopback, ready for cards */
	devices_init();			  /* cards, console ports, entropy */
	rng_device_wait();		  /* without RDRAND: nothing else is hard to guess */
	net_configure(boot_info.cmdline); /* static, or DHCP in its own thread */
	pagetable_seal_kernel();	  /* nothing writes to text or constants any more */
	smp_wait_for_others();
	netdev_all_cpus(); /* cards get a queue for each */
	patch_init();
	calls_init(); /* the doors, before the first program */
	process_start_first(boot_info.cmdline);
	clocks_refine(); /* better rates, while the program runs */
	thread_exit();
}
