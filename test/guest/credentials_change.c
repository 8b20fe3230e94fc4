/* SPDX-License-Identifier: BSD-2-Clause */
/* root */
/* User and group numbers, groups and capabilities: changes, and what cannot be taken back. */
/* standalone */
#include "t.h"
#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>

static void show(void)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;
	NEED(getresuid(&r, &e, &s) == 0 && getresgid(&rg, &eg, &sg) == 0);
	printf("uid %u %u %u gid %u %u %u\n", r, e, s, rg, eg, sg);
}

static void capabilities(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];
	memset(d, 0x5a, sizeof(d));
	RET(syscall(SYS_capget, &h, d));
	/* root in a container has not all: compare only whether there are any */
	printf("effective %d permitted %d\n", d[0].effective != 0, d[0].permitted != 0);
}

int main(void)
{
	gid_t groups[40], three[] = { 7, 8, 9 };
	struct __user_cap_header_struct h = { 0x1234, 0 };

	show();
	capabilities();
	RET(syscall(SYS_capget, &h, NULL));
	IS(h.version == _LINUX_CAPABILITY_VERSION_3);
	RET(syscall(SYS_capget, NULL, NULL));
	RET(setgroups(3, three));
	RET(syscall(SYS_getgroups, 40, groups));
	IS(groups[0] == 7 && groups[2] == 9);
	RET(syscall(SYS_getgroups, 0, NULL));
	RET(syscall(SYS_getgroups, 2, groups));
	RET(syscall(SYS_getgroups, -1, groups));
	RET(syscall(SYS_getgroups, 40, BAD_PTR));
	RET(syscall(SYS_setgroups, 2, BAD_PTR));
	RET(setresgid(-1, 50, -1));
	RET(setregid(60, -1));
	show();
	RET(setfsuid(5));
	RET(setfsuid(-1));
	RET(setresuid(-1, 1000, -1));
	show();
	capabilities();
	RET(setgid(3));
	RET(seteuid(0));
	capabilities();
	RET(setreuid(1000, 1001));
	show();
	RET(setuid(0));
	RET(setuid(1000));
	show();
	capabilities();
	RET(setresuid(0, 0, 0));
	RET(syscall(SYS_setgroups, 0, NULL));
	RET(setuid(-1));
	RET(syscall(SYS_capset, &h, BAD_PTR));
	return 0;
}
