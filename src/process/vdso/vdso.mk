# SPDX-License-Identifier: BSD-2-Clause
# The vDSO: a small shared object for the program, embedded into the kernel by vdso_image.S.

VDSO		:= $(O)/vdso.so
VDSO_CFLAGS	:= -std=gnu11 -O2 -ffreestanding -fno-builtin -fPIC -shared -nostdlib -mgeneral-regs-only \
		   -fno-stack-protector -fasynchronous-unwind-tables -fcf-protection=none \
		   -fvisibility=hidden -fno-common $(WARN) -Isrc
VDSO_LDFLAGS	:= -Wl,-T,src/process/vdso/vdso.ld -Wl,-soname,linux-vdso.so.1 -Wl,--hash-style=both \
		   -Wl,-Bsymbolic -Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,--eh-frame-hdr -Wl,--no-undefined

$(VDSO): src/process/vdso/vdso.c src/process/vdso/vdso.ld src/process/vdso.h src/sched/clock.h
	@mkdir -p $(@D)
	$(CC) $(VDSO_CFLAGS) $(VDSO_LDFLAGS) -o $@.tmp $<
	strip -S -o $@ $@.tmp && rm $@.tmp

$(O)/obj/process/vdso_image.S.o: $(VDSO)
$(O)/obj/process/vdso_image.S.o: KCFLAGS += -DVDSO_FILE='"$(VDSO)"'
