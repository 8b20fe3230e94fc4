/* SPDX-License-Identifier: BSD-2-Clause */
/* What we take of KVM's offers, and by which instruction we ask. */
#include "t.h"
#include "drivers/kvm_plan.h"
#include <string.h>

#define ALL (KVM_FEATURE_PV_UNHALT | KVM_FEATURE_POLL_CONTROL | KVM_FEATURE_PV_EOI)

TEST(kvm_nothing_offered)
{
	for (unsigned cpus = 1; cpus <= 2; cpus++) {
		struct kvm_plan p = kvm_plan((uint32_t)~ALL, cpus);

		CHECK(!p.kick && !p.poll_control && !p.eoi);
	}
}

TEST(kvm_each_by_its_own_bit)
{
	CHECK(kvm_plan(1u << 7, 2).kick);
	CHECK(kvm_plan(1u << 12, 2).poll_control);
	CHECK(kvm_plan(1u << 6, 2).eoi);
	CHECK(!kvm_plan((uint32_t) ~(1u << 7), 2).kick);
	CHECK(!kvm_plan((uint32_t) ~(1u << 12), 2).poll_control);
	CHECK(!kvm_plan((uint32_t) ~(1u << 6), 2).eoi);
}

/* One CPU is kicked by nobody and does not poll: the host goes on polling for it. */
TEST(kvm_one_cpu)
{
	struct kvm_plan p = kvm_plan(UINT32_MAX, 1);

	CHECK(!p.kick);
	CHECK(!p.poll_control);
	CHECK(p.eoi);
}

static bool vendor(const char *name)
{
	uint32_t r[3];

	memcpy(r, name, 12); /* ebx, edx, ecx */
	return kvm_has_vmmcall(r[0], r[2], r[1]);
}

TEST(kvm_hypercall_by_vendor)
{
	CHECK(vendor("AuthenticAMD"));
	CHECK(vendor("HygonGenuine"));
	CHECK(!vendor("GenuineIntel"));
	CHECK(!vendor("CentaurHauls"));
	CHECK(!vendor("  Shanghai  "));
}
