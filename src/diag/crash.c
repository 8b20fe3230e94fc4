/* SPDX-License-Identifier: BSD-2-Clause */
/* The last words of the machine. Runs with interrupts off; trusts as little as it can. */

#include "diag/crash.h"
#include "cpu/apic.h"
#include "cpu/barrier.h"
#include "cpu/io.h"
#include "cpu/irq.h"
#include "cpu/irqflags.h"
#include "cpu/layout.h"
#include "cpu/percpu.h"
#include "diag/console.h"
#include "diag/counter.h"
#include "diag/log.h"
#include "diag/symbol.h"
#include "diag/trace.h"
#include "lib/bug.h"
#include "lib/format.h"
#include "lib/string.h"

void (*crash_power_off)(void);
void (*crash_print_threads)(int level);

/* Only code that the compiler makes refers to these two, some of it at the kernel's link. */
__used uintptr_t __stack_chk_guard = 0x595e9fbd94fda766; /* replaced by entry/main.c at boot */
__used __noreturn void __stack_chk_fail(void);

static bool crashing; /* atomic: the first CPU reports */

static void print_address(int level, const char *what, uintptr_t at)
{
	uintptr_t offset;
	const char *name = symbol_find(at, &offset);

	if (name)
		log_at(level, "%s %016lx %s+0x%lx", what, at, name, offset);
	else
		log_at(level, "%s %016lx", what, at);
}

/* Follows the frame pointers of a kernel stack, and stops where they stop making sense. */
static void print_backtrace(int level, uintptr_t rbp)
{
	for (int depth = 0; depth < 24; depth++) {
		const uintptr_t *frame = (const uintptr_t *)rbp;

		if (rbp < KSTACKS_BASE || rbp % 8 || frame[1] < KERNEL_BASE)
			return;
		print_address(level, "  from", frame[1]);
		if (frame[0] <= rbp || frame[0] - rbp > KSTACK_SIZE)
			return;
		rbp = frame[0];
	}
}

void crash_print_frame(int level, const struct trap_frame *f)
{
	print_address(level, "rip", f->rip);
	log_at(level, "rsp %016lx rflags %08lx vector %lu error %lx cr2 %016lx", f->rsp, f->rflags,
		f->vector, f->error, read_cr2());
	log_at(level, "rax %016lx rbx %016lx rcx %016lx rdx %016lx", f->rax, f->rbx, f->rcx,
		f->rdx);
	log_at(level, "rsi %016lx rdi %016lx rbp %016lx r8  %016lx", f->rsi, f->rdi, f->rbp, f->r8);
	log_at(level, "r9  %016lx r10 %016lx r11 %016lx r12 %016lx", f->r9, f->r10, f->r11, f->r12);
	log_at(level, "r13 %016lx r14 %016lx r15 %016lx", f->r13, f->r14, f->r15);
	if (!trap_from_program(f))
		print_backtrace(level, f->rbp);
}

static void print_counters(int level)
{
	const char *name;
	uint64_t value;

	for (unsigned i = 0; counter_read(i, &name, &value); i++)
		if (value)
			log_at(level, "counter %s %lu", name, value);
}

static __noreturn void halt_forever(void)
{
	for (;;) {
		irq_disable();
		__asm__ volatile("hlt");
	}
}

static void stop_others(void)
{
	for_each_cpu (n)
		if (n != cpu_id())
			apic_send_ipi(n, IRQ_VECTOR_STOP);
}

static __noreturn void end_machine(const char *mark)
{
	console_write(mark, strlen(mark));
	if (crash_power_off)
		crash_power_off();
	halt_forever();
}

static void stop_this_cpu(void *arg)
{
	halt_forever();
}

static void report(const struct trap_frame *frame, const char *what)
{
	log_at(LOG_EMERG, "the kernel stopped: %s", what);
	log_at(LOG_EMERG, "cpu %u of %u", cpu_id(), cpu_count());
	if (frame)
		crash_print_frame(LOG_EMERG, frame);
	else
		print_backtrace(LOG_EMERG, (uintptr_t)__builtin_frame_address(0));
	if (crash_print_threads)
		crash_print_threads(LOG_EMERG);
	print_counters(LOG_EMERG);
	trace_print(LOG_EMERG);
}

void crash(const struct trap_frame *frame, const char *fmt, ...)
{
	char what[160];
	va_list ap;

	irq_disable();
	if (__atomic_exchange_n(&crashing, true, __ATOMIC_ACQ_REL))
		end_machine("\x1eskiff-panic\n"); /* a crash while reporting one */
	log_seize();
	irq_vector_set(IRQ_VECTOR_STOP, stop_this_cpu, NULL);
	stop_others();
	va_start(ap, fmt);
	format_va(what, sizeof(what), fmt, ap);
	va_end(ap);
	report(frame, what);
	end_machine("\x1eskiff-panic\n");
}

void bug_report(const char *file, int line, const char *what)
{
	crash(NULL, "bug at %s:%d: %s", file, line, what);
}

void __stack_chk_fail(void)
{
	crash(NULL, "kernel stack smashed in %p", __builtin_return_address(0));
}

void machine_exit(int status)
{
	char line[48];

	irq_disable();
	log_seize(); /* no other CPU's line may tear this one */
	format(line, sizeof(line), "\x1eskiff-exit %d\n", status & 0xff);
	end_machine(line);
}
