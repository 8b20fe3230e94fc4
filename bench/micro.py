# SPDX-License-Identifier: BSD-2-Clause
"""The micro-benchmarks of bench/micro, in both guests."""
import statistics
import subprocess
import sys

from guest import ICOUNT, KINDS, MICRO, SAME_CPU, Guest

COUNTED = "Instructions per operation, one CPU"
TIMED = "Nanoseconds per operation, two CPUs"

# name: (what, the highest ratio to Linux that was asked for)
ONE_CPU = {
    "hand_condvar": ("hand-over by mutex and condition variable", 1 / 4),
    "hand_futex": ("hand-over by futex", 1 / 4),
    "hand_pipe": ("hand-over by pipe", None),
    "hand_eventfd": ("hand-over by eventfd", None),
    "hand_yield": ("switch by sched_yield", None),
    "getppid_syscall": ("getppid by the syscall instruction", 1 / 2),
    "getppid_site": ("getppid by a call site `mov; syscall`", None),
    "getppid_libc": ("getppid by the library's function", 1 / 8),
    "clock_libc": ("clock_gettime", None),
    "clock_syscall": ("clock_gettime by a call site", None),
    "zero_read": ("read 1 byte of /dev/zero", None),
    "null_write": ("write 1 byte to /dev/null", None),
    "open_close": ("open and close", None),
    "fstat": ("fstat", None),
    "file_read": ("pread 64 bytes of a file", None),
    "futex_wake": ("futex wake, nobody waits", 1 / 4),
    "epoll_empty": ("epoll_wait, nothing there", 1 / 3),
    "epoll_ready": ("epoll_wait, one event there", None),
    "pipe_write_read": ("pipe, write and read 1 byte", 1 / 3),
    "pipe_trip": ("pipe round trip between threads", 1 / 3),
    "socketpair_write_read": ("socketpair, write and read 64 bytes", None),
    "socketpair_trip": ("socketpair round trip between threads", None),
    "tcp_rr": ("loopback TCP_RR", None),
    "udp_rr": ("loopback UDP_RR", None),
    "thread_join": ("thread create and join", 1 / 3),
    "mmap_4k": ("mmap, touch, munmap 4 KiB", None),
    "mmap_2m": ("mmap, touch, munmap 2 MiB", 1 / 4),
    "fault_4k": ("a page fault, one page mapped", 1 / 3),
    "faults_64": ("64 page faults, 64 pages mapped", 1 / 3),
    "mprotect": ("two mprotect and a touch", None),
    "malloc_64": ("malloc and free 64 bytes", None),
    "malloc_mix": ("malloc and free, 16 to 4096 bytes mixed", None),
    "malloc_large": ("malloc, touch, free 1 MiB", None),
}
TWO_CPUS = {
    "hand_condvar": ("hand-over by mutex and condition variable", 1 / 3),
    "hand_futex": ("hand-over by futex", 1 / 3),
    "hand_pipe": ("hand-over by pipe", None),
    "hand_eventfd": ("hand-over by eventfd", None),
    "socketpair_trip": ("socketpair round trip", None),
    "tcp_rr": ("loopback TCP_RR", None),
    "udp_rr": ("loopback UDP_RR", None),
}
ROUNDS = 3
# Two virtual CPUs that take turns are measured, not the host's scheduler: for these seconds both go first.
HOST_CPUS = ["chrt", "-r", "1"]
if subprocess.run([*HOST_CPUS, "true"], stderr=subprocess.DEVNULL).returncode:
    HOST_CPUS = []  # not allowed here: the host had better be idle


def measure(options, args, names, kind, wrap=()):
    """name: figure. A benchmark that fails or hangs has none, and the rest is measured without it."""
    figures, left = {}, list(names)
    while left:
        now = left[:25]  # Linux takes 32 words on its command line
        guest = Guest(["--net", "none", "-m", "512M", *options], MICRO, [*args, *now], wrap=wrap)
        with guest.running(kind, 60 + 10 * len(now)) as p:
            for line in p.stdout:
                words = line.decode(errors="replace").split()
                if len(words) == 2 and words[0] in left:
                    figures[words[0]] = float(words[1])
                    now.remove(words[0])
                    left.remove(words[0])
        if now:
            print(f"bench: {now[0]} gave no figure in the {kind} guest", file=sys.stderr)
            left.remove(now[0])
    return figures


def row_micro(run, names=None):
    names = list(names or ONE_CPU)
    run.command("one CPU, instructions", Guest(["--net", "none", "-m", "512M", *ICOUNT], MICRO))
    figures = {k: measure(ICOUNT, [], names, k) for k in run.kinds(KINDS)}
    for n in names:
        what, target = ONE_CPU[n]
        run.add(COUNTED, f"{what} (`{n}`)", "instructions", *(figures.get(k, {}).get(n) for k in KINDS), target)


def row_smp(run, names=None):
    names = list(names or TWO_CPUS)
    options = ["-c", "2", *SAME_CPU]
    run.command("two CPUs, nanoseconds", Guest(["--net", "none", "-m", "512M", *options], MICRO, ["--wall", "--other-cpu"],
                                               wrap=HOST_CPUS))
    figures = {k: {n: [] for n in names} for k in KINDS}
    for _ in range(ROUNDS):
        for k in run.kinds(KINDS):
            for n, v in measure(options, ["--wall", "--other-cpu"], names, k, HOST_CPUS).items():
                figures[k][n].append(v)
    for n in names:
        what, target = TWO_CPUS[n]
        run.add(TIMED, f"{what} (`{n}`)", "ns", *(statistics.median(figures[k][n]) if figures[k][n] else None for k in KINDS),
                target)
