/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Micro-benchmarks: what one operation costs, in units of the clock of `micro_now`. The program is
 * ordinary Linux; the same binary runs in both guests.
 *
 * A benchmark is a function that returns the cost of one operation. It may end the program by
 * `micro_die` when the machine cannot do what it asks for: its figure is then missing.
 */
#ifndef MICRO_H
#define MICRO_H

#include <stdbool.h>
#include <stdint.h>

struct micro {
	const char *name;
	double (*measure)(void);
};

/* Each ends with a name of NULL. */
extern const struct micro micro_calls[];    /* one system call or two */
extern const struct micro micro_memory[];   /* mmap, faults, malloc */
extern const struct micro micro_handover[]; /* two threads taking turns */
extern const struct micro micro_net[];	    /* socket calls of one thread */

/*
 * The time-stamp counter, which counts instructions under QEMU's `-icount shift=0`; nanoseconds
 * with the option --wall.
 */
uint64_t micro_now(void);

/* How long a measurement goes on at least, in units of micro_now: enough that ends do not matter.
 */
uint64_t micro_enough(void);

/*
 * The cost of op(), without that of the loop and the call: warms up, finds a count that takes
 * micro_enough(), and subtracts the same loop around an empty function.
 */
double micro_per_op(void (*op)(void));

/* As above, for a `run` that does the operation `count` times and returns how long that took. */
double micro_per_count(uint64_t (*run)(unsigned long count));

/* Where the first and the second thread of a pair run: CPU 0 both, unless --other-cpu. */
void micro_pin(int thread);

void micro_die(const char *what) __attribute__((noreturn));

/* A call site as compilers write it, `mov $nr, %eax; syscall`. */
#define MICRO_CALL(nr, a, b, c, d)                                                                 \
	({                                                                                         \
		long ret_;                                                                         \
		register long d_ __asm__("r10") = (long)(d);                                       \
		__asm__ volatile("mov %1, %%eax; syscall"                                          \
				 : "=&a"(ret_)                                                     \
				 : "i"(nr), "D"(a), "S"(b), "d"(c), "r"(d_)                        \
				 : "rcx", "r11", "memory");                                        \
		ret_;                                                                              \
	})

#endif
