/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plugin for QEMU's emulator that counts the instructions a guest executes, in a file that others
 * can read while it runs: `-plugin build/bench/count.so,to=PATH`; the file is one 64-bit number.
 *
 * The guest's own clock under -icount says the same of a guest that is never idle. A server waits
 * for its clients, and here a halted CPU counts nothing. Each basic block adds its length when it
 * is entered: a block that a fault or an interrupt cuts short counts as a whole, which is less than
 * one in a thousand. With several virtual CPUs additions may be lost: one only.
 *
 * Debian has no package with the header of QEMU's plugins: what is used of it is declared here
 * (docs/devel/tcg-plugins.rst of QEMU, API version 1).
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
enum { QEMU_PLUGIN_INLINE_ADD_U64 = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(
	qemu_plugin_id_t id, void (*callback)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_tb_exec_inline(
	struct qemu_plugin_tb *tb, int op, void *counter, uint64_t add);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);

int qemu_plugin_version = 1;
int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv);

static uint64_t *counter;

static void block_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	(void)id;
	qemu_plugin_register_vcpu_tb_exec_inline(
		tb, QEMU_PLUGIN_INLINE_ADD_U64, counter, qemu_plugin_tb_n_insns(tb));
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	int fd;

	(void)info;
	if (argc != 1 || strncmp(argv[0], "to=", 3)) {
		fprintf(stderr, "count: says where to count: to=PATH\n");
		return 1;
	}
	fd = open(argv[0] + 3, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*counter))) {
		perror(argv[0] + 3);
		return 1;
	}
	counter = mmap(NULL, sizeof(*counter), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (counter == MAP_FAILED) {
		perror("count");
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
	return 0;
}
