/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI and MP tables: well made, cut short, and damaged at random. Memory outside is a failure. */
/* sources: src/drivers/acpi.c src/drivers/mptable.c */
#include "t.h"

#include "abi/errno.h"
#include "drivers/machine.h"

/*
 * Firmware memory is a window of 64 KiB at 0xf0000 and one at 0x9fc00, each copied to a heap block
 * of exactly the asked length, so that the sanitizer sees one byte too many.
 */
#define BASE 0xf0000ul
#define SIZE 0x10000ul
static uint8_t memory[SIZE];
static uint8_t low[0x400];
static void *maps[4096];
static unsigned map_count;

const void *machine_map_firmware(uint64_t pa, size_t len)
{
	const uint8_t *from;
	void *copy;

	if (pa >= 0x9fc00 && len <= 0x400 && pa - 0x9fc00 <= 0x400 - len)
		from = low + (pa - 0x9fc00);
	else if (pa >= BASE && len <= SIZE && pa - BASE <= SIZE - len)
		from = memory + (pa - BASE);
	else
		return NULL;
	if (map_count == 4096)
		return NULL;
	copy = malloc(len);
	memcpy(copy, from, len);
	maps[map_count++] = copy;
	return copy;
}
static void unmap_all(void)
{
	while (map_count)
		free(maps[--map_count]);
}

static struct machine m;
void machine_reset_description(struct machine *d)
{
	memset(d, 0, sizeof(*d));
	for (unsigned i = 0; i < MACHINE_ISA_IRQS; i++)
		d->isa[i].gsi = i;
}
void machine_add_cpu(struct machine *d, uint32_t apic_id)
{
	if (d->cpu_count < MAX_CPUS)
		d->cpu_apic_id[d->cpu_count++] = apic_id;
}
void machine_add_ioapic(struct machine *d, uint64_t base, uint32_t gsi_base)
{
	if (d->ioapic_count < MACHINE_MAX_IOAPICS)
		d->ioapic[d->ioapic_count++] = (struct machine_ioapic){ base, gsi_base };
}

static void put(uint64_t pa, const void *bytes, size_t n)
{
	memcpy(memory + (pa - BASE), bytes, n);
}
static void put_u32(uint64_t pa, uint32_t v)
{
	put(pa, &v, 4);
}
static void put_u64(uint64_t pa, uint64_t v)
{
	put(pa, &v, 8);
}
static void set_sum(uint8_t *p, size_t n, size_t at)
{
	uint8_t sum = 0;

	p[at] = 0;
	for (size_t i = 0; i < n; i++)
		sum += p[i];
	p[at] = -sum;
}
static void finish(uint64_t pa, const char *signature, uint32_t len)
{
	put(pa, signature, 4);
	put_u32(pa + 4, len);
	set_sum(memory + (pa - BASE), len, 9);
}

#define RSDP 0xf1000
#define XSDT 0xf2000
#define MADT 0xf3000
#define FADT 0xf4000
#define DSDT 0xf5000
#define MCFG 0xf6000

static const uint8_t madt_entries[] = {
	0, 8, 0, 0, 1, 0, 0, 0,				 /* CPU 0 */
	0, 8, 1, 4, 1, 0, 0, 0,				 /* CPU 4 */
	0, 8, 2, 5, 0, 0, 0, 0,				 /* not enabled */
	9, 16, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, /* x2APIC 256 */
	1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0,	 /* I/O APIC */
	1, 12, 1, 0, 0, 0, 0xc1, 0xfe, 24, 0, 0, 0,	 /* another */
	2, 10, 0, 0, 2, 0, 0, 0, 0, 0,			 /* IRQ 0 is GSI 2 */
	2, 10, 0, 9, 9, 0, 0, 0, 0x0d, 0,		 /* IRQ 9 level, high */
	2, 10, 0, 11, 20, 0, 0, 0, 0x0f, 0,		 /* IRQ 11 level, low */
};
static const uint8_t s5[] = { 0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0a, 0x05, 0x01, 0, 0 };

static void build(void)
{
	uint8_t rsdp[36] = ACPI_RSDP_SIGNATURE;

	memset(memory, 0, sizeof(memory));
	memset(low, 0, sizeof(low));
	put(MADT + MADT_ENTRIES, madt_entries, sizeof(madt_entries));
	finish(MADT, "APIC", MADT_ENTRIES + sizeof(madt_entries));
	put_u32(FADT + FADT_DSDT, DSDT);
	put_u32(FADT + FADT_PM1A_CNT, 0x604);
	put_u32(FADT + FADT_PM_TMR, 0x608);
	put_u32(FADT + FADT_FLAGS, FADT_FLAG_TMR_32BIT | FADT_FLAG_RESET_REG);
	put(FADT + FADT_RESET_REG, &(struct acpi_gas){ ACPI_SPACE_IO, 8, 0, 1, 0xcf9 }, 12);
	memory[FADT + FADT_RESET_VALUE - BASE] = 15;
	finish(FADT, "FACP", 244);
	put(DSDT + 100, s5, sizeof(s5));
	finish(DSDT, "DSDT", 300);
	put_u64(MCFG + MCFG_ENTRIES, 0xb0000000);
	memory[MCFG + MCFG_ENTRIES + 11 - BASE] = 255;
	finish(MCFG, "MCFG", MCFG_ENTRIES + 16);
	put_u64(XSDT + 36, MADT);
	put_u64(XSDT + 44, FADT);
	put_u64(XSDT + 52, MCFG);
	finish(XSDT, "XSDT", 60);
	rsdp[15] = 2;
	*(uint32_t *)(rsdp + 20) = 36;
	*(uint64_t *)(rsdp + 24) = XSDT;
	set_sum(rsdp, 20, 8);
	set_sum(rsdp, 36, 32);
	put(RSDP, rsdp, 36);
}

TEST(well_made)
{
	uint8_t a = 0, b = 0;

	build();
	CHECK_EQ(acpi_find_rsdp(), RSDP);
	REQUIRE(acpi_parse(&m, RSDP) == 0);
	REQUIRE(m.cpu_count == 3);
	CHECK(m.cpu_apic_id[0] == 0 && m.cpu_apic_id[1] == 4 && m.cpu_apic_id[2] == 256);
	REQUIRE(m.ioapic_count == 2);
	CHECK(m.ioapic[1].base == 0xfec10000 && m.ioapic[1].gsi_base == 24);
	CHECK(m.isa[0].gsi == 2 && !m.isa[0].level);
	CHECK(m.isa[9].gsi == 9 && m.isa[9].level && !m.isa[9].active_low);
	CHECK(m.isa[11].gsi == 20 && m.isa[11].level && m.isa[11].active_low);
	CHECK(m.acpi && m.pm1a_control == 0x604 && m.pm_timer == 0x608 && m.pm_timer_32bit);
	CHECK(m.reset.address == 0xcf9 && m.reset_value == 15);
	CHECK(m.ecam == 0xb0000000 && m.ecam_last_bus == 255);
	CHECK_EQ(acpi_find_s5(m.dsdt, &a, &b), 0);
	CHECK(a == 5 && b == 1);
	unmap_all();
}

TEST(refusals)
{
	uint8_t a, b;

	build();
	memory[RSDP + 16 - BASE] ^= 1;
	CHECK_EQ(acpi_find_rsdp(), 0);
	CHECK_EQ(acpi_parse(&m, RSDP), -EINVAL);
	build();
	memory[XSDT + 40 - BASE] ^= 1;
	CHECK_EQ(acpi_parse(&m, RSDP), -EINVAL);
	build();
	memory[MADT + 50 - BASE] ^= 1; /* bad checksum: no CPUs */
	CHECK_EQ(acpi_parse(&m, RSDP), -EINVAL);
	CHECK_EQ(acpi_parse(&m, 0x7fffffff), -EINVAL);
	build();
	memory[DSDT + 105 - BASE] = 0x11; /* not a package */
	CHECK_EQ(acpi_find_s5(DSDT, &a, &b), -ENOENT);
	put_u32(DSDT + 4, 0xffffffff);
	CHECK_EQ(acpi_find_s5(DSDT, &a, &b), -ENOENT);
	unmap_all();
}

static const uint8_t mmio[] = { 'L', 'N', 'R', 'O', '0', '0', '0', '5', 0, 8, '_', 'C', 'R', 'S',
	0x11, 0x1a, 0x0a, 0x17, 0x86, 9, 0, 1, 0, 2, 0xb0, 0xfe, 0, 2, 0, 0, 0x89, 6, 0, 1, 1, 25,
	0, 0, 0, 0x79, 0 };

TEST(virtio_mmio)
{
	struct acpi_virtio_mmio d;
	size_t at = 0;

	build();
	put(DSDT + 120, mmio, sizeof(mmio));
	put(DSDT + 200, mmio, sizeof(mmio));
	for (int i = 0; i < 2; i++) {
		d = (struct acpi_virtio_mmio){ 0 };
		CHECK_EQ(acpi_next_virtio_mmio(DSDT, &at, &d), 0);
		CHECK(d.base == 0xfeb00200 && d.size == 0x200 && d.gsi == 25);
	}
	CHECK_EQ(acpi_next_virtio_mmio(DSDT, &at, &d), -ENOENT);
	unmap_all();
	for (size_t n = 1; n <= sizeof(mmio); n++) {
		build();
		put(DSDT + 60, mmio, n);
		put_u32(DSDT + 4, 60 + n);
		at = 0;
		CHECK_EQ(acpi_next_virtio_mmio(DSDT, &at, &d), n < 39 ? -ENOENT : 0);
		unmap_all();
	}
}

/* The object at the very end of the table, cut at every length. */
TEST(s5_cut)
{
	uint8_t a, b;

	for (size_t n = 1; n <= sizeof(s5); n++) {
		build();
		put(DSDT + 60, s5, n);
		put_u32(DSDT + 4, 60 + n);
		acpi_find_s5(DSDT, &a, &b);
		unmap_all();
	}
}

/* Random damage with checksums made right again: nothing may be read outside the tables. */
TEST(damaged)
{
	static const uint32_t tables[] = { MADT, FADT, XSDT, MCFG };
	static const uint32_t lengths[] = { MADT_ENTRIES + sizeof(madt_entries), 244, 60, 60 };
	unsigned long seed = 3;
	uint8_t a, b;

	for (int round = 0; round < 20000; round++) {
		build();
		for (int i = 0; i < 3; i++) {
			unsigned long r = t_random(&seed);
			unsigned t = r % 4;

			memory[tables[t] - BASE + r / 4 % lengths[t]] = r >> 40;
			/* The length may be what was damaged. */
			uint32_t len = *(uint32_t *)(memory + tables[t] - BASE + 4);
			if (len >= 36 && len < 0x1000)
				set_sum(memory + tables[t] - BASE, len, 9);
		}
		put(DSDT + 150, mmio, sizeof(mmio));
		memory[DSDT - BASE + t_random(&seed) % 300] = t_random(&seed);
		acpi_parse(&m, RSDP);
		acpi_find_s5(DSDT, &a, &b);
		size_t at = 0;
		struct acpi_virtio_mmio d;
		while (acpi_next_virtio_mmio(DSDT, &at, &d) == 0)
			;
		CHECK(m.cpu_count <= MAX_CPUS && m.ioapic_count <= MACHINE_MAX_IOAPICS);
		unmap_all();
	}
}

/* An MP table as qboot writes it. */
static void build_mp(void)
{
	static const uint8_t entries[] = {
		0,
		0,
		0x14,
		3,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		1,
		0x14,
		1,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		1,
		0,
		'I',
		'S',
		'A',
		' ',
		' ',
		' ',
		2,
		3,
		0x14,
		1,
		0,
		0,
		0xc0,
		0xfe,
		3,
		0,
		0,
		0,
		0,
		0,
		3,
		2,
		3,
		0,
		0x0f,
		0,
		0,
		5,
		3,
		5,
	};
	struct mp_config c = { "PCMP", sizeof(c) + sizeof(entries), 4, .entries = 6 };
	struct mp_floating f = { "_MP_", 0x9fc10, 1, 4 };

	memset(memory, 0, sizeof(memory));
	memset(low, 0, sizeof(low));
	set_sum((uint8_t *)&f, sizeof(f), 10);
	memcpy(low, &f, sizeof(f));
	memcpy(low + 16, &c, sizeof(c));
	memcpy(low + 16 + sizeof(c), entries, sizeof(entries));
	set_sum(low + 16, c.length, 7);
}

TEST(mp_table)
{
	build_mp();
	REQUIRE(mptable_parse_ebda(&m) == 0);
	CHECK_EQ(mptable_parse_bios(&m), -ENOENT);
	CHECK(m.cpu_count == 2 && m.cpu_apic_id[1] == 1);
	CHECK(m.ioapic_count == 1 && m.ioapic[0].base == 0xfec00000 && m.ioapic[0].gsi_base == 0);
	CHECK(m.isa[0].gsi == 2 && m.isa[5].gsi == 5 && m.isa[5].level && m.isa[5].active_low);
	unmap_all();
}

TEST(mp_table_damaged)
{
	unsigned long seed = 5;

	for (int round = 0; round < 20000; round++) {
		build_mp();
		for (int i = 0; i < 3; i++)
			low[16 + t_random(&seed) % 140] = t_random(&seed);
		uint16_t len = *(uint16_t *)(low + 20);
		if (len >= 44 && len < 0x3f0)
			set_sum(low + 16, len, 7);
		mptable_parse_ebda(&m);
		CHECK(m.cpu_count <= MAX_CPUS);
		unmap_all();
	}
}
