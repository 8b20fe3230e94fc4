/* SPDX-License-Identifier: BSD-2-Clause */
/* QEMU's fw_cfg: choose an item on one port, read its bytes from the other. */
#pragma once

#define FWCFG_PORT_SELECT 0x510
#define FWCFG_PORT_DATA	  0x511
#define FWCFG_SIGNATURE	  0x00 /* "QEMU" */
#define FWCFG_CPU_COUNT	  0x05 /* 16 bits, little endian */
