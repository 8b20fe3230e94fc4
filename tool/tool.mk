# SPDX-License-Identifier: BSD-2-Clause
# The host command ./skiff, its installation, and the checks of the sources' hygiene.

PREFIX		?= /usr/local
TOOL_C		:= $(sort $(wildcard tool/*.c))
TOOL_OBJ	:= $(TOOL_C:tool/%.c=$(O)/tool/%.o)
TOOL_CFLAGS	:= -std=gnu11 -O2 -g -D_GNU_SOURCE -DSKIFF_PREFIX='"$(PREFIX)"' $(WARN)

.PHONY: tool
all: skiff
tool: skiff

skiff: $(TOOL_OBJ)
	$(CC) -o $@ $(TOOL_OBJ) -lelf

$(O)/tool/%.o: tool/%.c
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) -MMD -MP -c -o $@ $<

-include $(TOOL_OBJ:.o=.d)

install: all
	install -D -m 755 skiff $(DESTDIR)$(PREFIX)/bin/skiff
	install -D -m 644 $(O)/skiff.elf $(DESTDIR)$(PREFIX)/lib/skiff/skiff.elf
	install -D -m 644 $(O)/libskiff.so $(DESTDIR)$(PREFIX)/lib/skiff/libskiff.so
	install -D -m 644 include/skiff.h $(DESTDIR)$(PREFIX)/include/skiff.h
	install -D -m 644 doc/skiff_packets.7 $(DESTDIR)$(PREFIX)/share/man/man7/skiff_packets.7

# On all CPUs, unless whoever called make said how many.
AT_ONCE		= $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

# Debian's memcached as a virtual machine, from a fresh checkout.
run:
	@tool/setup build run
	@$(MAKE) -s $(AT_ONCE) all
	@tool/serve

# ---- hygiene: make check ----

CLANG		?= clang-14
CLANG_FORMAT	?= $(or $(shell command -v clang-format-14),$(shell command -v clang-format))
FORMATTED	= $(wildcard src/*/*.c src/*/*.h tool/*.c tool/*.h test/*/*.c test/*/*.h bench/*.c \
		  libskiff/*.c include/*.h)

.PHONY: check-layers check-map check-spin check-locks check-format check-man check-warnings objects
check: check-layers check-map check-spin check-locks check-format check-man check-warnings

check-layers:
	@tool/check-layers
check-map:
	@tool/check-map
check-spin:
	@tool/check-spin
check-locks:
	@tool/check-locks
check-format:
ifeq ($(CLANG_FORMAT),)
	@echo "format: not checked, clang-format is not installed"
else
	@$(CLANG_FORMAT) --dry-run -Werror $(FORMATTED)
	@echo "format: ok"
endif

# The manual pages, without a warning.
check-man:
	@if command -v groff >/dev/null; then \
		! groff -mandoc -Tutf8 -ww -z doc/*.7 2>&1 | grep . && echo "man: ok"; \
	else \
		echo "man: not checked, groff is not installed"; \
	fi

# Both compilers, warnings as errors, kernel and command.
objects: $(OBJ) $(TOOL_OBJ)
check-warnings:
	@$(MAKE) -s objects
	@echo "warnings: gcc ok"
	@if command -v $(CLANG) >/dev/null; then \
		$(MAKE) -s CC=$(CLANG) O=$(O)/clang objects && echo "warnings: clang ok"; \
	else \
		echo "warnings: not checked with clang, $(CLANG) is not installed"; \
	fi

include test/tool/tool-tests.mk
