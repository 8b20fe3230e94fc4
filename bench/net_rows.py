# SPDX-License-Identifier: BSD-2-Clause
"""The rows about the network: servers in a guest, clients beside it.

Instructions: over QEMU's user-mode network, counted in QEMU (bench/count.c), where an idle CPU counts
nothing. Wall clock: over user-mode network and a tap device, the two guests in turns.
"""
import contextlib
import re
import socket
import struct
import sys
import time

from account import Account, Figure, add_timed
from guest import FLOOR, KINDS, SAME_CPU, Guest
from linux import BUILD, TOP, sh

COUNTED = "Network, instructions"
HOST, ADDRESS, TAP = "10.0.2.2", "10.0.2.15", "tap0"  # the user-mode network's, so that both are configured alike
PLACES = [("user", 1), ("user", 2), ("tap", 1), ("tap", 2)]  # network and CPUs of the guest: --on leaves some out
ROUNDS = 5
SECONDS = 2  # of each measure in wall clock: the first tenths are TCP's slow start, the scheduler's averages and the caches
CONNECTIONS = 20
LEAST = "the least that a guest can do (bench/floor)"


class Service:
    """A program for the guest, the ports that it serves, and what a client says to see that it is up."""

    def __init__(self, program, args, port, question, ports=(), pack=()):
        self.program, self.args, self.port, self.question, self.pack = program, args, port, question, pack
        self.ports = [port, *ports]

    def guest(self, net, *options):
        if net == "user":
            with contextlib.ExitStack() as held:  # free ports, all different: held until QEMU is about to take them
                free = [held.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in self.ports]
            self.where = {p: ("127.0.0.1", f) for p, f in zip(self.ports, free)}
            network = [w for p, f in zip(self.ports, free) for proto in ("", "/udp")
                       for w in ("-p", f"127.0.0.1:{f}:{p}{proto}")]
        else:
            self.where = {p: (ADDRESS, p) for p in self.ports}
            network = ["--net", f"tap={TAP}"]
        return Guest(["--machine", "q35", "-m", "512M", *network, "--ip", f"{ADDRESS}/24,{HOST}", *SAME_CPU, *options],
                     self.program, self.args, modules=True, pack=self.pack)

    def answers(self):
        with contextlib.suppress(OSError), socket.create_connection(self.where[self.port], 2) as s:
            s.settimeout(5)
            s.sendall(self.question)
            return bool(s.recv(16))
        return False

    @contextlib.contextmanager
    def serving(self, guest, kind, limit):
        """The account of the guest's QEMU, once the service answers in it; if it never does, that is said, and None given."""
        with guest.running(kind, limit) as p:
            end, up = time.monotonic() + 90, False
            while not up and p.poll() is None and time.monotonic() < end:
                up = self.answers()
                if not up:
                    time.sleep(0.2)
            if not up:
                print(f"bench: {self.program} in the {kind} guest did not answer (status {p.poll()}): {p.why()}", file=sys.stderr)
            yield Account(p.pid) if up else None


# Each service, for a guest of so many CPUs

def wire_service(_=1):
    return Service(BUILD / "wire_server", [], 7000, b"x", (7001, 7002, 7003, 7004))


def memcached(cpus=1):
    return Service("/usr/bin/memcached", ["-u", "root", "-t", cpus], 11211, b"version\r\n")


def redis(_=1):
    return Service("/usr/bin/redis-server", ["--protected-mode", "no", "--save", ""], 6379, b"PING\r\n")


def nginx(_=1):
    www = BUILD / "www"
    www.mkdir(exist_ok=True)
    (www / "index.html").write_text("x" * 1023 + "\n")
    return Service("/usr/sbin/nginx", ["-c", "/nginx.conf"], 80, b"GET / HTTP/1.0\r\n\r\n",
                   pack=["-f", f"{TOP}/bench/nginx.conf:/nginx.conf", "-f", f"{www}:/www"])


# Each measure: (service, how many) -> (how many there were, how many a second)

def wire(what, port):
    def measure(service, count):
        rate = float(sh(BUILD / "wire", what, *service.where[port], count, timeout=120))
        return count, rate
    return measure


def memcached_get(connections, depth):
    def measure(service, count):
        rate = float(sh(BUILD / "load", *service.where[11211], connections, depth, count, timeout=120))
        return count, rate
    return measure


def redis_ask(command, pipeline):
    def measure(service, count):
        host, port = service.where[6379]
        text = sh("redis-benchmark", "-h", host, "-p", port, "-t", command, "-n", count, "-c", CONNECTIONS, "-P", pipeline,
                  "--csv", timeout=120)
        return count, float(text.splitlines()[-1].split(",")[1].strip('"'))
    return measure


def nginx_get(service, count):
    """wrk goes by time: about as long as that many would take at five thousand a second."""
    host, port = service.where[80]
    text = sh("wrk", "-t", 1, "-c", CONNECTIONS, "-d", max(1, count // 5000), f"http://{host}:{port}/", timeout=120)
    if "Non-2xx" in text or "Socket errors" in text:
        print(f"bench: wrk says: {text}", file=sys.stderr)
    return (int(re.search(r"(\d+) requests in", text).group(1)), float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)))


# name: (title, unit of the wall clock, measure, count, highest ratio of instructions, lowest of the wall clock)
WIRE = {
    "tcp_rr": ("TCP_RR, 1 byte", "transactions/s", wire("tcp_rr", 7000), 2000, 1 / 2, None),
    "udp_rr": ("UDP_RR, 1 byte", "transactions/s", wire("udp_rr", 7000), 2000, 1 / 2, None),
    "connect": ("connect, accept, 1 byte, close", "connections/s", wire("connect", 7003), 500, None, 2),
    "sink": ("TCP_STREAM to the guest, 64 KiB", "MiB/s", wire("sink", 7001), 2400, None, 1.25),
    "source": ("TCP_STREAM from the guest, 64 KiB", "MiB/s", wire("source", 7002), 2400, None, 1.25),
}
# Over a tap device: only there is the guest offered checksums, without which nobody sends from a program's pages.
LENT = [
    ("TCP_STREAM from the guest, 64 KiB; tap", "MiB/s", wire("source", 7002), 800, None, None),
    ("TCP_STREAM from the guest, 64 KiB, MSG_ZEROCOPY; tap", "MiB/s", wire("source", 7004), 800, None, None),
]
SERVERS = [
    (memcached, [("memcached TCP GET, 1 connection, depth 1", "requests/s", memcached_get(1, 1), 2000, None, 1.5),
                 ("memcached TCP GET, 4 connections, depth 1", "requests/s", memcached_get(4, 1), 4000, None, 1.5),
                 ("memcached TCP GET, 4 connections, depth 16", "requests/s", memcached_get(4, 16), 8000, None, 1.5)]),
    (redis, [(f"redis {c.upper()}, {CONNECTIONS} connections, pipeline {p}", "requests/s", redis_ask(c, p), n, None, 1.5)
             for p, n in ((1, 10000), (16, 40000)) for c in ("get", "set")]),
    (nginx, [(f"nginx, file of 1 KiB, {CONNECTIONS} connections", "requests/s", nginx_get, 20000, None, 1.5)]),
]


def counter(file):
    return struct.unpack("Q", file.read_bytes())[0]


def counted(run, make, measures, net="user"):
    """Instructions of each operation: of three times as many less those of so many, so that beginnings do not count."""
    figures = {}
    for kind in KINDS:
        service, file = make(), BUILD / f"count-{kind}"
        guest = service.guest(net, "-c", 1, "--qemu=-plugin", f"--qemu={BUILD}/count.so,to={file}")
        run.command(f"{measures[0][0].split(',')[0]}, instructions", guest)
        with service.serving(guest, kind, 400) as up:
            if not up:
                continue
            for title, _, measure, count, *_ in measures:
                ops, spent = [], []
                for n in (count, 3 * count):
                    before = counter(file)
                    ops.append(measure(service, n)[0])
                    spent.append(counter(file) - before)
                figures[title, kind] = (spent[1] - spent[0]) / (ops[1] - ops[0])
    for title, _, _, _, highest, _ in measures:
        run.add(COUNTED, title, "instructions", *(figures.get((title, k)) for k in KINDS), highest)


def place_words(net, cpus):
    return f"{'tap' if net == 'tap' else 'user-mode'}, {cpus} CPU{'s' * (cpus > 1)}"


def lasting(measure, count, account):
    """The rate over about SECONDS, and the host's CPU time for it: measure(n) is a measure of a service."""
    part = max(1, count // 4)
    measure(part)  # QEMU translates what it runs for the first time
    begin = time.monotonic()
    measure(part)
    with account.times() as spent:
        done, rate = measure(max(part, int(part * SECONDS / (time.monotonic() - begin))))
    return Figure(rate, [s / done for s in spent])


def timed(run, make, measures, net, cpus, floor=()):
    """floor: the titles that are measured in bench/floor, too."""
    figures = {(title, k): [] for title, *_ in measures for k in (*KINDS, FLOOR)}
    place = place_words(net, cpus)
    for _ in range(ROUNDS):
        for kind in (*KINDS, *([FLOOR] if floor else [])):
            service = make(cpus)
            guest = service.guest(net, "-c", cpus)
            run.command(f"{measures[0][0].split(',')[0]}, {place}", guest)
            with service.serving(guest, kind, 300) as up:
                if not up:
                    continue
                for title, _, measure, count, *_ in measures:
                    if kind == FLOOR and title not in floor:
                        continue
                    figures[title, kind].append(lasting(lambda n, m=measure: m(service, n), count, up))
    for title, unit, _, _, _, lowest in measures:
        add_timed(run, f"{title}; {place}", unit, *(figures[title, k] for k in KINDS), lowest)
        if title in floor:
            add_timed(run, f"{title}, {LEAST}; {place}", unit, figures[title, FLOOR], figures[title, "linux"])


def row_net_count(run):
    counted(run, wire_service, list(WIRE.values()))
    for make, measures in SERVERS:
        counted(run, make, measures)


def row_net_lent(run):
    counted(run, wire_service, LENT, "tap")


def row_net_wire(run):
    for net, cpus in run.places:
        timed(run, wire_service, list(WIRE.values()), net, cpus, [WIRE[w][0] for w in ("tcp_rr", "udp_rr", "connect")])


def row_net_servers(run):
    for net, cpus in run.places:
        for make, measures in SERVERS:
            timed(run, make, measures, net, cpus)
