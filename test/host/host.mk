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
# The whole network stack, for /* sources: $(HOST_NET) */
HOST_NET	:= $(sort $(wildcard src/net/*.c)) $(addprefix src/lib/,hash.c string.c format.c cmdline.c) \
		   src/file/iter.c
HOST_HEADERS	:= $(wildcard src/*/*.h test/host/*.h test/net/*.h)
HOST_BIN	:= $(HOST_TESTS:%=$(O)/test/host/%) $(HOST_TSAN:%=$(O)/test/host/%)

# $(call host_says,key,test): the rest of the test file's lines "/* key: ... */"
host_says	= $(shell sed -n 's,^/\* $1: \(.*\) \*/.*,\1,p' test/host/$2.c)

.PHONY: test-host host-tests
host-tests: $(HOST_BIN)

# Runs every program; test/run counts the "ok" and "not ok" lines. ONLY=name runs one.
test-host: host-tests
	@test/run host $(ONLY)

define host_rule
$(O)/test/host/$1$2: test/host/$1.c $(call host_says,sources,$1) $(HOST_HEADERS) test/host/host.mk
	@mkdir -p $$(@D)
	@echo '  HOSTCC  $$@'
	@$(HOST_CC) $(HOST_CFLAGS) $3 $(call host_says,flags,$1) -o $$@ $$(filter %.c %.S,$$^) -pthread
endef
$(foreach t,$(HOST_TESTS),$(eval $(call host_rule,$t,,$(HOST_ASAN))))
$(foreach t,$(HOST_TSAN),$(eval $(call host_rule,$(t:.tsan=),.tsan,$(HOST_TSANFLAGS))))
