/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mutex of src/sched/mutex.c: counter, queue of waiter records, hand-off token. Every atomic
 * operation of the C code is one step here; relaxed loads and stores of words that have one writer
 * at a time are folded into the step beside them. THREADS threads lock and unlock ROUNDS times each,
 * so records are used again (ABA). Checked: one holder at a time, a locker that takes the token finds
 * somebody to give the lock to (M4), no thread sleeps for ever (end states), and when all are
 * through the mutex is as it was.
 *
 * BREAK names one step to leave out or spoil; test/run model demands that each of these is found.
 *	1  unlock does not look at the queue again after it posted the token
 *	2  a locker takes the token before it has queued itself
 *	3  unlock takes its token back without looking whether somebody else took it
 *	4  unlock goes the slow way although nobody else is counted: a token stays behind
 *	5  the giver does not wake
 */
#ifndef THREADS
#define THREADS 3
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef WAITERS
#define WAITERS 0 /* threads that wait for a condition: condvar.pml */
#endif
#ifndef BREAK
#define BREAK 0
#endif
#define NOBODY 255

byte count, handoff, sequence;
/* 'pushed', a stack of threads, newest at the end; 'popped', in order of arrival */
byte pushed[THREADS], pushed_n, popped[THREADS], popped_n;
bool given[THREADS];  /* waiter.thread == NULL */
bool asleep[THREADS]; /* prepared or asleep: a wake-up counts */
byte holders, through;
#if WAITERS
byte waiting[THREADS], waiting_n, posts; /* guarded by the mutex */
#endif

/* Needs the right to pop: one consumer. Taking all that was pushed is one exchange. */
inline pop(who)
{
	atomic {
		if
		:: popped_n == 0 && pushed_n > 0 ->
			/* exchange(pushed, NULL), then reversed: the oldest comes first */
			i = 0;
			do
			:: i < pushed_n -> popped[i] = pushed[i]; pushed[i] = 0; i++
			:: else -> break
			od;
			popped_n = pushed_n;
			pushed_n = 0
		:: else
		fi;
		if
		:: popped_n == 0 -> who = NOBODY
		:: else ->
			who = popped[0];
			i = 0;
			do
			:: i + 1 < popped_n -> popped[i] = popped[i + 1]; i++
			:: else -> break
			od;
			popped_n--;
			popped[popped_n] = 0
		fi;
		i = 0
	}
}

inline give(who)
{
	given[who] = true;
#if BREAK != 5
	asleep[who] = false
#endif
}

inline unlock_slow()
{
	do
	:: true ->
		pop(other);
		if
		:: other != NOBODY -> give(other); break
		:: else
		fi;
		atomic { /* sequence is the right's; the exchange publishes */
			sequence = (sequence % 250) + 1;
			token = sequence;
			handoff = token
		}
#if BREAK == 1
		break;
#endif
		if
		:: popped_n == 0 && pushed_n == 0 -> break /* whoever comes sees the token */
		:: else
		fi;
		atomic {
			if
			:: handoff == token -> handoff = 0 /* ours again: pop */
#if BREAK == 3
			:: else -> handoff = 0
#else
			:: else -> break /* somebody came and took it */
#endif
			fi
		}
	od;
	other = NOBODY; token = 0
}

/* prepare_sleep; look; schedule. A wake-up before the sleep ends it at once. */
inline sleep_until_given()
{
	do
	:: true ->
		asleep[self] = true;
		if
		:: given[self] -> break
		:: else
		fi;
		!asleep[self]
	od;
	asleep[self] = false
}

inline unlock()
{
	holders--;
	atomic { before = count; count-- }
	if
#if BREAK == 4
	:: before >= 1 -> unlock_slow()
#else
	:: before == 1
	:: else -> unlock_slow()
#endif
	fi;
	before = 0
}

#if WAITERS
/* Takes a post; waits on the condition variable while there is none. */
inline take_post()
{
	do
	:: posts > 0 -> posts--; break
	:: else ->
		given[self] = false;
#if BREAK == 7
		unlock();
		atomic { waiting[waiting_n] = self; waiting_n++ };
#else
		atomic { waiting[waiting_n] = self; waiting_n++ };
		unlock();
#endif
		sleep_until_given();
		holders++;
		assert(holders == 1)
	od
}

/* condvar_wake_all: the waiters' records move onto the mutex's queue. */
inline post()
{
	posts++;
	do
	:: waiting_n > 0 ->
		other = waiting[0];
		atomic {
			i = 0;
			do
			:: i + 1 < waiting_n -> waiting[i] = waiting[i + 1]; i++
			:: else -> break
			od;
			waiting_n--;
			waiting[waiting_n] = 0;
			i = 0
		}
#if BREAK != 6
		count++;
#endif
#if BREAK == 8
		give(other)
#else
		atomic { pushed[pushed_n] = other; pushed_n++ }
#endif
	:: else -> break
	od;
	other = NOBODY
}
#endif

proctype thread(byte self)
{
	byte round, token, other = NOBODY, i, before;

	do
	:: round < ROUNDS ->
		atomic { before = count; count++ }
		if
		:: before == 0
		:: else ->
			given[self] = false;
#if BREAK != 2
			atomic { pushed[pushed_n] = self; pushed_n++ };
#endif
			token = handoff;
			if
			:: token != 0 ->
				atomic {
					if
					:: handoff == token -> handoff = 0
					:: else -> token = 0
					fi
				};
				if
				:: token != 0 ->
					pop(other);
					assert(other != NOBODY); /* M4 */
					give(other)
				:: else
				fi
			:: else
			fi;
			token = 0; other = NOBODY;
#if BREAK == 2
			atomic { pushed[pushed_n] = self; pushed_n++ };
#endif
			sleep_until_given()
		fi;
		holders++;
		assert(holders == 1);
#if WAITERS
		if
		:: self < WAITERS -> take_post()
		:: else -> post()
		fi;
#endif
		unlock();
		round++
	:: else -> break
	od;
	atomic {
		through++;
		if
		:: through == THREADS ->
			assert(count == 0 && pushed_n == 0 && popped_n == 0 && handoff == 0)
		:: else
		fi
	}
}

init {
	byte n;

	atomic {
		do
		:: n < THREADS -> run thread(n); n++
		:: else -> break
		od
	}
}
