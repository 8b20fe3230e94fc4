/* SPDX-License-Identifier: BSD-2-Clause */
/* SIGSEGV tells address, code, trap number and error code; the handler can repair and go on. */
#include <ucontext.h>
#include "t.h"

static char *page;
static int code, fixes;
static long offset, trapno, err, cr2_same;

static void handler(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	code = info->si_code;
	offset = (char *)info->si_addr - page;
	trapno = uc->uc_mcontext.gregs[REG_TRAPNO];
	err = uc->uc_mcontext.gregs[REG_ERR];
	cr2_same = uc->uc_mcontext.gregs[REG_CR2] == (long)info->si_addr;
	fixes++;
	mprotect((void *)((unsigned long)info->si_addr & -PAGE), PAGE, PROT_READ | PROT_WRITE);
}

static void say(const char *what)
{
	printf("%s: code %d offset %ld trap %ld write %ld fetch %ld cr2 %ld, fixes %d\n", what,
		code, offset, trapno, err >> 1 & 1, err >> 4 & 1, cr2_same, fixes);
}

int main(void)
{
	page = mmap(NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(page != MAP_FAILED);
	t_handle(SIGSEGV, handler, 0);
	page[123] = 1;
	say("write none");
	printf("%d\n", page[123]);
	int v = *(volatile char *)(page + PAGE + 7);
	say("read none");
	printf("%d\n", v);
	mprotect(page, PAGE, PROT_READ);
	page[5] = 6;
	say("write read-only");
	/* across two pages */
	mprotect(page + PAGE, PAGE, PROT_READ | PROT_WRITE);
	*(volatile long *)(page + 2 * PAGE - 4) = 0x1122334455667788;
	say("write across");
	printf("%lx\n", *(volatile long *)(page + 2 * PAGE - 4));
	/* rep movs keeps its registers and goes on */
	memset(page, 'm', PAGE);
	char *dst = page + 3 * PAGE - 16, *src = page;
	unsigned long count = 32;
	__asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(count) : : "memory");
	say("rep movs");
	printf("left %lu, %c %c\n", count, page[3 * PAGE - 16], page[3 * PAGE + 15]);
	return 0;
}
