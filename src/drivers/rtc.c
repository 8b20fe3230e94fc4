/* SPDX-License-Identifier: BSD-2-Clause */
/* The CMOS clock (MC146818): read once, at boot. */
#include "drivers/impl.h"
#include "drivers/machine.h"
#include "cpu/io.h"
#include "lib/string.h"
#include "sched/clock.h"

#define CMOS_INDEX 0x70
#define CMOS_DATA  0x71
enum {
	SECOND = 0,
	MINUTE = 2,
	HOUR = 4,
	DAY = 7,
	MONTH = 8,
	YEAR = 9,
	STATUS_A = 10,
	STATUS_B = 11
};
#define STATUS_A_UPDATING 0x80
#define STATUS_B_BINARY	  0x04
#define STATUS_B_24H	  0x02
#define HOUR_PM		  0x80
#define CENTURY_DEFAULT	  0x32
#define UPDATE_LIMIT	  (3 * NSEC_PER_MSEC) /* an update lasts at most 2.2 ms */

struct rtc_fields {
	uint8_t second, minute, hour, day, month, year, century;
};

static uint8_t cmos_read(uint8_t reg)
{
	outb(CMOS_INDEX, reg);
	return inb(CMOS_DATA);
}

static bool wait_for_update(void)
{
	uint64_t limit;

	if (!(cmos_read(STATUS_A) & STATUS_A_UPDATING))
		return true;
	limit = clock_now() + UPDATE_LIMIT;
	while (cmos_read(STATUS_A) & STATUS_A_UPDATING)
		if (clock_now() > limit)
			return false;
	return true;
}

static struct rtc_fields read_fields(void)
{
	return (struct rtc_fields){
		.second = cmos_read(SECOND),
		.minute = cmos_read(MINUTE),
		.hour = cmos_read(HOUR),
		.day = cmos_read(DAY),
		.month = cmos_read(MONTH),
		.year = cmos_read(YEAR),
		.century = cmos_read(machine.rtc_century ? machine.rtc_century : CENTURY_DEFAULT),
	};
}

static unsigned from_bcd(uint8_t v)
{
	return (v & 15) + 10 * (v >> 4);
}

/* Days since 1970-01-01 of a Gregorian date. */
static uint64_t days_since_epoch(unsigned year, unsigned month, unsigned day)
{
	static const uint16_t before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
	unsigned y = month > 2 ? year : year - 1; /* the last year whose leap day may count */
	unsigned leaps = y / 4 - y / 100 + y / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);

	return (year - 1970) * 365ull + leaps + before[month - 1] + day - 1;
}

uint64_t rtc_read(void)
{
	struct rtc_fields a, b;
	uint8_t format;
	bool pm;

	if (cmos_read(STATUS_A) == 0xff || !wait_for_update())
		return 0;
	b = read_fields();
	for (int tries = 0;; tries++) {
		a = b;
		b = read_fields();
		if (memcmp(&a, &b, sizeof(a)) == 0)
			break;
		if (tries == 3)
			return 0;
	}
	format = cmos_read(STATUS_B);
	pm = a.hour & HOUR_PM;
	a.hour &= (uint8_t)~HOUR_PM;
	if (!(format & STATUS_B_BINARY)) {
		for (uint8_t *f = &a.second; f <= &a.century; f++)
			*f = from_bcd(*f);
	}
	if (!(format & STATUS_B_24H))
		a.hour = a.hour % 12 + (pm ? 12 : 0);
	unsigned century = a.century >= 19 && a.century <= 25 ? a.century : a.year < 70 ? 20 : 19;
	unsigned year = century * 100 + a.year;
	if (a.month < 1 || a.month > 12 || a.day < 1 || a.day > 31 || a.hour > 23 ||
		a.minute > 59 || a.second > 60 || a.year > 99 || year < 1970)
		return 0;
	return ((days_since_epoch(year, a.month, a.day) * 24 + a.hour) * 60 + a.minute) * 60 +
	       a.second;
}
