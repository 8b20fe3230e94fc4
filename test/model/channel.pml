/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The channel of src/net/channel.h: PUSHERS receivers that push PACKETS packets each and ring, READERS
 * threads that sleep for input, and one thread that makes a call now and then, so that it takes the
 * channel without wanting input. Every atomic operation and every look at a word that another thread
 * writes is one step; the socket's lock is one step each way, as the mutex has a model of its own; so
 * is a wake-up of a wait queue. The network thread is left out: it would hide what is lost.
 *
 * Checked: nobody sleeps for ever while there is input, so that all of it is taken (else the search
 * ends in a state that is no end).
 *
 * BREAK names one step to leave out or spoil; test/run model demands that each of these is found.
 *	1  the sleeper looks at the channel before it is on the wait queue
 *	2  the sleeper does not say that it is a newcomer
 *	3  who took the channel looks for newcomers before its work is done
 *	4  a ring forgets newcomers after it has woken
 *	5  RUNG is a word of its own, cleared before the channel is taken
 */
#ifndef PUSHERS
#define PUSHERS 2
#endif
#ifndef PACKETS
#define PACKETS 1
#endif
#ifndef READERS
#define READERS 2
#endif
#ifndef BREAK
#define BREAK 0
#endif
#define ALL (PUSHERS * PACKETS)

bool locked, newcomer, rung;
byte channel, input, taken;
bool queued[READERS], woken[READERS];
bool over;

inline wake_all()
{
	atomic {
		n = 0;
		do
		:: n < READERS ->
			if
			:: queued[n] -> woken[n] = true
			:: else
			fi;
			n++
		:: else -> break
		od;
		n = 0
	}
}

/* do_work: under the lock */
inline take()
{
	do
	:: channel > 0 ->
#if BREAK == 5
		told = told || rung;
		rung = false;
		got = channel; channel = 0;
#else
		atomic { told = told || rung; rung = false; got = channel; channel = 0 }
#endif
#if BREAK == 3
		look = told && newcomer;
#endif
		news = true;
		input = input + got; /* the result shows */
		got = 0
	:: else -> break
	od
}

/* socket_unlock */
inline unlock()
{
	do
	:: true ->
		take();
		if
#if BREAK == 3
		:: told && !look -> news = false
		:: told && look -> newcomer = false
#else
		:: told ->
			atomic {
				if
				:: newcomer -> newcomer = false
				:: else -> news = false
				fi
			}
#endif
		:: else
		fi;
		told = false;
		locked = false;
		if
		:: news -> wake_all(); news = false
		:: else
		fi;
		if
		:: channel == 0 -> break
		:: else ->
			if
			:: atomic { !locked -> locked = true }
			:: locked -> break
			fi
		fi
	od
}

active [PUSHERS] proctype pusher()
{
	byte sent, n;
	bool duty;

	do
	:: sent < PACKETS ->
#if BREAK == 5
		channel++;
		atomic { duty = duty || !rung; rung = true };
#else
		atomic { channel++; duty = duty || !rung; rung = true };
#endif
		sent++;
		if
		:: true /* the run goes on */
		:: true ->
			if
			:: duty ->
#if BREAK == 4
				wake_all();
				newcomer = false;
#else
				newcomer = false;
				wake_all();
#endif
				duty = false
			:: else
			fi
		fi
	:: else -> break
	od;
	if
	:: duty ->
		newcomer = false;
		wake_all()
	:: else
	fi
}

/* recv, again and again, until all has been taken by somebody */
active [READERS] proctype reader()
{
	byte n, got;
	bool told, news, look;

again:
	atomic { !locked -> locked = true };
	take();
	if
	:: input > 0 -> taken = taken + input; input = 0
	:: else
	fi;
	if
	:: taken == ALL -> over = true
	:: else
	fi;
	if
	:: over ->
		unlock();
		wake_all();
		goto done
	:: else
	fi;
	unlock();
#if BREAK == 1
	newcomer = true;
	if
	:: channel > 0 || input > 0 || over -> goto again
	:: else
	fi;
	atomic { queued[_pid - PUSHERS] = true; woken[_pid - PUSHERS] = false };
#else
	atomic { queued[_pid - PUSHERS] = true; woken[_pid - PUSHERS] = false };
#if BREAK != 2
	newcomer = true;
#endif
	if
	:: channel > 0 -> queued[_pid - PUSHERS] = false; goto again
	:: else
	fi;
	if
	:: input > 0 || over -> queued[_pid - PUSHERS] = false; goto again
	:: else
	fi;
#endif
	woken[_pid - PUSHERS]; /* asleep */
	queued[_pid - PUSHERS] = false;
	goto again;
done:
	skip
}

/* getsockopt, twice: it takes the channel and does not want input. */
active proctype other()
{
	byte n, got, calls;
	bool told, news, look;

	do
	:: calls < 2 ->
		atomic { !locked -> locked = true };
		take();
		unlock();
		calls++
	:: else -> break
	od
}
