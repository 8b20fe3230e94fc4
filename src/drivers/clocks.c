/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which clock, how fast, and what time it is.
 *
 * The TSC is the clock wherever it counts alike on all CPUs. Its rate is asked for (hypervisor
 * leaf, kvmclock, CPUID 0x15/0x16) and only measured when nobody knows it: for some tens of
 * microseconds at boot against the finest counter there is, and again from clocks_refine against
 * the ACPI timer or the PIT over 10 ms, 100 ms, 1 s, 10 s, whose error falls in the same measure.
 */
#include "drivers/drivers.h"
#include "drivers/impl.h"
#include "drivers/machine.h"
#include "abi/kvm.h"
#include "cpu/apic.h"
#include "cpu/boot_info.h"
#include "cpu/io.h"
#include "cpu/irqflags.h"
#include "diag/log.h"
#include "lib/cmdline.h"
#include "sched/clock.h"
#include "sched/thread.h"

#define QEMU_APIC_HZ	 NSEC_PER_SEC /* its timer counts nanoseconds */
#define PIT_HZ		 1193182
#define PIT_CHANNEL2	 0x42
#define PIT_COMMAND	 0x43
#define PIT_GATE	 0x61
#define TSC_GUESS_MIN	 50000000ull /* slower or faster than this is a mistake */
#define TSC_GUESS_MAX	 20000000000ull
#define ICOUNT_TICKS	 2000 /* enough to see that one tick is one nanosecond exactly */
#define BOOT_CALIBRATION (50 * NSEC_PER_USEC)

/* A slow counter of known rate. */
struct reference {
	const char *name;
	uint64_t (*read)(void); /* counts up, wraps at mask */
	uint64_t mask;
	uint64_t hz;
};

/* One moment seen on both: ref was read between tsc - error and tsc + error. */
struct sample {
	uint64_t ref, tsc, error;
};

/* a * b / c; UINT64_MAX when that does not fit. There is no 128-bit division without libgcc. */
static uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c)
{
	unsigned __int128 product = (unsigned __int128)a * b;
	uint64_t lo = product, hi = product >> 64;

	if (hi >= c)
		return UINT64_MAX;
	__asm__("divq %2" : "+a"(lo), "+d"(hi) : "r"(c) : "cc");
	return lo;
}

static uint64_t tsc_hz;
static bool tsc_hz_measured; /* else it is as exact as its source */
static uint64_t apic_hz;     /* 0: unknown */

static uint64_t read_apic_timer(void)
{
	return UINT32_MAX - apic_timer_count();
}
static uint64_t read_pm_timer(void)
{
	return inl(machine.pm_timer);
}
static uint64_t read_pit(void)
{
	uint8_t lo;

	outb(PIT_COMMAND, 2 << 6); /* latch channel 2 */
	lo = inb(PIT_CHANNEL2);
	return (uint16_t) - (lo | inb(PIT_CHANNEL2) << 8);
}

static const struct reference apic_reference = { "local APIC timer", read_apic_timer, UINT32_MAX,
	QEMU_APIC_HZ };
static struct reference pm_reference = { "ACPI timer", read_pm_timer, 0xffffff, ACPI_PM_TIMER_HZ };
static const struct reference pit_reference = { "PIT", read_pit, 0xffff, PIT_HZ };

/* The best of a few readings, so that a stolen CPU between the two counters does not count. */
static struct sample take_sample(const struct reference *r)
{
	struct sample best = { .error = UINT64_MAX };

	for (int i = 0; i < 4; i++) {
		bool on = irq_save();
		uint64_t before = rdtsc(), ref = r->read(), after = rdtsc();

		irq_restore(on);
		if (after - before < best.error)
			best = (struct sample){ ref, before + (after - before) / 2,
				after - before };
	}
	return best;
}

static uint64_t rate_between(const struct reference *r, const struct sample *a, uint64_t ref_ticks,
	const struct sample *b)
{
	if (ref_ticks == 0)
		return 0;
	return mul_div(b->tsc - a->tsc, r->hz, ref_ticks);
}

/* Channel 2 counts down from 65536 (written as 0) over and over, silently. */
static void pit_start(void)
{
	outb(PIT_GATE, (inb(PIT_GATE) & ~2) | 1);
	outb(PIT_COMMAND, 2 << 6 | 3 << 4 | 2 << 1);
	outb(PIT_CHANNEL2, 0);
	outb(PIT_CHANNEL2, 0);
}

/* The PIT is there if its count moves. */
static bool pit_works(void)
{
	uint64_t first;

	pit_start();
	first = read_pit() & 0xffff;
	for (int i = 0; i < 16; i++)
		if ((read_pit() & 0xffff) != first)
			return true;
	return false;
}

static const struct reference *choose_reference(void)
{
	if (machine.pm_timer) {
		if (machine.pm_timer_32bit)
			pm_reference.mask = UINT32_MAX;
		return &pm_reference;
	}
	return pit_works() ? &pit_reference : NULL;
}

/*
 * Some tens of microseconds against a counter; reading it is the waiting. One TSC tick per
 * nanosecond, exactly, is QEMU counting instructions: seen after 2 us.
 */
static uint64_t measure_briefly(const struct reference *r)
{
	struct sample a = take_sample(r), b;
	uint64_t ticks, wanted = MAX(BOOT_CALIBRATION * r->hz / NSEC_PER_SEC, 50ull);
	uint64_t limit = rdtsc() + TSC_GUESS_MAX / 1000; /* at least 1 ms of the fastest TSC */

	for (;;) {
		b = take_sample(r);
		ticks = (b.ref - a.ref) & r->mask;
		if (r->hz == NSEC_PER_SEC && ticks >= ICOUNT_TICKS && ticks == b.tsc - a.tsc)
			return NSEC_PER_SEC;
		if (ticks >= wanted)
			break;
		if (b.tsc > limit)
			return 0; /* the counter stands still */
	}
	tsc_hz_measured = true;
	return rate_between(r, &a, ticks, &b);
}

static uint64_t cpuid_tsc_hz(void)
{
	uint32_t max = cpuid(0, 0).eax;
	struct cpuid r;

	if (max < 0x15)
		return 0;
	r = cpuid(0x15, 0);
	if (r.eax && r.ebx && r.ecx)
		return (uint64_t)r.ecx * r.ebx / r.eax;
	if (r.eax && r.ebx &&
		max >= 0x16) /* no crystal given: base frequency, 1 MHz exact at best */
		return (cpuid(0x16, 0).eax & 0xffff) * 1000000ull;
	return 0;
}

/* The timing leaf is VMware's; KVM, Xen and others answer it too. */
static void ask_hypervisor(void)
{
	struct cpuid r;

	if (hypervisor == HYPERVISOR_NONE ||
		cpuid(CPUID_HYPERVISOR, 0).eax < CPUID_HYPERVISOR_TIMING)
		return;
	r = cpuid(CPUID_HYPERVISOR_TIMING, 0);
	tsc_hz = r.eax * 1000ull;
	apic_hz = r.ebx * 1000ull;
}

static void find_tsc_rate(bool kvmclock)
{
	const struct reference *ref;

	if (!tsc_hz && kvmclock)
		tsc_hz = kvmclock_tsc_hz();
	if (!tsc_hz)
		tsc_hz = cpuid_tsc_hz();
	if (!tsc_hz && apic_hz == QEMU_APIC_HZ)
		tsc_hz = measure_briefly(&apic_reference);
	if (!tsc_hz && (ref = choose_reference()))
		tsc_hz = measure_briefly(ref);
	if (tsc_hz < TSC_GUESS_MIN || tsc_hz > TSC_GUESS_MAX) {
		log_err("TSC: no rate known, assuming 1 GHz");
		tsc_hz = NSEC_PER_SEC;
		tsc_hz_measured = true;
	}
}

/* What the local APIC's timer does, in terms of the TSC; on a machine that nobody described. */
static void find_apic_rate(void)
{
	uint64_t tsc, ticks;

	if (apic_hz)
		return;
	tsc = rdtsc();
	ticks = read_apic_timer();
	while (rdtsc() - tsc < tsc_hz / 10000)
		;
	ticks = (read_apic_timer() - ticks) & UINT32_MAX;
	apic_hz = mul_div(ticks, tsc_hz, rdtsc() - tsc);
	if (!apic_hz)
		apic_hz = NSEC_PER_SEC;
}

static void set_wall_clock(bool kvmclock)
{
	uint64_t ns = cmdline_get_u64(boot_info.cmdline, "time", 0) * NSEC_PER_SEC;

	if (!ns && kvmclock)
		ns = kvmclock_realtime();
	if (!ns)
		ns = rtc_read() * NSEC_PER_SEC;
	if (ns)
		clock_set_realtime(ns);
	else
		log_warn("no clock tells the time of day; it starts at 1970");
}

static const struct clock_source tsc_source = {
	.name = "tsc", .rating = 300, .read = rdtsc_ordered, .is_tsc = true
};
static const struct clock_source kvmclock_source = {
	.name = "kvm-clock", .rating = 350, .read = kvmclock_read, .is_tsc = false
};

void clocks_init(void)
{
	bool kvmclock = kvmclock_init();

	apic_timer_start_counting();
	ask_hypervisor();
	if (!apic_hz && (hypervisor == HYPERVISOR_TCG || hypervisor == HYPERVISOR_KVM))
		apic_hz = QEMU_APIC_HZ;
	find_tsc_rate(kvmclock);
	find_apic_rate();
	apic_timer_stop();
	apic_timer_set_frequency(apic_hz);
	clock_register(&tsc_source, tsc_hz);
	if (kvmclock && !kvmclock_tsc_is_stable()) {
		clock_register(&kvmclock_source, NSEC_PER_SEC);
		tsc_hz_measured = false; /* not ours to refine */
	}
	if (!tsc_hz_measured)
		apic_timer_set_tsc_frequency(tsc_hz);
	set_wall_clock(kvmclock);
	log_info("clocks: TSC %lu kHz%s, APIC timer %lu kHz", tsc_hz / 1000,
		tsc_hz_measured ? " (measured)" : "", apic_hz / 1000);
}

void clocks_init_cpu(void)
{
	kvmclock_init_cpu();
}

/*
 * The reference may have wrapped between two samples; how often, the rate known so far tells
 * (it is right to better than half a wrap: the interval grows by 10 while the error falls by 10).
 */
static uint64_t unwrapped_ticks(
	const struct reference *r, const struct sample *a, const struct sample *b)
{
	uint64_t ticks = (b->ref - a->ref) & r->mask, period = r->mask + 1;
	uint64_t expected = mul_div(b->tsc - a->tsc, r->hz, tsc_hz);

	if (expected > ticks)
		ticks += (expected - ticks + period / 2) / period * period;
	return ticks;
}

void clocks_refine(void)
{
	const struct reference *r;
	struct sample start, now;
	uint64_t hz;

	if (!tsc_hz_measured)
		return;
	r = choose_reference();
	if (!r)
		return;
	start = take_sample(r);
	for (uint64_t wait = 10 * NSEC_PER_MSEC; wait <= 10 * NSEC_PER_SEC; wait *= 10) {
		thread_sleep(wait, false, NULL);
		now = take_sample(r);
		hz = rate_between(r, &start, unwrapped_ticks(r, &start, &now), &now);
		/* The brief measurement is good to some percent; more is a counter gone mad. */
		if (hz < tsc_hz - tsc_hz / 8 || hz > tsc_hz + tsc_hz / 8) {
			log_warn("clocks: %s and TSC disagree (%lu kHz)", r->name, hz / 1000);
			return;
		}
		tsc_hz = hz;
		clock_set_rate(hz);
		log_debug("clocks: TSC %lu Hz by the %s", hz, r->name);
	}
}
