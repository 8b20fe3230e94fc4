/* SPDX-License-Identifier: BSD-2-Clause */
/* prctl, arch_prctl and what one has instead of children. */
/* standalone */
#include "t.h"
#include <asm/prctl.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

int main(void)
{
	char name[17] = "";
	unsigned long base, *where;
	int value = -1;

	RET(prctl(PR_SET_NAME, "a name longer than sixteen"));
	RET(prctl(PR_GET_NAME, name));
	printf("'%s'\n", name);
	RET(prctl(PR_SET_NAME, BAD_PTR));
	RET(prctl(PR_GET_NAME, BAD_PTR));
	RET(prctl(PR_GET_DUMPABLE));
	RET(prctl(PR_SET_DUMPABLE, 5));
	RET(prctl(PR_SET_DUMPABLE, 0));
	RET(prctl(PR_GET_DUMPABLE));
	RET(prctl(PR_SET_PDEATHSIG, SIGHUP));
	RET(prctl(PR_GET_PDEATHSIG, &value));
	printf("death signal %d\n", value);
	RET(prctl(PR_SET_PDEATHSIG, 65));
	RET(prctl(PR_GET_KEEPCAPS));
	RET(prctl(PR_SET_KEEPCAPS, 2));
	RET(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	RET(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
	RET(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	RET(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	RET(prctl(PR_GET_TIMERSLACK));
	RET(prctl(PR_SET_TIMERSLACK, 1234));
	RET(prctl(PR_GET_TIMERSLACK));
	RET(prctl(PR_SET_TIMERSLACK, 0));
	RET(prctl(PR_GET_TIMERSLACK));
	RET(prctl(PR_GET_CHILD_SUBREAPER, &value));
	RET(prctl(PR_CAPBSET_READ, 0));
	RET(prctl(PR_CAPBSET_READ, 1000));
	RET(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
	RET(prctl(99999));

	RET(syscall(SYS_arch_prctl, ARCH_GET_FS, &base));
	IS(base == (unsigned long)__builtin_thread_pointer());
	RET(syscall(SYS_arch_prctl, ARCH_GET_FS, BAD_PTR));
	RET(syscall(SYS_arch_prctl, ARCH_SET_FS, 0xffff800000000000));
	where = &base;
	RET(syscall(SYS_arch_prctl, ARCH_SET_GS, where));
	base = 0x1234;
	unsigned long seen;
	__asm__ volatile("movq %%gs:0, %0" : "=r"(seen));
	printf("gs:0 is %#lx\n", seen);
	t_sleep_ms(5);
	__asm__ volatile("movq %%gs:0, %0" : "=r"(seen));
	printf("gs:0 is %#lx\n", seen);
	RET(syscall(SYS_arch_prctl, 0x3001, 0));
	RET(syscall(SYS_arch_prctl, 0x7777, 0));

	RET(wait(NULL));
	RET(waitpid(-1, NULL, WNOHANG));
	RET(waitpid(12345, NULL, 0));
	RET(syscall(SYS_wait4, -1, NULL, 0x100, NULL));
	RET(waitid(P_ALL, 0, NULL, WEXITED));
	RET(waitid(P_ALL, 0, NULL, 0));
	RET(waitid(P_PID, 0, NULL, WEXITED));
	RET(waitid(17, 0, NULL, WEXITED));
	struct clone_args bad = { .flags = CLONE_THREAD }, sig = { .flags = CLONE_SIGHAND };
	RET(syscall(SYS_clone3, &bad, sizeof(bad)));
	RET(syscall(SYS_clone3, &sig, sizeof(sig)));
	RET(syscall(SYS_clone3, &bad, 10));
	RET(syscall(SYS_clone3, &bad, 5000));
	RET(syscall(SYS_clone3, BAD_PTR, sizeof(bad)));
	RET(syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0));
	RET(syscall(SYS_restart_syscall));
	RET(syscall(SYS_getpgid, 0x3ffffff));
	RET(syscall(SYS_getsid, 0x3ffffff));
	RET(syscall(SYS_setpgid, 0, -1));
	return 0;
}
