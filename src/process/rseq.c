/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Restartable sequences (rseq(2)). The program's word is brought up to date before it runs again
 * after a move to another CPU (the scheduler compares thread->told_cpu), and a critical section
 * that was cut short by preemption, a move or a signal continues at its abort address. A thread
 * that merely slept in a call and woke on the same CPU costs nothing.
 */

#include "process/impl.h"
#include "abi/clone.h"
#include "abi/errno.h"
#include "cpu/layout.h"
#include "cpu/offsets.h"
#include "cpu/percpu.h"
#include "cpu/uaccess.h"

_Static_assert(EXIT_WORK_MASK == THREAD_EXIT_WORK, "entry/syscall.S tests the same flags");

static struct rseq_area *area(const struct task *t)
{
	return (struct rseq_area *)t->rseq;
}

static int tell_cpu(struct task *t, uint32_t start, uint32_t id)
{
	uint32_t ids[2] = { start, id }; /* cpu_id_start, cpu_id */

	return copy_to_user(&area(t)->cpu_id_start, ids, sizeof(ids));
}

/*
 * Told first, then written: should the write sleep and wake elsewhere, the scheduler sees that
 * told_cpu is wrong and we are called again before the program runs.
 */
static int tell_this_cpu(struct task *t)
{
	uint32_t cpu = cpu_id();

	t->thread.told_cpu = cpu + 1;
	return tell_cpu(t, cpu, cpu);
}

static int rseq_unregister(struct task *t, uintptr_t addr, uint32_t len, uint32_t sig)
{
	if (!t->rseq || t->rseq != addr || t->rseq_len != len)
		return -EINVAL;
	if (t->rseq_sig != sig)
		return -EPERM;
	if (tell_cpu(t, 0, RSEQ_CPU_ID_UNINITIALIZED))
		return -EFAULT;
	t->rseq = 0;
	t->thread.told_cpu = 0;
	return 0;
}

int rseq_register(uintptr_t addr, uint32_t len, int flags, uint32_t sig)
{
	struct task *t = task_current();

	if (flags & RSEQ_FLAG_UNREGISTER)
		return flags & ~RSEQ_FLAG_UNREGISTER ? -EINVAL : rseq_unregister(t, addr, len, sig);
	if (flags)
		return -EINVAL;
	if (t->rseq) {
		if (t->rseq != addr || t->rseq_len != len)
			return -EINVAL;
		return t->rseq_sig != sig ? -EPERM : -EBUSY;
	}
	if (len != RSEQ_ORIG_SIZE || !IS_ALIGNED(addr, RSEQ_ORIG_SIZE))
		return -EINVAL;
	if (!user_range_ok((void *)addr, len))
		return -EFAULT;
	t->rseq = addr;
	t->rseq_len = len;
	t->rseq_sig = sig;
	if (tell_this_cpu(t)) {
		t->rseq = 0;
		t->thread.told_cpu = 0;
		return -EFAULT;
	}
	return 0;
}

/* If the program was inside a critical section it goes on at its abort address. */
static int abort_section(struct task *t, struct trap_frame *frame)
{
	struct rseq_cs cs;
	uint64_t ucs, none = 0;
	uint32_t sig;

	if (get_user(ucs, &area(t)->rseq_cs))
		return -EFAULT;
	if (!ucs)
		return 0;
	if (ucs >= USER_MAX || copy_from_user(&cs, (void *)ucs, sizeof(cs)))
		return -EFAULT;
	if (cs.version || cs.start_ip >= USER_MAX || cs.abort_ip >= USER_MAX || cs.abort_ip < 4 ||
		cs.post_commit_offset > USER_MAX - cs.start_ip ||
		cs.abort_ip - cs.start_ip < cs.post_commit_offset)
		return -EINVAL;
	/* Nobody can make us jump to a place that was not made for it. */
	if (get_user(sig, (uint32_t *)(cs.abort_ip - 4)))
		return -EFAULT;
	if (sig != t->rseq_sig)
		return -EINVAL;
	if (put_user(none, &area(t)->rseq_cs))
		return -EFAULT;
	if (frame->rip - cs.start_ip < cs.post_commit_offset)
		frame->rip = cs.abort_ip;
	return 0;
}

void rseq_interrupted(struct trap_frame *frame)
{
	struct task *t = task_current();

	if (t->rseq && abort_section(t, frame)) {
		t->rseq = 0;
		t->thread.told_cpu = 0;
		signal_force(SIGSEGV, NULL);
	}
}

void task_resume(struct trap_frame *frame)
{
	struct task *t = task_current();

	atomic_and(&t->thread.flags, ~(uint32_t)THREAD_NOTIFY);
	rseq_interrupted(frame);
	if (t->rseq && tell_this_cpu(t)) {
		t->rseq = 0;
		t->thread.told_cpu = 0;
		signal_force(SIGSEGV, NULL);
	}
}
