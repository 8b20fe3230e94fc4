/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI tables as firmware writes them (ACPI 6.4, chapter 5), and the MP table (MPS 1.4). */
#pragma once

#include "lib/types.h"

#define ACPI_RSDP_SIGNATURE "RSD PTR "

struct acpi_rsdp {
	char signature[8];
	uint8_t checksum; /* over the first 20 bytes */
	char oem[6];
	uint8_t revision; /* 0: ACPI 1.0, only 20 bytes */
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} __packed;
#define ACPI_RSDP_V1_SIZE 20
_Static_assert(sizeof(struct acpi_rsdp) == 36, "RSDP is 36 bytes");

struct acpi_header {
	char signature[4];
	uint32_t length; /* with this header */
	uint8_t revision;
	uint8_t checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision, creator, creator_revision;
} __packed;
_Static_assert(sizeof(struct acpi_header) == 36, "table header is 36 bytes");

/* Generic address. */
struct acpi_gas {
	uint8_t space; /* enum acpi_space */
	uint8_t bit_width, bit_offset, access_size;
	uint64_t address;
} __packed;
enum acpi_space { ACPI_SPACE_MEMORY = 0, ACPI_SPACE_IO = 1 };

/* FADT field offsets; older revisions are shorter. */
enum acpi_fadt_offset {
	FADT_DSDT = 40,
	FADT_SMI_CMD = 48,
	FADT_ACPI_ENABLE = 52,
	FADT_PM1A_CNT = 64,
	FADT_PM1B_CNT = 68,
	FADT_PM_TMR = 76,
	FADT_CENTURY = 108,
	FADT_FLAGS = 112,
	FADT_RESET_REG = 116,
	FADT_RESET_VALUE = 128,
	FADT_X_DSDT = 140,
	FADT_X_PM1A_CNT = 172,
	FADT_X_PM1B_CNT = 184,
	FADT_X_PM_TMR = 208,
	FADT_SLEEP_CONTROL = 244,
};
#define FADT_FLAG_TMR_32BIT	 (1u << 8)
#define FADT_FLAG_RESET_REG	 (1u << 10)
#define FADT_FLAG_HW_REDUCED	 (1u << 20)
#define ACPI_PM1_SCI_EN		 1u
#define ACPI_PM1_SLP_EN		 (1u << 13)
#define ACPI_PM1_SLP_TYP_SHIFT	 10
#define ACPI_SLEEP_CTL_EN	 0x20u
#define ACPI_SLEEP_CTL_TYP_SHIFT 2
#define ACPI_PM_TIMER_HZ	 3579545u

/* MADT: 8 bytes after the header, then entries of {type, length, ...}. */
#define MADT_ENTRIES 44
enum madt_type {
	MADT_LAPIC = 0,
	MADT_IOAPIC = 1,
	MADT_INTERRUPT_OVERRIDE = 2,
	MADT_X2APIC = 9,
};
#define MADT_CPU_ENABLED 1u

/* MCFG: 8 bytes after the header, then 16-byte entries. */
#define MCFG_ENTRIES 44
struct acpi_mcfg_entry {
	uint64_t base;
	uint16_t segment;
	uint8_t first_bus, last_bus;
	uint32_t reserved;
} __packed;

/* MP configuration. */
struct mp_floating {
	char signature[4]; /* _MP_ */
	uint32_t config;
	uint8_t length; /* in 16 bytes */
	uint8_t revision;
	uint8_t checksum;
	uint8_t features[5];
} __packed;
_Static_assert(sizeof(struct mp_floating) == 16, "MP floating pointer is 16 bytes");

struct mp_config {
	char signature[4]; /* PCMP */
	uint16_t length;   /* of header and entries */
	uint8_t revision;
	uint8_t checksum;
	char oem[8], product[12];
	uint32_t oem_table;
	uint16_t oem_size;
	uint16_t entries;
	uint32_t lapic;
	uint16_t extended_length;
	uint8_t extended_checksum, reserved;
} __packed;
_Static_assert(sizeof(struct mp_config) == 44, "MP header is 44 bytes");

enum mp_entry_type { MP_CPU = 0, MP_BUS = 1, MP_IOAPIC = 2, MP_IO_INTERRUPT = 3, MP_LOCAL = 4 };
#define MP_CPU_SIZE   20
#define MP_OTHER_SIZE 8
