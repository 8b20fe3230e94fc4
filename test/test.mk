# SPDX-License-Identifier: BSD-2-Clause
# Every kind of test, and "make test" which installs what they need, runs them all and sums up.
# ONLY="name ..." limits test-guest, test-app and the like to tests whose name contains one of these.

include test/host/host.mk

TEST_CFLAGS	:= -std=gnu11 -O1 -g -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-unused-parameter \
		   -Wno-unused-function -Wno-nonnull -Wno-stringop-overflow \
		   -Wno-stringop-overread -fno-strict-aliasing -pthread
MUSL_GCC	?= musl-gcc

# Says whether test/guest/NAME.c and the like carry a comment line beginning with these words.
says		= $(shell grep -l '^/\* $1' $2)

GUEST_SRC	:= $(sort $(filter-out test/guest/runner.c,$(wildcard test/guest/*.c)))
GUEST_ALONE	:= $(call says,standalone,$(GUEST_SRC))
GUEST_SO	:= $(patsubst test/guest/%.c,$(O)/test/guest/t/%.so,$(filter-out $(GUEST_ALONE),$(GUEST_SRC)))
GUEST_BIN	:= $(patsubst test/guest/%.c,$(O)/test/guest/%,$(GUEST_ALONE) test/guest/runner.c)
DEATH_BIN	:= $(patsubst test/%.c,$(O)/test/%,$(wildcard test/death/*.c))
BOOT_BIN	:= $(patsubst test/%.c,$(O)/test/%,$(wildcard test/boot/*.c)) $(O)/test/boot/entry64.elf
APP_BIN		:= $(O)/test/app/mc_client $(O)/test/app/static_glibc $(O)/test/app/static_pie \
		   $(if $(shell command -v $(MUSL_GCC)),$(O)/test/app/static_musl) \
		   $(if $(shell command -v go),$(O)/test/app/static_go) \
		   $(O)/bench/udp_memcached $(O)/bench/udp_load
NET_BIN		:= $(patsubst test/%.c,$(O)/test/%,$(wildcard test/net/*.c))

.PHONY: test-model test-guest test-death test-boot test-app test-net test-programs
test-programs: $(GUEST_SO) $(GUEST_BIN) $(DEATH_BIN) $(BOOT_BIN) $(APP_BIN) $(NET_BIN)

$(O)/test/guest/t/%.so: test/guest/%.c $(wildcard test/guest/*.h)
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -shared -fPIC -Dmain=test_main -o $@ $< -lm

# runner gives t_leave to the objects that it loads, hence -rdynamic.
$(O)/test/guest/runner: test/guest/runner.c
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -rdynamic -Wl,--no-as-needed -o $@ $< -ldl -lm

guest_build	= $(shell sed -n 's,^/\* build: \(.*\) \*/.*,\1,p' $<)
guest_cc_static		= $(CC) -static
guest_cc_static-pie	= $(CC) -static-pie -fPIE
guest_cc_musl		= $(MUSL_GCC) -static
guest_cc_		= $(CC)
$(O)/test/guest/%: test/guest/%.c $(wildcard test/guest/*.h)
	@mkdir -p $(@D)
	$(guest_cc_$(guest_build)) $(TEST_CFLAGS) -DT_STANDALONE -o $@ $< -lm
# Some are another one with other options.
guest_includes	= $(shell sed -n 's,^\#include "\(.*\.c\)",test/guest/\1,p' $1)
$(foreach t,$(GUEST_ALONE),$(eval $(t:test/guest/%.c=$(O)/test/guest/%): $(call guest_includes,$t)))

$(O)/test/death/%: test/death/%.c
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -o $@ $<

$(O)/test/boot/%: test/boot/%.c
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -o $@ $<

# The Linux 64-bit entry is called by a loader of ours that is itself started through PVH.
$(O)/test/boot/entry64.elf: $(wildcard test/boot/entry64/*) $(O)/skiff.elf
	@mkdir -p $(@D)
	$(CC) -O2 -std=gnu11 -ffreestanding -fno-pic -fno-pie -mgeneral-regs-only -mno-red-zone \
		-fno-stack-protector -fcf-protection=none -fno-builtin -fno-tree-loop-distribute-patterns \
		-fno-asynchronous-unwind-tables -Wall -Wextra -Werror -Isrc -nostdlib -static -no-pie \
		-Wl,--build-id=none -Wl,-z,noexecstack -Wl,-n,--no-warn-rwx-segments -T test/boot/entry64/link.ld \
		-o $@ test/boot/entry64/start.S test/boot/entry64/load.c

$(O)/test/app/mc_client: test/app/mc_client.c
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -O2 -o $@ $<
$(O)/test/app/static_glibc: test/app/static.c
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -static -o $@ $<
$(O)/test/app/static_pie: test/app/static.c
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -static-pie -fPIE -o $@ $<
$(O)/test/app/static_musl: test/app/static.c
	@mkdir -p $(@D)
	$(MUSL_GCC) $(TEST_CFLAGS) -static -o $@ $<
$(O)/test/app/static_go: test/app/static.go
	@mkdir -p $(@D)
	CGO_ENABLED=0 GO111MODULE=off GOCACHE=$(abspath $(O))/go-cache GOFLAGS= go build -o $@ $<

$(O)/test/net/%: test/net/%.c $(wildcard test/net/*.h)
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -O2 -o $@ $<

test-guest test-death test-boot test-app test-net: all test-programs
	@test/run $(@:test-%=%) $(ONLY)

# The lock-free algorithms, every interleaving.
test-model:
	@test/run model $(ONLY)

# A minute's worth: is this kernel worth landing?
smoke: all test-programs
	@test/run smoke

test:
	@tool/setup build run test
	@$(MAKE) -s $(AT_ONCE) all
	@$(MAKE) -s $(AT_ONCE) host-tests test-programs
	@test/run all
