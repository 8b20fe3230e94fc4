# SPDX-License-Identifier: BSD-2-Clause
"""Figures in wall clock, and whose CPU time on the host went into them: QEMU's main loop, where its cards are emulated,
its virtual CPUs, and the client."""
import contextlib
import os
import pathlib
import resource
import statistics
from collections import namedtuple

TIMED, SPENT = "Network, wall clock", "Network, CPU time on the host"
TICK = 1 / os.sysconf("SC_CLK_TCK")

Figure = namedtuple("Figure", "rate spent")  # a second; seconds of an operation: main loop, virtual CPUs, client


def qemu_below(pid):
    """The QEMU that was started by this process, or is it."""
    todo = [pid]
    while todo:
        pid = todo.pop()
        folder = pathlib.Path(f"/proc/{pid}")
        if (folder / "comm").read_text().startswith("qemu-system"):
            return pid
        todo += [int(c) for t in folder.glob("task/*/children") for c in t.read_text().split()]
    raise ProcessLookupError(f"no QEMU below process {pid}")


def cpu_time(stat):
    """utime and stime of proc(5)'s stat: their sum is exact to a tick, whichever way the host divides it."""
    words = stat.read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) * TICK


class Account:
    """Of one running QEMU. The thread that has its process' number is the main loop; of the others only virtual CPUs work."""

    def __init__(self, pid):
        self.qemu = qemu_below(pid)

    def now(self):
        process = pathlib.Path(f"/proc/{self.qemu}")
        main = cpu_time(process / "task" / str(self.qemu) / "stat")
        client = resource.getrusage(resource.RUSAGE_CHILDREN)  # of those that have ended: QEMU has not
        return main, cpu_time(process / "stat") - main, client.ru_utime + client.ru_stime

    @contextlib.contextmanager
    def times(self):
        """A list that is filled at the end: seconds of main loop, virtual CPUs and clients that ended meanwhile."""
        spent, before = [], self.now()
        yield spent
        spent += [after - then for after, then in zip(self.now(), before)]


def words(figures):
    """The medians of the parts, in microseconds; they need not be of the same boot."""
    return " + ".join(f"{1e6 * statistics.median(part):.1f}" for part in zip(*(f.spent for f in figures))) or "–"


def add_timed(run, what, unit, skiff, linux, target=None):
    """A row of figures of both guests, more being better, and one of the host's time that an operation took."""
    run.add(TIMED, what, unit, *(statistics.median(f.rate for f in side) if side else None for side in (skiff, linux)), target, more=True)
    run.add_words(SPENT, what, "µs", words(skiff), words(linux))
