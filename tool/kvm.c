/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest of seven instructions; see kvm.h. */
#include "kvm.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CODE_ADDRESS 0x1000
#define PROBE_PORT   0x10
#define LIMIT_MS     3000
/* 5,000 loops are 10,000 instructions: some 3 us on a CPU, 5 ms when each is interpreted. */
#define LOOPS	      5000
#define FAST_LIMIT_NS 1000000
#define TRIES	      3 /* the best counts: the host may have other work */

enum answer { WORKS = 1, NO_DEVICE, NO_VM, NO_RUN, SLOW };

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* Flat 32-bit protected mode: real mode is interpreted even by good hosts of old CPUs. */
static int set_mode(int vcpu)
{
	struct kvm_segment code = { .limit = 0xffffffff,
		.selector = 8,
		.type = 11,
		.present = 1,
		.db = 1,
		.s = 1,
		.g = 1 };
	struct kvm_segment data = code;
	struct kvm_sregs s;

	data.type = 3;
	data.selector = 16;
	if (ioctl(vcpu, KVM_GET_SREGS, &s) < 0)
		return -1;
	s.cs = code;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.cr0 |= 1;
	return ioctl(vcpu, KVM_SET_SREGS, &s);
}

/* Runs the loop once; nanoseconds, or -1. */
static int64_t run_once(int vcpu, struct kvm_run *run)
{
	struct kvm_regs regs = { .rip = CODE_ADDRESS, .rflags = 2 };
	int64_t t;

	if (ioctl(vcpu, KVM_SET_REGS, &regs) < 0)
		return -1;
	t = now_ns();
	if (ioctl(vcpu, KVM_RUN, 0) < 0)
		return -1;
	t = now_ns() - t;
	if (run->exit_reason != KVM_EXIT_IO || run->io.port != PROBE_PORT)
		return -1;
	return t;
}

static enum answer probe(void)
{
	static const uint8_t code[] = {
		0xb9, LOOPS & 0xff, LOOPS >> 8, 0, 0, /* mov $LOOPS, %ecx */
		0x49,				      /* 1: dec %ecx */
		0x75, 0xfd,			      /* jnz 1b */
		0xe6, PROBE_PORT,		      /* out %al, $PROBE_PORT */
		0xf4,				      /* hlt */
	};
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, vcpu, size;
	struct kvm_userspace_memory_region region = { .guest_phys_addr = CODE_ADDRESS,
		.memory_size = 4096 };
	int64_t best = INT64_MAX;
	struct kvm_run *run;
	void *page;

	if (kvm < 0 || ioctl(kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return NO_DEVICE;
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (vm < 0 || page == MAP_FAILED)
		return NO_VM;
	memcpy(page, code, sizeof(code));
	region.userspace_addr = (uintptr_t)page;
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return NO_VM;
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (vcpu < 0 || size < (int)sizeof(*run))
		return NO_VM;
	run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED || set_mode(vcpu) < 0)
		return NO_VM;
	for (int i = 0; i < TRIES; i++) {
		int64_t t = run_once(vcpu, run);

		if (t < 0)
			return NO_RUN;
		if (t < best)
			best = t;
	}
	return best < FAST_LIMIT_NS ? WORKS : SLOW;
}

bool kvm_works(bool fast, const char **why)
{
	struct pollfd pfd = { .events = POLLIN };
	unsigned char answer = 0;
	int p[2];
	pid_t pid;

	*why = "/dev/kvm is missing or may not be opened (as root: is the kvm module loaded? "
	       "else: usermod -aG kvm $USER)";
	if (access("/dev/kvm", R_OK | W_OK) < 0)
		return false;
	*why = "a probe could not be started";
	if (pipe2(p, O_CLOEXEC) < 0)
		return false;
	pid = fork();
	if (pid < 0) {
		close(p[0]);
		close(p[1]);
		return false;
	}
	if (!pid) {
		answer = probe();
		(void)!write(p[1], &answer, 1);
		_exit(0);
	}
	close(p[1]);
	pfd.fd = p[0];
	*why = "a small guest under KVM hangs";
	if (poll(&pfd, 1, LIMIT_MS) == 1) {
		*why = "a small guest under KVM crashed";
		if (read(p[0], &answer, 1) != 1)
			answer = 0;
	}
	close(p[0]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	switch (answer) {
	case NO_DEVICE: *why = "/dev/kvm does not answer"; break;
	case NO_VM: *why = "KVM cannot make a virtual machine"; break;
	case NO_RUN: *why = "KVM cannot run a small guest"; break;
	case SLOW: *why = "KVM interprets instructions here (nested without hardware)"; break;
	}
	return answer == WORKS || (answer == SLOW && !fast);
}
