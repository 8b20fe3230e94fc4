# SPDX-License-Identifier: BSD-2-Clause
# The library that makes calls into the kernel without a trap; preloaded by the dynamic linker. Its
# functions call each other by no symbol: a program's own read is not what __read_chk calls.

LIBSKIFF	:= $(O)/libskiff.so
LIBSKIFF_CFLAGS	:= -std=gnu11 -O2 -fPIC -shared -nostdlib -fvisibility=hidden -fno-common -mno-red-zone -fno-plt \
		   -fno-stack-protector -fasynchronous-unwind-tables -fexceptions -fcf-protection=none $(WARN)

all: $(LIBSKIFF)
$(LIBSKIFF): $(wildcard libskiff/*.c libskiff/*.h) include/skiff.h
	@mkdir -p $(@D)
	$(CC) $(LIBSKIFF_CFLAGS) -Wl,-soname,libskiff.so -Wl,-z,now -Wl,-Bsymbolic-functions -Wl,--build-id=none -Wl,-z,noexecstack \
		-o $@ $(filter %.c,$^)
