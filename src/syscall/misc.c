/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's name, size, log and randomness; and calls that Linux too refuses to most programs.
 */

#include "syscall/syscall.h"
#include "abi/resource.h"
#include "diag/crash.h"
#include "diag/log.h"
#include "drivers/drivers.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "mem/page.h"
#include "process/process.h"
#include "sched/clock.h"
#include "sched/cputime.h"
#include "sched/random.h"
#include "syscall/version.h"

#define CAP_SYS_ADMIN 21
#define CAP_SYS_BOOT  22

static bool capable(unsigned cap)
{
	return process_current()->cap_effective >> cap & 1;
}

SYSCALL_DEFINE1(uname, struct utsname *, uout)
{
	struct utsname u = {
		.sysname = "Linux", .release = RELEASE, .version = VERSION, .machine = "x86_64"
	};

	str_copy(u.nodename, process_hostname, sizeof(u.nodename));
	str_copy(u.domainname, process_domainname, sizeof(u.domainname));
	return copy_to_user(uout, &u, sizeof(u));
}

static long set_name(char *name, const char *uname, int len)
{
	char fresh[65] = { 0 };

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (len < 0 || len > 64)
		return -EINVAL;
	if (copy_from_user(fresh, uname, len))
		return -EFAULT;
	memcpy(name, fresh, sizeof(fresh));
	return 0;
}

SYSCALL_DEFINE2(sethostname, const char *, uname, int, len)
{
	return set_name(process_hostname, uname, len);
}

SYSCALL_DEFINE2(setdomainname, const char *, uname, int, len)
{
	return set_name(process_domainname, uname, len);
}

SYSCALL_DEFINE1(sysinfo, struct sysinfo *, uout)
{
	struct page_stats pages = page_stats();
	struct sysinfo s = { 0 };

	s.uptime = DIV_ROUND_UP(clock_now(), NSEC_PER_SEC);
	s.loads[0] = s.loads[1] = s.loads[2] = (uint64_t)sched_runnable_count() << 16;
	s.totalram = pages.total * PAGE_SIZE;
	s.freeram = pages.free * PAGE_SIZE;
	s.procs = process_current()->task_count;
	s.mem_unit = 1;
	return copy_to_user(uout, &s, sizeof(s));
}

#define GRND_NONBLOCK 1
#define GRND_RANDOM   2
#define GRND_INSECURE 4

static long fill_random(char *ubuf, size_t n)
{
	char chunk[256];
	size_t done = 0;

	while (done < n) {
		size_t part = MIN(n - done, sizeof(chunk)), left;

		random_bytes(chunk, part);
		left = copy_to_user_partial(ubuf + done, chunk, part);
		done += part - left;
		if (left)
			return done ? (long)done : -EFAULT;
		if (done < n && thread_signalled())
			break;
		cond_resched();
	}
	memset(chunk, 0, sizeof(chunk));
	__asm__ volatile("" ::"r"(chunk) : "memory"); /* the wiping is not dead code */
	return done;
}

SYSCALL_DEFINE3(getrandom, char *, ubuf, size_t, n, unsigned, flags)
{
	if (flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if ((flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	n = MIN(n, (size_t)INT32_MAX);
	return cputime_measured(n, fill_random(ubuf, n));
}

/* ---- the log ---- */

#define SYSLOG_READ	     2
#define SYSLOG_READ_ALL	     3
#define SYSLOG_READ_CLEAR    4
#define SYSLOG_CONSOLE_LEVEL 8
#define SYSLOG_SIZE_UNREAD   9
#define SYSLOG_SIZE_BUFFER   10
#define LOG_SIZE	     KIB(64)

static long log_to_user(char *ubuf, int len)
{
	size_t size = MIN((size_t)len, LOG_SIZE), n;
	char *buf;
	long ret;

	if (!ubuf || len < 0)
		return -EINVAL;
	buf = heap_alloc(LOG_SIZE);
	if (!buf)
		return -ENOMEM;
	n = log_read(buf, size);
	ret = copy_to_user(ubuf, buf, n) ? -EFAULT : (long)n;
	heap_free(buf);
	return ret;
}

SYSCALL_DEFINE3(syslog, int, type, char *, ubuf, int, len)
{
	if (type < 0 || type > SYSLOG_SIZE_BUFFER)
		return -EINVAL;
	if (type != SYSLOG_READ_ALL && type != SYSLOG_SIZE_BUFFER && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	switch (type) {
	case SYSLOG_READ:
	case SYSLOG_READ_ALL:
	case SYSLOG_READ_CLEAR: return log_to_user(ubuf, len);
	case SYSLOG_CONSOLE_LEVEL:
		if (len < 1 || len > 8)
			return -EINVAL;
		log_set_level(len - 1); /* the call's levels are "below this" */
		return 0;
	case SYSLOG_SIZE_BUFFER: return LOG_SIZE;
	default: return 0;
	}
}

/* ---- the end ---- */

#define REBOOT_MAGIC1	 0xfee1deadu
#define REBOOT_CAD_ON	 0x89abcdefu
#define REBOOT_CAD_OFF	 0u
#define REBOOT_RESTART	 0x01234567u
#define REBOOT_RESTART2	 0xa1b2c3d4u
#define REBOOT_HALT	 0xcdef0123u
#define REBOOT_POWER_OFF 0x4321fedcu

static bool reboot_magic2_ok(uint32_t magic)
{
	return magic == 672274793 || magic == 85072278 || magic == 369367448 || magic == 537993216;
}

SYSCALL_DEFINE4(reboot, uint32_t, magic1, uint32_t, magic2, uint32_t, cmd, void *, arg)
{
	if (!capable(CAP_SYS_BOOT))
		return -EPERM;
	if (magic1 != REBOOT_MAGIC1 || !reboot_magic2_ok(magic2))
		return -EINVAL;
	switch (cmd) {
	case REBOOT_CAD_ON:
	case REBOOT_CAD_OFF: return 0;
	case REBOOT_RESTART:
	case REBOOT_RESTART2:
	case REBOOT_HALT:
	case REBOOT_POWER_OFF: process_exit_group(0);
	default: return -EINVAL;
	}
}

/*
 * ---- Calls without a use here ----
 *
 * They answer as Linux answers a program that may not, or a kernel built without; said here so
 * that programs that merely probe do not fill the log.
 */
#define REFUSE(name, err)                                                                          \
	SYSCALL_DEFINE0(name)                                                                      \
	{                                                                                          \
		return -(err);                                                                     \
	}

REFUSE(iopl, EPERM)
REFUSE(ioperm, EPERM)
REFUSE(vhangup, EPERM)
REFUSE(acct, ENOSYS)
REFUSE(modify_ldt, ENOSYS)
REFUSE(init_module, EPERM)
REFUSE(finit_module, EPERM)
REFUSE(delete_module, EPERM)
REFUSE(kexec_load, EPERM)
REFUSE(kexec_file_load, EPERM)
REFUSE(swapon, EPERM)
REFUSE(swapoff, EPERM)
REFUSE(quotactl, ENOSYS)
REFUSE(perf_event_open, EACCES)
REFUSE(bpf, EPERM)
REFUSE(fanotify_init, EPERM)
REFUSE(add_key, ENOSYS)
REFUSE(request_key, ENOSYS)
REFUSE(keyctl, ENOSYS)
REFUSE(io_uring_setup, ENOSYS)
REFUSE(io_uring_enter, ENOSYS)
REFUSE(io_uring_register, ENOSYS)
REFUSE(io_setup, ENOSYS)
REFUSE(io_destroy, ENOSYS)
REFUSE(io_submit, ENOSYS)
REFUSE(io_cancel, ENOSYS)
REFUSE(io_getevents, ENOSYS)
REFUSE(landlock_create_ruleset, EOPNOTSUPP)
REFUSE(memfd_secret, ENOSYS)
REFUSE(lookup_dcookie, EPERM)
REFUSE(mq_open, ENOSYS)
REFUSE(process_vm_readv, EPERM)
REFUSE(process_vm_writev, EPERM)
REFUSE(kcmp, EPERM)
