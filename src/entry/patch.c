/* SPDX-License-Identifier: BSD-2-Clause */
/* Which call sites are worth patching (door 3 of syscall.S): the ones that samples keep meeting. */

#include "entry/entry.h"
#include "abi/syscall_nr.h"
#include "cpu/boot_info.h"
#include "cpu/uaccess.h"
#include "diag/counter.h"
#include "lib/cmdline.h"
#include "process/process.h"
#include "vm/vm.h"

#define SITE_SIZE 7	    /* mov $nr,%eax; syscall */
#define BEFORE	  2	    /* bytes in front of it that vm_patch_site_ok wants to see */
#define HOT	  4	    /* samples, each of 61 calls by syscall */
#define NEVER	  INT32_MIN /* such code cannot be patched */
#define LATER	  (-64)	    /* it could not be patched now: so many samples more */
#define PLACES	  256

COUNTER(patch_samples);
COUNTER(patch_left_stub); /* threads interrupted in a stub */

static bool patching; /* fixed at boot */

/*
 * Sites seen lately, each in the one place its address hashes to; the newest takes it. Read and
 * written without order: a lost count or a site that is asked twice does no harm.
 */
static struct {
	uint64_t key; /* atomic */
	int32_t seen; /* atomic */
} places[PLACES];

/* Calls that take their frame apart, or never return to where they were made. */
static bool is_plain_call(uint64_t nr)
{
	return call_takes_arguments(nr) && nr != SYS_exit && nr != SYS_exit_group &&
	       nr != SYS_restart_syscall;
}

/* How many samples the site starts from now. */
static int32_t try_patch(uintptr_t site, uint32_t nr)
{
	uint8_t code[BEFORE + SITE_SIZE];

	if (site < BEFORE || copy_from_user(code, (void *)(site - BEFORE), sizeof(code)))
		return LATER; /* changed meanwhile */
	if (!vm_patch_site_ok(code + BEFORE, nr))
		return NEVER;
	/* Undone later, it may become hot again. */
	return vm_patch_site(vm_current(), site, nr, (uintptr_t)patch_entry) ? LATER : 0;
}

void patch_sample(struct trap_frame *f)
{
	uintptr_t site = f->rip - SITE_SIZE;
	uint64_t key = site ^ ((uintptr_t)vm_current() << 16), n = (site ^ site >> 8) % PLACES;
	int32_t seen = 0;

	if (!patching)
		return;
	counter_inc(patch_samples);
	if (load_relaxed(&places[n].key) == key)
		seen = load_relaxed(&places[n].seen);
	else
		store_relaxed(&places[n].key, key);
	seen++;
	if (seen >= HOT && is_plain_call(f->orig_rax))
		seen = try_patch(site, f->orig_rax);
	store_relaxed(&places[n].seen, seen);
}

void patch_leave(struct trap_frame *f)
{
	uintptr_t site;
	uint32_t nr;

	if (!patching || !vm_current() || !vm_patch_leave(vm_current(), f->rip, &site, &nr))
		return;
	counter_inc(patch_left_stub);
	f->rip = site;
	f->rax = nr;
	f->rflags |= RFLAGS_IF;
}

void patch_init(void)
{
	char word[2];

	patching = cmdline_get(boot_info.cmdline, "nopatch", 0, word, sizeof(word)) < 0;
}
