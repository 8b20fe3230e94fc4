/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of the machine. ACPI S5 where there is ACPI; else a reset, which ends the VM as well
 * because `skiff run` starts it with -no-reboot. Works from a crash: takes no lock, does not sleep.
 */
#include "drivers/drivers.h"
#include "drivers/machine.h"
#include "cpu/io.h"
#include "cpu/irqflags.h"
#include "mem/pagetable.h"

#define I8042_COMMAND	  0x64
#define I8042_PULSE_RESET 0xfe
#define PCI_RESET_PORT	  0xcf9

static void gas_write8(const struct acpi_gas *gas, uint8_t v)
{
	volatile void *p;

	if (gas->space == ACPI_SPACE_IO && gas->address <= 0xffff) {
		outb(gas->address, v);
	} else if (gas->space == ACPI_SPACE_MEMORY && gas->address) {
		p = map_device(PADDR(gas->address), 1);
		if (p)
			mmio_write8(p, v);
	}
}

static void enter_s5(void)
{
	uint8_t a, b;

	if (!machine.acpi || acpi_find_s5(machine.dsdt, &a, &b) < 0)
		return;
	if (machine.sleep_control.address) {
		gas_write8(
			&machine.sleep_control, a << ACPI_SLEEP_CTL_TYP_SHIFT | ACPI_SLEEP_CTL_EN);
		return;
	}
	if (!machine.pm1a_control)
		return;
	if (!(inw(machine.pm1a_control) & ACPI_PM1_SCI_EN) && machine.smi_command)
		outb(machine.smi_command, machine.acpi_enable);
	outw(machine.pm1a_control, a << ACPI_PM1_SLP_TYP_SHIFT | ACPI_PM1_SLP_EN);
	if (machine.pm1b_control)
		outw(machine.pm1b_control, b << ACPI_PM1_SLP_TYP_SHIFT | ACPI_PM1_SLP_EN);
}

void machine_power_off(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __packed no_idt = { 0, 0 };

	irq_disable();
	enter_s5();
	if (machine.reset.address)
		gas_write8(&machine.reset, machine.reset_value);
	outb(I8042_COMMAND, I8042_PULSE_RESET);
	outb(PCI_RESET_PORT, 0x06);
	/* Still here: a fault without a handler for it resets any PC. */
	__asm__ volatile("lidt %0; int3" ::"m"(no_idt));
	for (;;)
		__asm__ volatile("hlt");
}
