# SPDX-License-Identifier: BSD-2-Clause
# The benchmarks: the same binary, the same QEMU line, Debian's cloud kernel as the other guest.

BENCH_CFLAGS	:= -O2 -g -Wall -Wextra -Werror -D_GNU_SOURCE -pthread
BENCH_BIN	:= $(O)/bench/init $(O)/bench/hello $(O)/bench/load $(O)/bench/micro $(O)/bench/gc \
		   $(O)/bench/wire $(O)/bench/wire_server $(O)/bench/count.so $(O)/bench/exits.so \
		   $(O)/bench/udp_memcached $(O)/bench/udp_load $(O)/bench/widen $(O)/bench/floor.elf

$(O)/bench/init: bench/init.c
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -static -o $@ $<

$(O)/bench/micro: $(wildcard bench/micro/*.c) bench/micro/micro.h
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -o $@ $(filter %.c,$^)

$(O)/bench/gc: $(wildcard bench/gc/*.c) bench/gc/gc.h include/skiff.h
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -o $@ $(filter %.c,$^)

$(O)/bench/wire $(O)/bench/wire_server: bench/wire.h

$(O)/bench/udp_memcached: $(wildcard bench/memcached/*.c bench/memcached/*.h) include/skiff.h
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -o $@ $(filter %.c,$^)

$(O)/bench/widen: bench/widen.c tool/backlog.c tool/backlog.h
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -o $@ $(filter %.c,$^)

# A kernel: 32 bits, loaded at 1 MiB.
FLOOR_CFLAGS	:= -m32 -std=gnu11 -O2 -g -ffreestanding -fno-builtin -fno-pic -fno-pie \
		   -mgeneral-regs-only -fno-strict-aliasing -fno-stack-protector \
		   -fno-asynchronous-unwind-tables -fcf-protection=none $(WARN) -Isrc
$(O)/bench/floor.elf: $(wildcard bench/floor/* src/abi/*.h) src/cpu/io.h src/cpu/barrier.h
	@mkdir -p $(@D)
	$(CC) $(FLOOR_CFLAGS) -nostdlib -static -no-pie -Wl,-Ttext-segment=0x100000 \
		-Wl,--build-id=none -Wl,-e,pvh_entry -o $@ $(filter %.c %.S,$^)

# Plugins go into QEMU, which has the functions that they call.
$(O)/bench/%.so: bench/%.c bench/plugin.h
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -shared -fPIC -o $@ $<

$(O)/bench/load $(O)/bench/udp_load: bench/load.h
$(O)/bench/%: bench/%.c
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -o $@ $<

# The sample: a collector's write tracking, by cards and by dirty bits. bench/gc/main.c has its options.
.PHONY: gc bench-bin
gc: all $(O)/bench/gc

bench-bin: all $(BENCH_BIN)

# Writes bench/RESULTS.md. ROWS="boot memory" measures only those; bench/run --help says more.
bench:
	@tool/setup build run bench
	@$(MAKE) --no-print-directory bench-bin
	@bench/run $(ROWS)
