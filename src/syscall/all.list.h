/* SPDX-License-Identifier: BSD-2-Clause */
/* Every family's lines SYSCALL(number, name). */
#include "syscall/file.list.h"
#include "syscall/fsops.list.h"
#include "syscall/futex.list.h"
#include "syscall/memory.list.h"
#include "syscall/misc.list.h"
#include "syscall/process.list.h"
#include "syscall/sched.list.h"
#include "syscall/signal.list.h"
#include "syscall/socket.list.h"
#include "syscall/time.list.h"
