/* SPDX-License-Identifier: BSD-2-Clause */
/* ioctl(2) commands that every kind of file knows. */
#pragma once

#define FIONREAD	  0x541b
#define TIOCINQ		  FIONREAD
#define FIONBIO		  0x5421
#define FIONCLEX	  0x5450
#define FIOCLEX		  0x5451
#define FIOASYNC	  0x5452
#define FIOQSIZE	  0x5460
#define FIGETBSZ	  2
#define TFD_IOC_SET_TICKS 0x40085400
