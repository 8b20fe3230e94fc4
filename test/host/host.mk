# SPDX-License-Identifier: BSD-2-Clause
# Host unit tests: each test/host/NAME_test.c becomes $(O)/test/host/NAME_test (ASan and UBSan) and,
# where the file says tsan, NAME_test.tsan. What test files may say about their build is in t.h.

HOST_CC		?= $(CC)
HOST_TESTS	:= $(patsubst test/host/%.c,%,$(sort $(wildcard test/host/*_test.c)))
HOST_TSAN	:= $(foreach t,$(HOST_TESTS),$(if $(shell grep -l '^/\* tsan' test/host/$t.c),$t.tsan))
HOST_CFLAGS	:= -std=gnu11 -O1 -g -fno-omit-frame-pointer -fno-strict-aliasing -fwrapv $(WARN) \
		   -Wno-missing-prototypes -Wno-unused-function -Isrc -Iinclude -Itest/host -DSKIFF_HOST
HOST_ASAN	:= -fsanitize=address,undefined -fno-sanitize-recover=all
HOST_TSANFLAGS	:= -fsanitize=thread
# The sleeping locks, for /* sources: $(HOST_MUTEX) */
HOST_MUTEX	:= src/sched/mutex.c src/sched/lock_class.c
# Address spaces, for /* sources: $(HOST_VM) */ and vm_env.h; tlb.c is the test's
HOST_VM		:= $(filter-out src/vm/tlb.c,$(sort $(wildcard src/vm/*.c))) \
		   $(addprefix src/mem/,page.c page_boot.c pool.c pagetable.c heap.c) \
		   $(addprefix src/lib/,rbtree.c string.c)
# The whole network stack, for /* sources: $(HOST_NET) */
HOST_NET	:= $(sort $(wildcard src/net/*.c)) $(addprefix src/lib/,hash.c string.c format.c cmdline.c rbtree.c) \
		   src/file/iter.c src/file/piece.c
# Merging of received segments, for /* sources: $(HOST_GRO) */
HOST_GRO	:= $(addprefix src/net/,gro.c packet.c checksum.c)
# The virtio network card's driver, and what it stands on, for /* sources: $(HOST_VIRTIO_NET) */
HOST_VIRTIO_NET	:= $(sort $(wildcard src/drivers/virtio_net*.c)) $(addprefix src/drivers/,virtio.c virtqueue.c)
HOST_BIN	:= $(HOST_TESTS:%=$(O)/test/host/%) $(HOST_TSAN:%=$(O)/test/host/%)

# $(call host_says,key,test): the rest of the test file's lines "/* key: ... */"
host_says	= $(shell sed -n 's,^/\* $1: \(.*\) \*/.*,\1,p' test/host/$2.c)

.PHONY: test-host host-tests fuzz fuzz-guided fuzz-coverage
host-tests: $(HOST_BIN)

# Runs every program; test/run counts the "ok" and "not ok" lines. ONLY=name runs one.
test-host: host-tests
	@test/run host $(ONLY)

# $(call host_build,program,test,flags,compiler); what the program is made of stands in program.d.
define host_build
$1: $(HOST_SOURCES_$2) test/host/host.mk
	@mkdir -p $$(@D)
	@echo '  HOSTCC  $$@'
	@$(or $4,$(HOST_CC)) $(HOST_CFLAGS) $3 $(HOST_FLAGS_$2) -MM -MP -MT $$@ $(HOST_SOURCES_$2) >$$@.d
	@$(or $4,$(HOST_CC)) $(HOST_CFLAGS) $3 $(HOST_FLAGS_$2) -o $$@ $(HOST_SOURCES_$2) -pthread
-include $1.d
endef
$(foreach t,$(HOST_TESTS),\
	$(eval HOST_SOURCES_$t := $$(sort test/host/$t.c $(call host_says,sources,$t)))\
	$(eval HOST_FLAGS_$t := $(call host_says,flags,$t)))
$(foreach t,$(HOST_TESTS),$(eval $(call host_build,$(O)/test/host/$t,$t,$(HOST_ASAN))))
$(foreach t,$(HOST_TSAN),$(eval $(call host_build,$(O)/test/host/$t,$(t:.tsan=),$(HOST_TSANFLAGS))))

# The whole network stack under a hail of frames (net_fuzz_test.c) for longer than "make test" has.
FUZZ_SECONDS	?= 600
fuzz: $(O)/test/host/net_fuzz_test
	NET_FUZZ_SECONDS=$(FUZZ_SECONDS) $<

# The same, guided by what it covers: libFuzzer, with Clang. It begins with what some seeds choose, and
# keeps what it finds in $(O)/fuzz/corpus.
FUZZ_CORPUS	:= $(O)/fuzz/corpus
HOST_SOURCES_net_fuzz_guided := $(patsubst %_test.c,%_guided.c,$(HOST_SOURCES_net_fuzz_test))
HOST_FLAGS_net_fuzz_guided   := $(HOST_FLAGS_net_fuzz_test) -Wno-unused-but-set-variable
$(eval $(call host_build,$(O)/fuzz/net_fuzz_guided,net_fuzz_guided,$(HOST_ASAN) -fsanitize=fuzzer,clang))
$(FUZZ_CORPUS)/seed-1: $(O)/test/host/net_fuzz_test
	@mkdir -p $(@D)
	@for k in $$(seq 40 -1 1); do NET_FUZZ_SEED=$$k NET_FUZZ_SCRIPT=$(@D)/seed-$$k $< >$(O)/fuzz/seeds || exit; done
fuzz-guided: $(O)/fuzz/net_fuzz_guided $(FUZZ_CORPUS)/seed-1
	$< -max_total_time=$(FUZZ_SECONDS) -max_len=20000 -artifact_prefix=$(O)/fuzz/ $(FUZZ_CORPUS)

# How deep it gets: the share of each file's lines that FUZZ_RUNS seeds execute.
FUZZ_RUNS	?= 300
$(eval $(call host_build,$(O)/test/cover/fuzz,net_fuzz_test,--coverage))
fuzz-coverage: $(O)/test/cover/fuzz
	@rm -f $(O)/test/cover/*.gcda
	@NET_FUZZ_RUNS=$(FUZZ_RUNS) $<
	@cd $(O)/test/cover && gcov -n *.gcda | \
		sed -n "/^File 'src.*c'/{N;s/File '\(.*\)'.*executed:/\1 /p}" | sort
