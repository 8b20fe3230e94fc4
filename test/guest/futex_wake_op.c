/* SPDX-License-Identifier: BSD-2-Clause */
/* futex wake_op: changes the second word, wakes by its old value. */
#include "futex.h"

static uint32_t a, b;
static const char *ops[] = { "set", "add", "or", "andn", "xor" };
static const char *cmps[] = { "eq", "ne", "lt", "le", "gt", "ge" };

static void *waiter(void *arg)
{
	return (void *)futex(arg, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

int main(void)
{
	for (int op = 0; op < 5; op++) {
		b = 12;
		RET(futex(&a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1ul, &b,
			FUTEX_OP(op, 10, FUTEX_OP_CMP_EQ, 99)));
		printf("%s 10: %u\n", ops[op], b);
	}
	b = 1;
	RET(futex(&a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1ul, &b,
		FUTEX_OP((FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT), 4, FUTEX_OP_CMP_EQ, 99)));
	printf("or 1<<4: %u\n", b);
	for (int cmp = 0; cmp < 6; cmp++) {
		for (int arg = 4; arg <= 6; arg++) {
			/* one waiter on b, one on a */
			b = 0;
			pthread_t x = t_thread(waiter, &a), y = t_thread(waiter, &b);
			futex_await_waiters(&a, FUTEX_PRIVATE_FLAG, 1);
			futex_await_waiters(&b, FUTEX_PRIVATE_FLAG, 1);
			b = 5;
			long n = futex(&a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1ul, &b,
				FUTEX_OP(FUTEX_OP_ADD, 1, cmp, arg));
			printf("5 %s %d: woke %ld, now %u\n", cmps[cmp], arg, n, b);
			futex(&b, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
			pthread_join(x, NULL);
			pthread_join(y, NULL);
		}
	}
	RET(futex(&a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1ul, BAD_PTR, FUTEX_OP(0, 1, 0, 0)));
	RET(futex(&a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1ul, &b, FUTEX_OP(7, 1, 0, 0)));
	RET(futex(&a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1ul, &b, FUTEX_OP(0, 1, 9, 0)));
	return 0;
}
