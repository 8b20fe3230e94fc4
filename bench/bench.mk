# SPDX-License-Identifier: BSD-2-Clause
# The benchmarks: the same binary, the same QEMU line, Debian's cloud kernel as the other guest.

BENCH_BIN	:= $(O)/bench/init $(O)/bench/hello $(O)/bench/load

$(O)/bench/init: bench/init.c
	@mkdir -p $(@D)
	$(CC) -O2 -Wall -Wextra -Werror -static -o $@ $<

$(O)/bench/%: bench/%.c
	@mkdir -p $(@D)
	$(CC) -O2 -Wall -Wextra -Werror -pthread -o $@ $<

# Writes bench/RESULTS.md. ROWS="boot memory" runs only those.
bench: all $(BENCH_BIN)
	@tool/setup bench
	@bench/run $(ROWS)
