/* SPDX-License-Identifier: BSD-2-Clause */
/* The Intel MultiProcessor table (MPS 1.4): what qboot leaves on a machine without ACPI. */
#include "drivers/machine.h"
#include "abi/errno.h"
#include "lib/string.h"

#define MP_MAX_IDS 256

static uint8_t sum_bytes(const uint8_t *p, size_t n)
{
	uint8_t sum = 0;

	while (n--)
		sum += *p++;
	return sum;
}

static const struct mp_config *map_config(uint64_t pa)
{
	const struct mp_config *c = machine_map_firmware(pa, sizeof(*c));

	if (!c || memcmp(c->signature, "PCMP", 4) != 0 || c->length < sizeof(*c))
		return NULL;
	c = machine_map_firmware(pa, c->length);
	return c && sum_bytes((const uint8_t *)c, c->length) == 0 ? c : NULL;
}

static const struct mp_config *find_config(uint64_t start, uint64_t end)
{
	const uint8_t *p = machine_map_firmware(start, end - start);
	const struct mp_config *c;
	struct mp_floating f;

	if (!p)
		return NULL;
	for (size_t i = 0; i + sizeof(f) <= end - start; i += 16) {
		if (p[i] != '_' || memcmp(p + i, "_MP_", 4) != 0)
			continue;
		memcpy(&f, p + i, sizeof(f));
		if (f.length != 1 || sum_bytes(p + i, sizeof(f)) != 0 || f.features[0] != 0)
			continue;
		c = map_config(f.config);
		if (c)
			return c;
	}
	return NULL;
}

static void parse_entry(struct machine *m, const uint8_t *e, bool *isa_bus)
{
	uint32_t base;

	switch (e[0]) {
	case MP_CPU:
		if (e[3] & 1)
			machine_add_cpu(m, e[1]);
		break;
	case MP_BUS: isa_bus[e[1]] = memcmp(e + 2, "ISA", 3) == 0; break;
	case MP_IOAPIC:
		memcpy(&base, e + 4, 4);
		if (e[3] &
			1) /* the table has no GSIs; I/O APICs are numbered through, 24 pins each */
			machine_add_ioapic(m, base, m->ioapic_count * 24);
		break;
	case MP_IO_INTERRUPT:
		if (e[1] != 0 || !isa_bus[e[4]] || e[5] >= MACHINE_ISA_IRQS)
			break;
		m->isa[e[5]].gsi = e[7];
		m->isa[e[5]].active_low = (e[2] & 3) == 3;
		m->isa[e[5]].level = (e[2] >> 2 & 3) == 3;
		break;
	default: break;
	}
}

static int parse_config(struct machine *m, const struct mp_config *c)
{
	bool isa_bus[MP_MAX_IDS] = { false };
	const uint8_t *e, *end;

	if (!c)
		return -ENOENT;
	machine_reset_description(m);
	m->source = "MP table";
	e = (const uint8_t *)(c + 1);
	end = (const uint8_t *)c + c->length;
	while (e < end) {
		size_t size = e[0] == MP_CPU ? MP_CPU_SIZE : MP_OTHER_SIZE;

		if (e[0] > MP_LOCAL || size > (size_t)(end - e))
			break;
		parse_entry(m, e, isa_bus);
		e += size;
	}
	return m->cpu_count ? 0 : -ENOENT;
}

int mptable_parse_ebda(struct machine *m)
{
	return parse_config(m, find_config(0x9fc00, 0xa0000));
}

int mptable_parse_bios(struct machine *m)
{
	return parse_config(m, find_config(0xf0000, 0x100000));
}
