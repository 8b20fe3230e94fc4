/* SPDX-License-Identifier: BSD-2-Clause */
/* memfd_create(2). */
#pragma once

#define MFD_CLOEXEC	  0x0001u
#define MFD_ALLOW_SEALING 0x0002u
#define MFD_HUGETLB	  0x0004u
#define MFD_NOEXEC_SEAL	  0x0008u
#define MFD_EXEC	  0x0010u
