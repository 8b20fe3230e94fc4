/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's part of robust futexes: a dead thread's list is walked, broken lists are survived.
 */
#include <linux/futex.h>
#include "t.h"

struct lock {
	struct robust_list list;
	uint32_t word;
};

static struct robust_list_head head;
static struct lock a, b, pending;
static int broken;

static void *die(void *arg)
{
	uint32_t me = syscall(SYS_gettid);
	head.list.next = &a.list;
	a.list.next = &b.list;
	b.list.next = broken ? (void *)BAD_PTR : (void *)&head.list;
	head.futex_offset = offsetof(struct lock, word);
	head.list_op_pending = broken ? NULL : &pending.list;
	a.word = me;
	b.word = broken == 2 ? 12345 : (me | FUTEX_WAITERS);
	pending.word = me;
	if (syscall(SYS_set_robust_list, &head, sizeof(head)) != 0)
		return (void *)1;
	syscall(SYS_exit, 0);
	return NULL;
}

static void show(const char *name, uint32_t w)
{
	printf("%s: died %d waiters %d owner %s\n", name, !!(w & FUTEX_OWNER_DIED),
		!!(w & FUTEX_WAITERS), (w & FUTEX_TID_MASK) == 0 ? "none" : "kept");
}

int main(void)
{
	struct robust_list_head *mine = NULL;
	size_t size = 0;
	for (broken = 0; broken < 3; broken++) {
		pthread_join(t_thread(die, NULL), NULL);
		show("a", a.word);
		show("b", b.word);
		show("pending", pending.word);
	}
	RET(syscall(SYS_get_robust_list, 0, &mine, &size));
	printf("size %zu, set by the C library %d\n", size, mine != NULL);
	RET(syscall(SYS_set_robust_list, &head, 1));
	RET(syscall(SYS_get_robust_list, 0, BAD_PTR, &size));
	RET(syscall(SYS_get_robust_list, 0x3ffffff, &mine, &size));
	return 0;
}
