/* SPDX-License-Identifier: BSD-2-Clause */
/* User and group numbers and capabilities (credentials(7), capabilities(7)). */

#include "syscall/syscall.h"
#include "abi/clone.h"
#include "process/process.h"

#define CAP_SETGID 6
#define CAP_SETUID 7
#define NO_ID	   UINT32_MAX

static bool capable(unsigned cap)
{
	return process_current()->cap_effective >> cap & 1;
}

/* Linux's rules for going from and to user 0 (capabilities(7), "Effect of user ID changes"). */
static void uid_changed(struct process *p, const struct credentials *old)
{
	const struct credentials *c = &p->cred;
	bool had_root = !old->uid || !old->euid || !old->suid;

	if (had_root && c->uid && c->euid && c->suid && !p->keep_caps)
		p->cap_permitted = p->cap_effective = 0;
	if (!old->euid && c->euid)
		p->cap_effective = 0;
	if (old->euid && !c->euid)
		p->cap_effective = p->cap_permitted;
}

SYSCALL_DEFINE0(getuid)
{
	return process_current()->cred.uid;
}
SYSCALL_DEFINE0(geteuid)
{
	return process_current()->cred.euid;
}
SYSCALL_DEFINE0(getgid)
{
	return process_current()->cred.gid;
}
SYSCALL_DEFINE0(getegid)
{
	return process_current()->cred.egid;
}

SYSCALL_DEFINE3(getresuid, uint32_t *, r, uint32_t *, e, uint32_t *, s)
{
	const struct credentials *c = &process_current()->cred;

	return put_user(c->uid, r) || put_user(c->euid, e) || put_user(c->suid, s) ? -EFAULT : 0;
}
SYSCALL_DEFINE3(getresgid, uint32_t *, r, uint32_t *, e, uint32_t *, s)
{
	const struct credentials *c = &process_current()->cred;

	return put_user(c->gid, r) || put_user(c->egid, e) || put_user(c->sgid, s) ? -EFAULT : 0;
}

/* Each new id must be one of the three old ones, unless the caller may set any. */
static bool id_allowed(uint32_t id, uint32_t r, uint32_t e, uint32_t s)
{
	return id == NO_ID || id == r || id == e || id == s;
}

static long change_uid(uint32_t r, uint32_t e, uint32_t s)
{
	struct process *p = process_current();
	struct credentials old = p->cred, *c = &p->cred;

	if (!capable(CAP_SETUID) && !(id_allowed(r, old.uid, old.euid, old.suid) &&
					    id_allowed(e, old.uid, old.euid, old.suid) &&
					    id_allowed(s, old.uid, old.euid, old.suid)))
		return -EPERM;
	if (r != NO_ID)
		c->uid = r;
	if (e != NO_ID)
		c->euid = e;
	if (s != NO_ID)
		c->suid = s;
	c->fsuid = c->euid;
	uid_changed(p, &old);
	return 0;
}

static long change_gid(uint32_t r, uint32_t e, uint32_t s)
{
	struct credentials *c = &process_current()->cred, old = *c;

	if (!capable(CAP_SETGID) && !(id_allowed(r, old.gid, old.egid, old.sgid) &&
					    id_allowed(e, old.gid, old.egid, old.sgid) &&
					    id_allowed(s, old.gid, old.egid, old.sgid)))
		return -EPERM;
	if (r != NO_ID)
		c->gid = r;
	if (e != NO_ID)
		c->egid = e;
	if (s != NO_ID)
		c->sgid = s;
	c->fsgid = c->egid;
	return 0;
}

SYSCALL_DEFINE3(setresuid, uint32_t, r, uint32_t, e, uint32_t, s)
{
	return change_uid(r, e, s);
}
SYSCALL_DEFINE3(setresgid, uint32_t, r, uint32_t, e, uint32_t, s)
{
	return change_gid(r, e, s);
}

SYSCALL_DEFINE1(setuid, uint32_t, id)
{
	const struct credentials *c = &process_current()->cred;

	if (id == NO_ID)
		return -EINVAL;
	if (capable(CAP_SETUID))
		return change_uid(id, id, id);
	return id == c->uid || id == c->suid ? change_uid(NO_ID, id, NO_ID) : -EPERM;
}
SYSCALL_DEFINE1(setgid, uint32_t, id)
{
	const struct credentials *c = &process_current()->cred;

	if (id == NO_ID)
		return -EINVAL;
	if (capable(CAP_SETGID))
		return change_gid(id, id, id);
	return id == c->gid || id == c->sgid ? change_gid(NO_ID, id, NO_ID) : -EPERM;
}

SYSCALL_DEFINE2(setreuid, uint32_t, r, uint32_t, e)
{
	const struct credentials *c = &process_current()->cred;
	bool saves = r != NO_ID || (e != NO_ID && e != c->uid);

	if (!capable(CAP_SETUID) && !(id_allowed(r, c->uid, c->euid, c->euid) &&
					    id_allowed(e, c->uid, c->euid, c->suid)))
		return -EPERM;
	return change_uid(r, e, saves ? (e != NO_ID ? e : c->euid) : NO_ID);
}
SYSCALL_DEFINE2(setregid, uint32_t, r, uint32_t, e)
{
	const struct credentials *c = &process_current()->cred;
	bool saves = r != NO_ID || (e != NO_ID && e != c->gid);

	if (!capable(CAP_SETGID) && !(id_allowed(r, c->gid, c->egid, c->egid) &&
					    id_allowed(e, c->gid, c->egid, c->sgid)))
		return -EPERM;
	return change_gid(r, e, saves ? (e != NO_ID ? e : c->egid) : NO_ID);
}

/* Both return the old number, whether or not it changed. */
SYSCALL_DEFINE1(setfsuid, uint32_t, id)
{
	struct credentials *c = &process_current()->cred;
	uint32_t old = c->fsuid;

	if (id != NO_ID &&
		(capable(CAP_SETUID) || id_allowed(id, c->uid, c->euid, c->suid) || id == old))
		c->fsuid = id;
	return old;
}
SYSCALL_DEFINE1(setfsgid, uint32_t, id)
{
	struct credentials *c = &process_current()->cred;
	uint32_t old = c->fsgid;

	if (id != NO_ID &&
		(capable(CAP_SETGID) || id_allowed(id, c->gid, c->egid, c->sgid) || id == old))
		c->fsgid = id;
	return old;
}

SYSCALL_DEFINE2(getgroups, int, size, uint32_t *, list)
{
	const struct credentials *c = &process_current()->cred;

	if (size < 0)
		return -EINVAL;
	if (size == 0)
		return c->group_count;
	if ((unsigned)size < c->group_count)
		return -EINVAL;
	if (copy_to_user(list, c->groups, c->group_count * sizeof(c->groups[0])))
		return -EFAULT;
	return c->group_count;
}

SYSCALL_DEFINE2(setgroups, unsigned, size, const uint32_t *, list)
{
	struct credentials *c = &process_current()->cred;
	uint32_t groups[ARRAY_SIZE(c->groups)];

	if (!capable(CAP_SETGID))
		return -EPERM;
	if (size > ARRAY_SIZE(groups))
		return -EINVAL;
	if (copy_from_user(groups, list, size * sizeof(groups[0])))
		return -EFAULT;
	for (unsigned i = 0; i < size; i++)
		c->groups[i] = groups[i];
	c->group_count = size;
	return 0;
}

/* ---- capabilities ---- */

#define CAPABILITY_VERSION_1 0x19980330
#define CAPABILITY_VERSION_2 0x20071026
#define CAPABILITY_VERSION_3 0x20080522

struct cap_header {
	uint32_t version;
	int pid;
};
struct cap_data {
	uint32_t effective, permitted, inheritable;
};

/* How many cap_data words the version has; an unknown one is answered with ours. */
static int cap_words(struct cap_header *uheader, struct cap_header *h)
{
	if (get_user(*h, uheader))
		return -EFAULT;
	switch (h->version) {
	case CAPABILITY_VERSION_1: return 1;
	case CAPABILITY_VERSION_2:
	case CAPABILITY_VERSION_3: return 2;
	default:
		return put_user((uint32_t)CAPABILITY_VERSION_3, &uheader->version) ? -EFAULT
										   : -EINVAL;
	}
}

SYSCALL_DEFINE2(capget, struct cap_header *, uheader, struct cap_data *, udata)
{
	struct cap_header h;
	struct cap_data d[2];
	struct process *p;
	int words = cap_words(uheader, &h);

	if (words < 0)
		return words == -EINVAL && !udata ? 0 : words;
	if (h.pid < 0)
		return -EINVAL;
	if (!udata)
		return 0;
	p = h.pid ? process_find(h.pid) : process_find(process_current()->pid);
	if (!p)
		return -ESRCH;
	for (int i = 0; i < 2; i++)
		d[i] = (struct cap_data){ p->cap_effective >> 32 * i, p->cap_permitted >> 32 * i,
			p->cap_inheritable >> 32 * i };
	process_put(p);
	return copy_to_user(udata, d, words * sizeof(d[0]));
}

SYSCALL_DEFINE2(capset, struct cap_header *, uheader, const struct cap_data *, udata)
{
	struct process *p = process_current();
	struct cap_header h;
	struct cap_data d[2] = { { 0 } };
	uint64_t effective, permitted, inheritable;
	int words = cap_words(uheader, &h);

	if (words < 0)
		return words;
	if (h.pid && (uint32_t)h.pid != thread_current()->id)
		return -EPERM;
	if (copy_from_user(d, udata, words * sizeof(d[0])))
		return -EFAULT;
	effective = d[0].effective | (uint64_t)d[1].effective << 32;
	permitted = d[0].permitted | (uint64_t)d[1].permitted << 32;
	inheritable = d[0].inheritable | (uint64_t)d[1].inheritable << 32;
	if ((permitted & ~p->cap_permitted) || (effective & ~permitted) ||
		(inheritable & ~(p->cap_inheritable | p->cap_permitted)))
		return -EPERM;
	p->cap_effective = effective;
	p->cap_permitted = permitted;
	p->cap_inheritable = inheritable;
	return 0;
}
