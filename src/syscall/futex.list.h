/* SPDX-License-Identifier: BSD-2-Clause */
SYSCALL(SYS_futex, futex)
SYSCALL(SYS_futex_waitv, futex_waitv)
SYSCALL(SYS_get_robust_list, get_robust_list)
SYSCALL(SYS_membarrier, membarrier)
SYSCALL(SYS_set_robust_list, set_robust_list)
