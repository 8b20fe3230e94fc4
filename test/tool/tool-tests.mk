# SPDX-License-Identifier: BSD-2-Clause
# make test-tool: the skiff command from outside, and its pure parts under ASan and UBSan.

TOOL_TEST_DIR	:= $(O)/test/tool
TOOL_TEST_SRC	:= $(filter-out tool/main.c tool/run.c,$(TOOL_C))
TOOL_TEST_FLAGS	:= -std=gnu11 -O1 -g -D_GNU_SOURCE $(WARN) -Wno-missing-prototypes -Wno-unused-function \
		   -fsanitize=address,undefined -fno-sanitize-recover=all

.PHONY: test-tool
$(TOOL_TEST_DIR)/%: test/tool/%.c $(TOOL_TEST_SRC) $(wildcard tool/*.h) test/host/t.h
	@mkdir -p $(@D)
	$(CC) $(TOOL_TEST_FLAGS) -o $@ $< $(TOOL_TEST_SRC) -lelf -pthread

test-tool: skiff $(TOOL_TEST_DIR)/unit $(TOOL_TEST_DIR)/closure_list
	@ASAN_OPTIONS=detect_leaks=0 python3 test/tool/cli.py $(TOOL_TEST_DIR) $(ONLY)
