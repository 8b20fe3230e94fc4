# SPDX-License-Identifier: BSD-2-Clause
"""Boots: every machine and number of CPUs, what goes in and out, fifty in a row, the smallest memory."""
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from harness import guest, tap, target
from harness.guest import wanted

DIR = "build/test/boot"
# The guest's time is the number of its instructions; all of its CPUs and its clock of the day share it.
VIRTUAL_TIME = ("--accel", "tcg", "--qemu=-icount", "--qemu=shift=1,sleep=off", "--qemu=-rtc", "--qemu=clock=vm")
HELLO = b"Hello, world!\n"


def start(program, args=(), stdin=b"", limit=60, **how):
    if target.on_host():
        return target.run([f"{DIR}/{program}"] + list(args), stdin, limit=limit)
    return target.run(target.guest(f"{DIR}/{program}", args, **how), stdin, limit=limit)


def said(got, out=HELLO, status=0, quiet=True):
    return got.out == out and got.status == status and not got.late and not (quiet and got.err)


def hello(score, name, **how):
    got = start("hello", **how)
    score.result(name, said(got), f"output {got.out[:200]!r}\n{got.text()}")


def machines(score):
    for machine in ("microvm", "q35", "pc"):
        hello(score, f"boot/{machine}", machine=machine)
        got = start("status", ["42"], machine=machine)
        score.result(f"boot/{machine}-status", said(got, b"", 42), got.text())
        if target.on_host():
            break


def cpus(score):
    for machine in ("microvm", "q35"):
        for n in range(1, 9) if machine == "microvm" else (2, 8):
            got = start("cpus", cpus=n, machine=machine)
            score.result(f"boot/{machine}-cpus{n}",
                         said(got, f"{n} CPUs, {n} ran a thread\n".encode()),
                         f"output {got.out[:200]!r}\n{got.text()}")


def scheduler(score):
    """No tick, and no CPU that idles while another queues, by the guest's own count of both."""
    if target.on_host():
        return
    quiet = "".join(f"{what}: no more than 2 timer interrupts per CPU in a second\n"
                    for what in ("asleep", "alone", "asleep")).encode()
    for n in (1, 4):
        got = start("timers", cpus=n)
        score.result(f"boot/timers-cpus{n}", said(got, quiet), f"{got.out[:300]!r}\n{got.text()}")
    got = start("switches")
    score.result("boot/switches", said(got, b"one switch a turn\n"), f"{got.out[:300]!r}\n{got.text()}")
    got = start("barging", options=VIRTUAL_TIME)
    want = b"asleep with it: everybody got it\nyielding with it: everybody got it\n"
    score.result("boot/barging", said(got, want), f"{got.out[:300]!r}\n{got.text()}")
    got = start("spread", cpus=4, options=VIRTUAL_TIME)
    want = b"4 CPUs, traced\na CPU idled while a thread waited: less than 2 ms\n"
    score.result("boot/spread-cpus4", said(got, want), f"{got.out[:300]!r}\n{got.text()}")


def idle(score):
    """10,000 silent connections cost an event of another one nothing, in instructions."""
    if target.on_host():
        return
    got = start("idle", memory="256M", options=VIRTUAL_TIME)
    want = b"beside 10000 idle connections an event costs: as much as beside 10\n"
    score.result("boot/idle-10000", said(got, want), f"{got.out[:300]!r}\n{got.text()}")


def entropy(score):
    """Without RDRAND boot waits for the host's bytes, and says so if none come."""
    for machine in ("microvm", "q35"):
        hello(score, f"boot/entropy-{machine}", machine=machine,
              options=("--accel", "tcg", "--qemu=-cpu", "--qemu=max,-rdrand,-rdseed"))


def memory(score):
    for size in ("16M", "64M", "1G", "5G"):
        hello(score, f"boot/memory-{size}", memory=size)


def statuses(score):
    for n in (0, 1, 3, 127, 255):
        got = start("status", [str(n)])
        score.result(f"boot/status-{n}", said(got, b"", n), got.text())


def streams(score):
    data = bytes(range(256)) * 1024
    got = start("copy", stdin=data)
    score.result("boot/stdin-256k", got.out == data and got.status == 0
                 and got.err == b"copied 262144 bytes\n", f"{len(got.out)} bytes\n{got.text()}")
    got = start("copy", stdin=b"")
    score.result("boot/stdin-empty", got.out == b"" and got.status == 0
                 and got.err == b"copied 0 bytes\n", got.text())
    want = target.run([f"{DIR}/flood"]).out
    for machine in ("microvm", "q35"):
        got = start("flood", machine=machine)
        score.result(f"boot/stdout-1M-{machine}", len(want) == 1 << 20 and said(got, want),
                     f"{len(got.out)} bytes, first difference at "
                     f"{next((i for i, (a, b) in enumerate(zip(want, got.out)) if a != b), None)}\n"
                     f"{got.text()}")


def signals(score):
    """A signal sent to skiff run reaches the program."""
    for sig in (signal.SIGTERM, signal.SIGINT):
        argv = [f"{DIR}/sleeper"]
        if not target.on_host():
            argv = target.guest(argv[0])
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        first = process.stdout.readline()
        process.send_signal(sig)
        try:
            out, err = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            target.end(process)
            out, err = process.communicate()
        score.result(f"boot/signal-{int(sig)}", first == b"ready\n" and process.returncode == 7
                     and out == f"signal {int(sig)}\n".encode(),
                     f"{first + out!r} status {process.returncode}\n{err.decode(errors='replace')}")


def many(score):
    """Fifty in a row, none hangs."""
    def one(i):
        return start("hello", cpus=4, limit=60)
    begin = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(one, range(50)))
    bad = [r for r in results if not said(r)]
    detail = f"{len(bad)} of 50 failed\n" + "".join(r.text() + "\n" for r in bad[:3])
    score.result("boot/fifty-smp4", not bad, detail)
    print(f"    fifty boots in {time.monotonic() - begin:.0f} s")


PEER = """
import select, socket, struct, sys
what, address = sys.argv[1], (sys.argv[2], 7000)
if what in ("arrive", "stream", "stay", "come"):
    with socket.create_connection(address, 20) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while True:
                s.sendall(b"x")
                if what == "stream" and not select.select([s], [], [], 0.001)[0]:
                    continue
                if not s.recv(1):
                    break
        except ConnectionError:
            pass
    sys.exit()
if what == "hash":
    for _ in range(24):
        with socket.create_connection(address, 20) as s:
            for _ in range(12):
                s.sendall(b"x")
                s.recv(1)
    sys.exit()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
s.connect(address)
s.settimeout(20)
s.send(b"x")
if what == "busy":
    for _ in range(15):
        s.send(b"x")
    try:
        s.settimeout(3)
        while True:
            s.recv(1)
            s.send(b"x")
    except (TimeoutError, ConnectionError):
        sys.exit()
if what == "full":
    s.setsockopt(socket.IPPROTO_UDP, 103, 100)  # UDP_SEGMENT: many at a time
    try:
        while not select.select([s], [], [], 0)[0]:
            s.send(b"x" * 5000)
    except ConnectionError:
        pass
    sys.exit()
if what == "order":
    last, got = -1, 0
    while True:
        number, = struct.unpack("=I", s.recv(4))
        if number == 1500:
            break
        if number <= last:
            sys.exit(f"{number} behind {last}")
        last, got = number, got + 1
    print(got)
else:
    s.recv(1)
    s.setsockopt(socket.IPPROTO_UDP, 103, 100)  # UDP_SEGMENT: many at a time
    for _ in range(20000 // 50):
        s.send(b"x" * 5000)
"""


def queues(score):
    """A card with a pair of queues per CPU, on a tap device that has as many."""
    if target.on_host() or not tap.possible():
        return
    for what, machine, cpus, want in (
            ("arrive", "q35", 3, "".join(f"reader on CPU {i % 3}: its packets arrive there\n" for i in range(6))),
            ("arrive", "microvm", 2, "".join(f"reader on CPU {i % 2}: its packets arrive there\n" for i in range(4))),
            ("stream", "q35", 2, "".join(f"reader on CPU {i % 2}: its packets arrive there\n" for i in range(4))),
            ("stay", "q35", 2, "read where they arrive: most\n"),
            ("come", "q35", 2, "read where they arrive: most\n"),
            ("busy", "q35", 2, "moved: hardly\n"),
            ("full", "q35", 2, "it left\n"),
            ("hash", "q35", 3, "on all CPUs, 0 moved\n"),
            ("order", "q35", 3, "sent\n"),
            ("flood", "q35", 2, "interrupts for packets: less than one for eight\n"),
            ("flood", "microvm", 1, "interrupts for packets: less than one for eight\n")):
        network = tap.Network("" if what in ("come", "busy", "full") else "multi_queue")
        more = {"hash": ("--qemu=-global", "--qemu=virtio-net-pci.rss=on"), "busy": VIRTUAL_TIME}.get(what, ())
        peer = []

        def meet(out):
            if not peer and b"ready\n" in out:
                peer.append(subprocess.Popen(network.prefix + [sys.executable, "-c", PEER, what, tap.GUEST],
                                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
        try:
            got = target.run(network.prefix + target.guest(f"{DIR}/queues", [what], cpus=cpus, machine=machine,
                                                           net="user", options=[*network.options, *more]), watch=meet)
            said_too = b""
            for p in peer:
                said_too = p.communicate(timeout=30)[0]
            good = said(got, b"ready\n" + want.encode()) and all(p.returncode == 0 for p in peer)
            if what == "order":
                good = good and int(said_too) > 500
            score.result(f"boot/queues-{what}-{machine}-cpus{cpus}", good,
                         f"{got.out[:600]!r} peer {said_too[:300]!r}\n{got.text()}")
        finally:
            for p in peer:
                target.end(p)
            network.end()


def linux_entry(score):
    """The 64-bit entry of the Linux boot protocol, as Firecracker calls it: our own loader, itself
    started through PVH, sets up boot_params and long mode and jumps to the ELF entry."""
    if target.on_host() or not os.path.exists(f"{DIR}/entry64.elf"):
        return
    env = dict(os.environ, SKIFF_KERNEL=os.path.abspath(f"{DIR}/entry64.elf"))
    for machine in ("microvm", "q35"):
        got = target.run(target.guest(f"{DIR}/hello", machine=machine, cpus=2), limit=60, env=env)
        score.result(f"boot/linux-entry-{machine}", said(got), f"{got.out[:200]!r}\n{got.text()}")


PARTS = [machines, cpus, scheduler, idle, entropy, memory, statuses, streams, signals, queues, linux_entry, many]


def run(score, only):
    for part in PARTS:
        if wanted(part.__name__, only):
            part(score)


def smoke(score):
    if not target.on_host() and not (os.path.exists("skiff")
                                     and os.path.exists("build/skiff.elf")):
        print("smoke: no kernel to boot yet")
        return
    hello(score, "smoke/hello")
    hello(score, "smoke/hello-smp4", cpus=4)
    guest.run_smoke(score)
