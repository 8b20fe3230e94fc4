# SPDX-License-Identifier: BSD-2-Clause
"""memcached over UDP: on packets by reference (bench/memcached), by sockets, and Debian's own, in both guests."""
import contextlib
import socket
import statistics
import sys
import time

from guest import SAME_CPU, Guest
from linux import BUILD, sh
from net_rows import ADDRESS, COUNTED, HOST, TAP, TIMED, counter

OURS, DEBIAN = BUILD / "udp_memcached", "/usr/bin/memcached"
PORT = 11211
COUNTED_REQUESTS = 20000
ROUNDS = 5
# what it is called: (program, its arguments); on Linux ours serves by recvmmsg, as there are no rings
PROGRAMS = {"ours": (OURS, ["-U", PORT]), "calls": (OURS, ["-U", PORT, "--calls"]),
            "debian": (DEBIAN, ["-u", "root", "-t", "1", "-U", PORT])}
# a row: its words, the program in Skiff, the program on Linux, the ratio that is asked for (of rates; None: none)
ROWS = (("packets by reference, Linux: memcached", "ours", "debian", 4.0),
        ("memcached", "debian", "debian", 1.5),
        ("our server by recvmmsg", "calls", "calls", None))
LOADS = ((1, 1, 4000), (4, 4, 20000), (4, 16, 40000))  # ports, requests in flight from each, requests


def answers(address, port, seconds):
    end = time.monotonic() + seconds
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.5)
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                s.sendto(b"\0\1\0\0\0\1\0\0version\r\n", (address, port))
                if b"VERSION" in s.recv(100):
                    return True
            time.sleep(0.1)
    return False


def figures(guest, kind, name, address, port, loads):
    """The load's figure for each of loads, asked of one boot; None where there is none."""
    found = []
    with guest.running(kind, 300):
        if not answers(address, port, 90):
            print(f"bench: {name} in the {kind} guest did not answer", file=sys.stderr)
            return [None] * len(loads)
        for load in loads:
            found.append(float(sh(BUILD / "udp_load", *load, timeout=200)))
    return found


def rates(run):
    def guest(name):
        return Guest(["--machine", "q35", "-c", 1, "-m", "512M", "--net", f"tap={TAP}", "--ip", f"{ADDRESS}/24,{HOST}", *SAME_CPU],
                     *PROGRAMS[name], modules=True)
    loads = [(ADDRESS, PORT, *load) for load in LOADS]
    wanted = {(k, name) for _, skiff, linux, _ in ROWS for k, name in (("skiff", skiff), ("linux", linux))}
    guests = {w: guest(w[1]) for w in sorted(wanted)}
    all_of = {w: [] for w in guests}
    for name in ("ours", "debian"):
        run.command(f"memcached over UDP, {guests['skiff', name].program.rpartition('/')[2]}", guests["skiff", name])
    for _ in range(ROUNDS):
        for (kind, name), g in guests.items():
            all_of[kind, name].append(figures(g, kind, name, ADDRESS, PORT, loads))

    def middle(kind, name, i):
        values = [f[i] for f in all_of[kind, name] if f[i]]
        return statistics.median(values) if values else None
    for words, skiff, linux, target in ROWS:
        for i, (ports, window, _) in enumerate(LOADS):
            run.add(TIMED, f"memcached over UDP, {words}: {ports} ports, {window} in flight", "requests/s",
                    middle("skiff", skiff, i), middle("linux", linux, i), target,
                    more=True)


def instructions(run):
    """Counted in QEMU, where waiting for the client does not count: of three times as many less those of so many."""
    def count(kind, name):
        file = BUILD / f"count-{kind}"
        guest = Guest(["--machine", "q35", "-c", 1, "-m", "512M", "--net", "user", "-p", f"{PORT}:{PORT}/udp", *SAME_CPU,
                       "--qemu=-plugin", f"--qemu={BUILD}/count.so,to={file}"], *PROGRAMS[name], modules=True)
        run.command(f"memcached over UDP, instructions, {guest.program.rpartition('/')[2]}", guest)
        with guest.running(kind, 300):
            if not answers("127.0.0.1", PORT, 90):
                print(f"bench: {name} in the {kind} guest did not answer", file=sys.stderr)
                return None
            spent = []
            for n in (COUNTED_REQUESTS, 3 * COUNTED_REQUESTS):
                before = counter(file)
                sh(BUILD / "udp_load", "127.0.0.1", PORT, 4, 16, n, timeout=200)
                spent.append(counter(file) - before)
            return (spent[1] - spent[0]) / (2 * COUNTED_REQUESTS)
    counts = {}
    for words, skiff, linux, _ in ROWS:
        for key in (("skiff", skiff), ("linux", linux)):
            if key not in counts:
                counts[key] = count(*key)
        run.add(COUNTED, f"memcached over UDP, {words}: a request", "instructions", counts["skiff", skiff], counts["linux", linux])


def row_packet(run):
    instructions(run)
    rates(run)
