/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of a socket (src/net/flow.h F3 and F4, channel.h) while packets for it are on their way:
 * PUSHERS receivers find its flow in a read section, take a reference if there is one left, leave the
 * section, push and try the lock; one thread closes. The socket's memory goes after a grace period
 * from the moment at which the last reference was given up, whoever gave it up.
 *
 * Checked: nobody touches memory that is gone, and in the end no packet, no reference and no memory is
 * left.
 *
 * BREAK names one step to leave out or spoil; test/run model demands that each of these is found.
 *	1  the memory goes at once, without a grace period
 *	2  a receiver takes a reference whether there is one left or not
 *	3  who closes gives its reference up before the flow is out of the table
 *	4  a receiver gives its reference up before it tries the lock
 *	5  a receiver takes its reference when its read section is over
 */
#ifndef PUSHERS
#define PUSHERS 2
#endif
#ifndef BREAK
#define BREAK 0
#endif
#define TOUCH assert(!freed)

bool linked = true, locked, freed, ending;
byte refs = 1, channel, packets = PUSHERS, ended;
bool inside[PUSHERS];
byte sections[PUSHERS];

/* under the lock: detached or not, the packets are used up */
inline work()
{
	TOUCH;
	atomic { packets = packets - channel; channel = 0 }
}

inline unlock()
{
	do
	:: true ->
		work();
		TOUCH;
		locked = false;
		TOUCH;
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

inline put()
{
	atomic { TOUCH; refs--; last = refs == 0 }
	if
	:: last ->
		TOUCH;
		assert(!linked); /* as destroy does */
		ended++;
		assert(ended == 1);
		assert(channel == 0); /* whoever pushes holds a reference until it has been looked at */
		ending = true
	:: else
	fi
}

active [PUSHERS] proctype pusher()
{
	bool last, live;

	atomic { inside[_pid] = true; sections[_pid]++ }
	if
	:: linked -> live = true
	:: else -> live = false
	fi;
#if BREAK == 5
	inside[_pid] = false;
#endif
	if
	:: live ->
#if BREAK == 2
		atomic { TOUCH; refs++ }
#else
		atomic { TOUCH; live = refs > 0; if :: live -> refs++ :: else fi }
#endif
	:: else
	fi;
	inside[_pid] = false;
	if
	:: live ->
		atomic { TOUCH; channel++ }
#if BREAK == 4
		put();
#endif
		TOUCH;
		if
		:: atomic { !locked -> locked = true }; unlock()
		:: locked
		fi;
#if BREAK != 4
		put()
#else
		skip
#endif
	:: else -> packets-- /* nobody is there: dropped */
	fi
}

active proctype closer()
{
	bool last;

	atomic { !locked -> locked = true };
#if BREAK == 3
	unlock();
	put();
	linked = false;
#else
	linked = false;
	unlock();
	put()
#endif
}

active proctype reclaim()
{
	byte n, seen[PUSHERS];

	ending;
#if BREAK != 1
	atomic {
		do
		:: n < PUSHERS -> seen[n] = sections[n]; n++
		:: else -> break
		od;
		n = 0
	}
	do
	:: n < PUSHERS ->
		(!inside[n] || sections[n] != seen[n]);
		n++
	:: else -> break
	od;
#endif
	freed = true
}

active proctype end_of_it()
{
	timeout;
	assert(freed && refs == 0 && packets == 0 && channel == 0)
}
