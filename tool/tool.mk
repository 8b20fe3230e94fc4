# SPDX-License-Identifier: BSD-2-Clause
# The host command ./skiff, its installation, and the checks of the sources' hygiene.

PREFIX		?= /usr/local
TOOL_C		:= $(sort $(wildcard tool/*.c))
TOOL_OBJ	:= $(TOOL_C:tool/%.c=$(O)/tool/%.o)
TOOL_CFLAGS	:= -std=gnu11 -O2 -g -D_GNU_SOURCE -DSKIFF_PREFIX='"$(PREFIX)"' $(WARN)

.PHONY: tool test-tool
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
