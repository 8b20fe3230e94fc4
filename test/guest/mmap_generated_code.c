/* SPDX-License-Identifier: BSD-2-Clause */
/* Code written at run time runs, also after it is rewritten and while another thread runs it. */
#include "t.h"

/* mov $imm,%eax; ret */
static void emit(unsigned char *p, int value)
{
	p[0] = 0xb8;
	memcpy(p + 1, &value, 4);
	p[5] = 0xc3;
}

static volatile int stop;
static void *thread(void *code)
{
	long bad = 0;
	while (!stop) {
		int v = ((int (*)(void))code)();
		bad += v != 11;
	}
	return (void *)bad;
}

int main(void)
{
	unsigned char *p =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(p != MAP_FAILED);
	emit(p, 42);
	RET(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	RET(((int (*)(void))p)());
	RET(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
	emit(p, 43);
	RET(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	RET(((int (*)(void))p)());
	int fd = memfd_create("code", 0);
	NEED(ftruncate(fd, PAGE) == 0);
	unsigned char *w = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	unsigned char *x = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	NEED(w != MAP_FAILED && x != MAP_FAILED);
	emit(w + 64, 11);
	pthread_t id = t_thread(thread, x + 64);
	int sum = 0;
	for (int i = 0; i < 100; i++) {
		emit(w, i);
		sum += ((int (*)(void))x)();
	}
	stop = 1;
	void *bad;
	pthread_join(id, &bad);
	printf("sum %d, bad %ld\n", sum, (long)bad);
	TOUCH(x, 'w');
	return 0;
}
