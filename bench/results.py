# SPDX-License-Identifier: BSD-2-Clause
"""bench/RESULTS.md: its tables are read back, so that a run of a few rows leaves the others as they were."""
import datetime
import re

from linux import TOP, sh

FILE = TOP / "bench" / "RESULTS.md"
COLUMNS = ["what", "unit", "Linux", "Skiff", "Skiff / Linux", "target", "met", "Skiff before", "measured"]
SECTIONS = {
    "Boot and memory": "Less is better.",
    "Instructions per operation, one CPU": "Less is better. `bench/run NAME` measures one again; NAME stands in brackets. Measured in this order by one\n"
                                           "process: it has had threads when it comes to the calls, so libc's and "
                                           "libskiff's cancellation points go the longer way.",
    "Nanoseconds per operation, two CPUs": "Wall clock, less is better; the two threads are pinned to different CPUs. Medians "
                                           "of runs in turns; the ratio means\nsomething, the values little. QEMU goes first on the "
                                           "host's CPUs (`chrt -r 1`), for both guests: where the host\nlets one of "
                                           "the two virtual CPUs wait for other work, its scheduler is what is measured.",
    "Write tracking of a collector": "Instructions, less is better: `bench/gc`, 64 MiB of old objects, 400,000 stores of pointers "
                                     "between two minor collections.\nA cycle is those stores and one collection. "
                                     "Linux 6.1 has no PAGEMAP_SCAN.",
    "Network, instructions": "Guest instructions per transaction, connection, 64 KiB or request, over QEMU's user-mode network: less is better. Counted in\n"
                             "QEMU by a plugin (`bench/count.c`), in which an idle CPU counts nothing; runs of three times as many less runs of so many.\n"
                             "This network has no offload: each 64 KiB are 46 packets, with checksums made by the guest.",
    "Network, exits": "What leaves the guest for each transaction, over tap, one CPU: less is better. Counted by a plugin in QEMU (`bench/exits.c`): the kicks of\n"
                      "the card's queues, the APIC's registers, halts, and instructions that a hypervisor serves. What depends on time, as timers, depends on\n"
                      "how fast the machine is.",
    "Network, wall clock": "Per second, more is better: medians of five boots of each guest, in turns, with two seconds of each load. The client runs on the same two host CPUs as the guest and takes its share of them."
        " With one request in flight, and where a connection is made by QEMU's user-mode network, most of the time is QEMU's, the host's and the client's (doc/network.md, What a transaction costs outside the guest): the rows in instructions show what the guest costs.",
    "Network, CPU time on the host": "Of the rows above, what an operation (of streams 64 KiB) took of the host's two CPUs: QEMU's main loop, where its cards and its network\n"
                                     "are emulated, + its virtual CPUs + the client. Two at a time can work: the sum, halved, bounds the rate, and so does each part alone.",
}
HEAD = """# Results

Written by `make bench`; each row says when it was measured and at which commit. Linux is Debian's
{kernel}, uncompressed, by its PVH entry. {qemu}.

- Both guests run the same binary with the same libraries under the same QEMU line: only kernel, root
  image, command line and console differ. The command lines are at the end of this page.
- *Instructions* are counted by the guest's clock under `-icount shift=0,sleep=off -smp 1,maxcpus=2
  -cpu {cpu}`: one instruction is one nanosecond. They repeat, and count everything from
  power-on, firmware and interrupts included; time in which a guest waits for a timer counts too. Without `-erms`
  each guest would copy by `rep movsb`, which this emulator runs a byte at a time.
- *Seconds, nanoseconds and rates* are wall clock on a shared machine without hardware
  virtualisation: medians of runs taken in turns. Read the ratios.
- *Target* is the highest "Skiff / Linux" that was asked for, of rates the lowest. *Skiff before* is Skiff's figure, and the
  ratio, from before the work on scheduler, locks, calls and memory that the targets are for.
"""


def number(v):
    if v is None:
        return "–"
    return f"{v:,.0f}" if v >= 100 else f"{v:.2f}" if v >= 0.1 else f"{v:.2g}"


def value(text):
    """A figure as it stands in a table."""
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


class Results:
    def __init__(self, kernel, qemu, cpu):
        self.head = HEAD.format(kernel=kernel, qemu=qemu, cpu=cpu)
        self.rows = {s: {} for s in SECTIONS}  # section: what: cells
        self.lines = {}  # title: (skiff, linux)
        self.commit = sh("git", "rev-parse", "--short", "HEAD", cwd=TOP).strip()
        if sh("git", "status", "--porcelain", "src", "libskiff", "include", cwd=TOP):
            self.commit += " changed"
        if FILE.exists():
            self.read(FILE.read_text())

    def read(self, text):
        section = None
        for line in text.splitlines():
            if line.startswith("## "):
                section = line[3:]
            cells = [c.strip() for c in line.strip("|").split("|")]
            if section in SECTIONS and line.startswith("| ") and len(cells) == len(COLUMNS) and cells[0] != "what":
                self.rows[section][cells[0]] = dict(zip(COLUMNS, cells))
        for title, skiff, linux in re.findall(r"^### (.*)\n\n```\n(.*)\n\n(.*)\n```$", text, re.M):
            self.lines[title] = (skiff, linux)

    def linux_figure(self, section, what):
        return value(self.rows[section].get(what, {}).get("Linux", ""))

    def add(self, section, what, unit, skiff, linux, target=None, before=False, write=True, more=False):
        """One row, printed and, with `write`, in the file at once: a run that is cut short has lost nothing."""
        ratio = skiff / linux if skiff and linux else None
        old = self.rows[section].get(what, {})
        cells = dict(zip(COLUMNS, [what, unit, number(linux), number(skiff), number(ratio), number(target), "",
                                   old.get("Skiff before", "–"), f"{datetime.date.today()} {self.commit}"]))
        if target and ratio:
            cells["met"] = "yes" if (ratio >= target if more else ratio <= target) else "no"
        if before:
            cells["Skiff before"] = f"{number(skiff)} ({number(ratio)})"
        self.rows[section][what] = cells
        print("| " + " | ".join(cells.values()) + " |", flush=True)
        if write:
            self.write()

    def add_words(self, section, what, unit, skiff, linux):
        """A row that has words, and no ratio."""
        cells = dict(zip(COLUMNS, [what, unit, linux, skiff, "–", "–", "", "–", f"{datetime.date.today()} {self.commit}"]))
        self.rows[section][what] = cells
        print("| " + " | ".join(cells.values()) + " |", flush=True)
        self.write()

    def command(self, title, guest):
        self.lines[title] = guest.commands()

    def write(self):
        text = [self.head]
        for section, note in SECTIONS.items():
            text += [f"## {section}\n", note + "\n", "| " + " | ".join(COLUMNS) + " |", "|---|---" + "|---:" * 4 + "|---|---:|---|"]
            text += ["| " + " | ".join(cells.values()) + " |" for cells in self.rows[section].values()]
            text.append("")
        text.append("## Command lines\n\nOf each, Skiff's first (`skiff run --dry-run` says which QEMU line that is), then Linux's.\n")
        text += [f"### {title}\n\n```\n{skiff}\n\n{linux}\n```\n" for title, (skiff, linux) in self.lines.items()]
        FILE.write_text("\n".join(text).rstrip() + "\n")
