/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The condition variable of src/sched/mutex.c on top of the mutex's model: thread 0 takes what the
 * others post under the lock and waits on the condition variable while there is nothing. Checked
 * besides what mutex.pml checks: the waiter holds the lock when it goes on, and it does not sleep
 * for ever.
 *
 * BREAK names one step to leave out or spoil; test/run model demands that each of these is found.
 *	1  unlock does not look at the queue again after it posted the token
 *	6  wake_all does not count the threads whose records it moves
 *	7  a waiter gives the lock back before it is on the condition variable
 *	8  wake_all lets the waiter go on at once instead of moving its record
 */
#define WAITERS 1
#include "mutex.pml"
