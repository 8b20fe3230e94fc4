# SPDX-License-Identifier: BSD-2-Clause
"""Real networks: a guest on a tap device in a network namespace, with real programs at both ends, and
between them a link emulator that loses, delays, reorders, doubles and limits."""
import functools
import hashlib
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from harness import cards, crowds, groups, leases, netapps, tap, target
from harness.guest import wanted
from harness.wire import DIR, GUEST, GUEST6, PORT, Wire, attempt, serving

MIB = 1 << 20
# What the link does, how much is sent over it each way, and the counters that must show it.
LINKS = {
    "clean": ([], 64 * MIB, []),
    "loss1": (["loss=1", "delay=1"], 16 * MIB, ["dropped"]),
    "loss5": (["loss=5", "delay=1"], 4 * MIB, ["dropped"]),
    "reorder": (["held=2", "hold=3", "delay=1"], 16 * MIB, ["held"]),
    "doubled": (["doubled=2", "delay=1"], 16 * MIB, ["doubled"]),
    "corrupted": (["corrupted=1", "delay=1"], 4 * MIB, ["corrupted"]),
    "far": (["delay=50"], 16 * MIB, []),
    "jitter": (["delay=5", "jitter=5"], 8 * MIB, []),
    "narrow": (["rate=50", "queue=64", "delay=5"], 16 * MIB, ["overflowed"]),
    "bad": (["loss=1", "doubled=1", "held=2", "hold=5", "corrupted=0.2", "delay=2", "rate=100"],
            4 * MIB, ["dropped", "doubled", "held", "corrupted"]),
}


@functools.cache
def stream(size):
    """What "source" sends of seed 1, made by another program than the server."""
    return subprocess.run([f"{DIR}/crowd", "data", str(size), "1"], check=True,
                          stdout=subprocess.PIPE).stdout


def download(wire, host, size, how="source"):
    """What is wrong with a stream from the guest, or None."""
    got, n = hashlib.sha256(), 0
    with wire.connect(host, PORT, f"{how} {size} 1") as s:
        while data := s.recv(1 << 18):
            got.update(data)
            n += len(data)
    want = hashlib.sha256(stream(size)).hexdigest()
    return None if (n, got.hexdigest()) == (size, want) else f"{n} bytes came, or others"


def upload(wire, host, size):
    data = stream(size)
    with wire.connect(host, PORT, "sink") as s:
        s.sendall(data)
        s.shutdown(1)
        answer = b""
        while part := s.recv(1000):
            answer += part
    want = f"{hashlib.sha256(data).hexdigest()} {size}\n"
    return None if answer.decode() == want else f"the guest got: {answer!r}, not {want!r}"


def transfer(score, kind):
    rules, size, counters = LINKS[kind]
    name = f"net/transfer-{kind}"
    host = GUEST6 if kind in ("doubled", "bad") else GUEST
    with Wire(["seed=1"] + rules) as wire:
        guest = serving(wire, score, name)
        if not guest:
            return
        with guest:
            attempt(score, f"{name}/down", guest, download, wire, host, size)
            attempt(score, f"{name}/up", guest, upload, wire, host, size)
            stats = wire.tell("stats")
            both = {c: [way[c] for way in stats.values()] for c in counters}
            # A sender may learn the rate of one direction before its queue is full.
            did = all(any(n) if c == "overflowed" else all(n) for c, n in both.items())
            score.result(f"{name}/link", did, f"the link did not: {stats}")


def offloaded(score):
    """Over the tap itself, where the card cuts and sums for the guest."""
    with Wire() as wire:
        guest = serving(wire, score, "net/transfer-tap")
        if not guest:
            return
        with guest:
            for family, host, size in (("4", GUEST, 64 * MIB), ("6", GUEST6, 16 * MIB)):
                for how in ("source", "file"):
                    attempt(score, f"net/transfer-tap{family}/down-{how}", guest, download, wire, host, size, how)
                attempt(score, f"net/transfer-tap{family}/up", guest, upload, wire, host, size)


def lossy_filter(wire):
    """The host drops one packet in a hundred each way, as large as the cards and it hand them over: up
    to 64 KiB at once. Gives back how many it has dropped, or None where it has no such filter."""
    nft = wire.prefix + ["nft"]
    rules = "table inet loss {" + "".join(
        f"chain {hook} {{ type filter hook {hook} priority 0; meta l4proto tcp {meta} {tap.DEVICE} "
        "numgen random mod 100 < 1 counter drop; }\n"
        for hook, meta in (("input", "iifname"), ("output", "oifname"))) + "}"
    if subprocess.run(nft + ["-f", "-"], input=rules, text=True).returncode:
        return None
    return lambda: [int(n) for n in re.findall(r"counter packets (\d+)", subprocess.run(
        nft + ["list", "ruleset"], check=True, stdout=subprocess.PIPE, text=True).stdout)]


def offloaded_loss(score):
    """Large segments that the host cuts, or takes whole, and loses."""
    name = "net/transfer-tap-loss"
    with Wire() as wire:
        dropped = lossy_filter(wire)
        if not dropped:
            score.skip(name, "this host's kernel cannot drop packets by chance (nft)")
            return
        guest = serving(wire, score, name)
        if not guest:
            return
        with guest:
            for how in ("source", "file"):
                attempt(score, f"{name}/down-{how}", guest, download, wire, GUEST, 32 * MIB, how)
            attempt(score, f"{name}/up", guest, upload, wire, GUEST, 32 * MIB)
            score.result(f"{name}/link", all(dropped()), f"the host dropped {dropped()}")


def jobs():
    yield "transfer-tap", offloaded
    yield "transfer-tap-loss", offloaded_loss
    for kind in LINKS:
        yield f"transfer-{kind}", functools.partial(transfer, kind=kind)
    yield from netapps.JOBS.items()
    yield from crowds.JOBS.items()
    yield from leases.JOBS.items()
    yield from groups.JOBS.items()
    yield from cards.JOBS.items()


def run(score, only):
    why = ("these are tests of the guest" if target.on_host() else
           None if tap.possible() else "needs root, and a machine that lets it make networks")
    if why:
        score.skip("net", why)
        return
    os.makedirs(DIR, exist_ok=True)
    stream(64 * MIB)
    with ThreadPoolExecutor(2) as pool, ThreadPoolExecutor(4) as beside:
        under_way = [(name, where.submit(job, score))
                     for where, all_jobs in ((beside, leases.SLOW.items()), (pool, jobs()))
                     for name, job in all_jobs if wanted(name, only)]
        for name, job in under_way:
            score.guarded(f"net/{name}", job.result)
