/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI configuration space (PCI Local Bus 3.0, chapter 6), MSI-X. */
#pragma once

enum pci_register {
	PCI_VENDOR = 0x00,
	PCI_DEVICE = 0x02,
	PCI_COMMAND = 0x04,
	PCI_STATUS = 0x06,
	PCI_REVISION = 0x08,
	PCI_CLASS = 0x0a, /* base class << 8 | subclass */
	PCI_HEADER_TYPE = 0x0e,
	PCI_BAR0 = 0x10,
	PCI_SECONDARY_BUS = 0x19,
	PCI_SUBSYSTEM_ID = 0x2e,
	PCI_CAPABILITIES = 0x34,
	PCI_INTERRUPT_LINE = 0x3c,
	PCI_INTERRUPT_PIN = 0x3d,
};
#define PCI_COMMAND_IO		 0x0001
#define PCI_COMMAND_MEMORY	 0x0002
#define PCI_COMMAND_MASTER	 0x0004
#define PCI_COMMAND_INTX_DISABLE 0x0400
#define PCI_STATUS_CAPABILITIES	 0x0010
#define PCI_HEADER_MULTI	 0x80
#define PCI_HEADER_BRIDGE	 0x01
#define PCI_CLASS_BRIDGE_PCI	 0x0604
#define PCI_VENDOR_NONE		 0xffff
#define PCI_BARS		 6
#define PCI_BAR_IO		 0x1u
#define PCI_BAR_TYPE_MASK	 0x6u
#define PCI_BAR_TYPE_64		 0x4u

#define PCI_CAP_VENDOR 0x09
#define PCI_CAP_MSIX   0x11

/* MSI-X capability and table. */
#define MSIX_CONTROL		  2
#define MSIX_TABLE		  4 /* offset | BAR number */
#define MSIX_CONTROL_ENABLE	  0x8000
#define MSIX_CONTROL_MASK_ALL	  0x4000
#define MSIX_CONTROL_SIZE	  0x07ff /* entries - 1 */
#define MSIX_ENTRY_SIZE		  16
#define MSIX_ENTRY_ADDRESS	  0
#define MSIX_ENTRY_ADDRESS_HIGH	  4
#define MSIX_ENTRY_DATA		  8
#define MSIX_ENTRY_CONTROL	  12
#define MSIX_ENTRY_CONTROL_MASKED 1u
