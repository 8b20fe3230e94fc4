/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may touch what when an exclusive waiter is picked: X4 of src/sched/wait.h, with X1 to X3. Two
 * threads wait for one thing each, with their entries on their stacks; INTERRUPTIBLE of them may hear
 * of a signal or of their deadline. Two wakers make none, one or two things each, and wake one waiter if
 * they made any. All four have a reference to the object that the queue is in; who gives up the last one
 * frees it. A waiter that is through gives up its reference and exits; its thread's memory goes with the
 * last pin.
 *
 * The steps are those of wait.c and of the macro wait_event_exclusive, in their order, but that to find
 * the first entry and to pin its thread is one, and count is the length of the list. The lock is one step
 * each way, as the mutex has a model of its own, but its unlock looks at it once more (mutex.h). A list
 * operation touches the neighbours' entries too. That a waiter sees all that came before 'picked' is
 * not here, as spin knows one order only: test/host/mutex_test.c has it.
 *
 * X3 is demanded of who was picked and has not passed that on by X2, and allowed to who has waited: the
 * sockets do not know whether they were picked.
 *
 * Checked: nobody touches the entry of a waiter that has returned, the queue or its lock when the object
 * is gone, or a thread that is gone; no waiter sleeps for ever while there is a thing (else the search
 * ends in a state that is no end); in the end the object and both threads are gone.
 *
 * BREAK names one step to leave out or spoil; test/run model demands that each of these is found.
 *	1  the waker writes 'picked' before the entry is off the queue
 *	2  the waker looks at the entry once more after that, with the lock held
 *	3  the waker does not pin the thread
 *	4  the waker pins the thread after it has written 'picked'
 *	5  the waker gives up its own reference when it has found a waiter, as that has one
 *	6  who was picked and hears of a signal gives up without a look (X1)
 *	7  who found the condition true and was picked does not pass on (X2)
 *	8  who takes one thing and leaves others does not pass on (X3)
 *	9  who saw that it was not picked leaves the queue without another look under the lock
 */
#ifndef BREAK
#define BREAK 0
#endif
#ifndef INTERRUPTIBLE
#define INTERRUPTIBLE 1 /* who is not shows what is lost */
#endif
#define WAITERS 2
#define WAKERS	2
#define NOBODY	255

/* the object, in it the queue; 'things' has a lock of its own */
bool freed, locked;
byte refs, things, listed, list[WAITERS];
/* of the waiters' entries; lasts: from its addition until its waiter returns */
bool lasts[WAITERS], picked[WAITERS];
/* of the waiters' threads; sleeps: prepared or asleep, a wake-up counts */
bool sleeps[WAITERS], exited[WAITERS], gone[WAITERS];
byte pins[WAITERS];
byte makers; /* wakers that have not made their things yet */

#define OBJECT	  assert(!freed)
#define ENTRY(n)  assert(lasts[n])
#define THREAD(n) assert(!gone[n])
#define LIST                                                                                       \
	OBJECT;                                                                                    \
	assert((listed < 1 || lasts[list[0]]) && (listed < 2 || lasts[list[1]]))

inline lock()
{
	atomic { !locked -> OBJECT; locked = true }
}

inline unlock()
{
	atomic { OBJECT; locked = false };
	OBJECT
}

inline put()
{
	atomic {
		OBJECT;
		refs--;
		if
		:: refs == 0 -> assert(!locked && listed == 0); freed = true
		:: else
		fi
	}
}

inline take_off(n)
{
	atomic {
		LIST;
		if
		:: listed > 0 && list[0] == n -> list[0] = list[1]
		:: else -> assert(listed == 2 && list[1] == n)
		fi;
		list[1] = 0;
		listed--;
		if
		:: listed == 0 -> list[0] = 0
		:: else
		fi
	}
}

inline pick()
{
#if BREAK == 1
	atomic { ENTRY(who); picked[who] = true };
	take_off(who);
#else
	take_off(who);
	atomic { ENTRY(who); picked[who] = true };
#endif
#if BREAK == 2
	ENTRY(who)
#elif BREAK == 4
	atomic { THREAD(who); pins[who]++ }
#endif
}

/* its_own: the caller has its reference for this alone, and may give it up early (BREAK 5) */
inline wake_one(its_own)
{
	if
	:: atomic { listed == 0 -> OBJECT }
	:: atomic { listed > 0 -> OBJECT };
		lock();
		atomic {
			LIST;
			if
			:: listed > 0 ->
				who = list[0];
				THREAD(who);
#if BREAK != 3 && BREAK != 4
				pins[who]++
#endif
			:: else
			fi
		};
		if
		:: who != NOBODY ->
#if BREAK == 5
			if
			:: its_own -> put(); lent = true
			:: else
			fi;
#endif
			pick()
		:: else
		fi;
		unlock();
		if
		:: who != NOBODY ->
			atomic { THREAD(who); sleeps[who] = false };
			atomic { /* thread_unpin */
				THREAD(who);
#if BREAK != 3
				pins[who]--;
				gone[who] = exited[who] && pins[who] == 0;
#endif
				who = NOBODY
			}
		:: else
		fi
	fi
}

proctype waker(byte makes)
{
	byte who = NOBODY;
	bool lent;

	atomic { OBJECT; things = things + makes; makers-- };
	if
	:: makes > 0 -> wake_one(true)
	:: else
	fi;
	if
	:: !lent -> put()
	:: else
	fi
}

/* The macro wait_event_exclusive, and around it a call that takes one thing. */
proctype waiter(byte me)
{
	byte who = NOBODY;
	bool got, waited, signalled, found, was, passes, lent;
	bool given; /* picked, and not passed on by X2 */

again:
	atomic {
		OBJECT;
		if
		:: things > 0 ->
			things--;
			got = true;
			if
#if BREAK != 8
			:: waited && things > 0 -> passes = true
#endif
			:: !given || things == 0 || BREAK == 8
			fi
		:: else
		fi;
		given = false
	};
	if
	:: passes -> passes = false; wake_one(false) /* X3 */
	:: else
	fi;
	if
	:: got -> goto done
	:: else
	fi;
	atomic { waited = true; picked[me] = false };
	lock();
	atomic { list[listed] = me; listed++; lasts[me] = true; LIST };
	unlock();
	do
	:: true ->
		sleeps[me] = true;
		if
		:: picked[me] -> break
		:: else
		fi;
		atomic { OBJECT; found = things > 0 };
		if
		:: found || signalled -> break
		:: !found && !signalled && me < INTERRUPTIBLE -> signalled = true; break
		:: !found && !signalled
		fi;
		if /* schedule */
		:: !sleeps[me]
		:: me < INTERRUPTIBLE -> signalled = true
		:: makers == 0 && things == 0 -> signalled = true /* the program ends */
		fi;
		if
		:: picked[me] -> break
		:: else
		fi
	od;
	atomic { sleeps[me] = false; was = picked[me] };
	if
	:: was /* X4 */
	:: else -> /* wait_remove */
		lock();
#if BREAK != 9
		was = picked[me];
#endif
		if
		:: was
		:: else -> take_off(me)
		fi;
		unlock()
	fi;
	atomic {
		lasts[me] = false;
		given = was && !found;
		passes = was && found && BREAK != 7;
#if BREAK == 6
		was = was && !signalled;
#endif
		was = was || found;
		found = false
	};
	if
	:: passes -> passes = false; wake_one(false) /* X2 */
	:: else
	fi;
	if
	:: was -> was = false; goto again
	:: else
	fi;
done:
	atomic { got = false; waited = false; given = false; signalled = false };
	put();
	atomic { exited[me] = true; gone[me] = pins[me] == 0 } /* sched_reap */
}

init {
	atomic {
		refs = WAITERS + WAKERS;
		makers = WAKERS;
		run waiter(0);
		run waiter(1);
		if
		:: run waker(1); run waker(0)
		:: run waker(2); run waker(0)
		:: run waker(1); run waker(1)
		:: run waker(2); run waker(1)
		fi
	};
	_nr_pr == 1;
	assert(freed && gone[0] && gone[1])
}
