/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A wake-up across CPUs: thread_prepare_sleep, thread_wake, sched_submit, the scheduling decision and
 * the idle loop of src/sched/. CPUS CPUs; thread 0 is a program that computes until all others are
 * through; the others sleep on a counter. A waker on a CPU that is not modelled and the interrupt
 * handler of a device on CPU 0 count it up, POSTS times each for every sleeper. Every atomic operation
 * and every look at a word that another CPU writes is one step; a handler is one step, as its CPU does
 * nothing else meanwhile. Lists are sets (order does not matter here), who of several runs is left open,
 * and so is whether the waker of a CPU with an end of slice interrupts.
 *
 * A halted CPU gets an interrupt or KVM's kick, which the hypervisor keeps for the next halt if the CPU
 * is not halted; any end of a halt uses it up.
 *
 * Checked: no wake-up is lost, no thread is left on a list of a CPU that does not look (all others
 * through, or the search ends in a state that is no end), a thread runs on one CPU only (S3) and is
 * on one list only (S2). That the CPU which halts gets an interrupt is part of the first.
 *
 * BREAK names one step to leave out or spoil; test/run model demands that each of these is found.
 *	1  idle looks at its list for the last time before it says that it halts
 *	2  idle looks for the last time with interrupts on
 *	3  the waker reads what the CPU does before it pushes
 *	4  the decision drains the list before it says that it is busy
 *	5  a CPU that runs one thread without an end of slice gets no interrupt
 *	6  the sleeper looks at its condition before it says that it will sleep
 *	7  the waker gives a thread to another CPU while its old CPU is still leaving it
 *	8  the decision looks for the last time with interrupts on
 *	9  the waker does not win the thread by a compare-and-swap
 *	10  a kick that comes before the halt is forgotten
 *	11  a CPU that runs a thread without an end of slice gets a kick
 */
#ifndef CPUS
#define CPUS 2
#endif
#ifndef THREADS
#define THREADS 2
#endif
#ifndef POSTS
#define POSTS 2
#endif
#ifndef BREAK
#define BREAK 0
#endif
#define IDLE_OF(c)  (THREADS + c)
#define BIT(t)	    (1 << (t))
#define ENOUGH	    (2 * POSTS)

mtype = { RUNNING, PREPARED, ASLEEP, DEAD, BUSY, SLICED, IDLE, HALTED };

/* of threads; the last CPUS ones are the idle threads */
mtype state[THREADS];
bool on_cpu[THREADS];
byte last_cpu[THREADS], posted[THREADS], taken[THREADS];
bool resched[THREADS + CPUS];
/* of CPUs; a list is a bit per thread */
mtype mode[CPUS];
byte incoming[CPUS], queue[CPUS], current[CPUS];
bool irq_on[CPUS], ipi[CPUS], armed[CPUS], halted[CPUS], kicked[CPUS];
byte through;

inline end_halt()
{
	if
	:: halted[c] -> halted[c] = false; kicked[c] = false
	:: else
	fi
}

/* The interrupts that the kernel itself has: wake-up and timer. And the hypervisor's end of a halt. */
active [CPUS] proctype interrupts()
{
	byte c = _pid;

end:	do
	:: atomic { irq_on[c] && ipi[c] -> ipi[c] = false; resched[current[c]] = true; end_halt() }
	:: atomic { irq_on[c] && armed[c] -> armed[c] = false; resched[current[c]] = true; end_halt() }
	:: atomic { halted[c] && kicked[c] -> end_halt() }
	od
}

/* choose_cpu: another one only for a thread whose registers are saved */
inline choose(t, to)
{
	atomic {
		if
#if BREAK == 7
		:: true -> to = 0
		:: true -> to = CPUS - 1
#else
		:: on_cpu[t] -> to = last_cpu[t]
		:: !on_cpu[t] -> to = 0
		:: !on_cpu[t] -> to = CPUS - 1
#endif
		fi;
		last_cpu[t] = to
	}
}

inline push(t, to)
{
	atomic { assert(!(incoming[to] & BIT(t)) && !(queue[to] & BIT(t))); incoming[to] = incoming[to] | BIT(t) }
}

inline kick(to, seen)
{
	if
	:: seen == IDLE
	:: seen == SLICED /* the key of the woken one is behind: the timer will do */
	:: seen == SLICED -> ipi[to] = true
#if BREAK == 5
	:: seen == BUSY
#elif BREAK == 11
	:: seen == BUSY -> kicked[to] = true
#else
	:: seen == BUSY -> ipi[to] = true
#endif
	:: seen == HALTED -> ipi[to] = true
#if BREAK == 10
	:: seen == HALTED -> atomic { if :: halted[to] -> kicked[to] = true :: else fi }
#else
	:: seen == HALTED -> kicked[to] = true
#endif
	fi
}

/* thread_wake on another CPU */
active proctype waker()
{
	byte t = 1, n, to;
	mtype seen;
	bool won;

	do
	:: t < THREADS ->
		posted[t]++;
		won = false;
		do
		:: atomic { state[t] == PREPARED -> state[t] = RUNNING }; break
#if BREAK == 9
		:: state[t] == ASLEEP -> state[t] = RUNNING; won = true; break
#else
		:: atomic { state[t] == ASLEEP -> state[t] = RUNNING; won = true }; break
#endif
		:: state[t] == RUNNING || state[t] == DEAD -> break
		od;
		if
		:: won ->
			choose(t, to);
#if BREAK == 3
			seen = mode[to];
			push(t, to);
#else
			push(t, to);
			seen = mode[to];
#endif
			kick(to, seen)
		:: else
		fi;
		to = 0; won = false; seen = 0;
		n++;
		if
		:: n == POSTS -> n = 0; t++
		:: else
		fi
	:: else -> break
	od
}

/* A device's handler on CPU 0 that wakes. */
active proctype handler()
{
	byte t = 1, n, to;

	do
	:: t < THREADS ->
		atomic {
			irq_on[0] ->
			if
			:: halted[0] -> halted[0] = false; kicked[0] = false
			:: else
			fi;
			posted[t]++;
			if
			:: state[t] == PREPARED -> state[t] = RUNNING
			:: state[t] == ASLEEP ->
				state[t] = RUNNING;
				choose(t, to);
				push(t, to);
				if
				:: to == 0 -> resched[current[0]] = true
				:: else -> kick(to, mode[to])
				fi
			:: else
			fi;
			to = 0;
			n++;
			if
			:: n == POSTS -> n = 0; t++
			:: else
			fi
		}
	:: else -> break
	od
}

/* reschedule(): prev is the running thread */
inline decide()
{
	resched[prev] = false;
#if BREAK != 4
	mode[c] = BUSY;
#endif
	if
	:: prev < THREADS ->
		atomic {
			runnable = state[prev] == RUNNING;
			if
			:: state[prev] == PREPARED -> state[prev] = ASLEEP
			:: else
			fi
		}
	:: else -> runnable = false
	fi;
#if BREAK == 4
	atomic { queue[c] = queue[c] | incoming[c]; incoming[c] = 0 };
	irq_on[c] = false;
#elif BREAK == 8
	do
	:: incoming[c] == 0 -> irq_on[c] = false; break
	:: else -> atomic { queue[c] = queue[c] | incoming[c]; incoming[c] = 0 }
	od;
#else
	irq_on[c] = false;
	do
	:: incoming[c] == 0 -> break
	:: else ->
		irq_on[c] = true;
		atomic { queue[c] = queue[c] | incoming[c]; incoming[c] = 0 };
		irq_on[c] = false
	od;
#endif
#if BREAK == 4
	mode[c] = BUSY;
#endif
	atomic { /* of this CPU alone */
		if
		:: runnable -> next = prev
		:: !runnable && queue[c] == 0 -> next = IDLE_OF(c)
		:: queue[c] & BIT(0) -> next = 0
		:: queue[c] & BIT(1) -> next = 1
#if THREADS > 2
		:: queue[c] & BIT(2) -> next = 2
#endif
		fi;
		if
		:: next < THREADS && !(runnable && next == prev) ->
			queue[c] = queue[c] & ~BIT(next);
			if
			:: runnable -> queue[c] = queue[c] | BIT(prev)
			:: else
			fi
		:: else
		fi;
		armed[c] = next < THREADS && queue[c] != 0
	}
	if
	:: armed[c] -> mode[c] = SLICED
	:: else
	fi;
	if
	:: next != prev ->
		atomic {
			if
			:: next < THREADS ->
				assert(!on_cpu[next] && state[next] == RUNNING);
				on_cpu[next] = true;
				last_cpu[next] = c
			:: else
			fi;
			current[c] = next
		}
		if
		:: prev < THREADS -> on_cpu[prev] = false /* finish_switch */
		:: else
		fi;
		prev = next
	:: else
	fi;
	runnable = false; next = 0;
	irq_on[c] = true
}

proctype cpu(byte c)
{
	byte prev = IDLE_OF(c), next;
	bool runnable;

	do
	:: prev >= THREADS && through == THREADS -> break
	:: prev >= THREADS && through < THREADS -> /* idle_loop */
		mode[c] = IDLE;
		do
		:: incoming[c] != 0 || queue[c] != 0 -> break
		:: through == THREADS -> break
		:: incoming[c] == 0 && queue[c] == 0 -> /* polled in vain */
#if BREAK == 1
			irq_on[c] = false;
			if
			:: incoming[c] == 0 -> mode[c] = HALTED; atomic { irq_on[c] = true; halted[c] = true }
			:: else -> irq_on[c] = true
			fi;
#else
#if BREAK != 2
			irq_on[c] = false;
#endif
			mode[c] = HALTED;
			if
			:: incoming[c] == 0 -> atomic { irq_on[c] = true; halted[c] = true }
			:: else -> irq_on[c] = true
			fi;
#endif
			if
			:: !halted[c]
			:: through == THREADS -> halted[c] = false /* the machine is switched off */
			fi;
			mode[c] = IDLE
		od;
		if
		:: through < THREADS -> decide()
		:: else
		fi
	:: prev == 0 -> /* the program that computes */
		if
		:: resched[0] -> decide()
		:: through == THREADS - 1 -> atomic { through++; state[0] = DEAD }; decide()
		fi
	:: prev > 0 && prev < THREADS -> /* a sleeper */
#if BREAK == 6
		if
		:: posted[prev] > taken[prev] -> taken[prev]++
		:: else -> state[prev] = PREPARED; decide()
		fi;
#else
		state[prev] = PREPARED;
		if
		:: posted[prev] > taken[prev] -> state[prev] = RUNNING; taken[prev]++
		:: else ->
			if
			:: state[prev] != RUNNING || resched[prev] -> decide()
			:: else
			fi
		fi;
#endif
		if
		:: prev < THREADS && prev > 0 && taken[prev] == ENOUGH && state[prev] == RUNNING ->
			atomic { state[prev] = DEAD; through++ };
			decide()
		:: else
		fi
	od
}

init {
	byte n;

	atomic {
		do
		:: n < THREADS -> state[n] = RUNNING; incoming[n % CPUS] = incoming[n % CPUS] | BIT(n); n++
		:: else -> break
		od;
		n = 0;
		do
		:: n < CPUS -> irq_on[n] = true; mode[n] = IDLE; current[n] = IDLE_OF(n); run cpu(n); n++
		:: else -> break
		od
	}
}
