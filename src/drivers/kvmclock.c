/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM's clock (Linux Documentation/virt/kvm/x86/msr.rst): the hypervisor writes, per CPU, how to
 * turn the TSC into nanoseconds. Where it promises that the TSC is one clock for all CPUs we only
 * take the TSC's rate from it; else this is the clock source.
 */
#include "drivers/impl.h"
#include "abi/kvm.h"
#include "cpu/barrier.h"
#include "cpu/io.h"
#include "cpu/percpu.h"
#include "mem/page.h"

static struct pvclock_time *times; /* MAX_CPUS of them, by CPU; NULL: not used. Fixed after boot. */
static bool stable;
static uint64_t last; /* atomic: the newest time any CPU has seen */
_Static_assert(MAX_CPUS * sizeof(struct pvclock_time) == 2 * PAGE_SIZE, "order 1 below");

static void register_cpu(void)
{
	wrmsr(MSR_KVM_SYSTEM_TIME_NEW, virt_to_phys(&times[cpu_id()]).raw | 1);
}

bool kvmclock_init(void)
{
	struct cpuid r;
	struct page *page;

	if (hypervisor != HYPERVISOR_KVM || cpuid(CPUID_HYPERVISOR, 0).eax < CPUID_KVM_FEATURES)
		return false;
	r = cpuid(CPUID_KVM_FEATURES, 0);
	if (!(r.eax & KVM_FEATURE_CLOCKSOURCE2))
		return false;
	page = page_alloc_zeroed(1);
	if (!page)
		return false;
	times = page_to_virt(page);
	register_cpu();
	if (times[0].tsc_to_system_mul == 0) { /* promised, but not written */
		wrmsr(MSR_KVM_SYSTEM_TIME_NEW, 0);
		page_put(page);
		times = NULL;
		return false;
	}
	stable = (r.eax & KVM_FEATURE_CLOCKSOURCE_STABLE_BIT) &&
		 (times[0].flags & PVCLOCK_TSC_STABLE);
	return true;
}

void kvmclock_init_cpu(void)
{
	if (times)
		register_cpu();
}

bool kvmclock_tsc_is_stable(void)
{
	return stable;
}

uint64_t kvmclock_tsc_hz(void)
{
	/* ns = (tsc << shift) * mul >> 32 */
	uint64_t hz = (NSEC_PER_SEC << 32) / times[0].tsc_to_system_mul;
	int shift = times[0].tsc_shift;

	return shift < 0 ? hz << -shift : hz >> shift;
}

static uint64_t read_raw(void)
{
	volatile struct pvclock_time *t = &times[cpu_id()];
	uint64_t ns, delta;
	uint32_t version;

	/* The hypervisor writes while this CPU does not run, so the loop does not wait. */
	do { /* [waits: kvmclock] */
		version = load_acquire(&t->version);
		rmb_device();
		delta = rdtsc() - t->tsc_timestamp;
		delta = t->tsc_shift < 0 ? delta >> -t->tsc_shift : delta << t->tsc_shift;
		ns = t->system_time +
		     (uint64_t)((unsigned __int128)delta * t->tsc_to_system_mul >> 32);
		rmb_device();
	} while ((version & 1) || version != load_acquire(&t->version));
	return ns;
}

uint64_t kvmclock_read(void)
{
	uint64_t now = read_raw(), seen = load_relaxed(&last);

	/* Two CPUs' parameters may differ a little; time must not go back between them. */
	while (seen < now)
		if (atomic_cas(&last, &seen, now))
			return now;
	return seen;
}

uint64_t kvmclock_realtime(void)
{
	struct page *page = page_alloc_zeroed(0);
	volatile struct pvclock_wall_clock *wall;
	uint64_t ns = 0;

	if (!page)
		return 0;
	wall = page_to_virt(page);
	wrmsr(MSR_KVM_WALL_CLOCK_NEW, virt_to_phys((void *)wall).raw);
	if (wall->version && !(wall->version & 1) && wall->sec)
		ns = wall->sec * NSEC_PER_SEC + wall->nsec + read_raw();
	page_put(page);
	return ns;
}
