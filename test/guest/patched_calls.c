/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls from a site that the kernel patches when it has become hot: registers, flags, red zone,
 * signals, repetition, threads on it while it is patched, and code that is changed or goes away.
 */
/* standalone */
/* options: --cpus 4 --memory 512M */
#include <dlfcn.h>
#include <sys/time.h>
#include <ucontext.h>
#include "prod.h"
#include "t.h"

#ifndef PATCHED
#define PATCHED 1 /* 0: the kernel has been told to leave call sites alone */
#endif
#define HOT 2000 /* calls after which a site has certainly been looked at often enough */

/* Code of our own: sites in the program's text, one for each part of the test. */
#define SITE(name, nr)                                                                             \
	extern char name##_syscall[];                                                              \
	long name(long a, long b, long c);                                                         \
	__asm__(".text; .type " #name ", @function;" #name ": nop; nop; mov $" #nr                 \
		", %eax; .globl " #name "_syscall;" #name "_syscall: syscall; ret")

SITE(site_getppid, 110);
SITE(site_storm, 110);
SITE(site_threads, 110);
SITE(site_pread, 17);
SITE(site_poll, 7);

static long parent;

/* Sites patched so far, on a kernel that counts them; -1: Linux. */
static long patches_made(void)
{
	char text[16384], *at;
	int fd = open("/proc/skiff/counters", O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	if (fd < 0)
		return -1;
	close(fd);
	text[n > 0 ? n : 0] = 0;
	at = strstr(text, "patch_made");
	return at ? atol(at + strlen("patch_made")) : 0;
}

static void heat(long (*site)(long, long, long))
{
	int bad = 0;
	for (int i = 0; i < HOT; i++)
		bad += site(0, 0, 0) != parent;
	printf("wrong: %d\n", bad);
}

struct registers {
	uint64_t rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11, flags, expect_rcx, red_zone;
};

/* getppid with every register set, on flags | IF, with something in the red zone. */
__attribute__((noinline)) static void all_registers(struct registers *r, uint64_t flags)
{
	__asm__ volatile("push %%rbx; push %%rbp; sub $256, %%rsp; mov %0, %%rbx\n\t"
			 "pushfq; pop %%r12; mov %1, %%rax; or %%r12, %%rax\n\t"
			 "movq $0x5a5a, -64(%%rsp)\n\t"
			 "mov $1, %%rdi; mov $2, %%rsi; mov $3, %%rdx; mov $4, %%r10\n\t"
			 "mov $5, %%r8; mov $6, %%r9\n\t"
			 "mov %%rax, -8(%%rsp); lea -8(%%rsp), %%rsp; popfq\n\t"
			 "nop; nop; mov $110, %%eax; syscall; 1:\n\t"
			 "mov %%rax, (%%rbx); mov %%rcx, 8(%%rbx); mov %%rdx, 16(%%rbx)\n\t"
			 "mov %%rsi, 24(%%rbx); mov %%rdi, 32(%%rbx); mov %%r8, 40(%%rbx)\n\t"
			 "mov %%r9, 48(%%rbx); mov %%r10, 56(%%rbx); mov %%r11, 64(%%rbx)\n\t"
			 "mov -64(%%rsp), %%rdi; mov %%rdi, 88(%%rbx)\n\t"
			 "pushfq; pop %%rax; mov %%rax, 72(%%rbx)\n\t"
			 "lea 1b(%%rip), %%rax; mov %%rax, 80(%%rbx)\n\t"
			 "push %%r12; popfq; cld; add $256, %%rsp; pop %%rbp; pop %%rbx"
			 :
			 : "r"(r), "r"(flags)
			 : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
			 "memory", "cc");
}

static int check_registers(uint64_t flags)
{
	struct registers r;
	uint64_t seen = 0x40cd5 | 0x200; /* AC, OF DF SF ZF AF PF CF, IF */
	all_registers(&r, flags);
	return (r.rax != (uint64_t)parent) | (r.rcx != r.expect_rcx) << 1 |
	       (r.rdi != 1 || r.rsi != 2 || r.rdx != 3 || r.r10 != 4 || r.r8 != 5 || r.r9 != 6)
		       << 2 |
	       ((r.r11 & seen) != (r.flags & seen)) << 3 | ((r.flags & flags) != flags) << 4 |
	       (r.red_zone != 0x5a5a) << 5 | !(r.r11 & 0x200) << 6;
}

static void registers(void)
{
	static const uint64_t flags[] = { 0, 0x1, 0x40, 0x8d5, 0x400, 0x40000, 0x40400 };
	int bad = 0;
	for (int i = 0; i < HOT; i++)
		bad |= check_registers(0);
	printf("registers: %#x\n", bad);
	for (unsigned i = 0; i < LENGTH(flags); i++) {
		bad = 0;
		for (int n = 0; n < 200; n++)
			bad |= check_registers(flags[i]);
		printf("flags %#lx: %#x\n", flags[i], bad);
	}
}

/* ---- signals ---- */

static volatile int hits, strange;

static void on_storm(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	const char *ip = (const char *)u->uc_mcontext.gregs[REG_RIP];
	Dl_info where;
	hits++;
	/* Always in some object's code: a stub is in none. */
	if (!dladdr(ip, &where) || !where.dli_fname)
		strange++;
}

static void storm(void)
{
	struct itimerval every = { { 0, 300 }, { 0, 300 } }, off = { 0 };
	int bad = 0;
	t_handle(SIGALRM, on_storm, SA_RESTART);
	heat(site_storm);
	setitimer(ITIMER_REAL, &every, NULL);
	for (long stop = t_now_ms() + 300; t_now_ms() < stop || hits < 20;)
		for (int i = 0; i < 100; i++)
			bad += site_storm(1, 2, 3) != parent;
	setitimer(ITIMER_REAL, &off, NULL);
	printf("storm: wrong %d, strange places %d\n", bad, strange);
}

static volatile int steps;
static uintptr_t step_low, step_high;

static void on_step(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	uintptr_t ip = u->uc_mcontext.gregs[REG_RIP];
	if (ip >= step_low && ip < step_high)
		steps++;
}

/* The trap flag over a patched site: as many steps as without. */
static void stepping(void)
{
	long r;
	t_handle(SIGTRAP, on_step, 0);
	step_low = (uintptr_t)site_getppid;
	step_high = (uintptr_t)site_getppid_syscall + 3;
	__asm__ volatile(
		"sub $128, %%rsp; pushfq; orl $0x100, (%%rsp); popfq; call site_getppid\n\t"
		"pushfq; andl $~0x100, (%%rsp); popfq; add $128, %%rsp"
		: "=a"(r)
		:
		: "rcx", "r11", "rdi", "rsi", "rdx", "memory", "cc");
	printf("stepped: %d, %s\n", steps, r == parent ? "right" : "wrong");
}

/* ---- interruption ---- */

static int pipes[2];

static void interrupted(void)
{
	struct pollfd_ {
		int fd;
		short events, revents;
	} p = { pipes[0], 1, 0 };
	struct prod prod;
	long r, begin;
	int bad = 0;
	NEED(pipe(pipes) == 0);
	p.fd = pipes[0];
	for (int i = 0; i < HOT; i++)
		bad += site_poll((long)&p, 1, 0) != 0;
	printf("poll: wrong %d\n", bad);
	prod_begin(&prod, false);
	r = site_poll((long)&p, 1, 60000);
	printf("poll: %s\n", t_errno((int)-r));
	IS(prod_end(&prod));
	prod_begin(&prod, true); /* continues by restart_syscall or repeats */
	begin = t_now_ms();
	r = site_poll((long)&p, 1, 100);
	printf("poll: %ld, %s\n", r, t_now_ms() - begin >= 100 ? "after its time" : "too early");
	IS(prod_end(&prod));
}

/* ---- threads ---- */

static volatile int go;

static void *caller(void *arg)
{
	long bad = 0;
	while (!go)
		;
	while (go == 1)
		for (int i = 0; i < 100; i++)
			bad += site_threads(i, 0, 0) != parent;
	return (void *)bad;
}

/* Until the sites have been undone and patched again under the callers' feet many times. */
static void *protector(void *arg)
{
	char *page = (char *)((uintptr_t)site_threads & ~(PAGE - 1));
	long bad = 0, made = patches_made(), limit = t_now_ms() + 60000;
	for (int i = 0; i < 40 || (PATCHED && made >= 0 && patches_made() < made + 30); i++) {
		bad += mprotect(page, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) != 0;
		sched_yield();
		bad += mprotect(page, 2 * PAGE, PROT_READ | PROT_EXEC) != 0;
		t_sleep_ms(1);
		if (i % 8 == 0)
			bad += madvise(page, PAGE, MADV_DONTNEED) != 0;
		if (t_now_ms() > limit)
			return (void *)1000000;
	}
	return (void *)bad;
}

static void threads(void)
{
	pthread_t id[5];
	long bad = 0;
	void *r;
	for (int i = 0; i < 4; i++)
		id[i] = t_thread(caller, NULL);
	id[4] = t_thread(protector, NULL);
	go = 1;
	for (int i = 4; i >= 0; i--) {
		pthread_join(id[i], &r);
		go = 2;
		bad += (long)r;
	}
	printf("threads: wrong %ld\n", bad);
}

/* ---- code that changes ---- */

static const uint8_t code[] = { 0x90, 0x90, 0xb8, 110, 0, 0, 0, 0x0f, 0x05, 0xc3 };

/* A file with one site at the start of each of two pages. */
static int code_file(void)
{
	uint8_t page[2 * PAGE] = { 0 };
	int fd = memfd_create("code", 0);
	NEED(fd >= 0);
	memcpy(page, code, sizeof(code));
	memcpy(page + PAGE, code, sizeof(code));
	NEED(write(fd, page, sizeof(page)) == (ssize_t)sizeof(page));
	return fd;
}

typedef long function(long, long, long);

static void changes(void)
{
	int fd = code_file(), bad = 0;
	uint8_t *at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0), *to;
	NEED(at != MAP_FAILED);
	heat((function *)at);
	heat((function *)(at + PAGE));
	/* Another number in the site. */
	RET(mprotect(at, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
	printf("the program's bytes: %d %d\n", memcmp(at, code, sizeof(code)),
		memcmp(at + PAGE, code, sizeof(code)));
	at[3] = 39;
	IS(((function *)at)(0, 0, 0) == getpid());
	RET(mprotect(at, 2 * PAGE, PROT_READ | PROT_EXEC));
	for (int i = 0; i < HOT; i++)
		bad += ((function *)at)(0, 0, 0) != getpid();
	printf("wrong: %d\n", bad);
	heat((function *)(at + PAGE));
	/* Moved. */
	munmap(at, PAGE);
	to = mremap(at + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	NEED(to != MAP_FAILED);
	IS(((function *)to)(0, 0, 0) == parent);
	heat((function *)to);
	/* Other code in its place. */
	NEED(mmap(to, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0) == to);
	IS(((function *)to)(0, 0, 0) == parent);
	heat((function *)to);
	munmap(to, PAGE);
	for (int i = 0; i < 100; i++) {
		at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
		for (int n = 0; n < 400; n++)
			bad += ((function *)at)(0, 0, 0) != parent ||
			       ((function *)(at + PAGE))(0, 0, 0) != parent;
		munmap(at, 2 * PAGE);
	}
	printf("mapped and unmapped: wrong %d\n", bad);
	close(fd);
}

/* A jump to the syscall instruction itself, past what was patched. */
static void middle(void)
{
	long r;
	int bad = 0;
	for (int i = 0; i < HOT; i++)
		bad += site_pread(-1, 0, 0) != -EBADF;
	__asm__ volatile("sub $128, %%rsp; call site_pread_syscall; add $128, %%rsp"
			 : "=a"(r)
			 : "a"(SYS_getpid)
			 : "rcx", "r11", "memory");
	printf("pread: wrong %d, getpid: %s\n", bad, r == getpid() ? "right" : "wrong");
}

int main(void)
{
	parent = syscall(SYS_getppid);
	heat(site_getppid);
	IS(PATCHED ? patches_made() != 0 : patches_made() <= 0);
	registers();
	middle();
	storm();
	stepping();
	interrupted();
	threads();
	changes();
	return 0;
}
