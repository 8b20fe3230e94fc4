/* SPDX-License-Identifier: BSD-2-Clause */
/* Local APIC and I/O APIC (Intel SDM vol. 3, ch. 11; 82093AA datasheet). */

#include "cpu/apic.h"
#include "abi/errno.h"
#include "cpu/barrier.h"
#include "cpu/cpu.h"
#include "cpu/io.h"
#include "cpu/irq.h"
#include "cpu/irqflags.h"
#include "cpu/percpu.h"

#define MSR_APIC_BASE	 0x1b
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC	 0x800

#define APIC_BASE_X2APIC (1 << 10)
#define APIC_BASE_ENABLE (1 << 11)

/* Register numbers; the memory-mapped address is number << 4. */
enum {
	REG_ID = 0x02,
	REG_TPR = 0x08,
	REG_EOI = 0x0b,
	REG_LDR = 0x0d,
	REG_DFR = 0x0e,
	REG_SVR = 0x0f,
	REG_ICR = 0x30,
	REG_ICR_HIGH = 0x31,
	REG_LVT_TIMER = 0x32,
	REG_LVT_LINT0 = 0x35,
	REG_LVT_LINT1 = 0x36,
	REG_LVT_ERROR = 0x37,
	REG_TIMER_INIT = 0x38,
	REG_TIMER_COUNT = 0x39,
	REG_TIMER_DIVIDE = 0x3e,
};
#define LVT_MASKED	 (1 << 16)
#define LVT_TSC_DEADLINE (2 << 17)
#define ICR_ASSERT	 (1 << 14)
#define ICR_INIT	 (5 << 8)
#define ICR_STARTUP	 (6 << 8)
#define DIVIDE_BY_1	 0xb

volatile void *(*apic_map)(paddr_t base, size_t len);

/* Fixed after boot. */
static volatile uint8_t *apic_regs; /* NULL in x2APIC mode */
static bool x2apic;
#define RATE_SHIFT 30
static uint64_t timer_rate = 1ull << RATE_SHIFT; /* ticks per ns << RATE_SHIFT */
static uint64_t tsc_rate;			 /* not 0: deadline mode */

static uint32_t apic_read(unsigned reg)
{
	return x2apic ? rdmsr(MSR_X2APIC + reg) : mmio_read32(apic_regs + (reg << 4));
}

static void apic_write(unsigned reg, uint32_t v)
{
	if (x2apic)
		wrmsr(MSR_X2APIC + reg, v);
	else
		mmio_write32(apic_regs + (reg << 4), v);
}

void apic_init_cpu(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	x2apic = cpu_has(CPU_X2APIC);
	base |= APIC_BASE_ENABLE | (x2apic ? APIC_BASE_X2APIC : 0);
	wrmsr(MSR_APIC_BASE, base);
	if (!x2apic && !apic_regs)
		apic_regs = apic_map(PADDR(base & 0xffffff000ull), 4096);
	apic_write(REG_TPR, 0);
	apic_write(REG_LVT_LINT0, LVT_MASKED); /* the 8259, which nobody programs */
	apic_write(REG_LVT_LINT1, 4 << 8);     /* NMI */
	apic_write(REG_LVT_ERROR, LVT_MASKED);
	apic_write(REG_TIMER_DIVIDE, DIVIDE_BY_1);
	apic_write(REG_LVT_TIMER, IRQ_VECTOR_TIMER | (tsc_rate ? LVT_TSC_DEADLINE : 0));
	apic_write(REG_SVR, 0x100 | IRQ_VECTOR_SPURIOUS);
	cpu_local()->apic_id = apic_id();
}

uint32_t apic_id(void)
{
	return x2apic ? apic_read(REG_ID) : apic_read(REG_ID) >> 24;
}

static DEFINE_PERCPU(uint32_t *, eoi_word);
static DEFINE_PERCPU(uint32_t, icr_destination); /* 1 + what REG_ICR_HIGH holds; 0: not known */

void apic_set_eoi_word(uint32_t *word)
{
	*this_cpu(eoi_word) = word;
}

/*
 * The hypervisor sets bit 0 with an interrupt that needs no end, and looks only while this CPU does
 * not run: one instruction that tests and clears is enough (Linux
 * Documentation/virt/kvm/x86/msr.rst).
 */
static bool eoi_not_due(uint32_t *word)
{
	bool set;

	__asm__ volatile("btrl $0, %0" : "+m"(*word), "=@ccc"(set)::"memory");
	return set;
}

void apic_eoi(void)
{
	uint32_t *word = *this_cpu(eoi_word);

	if (!word || !eoi_not_due(word))
		apic_write(REG_EOI, 0);
}

/* The register keeps its value, and each access leaves a guest: with two CPUs one is enough. */
static void set_destination(uint32_t destination)
{
	uint32_t *last = this_cpu(icr_destination);

	if (*last == destination + 1)
		return;
	*last = destination + 1;
	mmio_write32(apic_regs + (REG_ICR_HIGH << 4), destination << 24);
}

static void send(uint32_t destination, uint32_t command)
{
	bool on;

	if (x2apic) {
		/* Unlike the memory-mapped write this does not order earlier stores (SDM 11.12.3).
		 */
		mb_device();
		wrmsr(MSR_X2APIC + REG_ICR, (uint64_t)destination << 32 | command);
		return;
	}
	on = irq_save(); /* the two writes belong together */
	set_destination(destination);
	mmio_write32(apic_regs + (REG_ICR << 4), command);
	irq_restore(on);
}

void apic_send_ipi(uint32_t cpu, int vector)
{
	send(cpu_of(cpu_locals, cpu)->apic_id, ICR_ASSERT | vector);
}

void apic_start_cpu(uint32_t id, uint8_t start_page)
{
	send(id, ICR_ASSERT | ICR_INIT);
	send(id, ICR_ASSERT | ICR_STARTUP | start_page);
}

void apic_timer_set_frequency(uint64_t hz)
{
	timer_rate = (hz << RATE_SHIFT) / NSEC_PER_SEC;
}

void apic_timer_set_tsc_frequency(uint64_t hz)
{
	if (!cpu_has(CPU_TSC_DEADLINE))
		return;
	tsc_rate = (hz << RATE_SHIFT) / NSEC_PER_SEC;
	apic_write(REG_LVT_TIMER, IRQ_VECTOR_TIMER | LVT_TSC_DEADLINE);
	mb_device(); /* SDM 11.5.4.1: the mode switch is ordered before the first deadline */
}

void apic_timer_arm(uint64_t ns)
{
	uint64_t ticks;

	if (tsc_rate) {
		ticks = (unsigned __int128)MIN(ns, 1000 * NSEC_PER_SEC) * tsc_rate >> RATE_SHIFT;
		wrmsr(MSR_TSC_DEADLINE, rdtsc() + ticks + 1);
		return;
	}
	/*
	 * This counter and the clock were measured against each other. A little late, no more than
	 * Linux's timer slack, is better than early, which costs a second interrupt.
	 */
	ns = MIN(ns, 1000 * NSEC_PER_SEC);
	ns += MIN(ns >> 14, 50 * NSEC_PER_USEC);
	ticks = (unsigned __int128)ns * timer_rate >> RATE_SHIFT;
	apic_write(REG_TIMER_INIT, MAX((uint64_t)1, MIN(ticks, (uint64_t)UINT32_MAX)));
}

void apic_timer_stop(void)
{
	if (tsc_rate)
		wrmsr(MSR_TSC_DEADLINE, 0);
	else
		apic_write(REG_TIMER_INIT, 0);
}

void apic_timer_start_counting(void)
{
	apic_write(REG_LVT_TIMER, LVT_MASKED | IRQ_VECTOR_TIMER);
	apic_write(REG_TIMER_INIT, UINT32_MAX);
	apic_write(REG_LVT_TIMER, IRQ_VECTOR_TIMER);
}

uint32_t apic_timer_count(void)
{
	return apic_read(REG_TIMER_COUNT);
}

uint64_t apic_msi_address(uint32_t cpu)
{

	return 0xfee00000 | (uint64_t)(cpu_of(cpu_locals, cpu)->apic_id & 0xff) << 12;
}

uint32_t apic_msi_data(int vector)
{
	return vector; /* fixed delivery, edge */
}

/* I/O APICs: filled at boot, then fixed; routing happens at boot and in driver start-up only. */
#define MAX_IOAPICS 8
static struct {
	volatile uint8_t *regs;
	uint32_t gsi_base, count;
} ioapics[MAX_IOAPICS];
static unsigned ioapic_count;

static uint32_t ioapic_read(volatile uint8_t *regs, uint32_t reg)
{
	mmio_write32(regs, reg);
	return mmio_read32(regs + 0x10);
}

static void ioapic_write(volatile uint8_t *regs, uint32_t reg, uint32_t v)
{
	mmio_write32(regs, reg);
	mmio_write32(regs + 0x10, v);
}

void ioapic_add(paddr_t base, uint32_t gsi_base)
{
	volatile uint8_t *regs;

	if (ioapic_count == MAX_IOAPICS)
		return;
	regs = apic_map(base, 4096);
	if (!regs)
		return;
	ioapics[ioapic_count].regs = regs;
	ioapics[ioapic_count].gsi_base = gsi_base;
	ioapics[ioapic_count++].count = (ioapic_read(regs, 1) >> 16 & 0xff) + 1;
}

int ioapic_route(uint32_t gsi, int vector, bool level, bool active_low)
{
	for (unsigned i = 0; i < ioapic_count; i++) {
		uint32_t pin = gsi - ioapics[i].gsi_base;

		if (gsi < ioapics[i].gsi_base || pin >= ioapics[i].count)
			continue;
		ioapic_write(ioapics[i].regs, 0x11 + pin * 2, apic_id() << 24);
		ioapic_write(ioapics[i].regs, 0x10 + pin * 2,
			vector | (level ? 1 << 15 : 0) | (active_low ? 1 << 13 : 0));
		return 0;
	}
	return -ENODEV;
}
