/* SPDX-License-Identifier: BSD-2-Clause */
/* Terminals: <asm-generic/termbits.h> and the ioctls of tty_ioctl(4). */
#pragma once

#include "lib/types.h"

#define TERMIOS_NCCS 19

struct kernel_termios { /* what TCGETS and TCSETS pass; libc's own struct is larger */
	uint32_t c_iflag, c_oflag, c_cflag, c_lflag;
	uint8_t c_line;
	uint8_t c_cc[TERMIOS_NCCS];
};
_Static_assert(sizeof(struct kernel_termios) == 36, "as Linux has it");

struct winsize {
	uint16_t ws_row, ws_col, ws_xpixel, ws_ypixel;
};

/* Indexes in c_cc. */
enum {
	VINTR,
	VQUIT,
	VERASE,
	VKILL,
	VEOF,
	VTIME,
	VMIN,
	VSWTC,
	VSTART,
	VSTOP,
	VSUSP,
	VEOL,
	VREPRINT,
	VDISCARD,
	VWERASE,
	VLNEXT,
	VEOL2
};

/* c_iflag, c_oflag */
#define INLCR 0x40
#define IGNCR 0x80
#define ICRNL 0x100
#define IUTF8 0x4000
#define OPOST 0x1
#define ONLCR 0x4

/* c_cflag: 38400 baud, 8 bits, receiver on */
#define TERMIOS_CFLAG_DEFAULT 0xbf

/* c_lflag */
#define ISIG	0x1
#define ICANON	0x2
#define ECHO	0x8
#define ECHOE	0x10
#define ECHOK	0x20
#define ECHONL	0x40
#define NOFLSH	0x80
#define ECHOCTL 0x200
#define ECHOKE	0x800
#define IEXTEN	0x8000

#define TCGETS	   0x5401
#define TCSETS	   0x5402
#define TCSETSW	   0x5403
#define TCSETSF	   0x5404
#define TCSBRK	   0x5409
#define TCXONC	   0x540a
#define TCFLSH	   0x540b
#define TIOCSCTTY  0x540e
#define TIOCGPGRP  0x540f
#define TIOCSPGRP  0x5410
#define TIOCOUTQ   0x5411
#define TIOCGWINSZ 0x5413
#define TIOCSWINSZ 0x5414
#define TIOCNOTTY  0x5422
#define TIOCGSID   0x5429
#define TCIFLUSH   0
#define TCIOFLUSH  2
