# SPDX-License-Identifier: BSD-2-Clause
"""The rows about whole machines: boot and memory."""
import re
import statistics
import time

from guest import HELLO, ICOUNT, KINDS, Guest

BOOT = "Boot and memory"


def hello_says(guest, kind, limit=120):
    """The count in a fresh guest's hello; the guest is ended then, however long it takes to power off."""
    with guest.running(kind, limit) as p:
        for line in p.stdout:
            found = re.search(rb"hello at (\d+)", line)
            if found:
                return int(found.group(1))
    return None


def hello_wall(guest, kind):
    guest.line(kind)  # what has to be packed is packed before the clock starts
    start = time.monotonic()
    return time.monotonic() - start if hello_says(guest, kind) else None


def row_boot(run):
    for machine in ("microvm", "q35"):
        own = ["--machine", machine, "--net", "none"]
        counted = Guest([*own, *ICOUNT], HELLO)
        run.command(f"boot to main of hello, {machine}", counted)
        run.add(BOOT, f"boot to main of hello, {machine}", "instructions", *(hello_says(counted, k) for k in KINDS))
        timed = Guest(own, HELLO)
        run.command(f"VM start to hello's output, {machine}", timed)
        walls = {k: [] for k in KINDS}
        for _ in range(5):
            for k in KINDS:
                walls[k].append(hello_wall(timed, k))
        middle = (statistics.median(v) if None not in v else None for v in walls.values())
        run.add(BOOT, f"VM start to hello's output, {machine}", "seconds", *middle)


def smallest(kind, low, high, program, args, works):
    """The smallest -m in MiB that works; low - 1 is known not to."""
    while low < high:
        middle = (low + high) // 2
        if works(Guest(["--net", "none", "-m", f"{middle}M"], program, args), kind):
            high = middle
        else:
            low = middle + 1
    return low


def row_memory(run):
    def works(guest, kind):
        return hello_says(guest, kind, 40) is not None
    run.command("smallest memory for hello (-m by bisection)", Guest(["--net", "none", "-m", "256M"], HELLO))
    run.add(BOOT, "smallest memory for hello", "MiB", *(float(smallest(k, *limits, HELLO, [], works))
                                                        for k, limits in (("skiff", (1, 64)), ("linux", (16, 256)))))
