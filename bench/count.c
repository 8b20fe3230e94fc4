/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plugin for QEMU's emulator that counts the instructions a guest executes (plugin.h says where);
 * the file is one 64-bit number.
 *
 * The guest's own clock under -icount says the same of a guest that is never idle. A server waits
 * for its clients, and here a halted CPU counts nothing. Each basic block adds its length when it
 * is entered: a block that a fault or an interrupt cuts short counts as a whole, which is less than
 * one in a thousand.
 */
#include "plugin.h"

static uint64_t *counter;

static void block_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	(void)id;
	qemu_plugin_register_vcpu_tb_exec_inline(
		tb, QEMU_PLUGIN_INLINE_ADD_U64, counter, qemu_plugin_tb_n_insns(tb));
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	(void)info;
	counter = plugin_file(argc, argv, sizeof(*counter));
	if (!counter)
		return 1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
	return 0;
}
