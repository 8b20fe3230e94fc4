# SPDX-License-Identifier: BSD-2-Clause
# Targets people use: all run test check bench install clean. What each folder builds is in its own .mk file.

CC		?= gcc
O		:= build
SRC_C		:= $(sort $(wildcard src/*/*.c))
SRC_S		:= $(sort $(wildcard src/*/*.S))
OBJ		:= $(SRC_C:src/%.c=$(O)/obj/%.o) $(SRC_S:src/%.S=$(O)/obj/%.S.o)

WARN		:= -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wundef \
		   -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
# The kernel is compiled as one, at its link: its fast paths run through many small files. `make LTO=` compiles each file by
# itself, which links at once.
LTO		:= -flto=auto
# Structures are copied and cleared by plain moves: a string instruction takes longer to start than they take.
SMALL		:= unrolled_loop:256:noalign,libcall:-1:noalign
COPY_FLAGS	:= $(if $(findstring clang,$(CC)),,-mmemcpy-strategy=$(SMALL) -mmemset-strategy=$(SMALL))
KCFLAGS		:= -std=gnu11 -O2 -g -ffreestanding -fno-builtin -fno-pic -fno-pie -mcmodel=kernel \
		   -mno-red-zone -mgeneral-regs-only -fno-strict-aliasing -fwrapv -fno-omit-frame-pointer \
		   -fno-asynchronous-unwind-tables -fstack-protector-strong -mstack-protector-guard=global \
		   -ffunction-sections -fdata-sections -fno-common $(COPY_FLAGS) $(LTO) $(WARN) -Isrc -Iinclude -DSKIFF_KERNEL
KLDFLAGS	:= $(KCFLAGS) -nostdlib -static -no-pie -Wl,--gc-sections -Wl,-z,max-page-size=4096 -Wl,--build-id=none \
		   -Wl,-z,noexecstack

.PHONY: all kernel clean check smoke test run bench install FORCE
all: kernel

kernel: $(if $(wildcard src/entry/kernel.ld),$(O)/skiff.elf)

# What most packets pass, IPv4's, is compiled for speed rather than size: some 4% fewer instructions
# of a short transaction for 5% more text.
PACKET_PATH	:= $(addprefix net/,channel checksum dgram flow inet ip neigh netif packet rings route \
		   socket sockopt steer tcp_% udp%) \
		   $(addprefix drivers/,netdev virtio_net% virtqueue)
FAST		:= -O3

# With other flags it is another object: this file is written anew when they change.
$(O)/kernel.flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(KCFLAGS) $(FAST) $(PACKET_PATH)' | cmp -s - $@ || echo '$(CC) $(KCFLAGS) $(FAST) $(PACKET_PATH)' >$@

$(O)/obj/%.o: src/%.c $(O)/kernel.flags
	@mkdir -p $(@D)
	@echo '  CC      $<'
	@$(CC) $(KCFLAGS) $(if $(filter $(PACKET_PATH),$*),$(FAST)) -MMD -MP -c -o $@ $<

$(O)/obj/%.S.o: src/%.S $(O)/kernel.flags
	@mkdir -p $(@D)
	@echo '  AS      $<'
	@$(CC) $(KCFLAGS) -D__ASSEMBLY__ -MMD -MP -c -o $@ $<

# Linked twice: the first link tells where the functions are, the second carries their names.
$(O)/skiff.elf: $(OBJ) src/entry/kernel.ld tool/gen-symbols
	$(CC) $(KLDFLAGS) -T src/entry/kernel.ld -o $(O)/unnamed.elf $(OBJ)
	tool/gen-symbols $(O)/unnamed.elf > $(O)/symbols.S
	$(CC) -c -o $(O)/symbols.o $(O)/symbols.S
	$(CC) $(KLDFLAGS) -T src/entry/kernel.ld -o $@ $(OBJ) $(O)/symbols.o

-include $(OBJ:.o=.d)
include src/process/vdso/vdso.mk
-include libskiff/libskiff.mk
-include tool/tool.mk
-include test/test.mk
-include bench/bench.mk

clean:
	rm -rf $(O) skiff
