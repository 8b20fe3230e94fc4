/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI: only what is needed to find the CPUs, the interrupt controllers, the power switch and, on
 * machines without PCI, the virtio devices. There is no AML interpreter: \_S5 is a constant package
 * everywhere, and a device's registers and interrupt are resource descriptors of a fixed shape.
 */
#include "drivers/machine.h"
#include "abi/errno.h"
#include "lib/string.h"

#define ACPI_MAX_TABLES	 128
#define ACPI_MAX_LENGTH	 MIB(1)
#define BIOS_AREA_START	 0xe0000ul
#define BIOS_AREA_END	 0x100000ul
#define EBDA_GUESS_START 0x9fc00ul
#define EBDA_GUESS_END	 0xa0000ul

static uint8_t sum_bytes(const uint8_t *p, size_t n)
{
	uint8_t sum = 0;

	while (n--)
		sum += *p++;
	return sum;
}

/* Unaligned little-endian field of a table; absent fields of short tables read as 0. */
static uint64_t field(const uint8_t *table, size_t len, size_t offset, size_t size)
{
	uint64_t v = 0;

	if (offset + size <= len)
		memcpy(&v, table + offset, size);
	return v;
}

static uint64_t find_rsdp_in(uint64_t start, uint64_t end)
{
	const uint8_t *p = machine_map_firmware(start, end - start);
	uint64_t want, have;

	if (!p)
		return 0;
	memcpy(&want, ACPI_RSDP_SIGNATURE, 8);
	for (size_t i = 0; i + sizeof(struct acpi_rsdp) <= end - start; i += 16) {
		memcpy(&have, p + i, 8);
		if (have == want && sum_bytes(p + i, ACPI_RSDP_V1_SIZE) == 0)
			return start + i;
	}
	return 0;
}

uint64_t acpi_find_rsdp(void)
{
	/* The F segment first: every BIOS we meet puts it there. */
	uint64_t pa = find_rsdp_in(0xf0000, BIOS_AREA_END);

	if (!pa)
		pa = find_rsdp_in(BIOS_AREA_START, 0xf0000);
	if (!pa)
		pa = find_rsdp_in(EBDA_GUESS_START, EBDA_GUESS_END);
	return pa;
}

/* Maps a whole table after checking its length; the checksum is the caller's to ask for. */
static const uint8_t *map_table(uint64_t pa, const char *signature, size_t *len)
{
	const struct acpi_header *h;

	if (!pa)
		return NULL;
	h = machine_map_firmware(pa, sizeof(*h));
	if (!h || h->length < sizeof(*h) || h->length > ACPI_MAX_LENGTH)
		return NULL;
	if (signature && memcmp(h->signature, signature, 4) != 0)
		return NULL;
	*len = h->length;
	return machine_map_firmware(pa, *len);
}

static void parse_override(struct machine *m, const uint8_t *e)
{
	unsigned irq = e[3], flags = field(e, 10, 8, 2);

	if (e[2] != 0 || irq >= MACHINE_ISA_IRQS)
		return;
	m->isa[irq].gsi = field(e, 10, 4, 4);
	m->isa[irq].active_low = (flags & 3) == 3;
	m->isa[irq].level = (flags >> 2 & 3) == 3;
}

static void parse_madt(struct machine *m, const uint8_t *t, size_t len)
{
	for (size_t at = MADT_ENTRIES; at + 2 <= len;) {
		const uint8_t *e = t + at;
		size_t n = e[1];

		if (n < 2 || at + n > len)
			return;
		if (e[0] == MADT_LAPIC && n >= 8 && (field(e, n, 4, 4) & MADT_CPU_ENABLED) &&
			e[3] != 0xff)
			machine_add_cpu(m, e[3]);
		else if (e[0] == MADT_X2APIC && n >= 16 && (field(e, n, 8, 4) & MADT_CPU_ENABLED))
			machine_add_cpu(m, field(e, n, 4, 4));
		else if (e[0] == MADT_IOAPIC && n >= 12)
			machine_add_ioapic(m, field(e, n, 4, 4), field(e, n, 8, 4));
		else if (e[0] == MADT_INTERRUPT_OVERRIDE && n >= 10)
			parse_override(m, e);
		at += n;
	}
}

/* An extended register block wins over the 32-bit one if it is in I/O space. */
static uint32_t fadt_port(const uint8_t *t, size_t len, size_t offset, size_t x_offset)
{
	struct acpi_gas gas = { 0 };

	if (x_offset + sizeof(gas) <= len)
		memcpy(&gas, t + x_offset, sizeof(gas));
	if (gas.space == ACPI_SPACE_IO && gas.address && gas.address <= 0xffff)
		return gas.address;
	uint64_t port = field(t, len, offset, 4);
	return port <= 0xffff ? port : 0;
}

static void parse_fadt(struct machine *m, const uint8_t *t, size_t len)
{
	uint32_t flags = field(t, len, FADT_FLAGS, 4);

	m->dsdt = field(t, len, FADT_X_DSDT, 8);
	if (!m->dsdt)
		m->dsdt = field(t, len, FADT_DSDT, 4);
	m->rtc_century = field(t, len, FADT_CENTURY, 1) & 0x7f;
	if ((flags & FADT_FLAG_RESET_REG) && FADT_RESET_VALUE < len) {
		memcpy(&m->reset, t + FADT_RESET_REG, sizeof(m->reset));
		m->reset_value = t[FADT_RESET_VALUE];
	}
	m->hardware_reduced = flags & FADT_FLAG_HW_REDUCED;
	if (m->hardware_reduced) {
		if (FADT_SLEEP_CONTROL + sizeof(m->sleep_control) <= len)
			memcpy(&m->sleep_control, t + FADT_SLEEP_CONTROL, sizeof(m->sleep_control));
		return;
	}
	m->pm1a_control = fadt_port(t, len, FADT_PM1A_CNT, FADT_X_PM1A_CNT);
	m->pm1b_control = fadt_port(t, len, FADT_PM1B_CNT, FADT_X_PM1B_CNT);
	m->pm_timer = fadt_port(t, len, FADT_PM_TMR, FADT_X_PM_TMR);
	m->pm_timer_32bit = flags & FADT_FLAG_TMR_32BIT;
	m->smi_command = field(t, len, FADT_SMI_CMD, 4);
	if (m->smi_command > 0xffff)
		m->smi_command = 0;
	m->acpi_enable = field(t, len, FADT_ACPI_ENABLE, 1);
}

static void parse_mcfg(struct machine *m, const uint8_t *t, size_t len)
{
	struct acpi_mcfg_entry e;

	for (size_t at = MCFG_ENTRIES; at + sizeof(e) <= len; at += sizeof(e)) {
		memcpy(&e, t + at, sizeof(e));
		if (e.segment == 0 && e.first_bus == 0) {
			m->ecam = e.base;
			m->ecam_last_bus = e.last_bus;
			return;
		}
	}
}

static void parse_table(struct machine *m, uint64_t pa)
{
	size_t len;
	const uint8_t *t = map_table(pa, NULL, &len);
	bool madt, fadt, mcfg;

	if (!t)
		return;
	madt = memcmp(t, "APIC", 4) == 0;
	fadt = memcmp(t, "FACP", 4) == 0;
	mcfg = memcmp(t, "MCFG", 4) == 0;
	if (!(madt || fadt || mcfg) || sum_bytes(t, len) != 0)
		return;
	if (madt)
		parse_madt(m, t, len);
	else if (fadt)
		parse_fadt(m, t, len);
	else
		parse_mcfg(m, t, len);
}

int acpi_parse(struct machine *m, uint64_t rsdp_pa)
{
	struct acpi_rsdp rsdp = { 0 };
	const void *p = machine_map_firmware(rsdp_pa, ACPI_RSDP_V1_SIZE);
	const uint8_t *root = NULL;
	size_t len, entry = 8;

	if (!p || memcmp(p, ACPI_RSDP_SIGNATURE, 8) != 0 || sum_bytes(p, ACPI_RSDP_V1_SIZE) != 0)
		return -EINVAL;
	memcpy(&rsdp, p, ACPI_RSDP_V1_SIZE);
	if (rsdp.revision >= 2) {
		p = machine_map_firmware(rsdp_pa, sizeof(rsdp));
		if (!p || sum_bytes(p, sizeof(rsdp)) != 0)
			return -EINVAL;
		memcpy(&rsdp, p, sizeof(rsdp));
		root = map_table(rsdp.xsdt, "XSDT", &len);
	}
	if (!root) {
		entry = 4;
		root = map_table(rsdp.rsdt, "RSDT", &len);
	}
	if (!root || sum_bytes(root, len) != 0)
		return -EINVAL;
	machine_reset_description(m);
	m->acpi = true;
	m->source = "ACPI";
	unsigned tables = 0;
	for (size_t at = sizeof(struct acpi_header); at + entry <= len && tables < ACPI_MAX_TABLES;
		at += entry, tables++)
		parse_table(m, field(root, len, at, entry));
	return m->cpu_count ? 0 : -EINVAL;
}

/* One integer constant of AML: ZeroOp, OneOp, or a prefix with 1, 2 or 4 bytes. */
static int aml_integer(const uint8_t *p, size_t left, uint8_t *value, size_t *used)
{
	static const uint8_t sizes[] = { 1, 2, 4 };

	if (left < 1)
		return -EINVAL;
	if (p[0] <= 1) {
		*value = p[0];
		*used = 1;
		return 0;
	}
	if (p[0] < 0x0a || p[0] > 0x0c || left < 1 + sizes[p[0] - 0x0a])
		return -EINVAL;
	*value = p[1];
	*used = 1 + sizes[p[0] - 0x0a];
	return 0;
}

/* p is just behind the name: PackageOp PkgLength NumElements SLP_TYPa SLP_TYPb ... */
static int parse_s5_package(const uint8_t *p, size_t left, uint8_t *typ_a, uint8_t *typ_b)
{
	size_t at, used;

	if (left < 4 || p[0] != 0x12)
		return -EINVAL;
	at = 1 + 1 + (p[1] >> 6); /* the top bits of PkgLength count its further bytes */
	if (at >= left || p[at] == 0)
		return -EINVAL;
	unsigned elements = p[at++];
	if (aml_integer(p + at, left - at, typ_a, &used) < 0)
		return -EINVAL;
	at += used;
	*typ_b = *typ_a;
	if (elements > 1 && aml_integer(p + at, left - at, typ_b, &used) < 0)
		return -EINVAL;
	*typ_a &= 7;
	*typ_b &= 7;
	return 0;
}

int acpi_find_s5(uint64_t dsdt, uint8_t *typ_a, uint8_t *typ_b)
{
	size_t len;
	const uint8_t *t = map_table(dsdt, "DSDT", &len);

	if (!t)
		return -ENOENT;
	for (size_t at = sizeof(struct acpi_header) + 1; at + 4 <= len; at++) {
		if (t[at] != '_' || memcmp(t + at, "_S5_", 4) != 0)
			continue;
		if (t[at - 1] != 0x08 && t[at - 1] != '\\') /* NameOp, perhaps with a root prefix */
			continue;
		if (parse_s5_package(t + at + 4, len - at - 4, typ_a, typ_b) == 0)
			return 0;
	}
	return -ENOENT;
}

#define VIRTIO_MMIO_HID	  "LNRO0005"
#define AML_MEMORY32FIXED 0x86
#define AML_INTERRUPT	  0x89
#define RESOURCES_WITHIN  256 /* bytes behind the name */

/* Memory32Fixed: 86 09 00 rw base32 size32. Interrupt: 89 06 00 flags 01 gsi32. */
static bool parse_resources(const uint8_t *p, size_t left, struct acpi_virtio_mmio *found)
{
	bool memory = false;

	for (size_t at = 0; at + 9 <= left; at++) {
		if (!memory && at + 12 <= left && p[at] == AML_MEMORY32FIXED && p[at + 1] == 9 &&
			p[at + 2] == 0) {
			found->base = field(p, left, at + 4, 4);
			found->size = field(p, left, at + 8, 4);
			memory = true;
			at += 11;
		} else if (memory && p[at] == AML_INTERRUPT && p[at + 1] == 6 && p[at + 2] == 0 &&
			   p[at + 4] == 1) {
			found->gsi = field(p, left, at + 5, 4);
			return true;
		}
	}
	return false;
}

int acpi_next_virtio_mmio(uint64_t dsdt, size_t *at, struct acpi_virtio_mmio *found)
{
	const size_t name = sizeof(VIRTIO_MMIO_HID) - 1;
	size_t len;
	const uint8_t *t = map_table(dsdt, "DSDT", &len);

	if (!t)
		return -ENOENT;
	for (size_t i = MAX(*at, sizeof(struct acpi_header)); i + name <= len; i++) {
		if (t[i] != 'L' || memcmp(t + i, VIRTIO_MMIO_HID, name) != 0)
			continue;
		*at = i + name;
		if (parse_resources(t + *at, MIN(len - *at, (size_t)RESOURCES_WITHIN), found))
			return 0;
		i = *at - 1;
	}
	return -ENOENT;
}
