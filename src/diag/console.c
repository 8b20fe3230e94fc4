/* SPDX-License-Identifier: BSD-2-Clause */
/* The first 16550, polled. The wait for the transmitter is bounded: a missing UART reads 0xff. */

#include "diag/console.h"
#include "cpu/io.h"

#define COM1 0x3f8
enum {
	DATA = 0,
	INTERRUPT_ENABLE = 1,
	FIFO_CONTROL = 2,
	LINE_CONTROL = 3,
	MODEM_CONTROL = 4,
	LINE_STATUS = 5
};
#define LSR_DATA       0x01
#define LSR_THR_EMPTY  0x20
#define TRANSMIT_TRIES 100000

void console_init(void)
{
	outb(COM1 + LINE_CONTROL, 0x80);
	outb(COM1 + DATA, 1); /* 115200 baud; a virtual line does not care */
	outb(COM1 + INTERRUPT_ENABLE, 0);
	outb(COM1 + LINE_CONTROL, 0x03);
	outb(COM1 + FIFO_CONTROL, 0x07);
	outb(COM1 + MODEM_CONTROL, 0x0b);
}

void console_write(const char *text, size_t len)
{
	while (len--) {
		for (int tries = 0; tries < TRANSMIT_TRIES; tries++)
			if (inb(COM1 + LINE_STATUS) & LSR_THR_EMPTY)
				break;
		outb(COM1 + DATA, *text++);
	}
}

void console_pause(void)
{
	inb(COM1 + LINE_STATUS);
}

int console_read_byte(void)
{
	return inb(COM1 + LINE_STATUS) & LSR_DATA ? inb(COM1 + DATA) : -1;
}
