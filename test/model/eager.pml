/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * C5 of src/net/channel.h: when a packet that the protocol wants at once is left, and for whom.
 * PUSHERS receivers push a packet each, then look whether the protocol is eager: if so they try the
 * lock and work, else the socket goes to the network thread's list. CALLERS take the lock, work, may
 * make the protocol eager or not, and unlock.
 *
 * Checked: when nothing moves any more, no packet lies in the channel, neither while the protocol is
 * eager (nobody may wait a millisecond for the network thread then: it is asked only for what was left
 * while it was not) nor otherwise.
 *
 * BREAK names one step to leave out or spoil; test/run model demands that each of these is found.
 *	1  the holder says that the protocol is eager when it has unlocked and looked
 *	2  a receiver looks whether the protocol is eager before it pushes
 *	3  the holder does not look at the channel again after it has unlocked
 */
#ifndef PUSHERS
#define PUSHERS 2
#endif
#ifndef CALLERS
#define CALLERS 2
#endif
#ifndef BREAK
#define BREAK 0
#endif

bool locked, eager, listed;
byte channel, list;

/* told: what the protocol wants from now on */
inline unlock()
{
	do
	:: true ->
		channel = 0;
#if BREAK != 1
		eager = want;
#endif
		locked = false;
#if BREAK == 3
		break;
#endif
		if
		:: channel == 0 -> break
		:: else ->
			if
			:: atomic { !locked -> locked = true }
			:: locked -> break
			fi
		fi
	od;
#if BREAK == 1
	eager = want
#endif
}

active [PUSHERS] proctype pusher()
{
	bool want, now;

#if BREAK == 2
	now = eager;
	channel++;
#else
	channel++;
	now = eager;
#endif
	if
	:: now ->
		if
		:: atomic { !locked -> locked = true; want = eager }; unlock()
		:: locked
		fi
	:: else ->
		if
		:: atomic { !listed -> listed = true; list++ }
		:: listed
		fi
	fi
}

active [CALLERS] proctype caller()
{
	bool want;

	atomic { !locked -> locked = true };
	if
	:: want = true
	:: want = false
	fi;
	unlock()
}

/* Late: when everybody else is through. Then what lies there must have been left to it. */
active proctype network()
{
	bool want, there;

end:	do
	:: atomic { timeout -> assert(!(eager && channel > 0)) };
		do
		:: list > 0 ->
			list--;
			listed = false;
			there = channel > 0;
			if
			:: there ->
				if
				:: atomic { !locked -> locked = true; want = eager }; unlock()
				:: locked
				fi
			:: else
			fi
		:: else -> break
		od;
		assert(channel == 0);
		break
	od
}
