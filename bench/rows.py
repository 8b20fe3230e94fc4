# SPDX-License-Identifier: BSD-2-Clause
"""The rows about whole machines: boot, memory, servers."""
import contextlib
import re
import socket
import statistics
import sys
import time

from guest import HELLO, ICOUNT, KINDS, SAME_CPU, Guest
from linux import BUILD, sh

BOOT, SERVERS = "Boot and memory", "Servers"


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


# ---- servers, over a tap device -------------------------------------------------------------------

HOST, ADDRESS, TAP = "10.0.2.2", "10.0.2.15", "tap0"


def wait_for(port, question, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection((ADDRESS, port), 2) as s:
            s.settimeout(5)
            s.sendall(question)
            if s.recv(16):
                return True
        time.sleep(0.2)
    return False


def server_rows(run, program, args, port, question, measures):
    """measures: title, function. Each guest is started once a round and asked all of them; five rounds."""
    guest = Guest(["--machine", "q35", "-c", 1, "-m", "512M", "--net", f"tap={TAP}", "--ip", f"{ADDRESS}/24,{HOST}",
                   *SAME_CPU], program, args, modules=True)
    figures = {title: {k: [] for k in KINDS} for title, _ in measures}
    run.command(measures[0][0].split(",")[0], guest)
    for _ in range(5):
        for kind in KINDS:
            with guest.running(kind, 300):
                if not wait_for(port, question, 90):
                    print(f"bench: {program} in the {kind} guest did not answer", file=sys.stderr)
                    continue
                for title, measure in measures:
                    figures[title][kind].append(measure())
    for title, figure in figures.items():
        run.add(SERVERS, title, "requests/s", *(statistics.median(figure[k]) if figure[k] else None for k in KINDS))


def row_memcached(run):
    def get(connections, depth, requests):
        return lambda: float(sh(BUILD / "load", ADDRESS, 11211, connections, depth, requests, timeout=120))
    server_rows(run, "/usr/bin/memcached", ["-u", "root", "-t", "1"], 11211, b"version\r\n",
                [(f"memcached GET, {c} connections, depth {d}", get(c, d, n))
                 for c, d, n in ((1, 1, 4000), (4, 1, 10000), (4, 16, 30000))])


def row_redis(run):
    def ask(command, pipeline):
        def measure():
            text = sh("redis-benchmark", "-h", ADDRESS, "-t", command, "-n", 10000 * (1 + 2 * (pipeline > 1)), "-c", 20,
                      "-P", pipeline, "--csv", timeout=120)
            return float(text.splitlines()[-1].split(",")[1].strip('"'))
        return measure
    server_rows(run, "/usr/bin/redis-server", ["--protected-mode", "no", "--save", ""], 6379, b"PING\r\n",
                [(f"redis {c.upper()}, 20 connections, pipeline {p}", ask(c, p)) for p in (1, 16) for c in ("get", "set")])
