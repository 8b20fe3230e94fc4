/* SPDX-License-Identifier: BSD-2-Clause */
/* The per-CPU section, descriptor tables and control registers of each CPU. */

#include "cpu/percpu.h"
#include "cpu/bulk.h"
#include "cpu/context.h"
#include "cpu/cpu.h"
#include "cpu/fpu.h"
#include "cpu/io.h"
#include "cpu/offsets.h"
#include "lib/string.h"

_Static_assert(offsetof(struct cpu_local, self) == LOCAL_SELF, "offsets.h");
_Static_assert(offsetof(struct cpu_local, kstack_top) == LOCAL_KSTACK_TOP, "offsets.h");
_Static_assert(offsetof(struct cpu_local, scratch) == LOCAL_SCRATCH, "offsets.h");
_Static_assert(offsetof(struct cpu_local, current) == LOCAL_CURRENT, "offsets.h");
_Static_assert(offsetof(struct cpu_local, sample) == LOCAL_SAMPLE, "offsets.h");
_Static_assert(offsetof(struct cpu_local, call_sample) == LOCAL_CALL_SAMPLE, "offsets.h");
_Static_assert(offsetof(struct cpu_context, rsp) == CONTEXT_RSP, "offsets.h");

#define MSR_EFER	   0xc0000080
#define MSR_STAR	   0xc0000081
#define MSR_LSTAR	   0xc0000082
#define MSR_FMASK	   0xc0000084
#define MSR_GS_BASE	   0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX	   0xc0000103

#define EFER_SCE       1
#define EFER_NXE       (1 << 11)
#define CR0_MP	       (1 << 1)
#define CR0_EM	       (1 << 2)
#define CR0_TS	       (1 << 3)
#define CR0_NE	       (1 << 5)
#define CR0_WP	       (1 << 16)
#define CR4_OSFXSR     (1 << 9)
#define CR4_OSXMMEXCPT (1 << 10)
#define CR4_PGE	       (1 << 7)
#define CR4_FSGSBASE   (1 << 16)
#define CR4_OSXSAVE    (1 << 18)

/* Intel SDM vol. 3, 8.7: 64-bit TSS. */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3, iomap_base;
} __packed;

struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_mid;
	uint32_t offset_high, reserved;
};

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __packed;

enum { IST_PAD = 1, IST_NMI, IST_DOUBLE_FAULT, IST_MACHINE_CHECK };

/* A stack for a fault that may find everything else broken; its last word names the CPU. */
struct emergency_stack {
	char stack[4096 - 16];
	struct cpu_local *local;
	uint64_t pad;
} __aligned(16);

/*
 * Every vector lands on 'pad', never on the program's stack, whose red zone is live. Entry code
 * copies the frame to the thread's kernel stack before anything else can land there.
 */
struct cpu_tables {
	uint64_t gdt[8];
	struct tss tss;
	char pad[256] __aligned(16);
	struct emergency_stack nmi, double_fault, machine_check;
};

DEFINE_PERCPU(struct cpu_local, cpu_locals);
static DEFINE_PERCPU(struct cpu_tables, cpu_tables);
static struct gate idt[256] __aligned(16); /* fixed after cpu_init_boot; shared by all CPUs */

uintptr_t cpu_percpu_offset[MAX_CPUS]; /* fixed once the CPU is online */
uint32_t cpu_online_count = 1;
uint32_t cpu_features;
static uintptr_t syscall_entry_point;

extern char __percpu_start[], __percpu_end[];

size_t cpu_percpu_size(void)
{
	return __percpu_end - __percpu_start;
}

uintptr_t cpu_percpu_template(uintptr_t at)
{
	for_each_cpu (n)
		if (at - cpu_percpu_offset[n] - (uintptr_t)__percpu_start < cpu_percpu_size())
			return at - cpu_percpu_offset[n];
	return at;
}

static void detect_features(void)
{
	struct cpuid basic = cpuid(1, 0), seven = { 0 }, ext = cpuid(0x80000001, 0);
	uint32_t max = cpuid(0, 0).eax;

	if (max >= 7)
		seven = cpuid(7, 0);
	if (basic.ecx & 1 << 26) {
		cpu_features |= CPU_XSAVE;
		if (max >= 13 && cpuid(13, 1).eax & 1)
			cpu_features |= CPU_XSAVEOPT;
		if (max >= 13 && cpuid(13, 1).eax & 1 << 2)
			cpu_features |= CPU_XGETBV1;
	}
	if (seven.ebx & 1)
		cpu_features |= CPU_FSGSBASE;
	if (seven.ebx & 1 << 9)
		cpu_features |= CPU_ERMS;
	if (basic.ecx & 1 << 21)
		cpu_features |= CPU_X2APIC;
	if (basic.ecx & 1 << 24)
		cpu_features |= CPU_TSC_DEADLINE;
	if (basic.ecx & 1 << 30)
		cpu_features |= CPU_RDRAND;
	if (seven.ebx & 1 << 18)
		cpu_features |= CPU_RDSEED;
	if (ext.edx & 1 << 27)
		cpu_features |= CPU_RDTSCP;
	if (ext.edx & 1 << 26)
		cpu_features |= CPU_1G_PAGES;
	if (basic.ecx & 1u << 31)
		cpu_features |= CPU_HYPERVISOR;
}

static uint8_t vector_stack(unsigned vector)
{
	switch (vector) {
	case 2: return IST_NMI;
	case 8: return IST_DOUBLE_FAULT;
	case 18: return IST_MACHINE_CHECK;
	default: return IST_PAD;
	}
}

static void fill_idt(const uintptr_t *trap_table)
{
	for (unsigned v = 0; v < 256; v++) {
		uintptr_t at = trap_table[v];

		idt[v] = (struct gate){
			.offset_low = at,
			.selector = SEL_KERNEL_CODE,
			.ist = vector_stack(v),
			/* Interrupt gate; 3 and 4 (int3, into) may be raised by ring 3. */
			.type = v == 3 || v == 4 ? 0xee : 0x8e,
			.offset_mid = at >> 16,
			.offset_high = at >> 32,
		};
	}
}

static void load_tables(struct cpu_tables *t)
{
	uintptr_t tss = (uintptr_t)&t->tss;
	struct table_pointer gdtr = { sizeof(t->gdt) - 1, (uintptr_t)t->gdt };
	struct table_pointer idtr = { sizeof(idt) - 1, (uintptr_t)idt };

	t->gdt[1] = 0x00af9b000000ffffull; /* ring 0 code, 64-bit */
	t->gdt[2] = 0x00cf93000000ffffull; /* ring 0 data */
	t->gdt[4] = 0x00cff3000000ffffull; /* ring 3 data */
	t->gdt[5] = 0x00affb000000ffffull; /* ring 3 code, 64-bit */
	t->gdt[6] = (sizeof(t->tss) - 1) | (tss & 0xffffff) << 16 | 0x89ull << 40 |
		    (tss >> 24 & 0xff) << 56;
	t->gdt[7] = tss >> 32;
	t->tss.iomap_base = sizeof(t->tss);
	t->tss.ist[IST_PAD - 1] = (uintptr_t)t->pad + sizeof(t->pad);
	t->tss.ist[IST_NMI - 1] = (uintptr_t)&t->nmi.local;
	t->tss.ist[IST_DOUBLE_FAULT - 1] = (uintptr_t)&t->double_fault.local;
	t->tss.ist[IST_MACHINE_CHECK - 1] = (uintptr_t)&t->machine_check.local;

	__asm__ volatile("lgdt %0" ::"m"(gdtr) : "memory");
	__asm__ volatile("pushq %0\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\n\t"
			 "movl %1, %%eax\n\t"
			 "movl %%eax, %%ss\n\t"
			 "movl %%eax, %%ds\n\t"
			 "movl %%eax, %%es\n\t"
			 "xorl %%eax, %%eax\n\t"
			 "movl %%eax, %%fs\n\t"
			 "movl %%eax, %%gs"
			 :
			 : "i"(SEL_KERNEL_CODE), "i"(SEL_KERNEL_DATA)
			 : "rax", "memory");
	__asm__ volatile("lidt %0" ::"m"(idtr) : "memory");
	__asm__ volatile("ltr %w0" ::"r"(SEL_TSS));
}

static void set_control_registers(void)
{
	uint64_t cr4 = read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_PGE;

	if (cpu_has(CPU_XSAVE))
		cr4 |= CR4_OSXSAVE;
	if (cpu_has(CPU_FSGSBASE))
		cr4 |= CR4_FSGSBASE;
	write_cr4(cr4);
	write_cr0((read_cr0() | CR0_WP | CR0_NE | CR0_MP) & ~(uint64_t)(CR0_EM | CR0_TS));

	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | EFER_NXE);
	wrmsr(MSR_STAR, (uint64_t)SEL_USER_BASE << 48 | (uint64_t)SEL_KERNEL_CODE << 32);
	wrmsr(MSR_LSTAR, syscall_entry_point);
	wrmsr(MSR_FMASK, 0x44700); /* AC, NT, DF, IF and TF are clear on entry */
}

static void init_common(uint32_t id, uintptr_t kstack_top)
{
	struct cpu_local *local = cpu_of(cpu_locals, id);
	struct cpu_tables *tables = cpu_of(cpu_tables, id);

	local->self = local;
	local->id = id;
	local->kstack_top = kstack_top;
	local->percpu_offset = cpu_percpu_offset[id];
	tables->nmi.local = tables->double_fault.local = tables->machine_check.local = local;
	load_tables(tables);
	wrmsr(MSR_GS_BASE, (uintptr_t)local);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	if (cpu_has(CPU_RDTSCP))
		wrmsr(MSR_TSC_AUX, id); /* what the vDSO's getcpu reads; node 0 above bit 12 */
	set_control_registers();
	cpu_fpu_init();
}

void cpu_init_boot(const uintptr_t *trap_table, uintptr_t syscall_entry, uintptr_t kstack_top)
{
	syscall_entry_point = syscall_entry;
	detect_features();
	fill_idt(trap_table);
	init_common(0, kstack_top);
	cpu_bulk_init();
}

void cpu_init_secondary(uint32_t id, void *percpu_block, uintptr_t kstack_top)
{
	cpu_percpu_offset[id] = (uintptr_t)percpu_block - (uintptr_t)__percpu_start;
	init_common(id, kstack_top);
}
