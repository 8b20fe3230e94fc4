/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plugin for QEMU's emulator that counts what leaves a guest: accesses to devices, by address,
 * and instructions that a hypervisor has to serve. The file (plugin.h) is a struct exits;
 * bench/exit_rows.py knows what the addresses are.
 *
 * Counted is what the guest does, not what QEMU makes of it: with hardware virtualisation each of
 * these is a way out of the guest. Accesses are looked at where a kernel makes them, in the upper
 * half of the addresses.
 */
#include "plugin.h"

#define PLACES	   1024
#define UPPER_HALF (1ull << 63)
#define WRITTEN	   (1ull << 63)

static struct exits {
	uint64_t halts, ports, msrs, cpuids;
	uint64_t lost; /* accesses that found no place */
	struct place {
		uint64_t address; /* physical, with WRITTEN; 0: free from here on */
		uint64_t count;
	} places[PLACES];
} * exits;

static void accessed(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *arg)
{
	struct qemu_plugin_hwaddr *address = qemu_plugin_get_hwaddr(info, vaddr);
	uint64_t key;

	(void)cpu;
	(void)arg;
	if (!address || !qemu_plugin_hwaddr_is_io(address))
		return;
	key = qemu_plugin_hwaddr_phys_addr(address);
	if (qemu_plugin_mem_is_store(info))
		key |= WRITTEN;
	for (struct place *p = exits->places; p < exits->places + PLACES; p++) {
		if (!p->address)
			p->address = key;
		if (p->address == key) {
			p->count++;
			return;
		}
	}
	exits->lost++;
}

/* Which counter an instruction belongs to; NULL: it stays inside. */
static uint64_t *kind(const struct qemu_plugin_insn *insn)
{
	const uint8_t *p = qemu_plugin_insn_data(insn), *end = p + qemu_plugin_insn_size(insn);

	while (p < end && (*p == 0x66 || *p == 0xf2 || *p == 0xf3 || (*p & 0xf0) == 0x40))
		p++; /* prefixes */
	if (p == end)
		return NULL;
	switch (*p) {
	case 0xf4: return &exits->halts;
	case 0x6c ... 0x6f: /* ins, outs */
	case 0xe4 ... 0xe7:
	case 0xec ... 0xef: return &exits->ports;
	case 0x0f: break;
	default: return NULL;
	}
	switch (p + 1 < end ? p[1] : 0) {
	case 0x30: /* wrmsr, rdmsr */
	case 0x32: return &exits->msrs;
	case 0xa2: return &exits->cpuids;
	default: return NULL;
	}
}

static void block_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	(void)id;
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t *counter = kind(insn);

		if (counter)
			qemu_plugin_register_vcpu_insn_exec_inline(
				insn, QEMU_PLUGIN_INLINE_ADD_U64, counter, 1);
		if (qemu_plugin_insn_vaddr(insn) & UPPER_HALF)
			qemu_plugin_register_vcpu_mem_cb(
				insn, accessed, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, NULL);
	}
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	(void)info;
	exits = plugin_file(argc, argv, sizeof(*exits));
	if (!exits)
		return 1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
	return 0;
}
