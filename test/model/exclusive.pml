/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exclusive waiters at the channel of src/net/channel.h (C4), with the rules of src/sched/wait.h (X1,
 * X3) and src/file/epoll.c (X5). One receiver pushes packets and rings for each or for several; READERS
 * threads sleep for one packet each (recv of datagrams). Beside that one thing happens:
 *  - all readers but one may be interrupted by a signal; one packet comes;
 *  - a set with EPOLLEXCLUSIVE, in which a thread sleeps, loses the file before anybody has looked
 *    there for what it was told; one packet comes;
 *  - one more thread makes a call that takes the channel and wants no input, as the network thread does
 *    when a channel was left alone; PACKETS packets come.
 *
 * A ring, an announcement or a pass-on picks any exclusive waiter on the wait queue, which has a lock:
 * one step. So are the socket's lock each way, every atomic operation and every look at a word that
 * another thread writes.
 *
 * Checked: nobody sleeps for ever while there is a packet, so that all are taken (else the search ends
 * in a state that is no end). And in the quiet case, when all and the set sleep, one packet comes,
 * nobody leaves and somebody else takes the channel after the ring, only one is told.
 *
 * BREAK names one step to leave out or spoil; test/run model demands that each of these is found.
 *	1  a reader that was picked and hears of a signal gives up without a look
 *	2  who takes one packet and leaves others does not pass on
 *	3  a set that loses the file does not look in the others' stead
 *	4  who takes the channel after a ring tells of it again, though nobody is new
 *	5  a set that loses the file looks while it is still on the queue
 */
#ifndef BREAK
#define BREAK 0
#endif
#ifndef PACKETS
#define PACKETS 2
#endif
#ifndef READERS
#define READERS 2
#endif
#define SET READERS /* its place among the waiters */

bool locked, newcomer, rung, begun, quiet, loses, disturbed, over;
byte channel, input, taken, all, tells, asleep, rings, signals;
bool queued[READERS + 1], picked[READERS + 1];

#define PICK(n) queued[n] = false; picked[n] = true; tells = tells + quiet

/* Nobody, if nobody is there. */
inline tell()
{
	atomic {
		if
		:: queued[0] -> PICK(0)
		:: queued[1] -> PICK(1)
#if READERS > 2
		:: queued[2] -> PICK(2)
#endif
		:: queued[SET] && !picked[SET] -> picked[SET] = true; tells = tells + quiet
		:: else
		fi;
		assert(!quiet || tells <= 1)
	}
}

inline take()
{
	do
	:: channel > 0 ->
		atomic { told = told || rung; rung = false; got = channel; channel = 0; news = true };
		atomic { input = input + got; got = 0 }
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
#if BREAK != 4
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
		atomic { told = false; locked = false };
		if
		:: news -> atomic { news = false; tell() }
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

init {
	atomic {
		if
		:: quiet = true; all = 1
		:: all = 1; signals = READERS - 1
		:: all = 1; loses = true
		:: all = PACKETS; disturbed = true
		fi;
		begun = true
	}
}

active proctype pusher()
{
	byte sent;
	bool duty;

	begun && (!quiet || asleep == READERS + 1);
	do
	:: sent < all ->
		atomic { channel++; duty = duty || !rung; rung = true; sent++ };
		if
		:: sent < all /* the run goes on */
		:: true ->
			if
			:: duty -> newcomer = false; atomic { duty = false; tell() }
			:: else
			fi
		fi
	:: else -> break
	od;
	rings = rings + quiet
}

/* recv, until it has one or all have been taken by somebody */
active [READERS] proctype reader()
{
	byte got, me = _pid - 2;
	bool told, news, waited, was, found, signalled, more, gives_up, passes;

	begun;
again:
	atomic { !locked -> locked = true };
	take();
	if
	:: atomic {
		input > 0 ->
		input--;
		taken++;
		over = over || taken == all;
		more = waited && input > 0;
		waited = false
	   };
		unlock();
#if BREAK != 2
		if
		:: more -> atomic { more = false; tell() }
		:: else
		fi;
#endif
		goto done
	:: else
	fi;
	unlock();
	if
	:: over -> goto done
	:: else
	fi;
	atomic { queued[me] = true; picked[me] = false; found = false };
	newcomer = true;
	if
	:: channel > 0 -> found = true
	:: else ->
		if
		:: input > 0 || over -> found = true
		:: else
		fi
	fi;
	if
	:: found
	:: else ->
		asleep = asleep + quiet;
		if
		:: picked[me] || over
		:: atomic { signals > 0 && !signalled -> signals--; signalled = true }
		:: signalled
		fi;
		asleep = asleep - quiet
	fi;
	atomic {
		was = picked[me];
		queued[me] = false;
		picked[me] = false;
		waited = true;
		gives_up = signalled && !found && !was;
		passes = was && found;
#if BREAK == 1
		gives_up = signalled && !found;
#endif
		was = false;
		found = false
	};
	if
	:: gives_up -> goto done
	:: passes -> atomic { passes = false; tell() }
	:: else
	fi;
	goto again;
done:
	skip
}

/* A set in which a thread sleeps; it is told by being picked. */
active proctype set()
{
	byte got;
	bool told, news;

end:	begun && (quiet || loses) -> atomic { queued[SET] = true; asleep = asleep + quiet };
	if
	:: quiet -> picked[SET] || over; over = true; goto done /* its thread takes what there is */
	:: !quiet
	fi;
#if BREAK != 5
	queued[SET] = false;
#endif
#if BREAK != 3
	if
	:: picked[SET] ->
		if
		:: channel > 0 ->
			if
			:: atomic { !locked -> locked = true }; unlock()
			:: locked -> newcomer = true
			fi
		:: else -> newcomer = true
		fi;
		if
		:: input > 0 -> tell()
		:: else
		fi
	:: else
	fi;
#endif
#if BREAK == 5
	queued[SET] = false;
#endif
done:
	skip
}

/* getsockopt, or the network thread: it takes the channel and does not want input. */
active proctype other()
{
	byte got;
	bool told, news;

end:	begun && (disturbed || (quiet && rings == 1));
	atomic { !locked -> locked = true };
	unlock()
}
