# SPDX-License-Identifier: BSD-2-Clause
"""Many clients, rude clients, and clients that vanish: serve.c in a guest of 256 MiB."""
import re

from harness import target
from harness.wire import DIR, GUEST, GUEST6, PORT, Wire, attempt, serving

CROWD = 10000


def ask_info(wire):
    """What the guest's /proc says, as {"MemFree": KiB, "TCP": "inuse 1 ..."...}"""
    with wire.connect(GUEST, PORT, "info") as s:
        text = b""
        while part := s.recv(65536):
            text += part
    pairs = (line.partition(":") for line in text.decode().splitlines())
    return {k: int(v.split()[0]) if v.endswith("kB") else v.strip() for k, _, v in pairs}


def free(info):
    return info["MemFree"]


def settles(wire, good):
    """The guest's figures, as soon as they are good(figures), or the last ones."""
    last = []

    def look():
        last[:] = [ask_info(wire)]
        return good(last[0])
    target.until(look, 90)
    return last[0]


def crowd_of(wire, *words, limit=120):
    done = wire.run([f"{DIR}/crowd"] + [str(w) for w in words], limit)
    return done.out.decode(errors="replace"), done


def many(score):
    """10,000 connections at the same time, each of which echoes; then all their memory is back."""
    with Wire() as wire:
        guest = serving(wire, score, "net/crowd")
        if not guest:
            return
        with guest:
            start = free(ask_info(wire))
            out, done = crowd_of(wire, "many", GUEST, PORT, CROWD, 3)
            score.result("net/crowd/10000-echo", done.status == 0
                         and f"{CROWD} connections echoed 64 bytes 3 times" in out,
                         f"{out}\n{done.text()}\n{guest.text()}")
            out, done = crowd_of(wire, "many", GUEST6, PORT, 1000, 2, 4000)
            score.result("net/crowd/1000-echo-4000-bytes", done.status == 0
                         and "1000 connections echoed 4000 bytes 2 times" in out,
                         f"{out}\n{done.text()}\n{guest.text()}")
            info = settles(wire, lambda i: free(i) > start * 0.8)
            score.result("net/crowd/memory-comes-back", free(info) > start * 0.8,
                         f"{start} KiB free before, {free(info)} after\n{info}")


def storm(score):
    for where, rules, count in (("tap", None, 20000), ("loss", ["seed=4", "loss=1"], 2000)):
        with Wire(rules) as wire:
            name = f"net/storm-{where}"
            guest = serving(wire, score, name, cpus=2)
            if not guest:
                return
            with guest:
                for at_once in (1, 100, 2000) if rules is None else (1, 100):  # 2000 need SYN cookies
                    n = {1: count // 10, 100: count, 2000: count // 4}[at_once]
                    out, done = crowd_of(wire, "storm", GUEST, PORT, n, at_once)
                    score.result(f"{name}/{at_once}-at-once", done.status == 0
                                 and f"{n} connections came and went" in out,
                                 f"{out}\n{done.text()}\n{guest.text()}")


def deaf(score):
    """Clients that ask for much and never read: what waits for them is bounded, others are served,
    and when they go their memory comes back."""
    with Wire() as wire:
        guest = serving(wire, score, "net/deaf")
        if not guest:
            return
        with guest:
            start = free(ask_info(wire))
            deaf_ones = [wire.connect(GUEST, PORT, f"source {1 << 40} {i}") for i in range(200)]
            out, done = crowd_of(wire, "many", GUEST, PORT, 200, 20)
            score.result("net/deaf/others-are-served", done.status == 0, f"{out}\n{done.text()}\n"
                         + guest.text())
            worst = free(ask_info(wire))
            score.result("net/deaf/memory-is-bounded", worst > start * 0.55,
                         f"{start} KiB free before, {worst} with them")
            for s in deaf_ones:
                s.close()
            info = settles(wire, lambda i: free(i) > start * 0.9)
            score.result("net/deaf/memory-comes-back", free(info) > start * 0.9,
                         f"{start} KiB free before, {free(info)} after")


def vanish(score):
    """The cable is pulled. A silent connection dies of keep-alive, one that waits for an
    acknowledgement of TCP_USER_TIMEOUT; one without either is there when the cable is back."""
    with Wire(["seed=5"]) as wire:
        guest = serving(wire, score, "net/vanish")
        if not guest:
            return
        with guest:
            quiet = wire.connect(GUEST, PORT, "keepalive 2 1 3 echo")
            talker = wire.connect(GUEST, PORT, f"timeout 4000 source {1 << 40} 1")
            patient = wire.connect(GUEST, PORT, "echo")
            for s in (quiet, patient):
                s.sendall(b"hello")
                s.recv(5)
            talker.recv(100000)
            wire.tell("cut")
            score.result("net/vanish/user-timeout",
                         guest.until("^lost a connection that is a source: Connection timed out$"),
                         guest.text())
            score.result("net/vanish/keepalive",
                         guest.until("^lost a connection that echoes: Connection timed out$"),
                         guest.text())
            wire.tell("join")
            attempt(score, "net/vanish/who-waits-lives", guest, still_there, patient)
            lost = re.findall("^lost .*", guest.said(), re.M)
            score.result("net/vanish/nobody-else-is-lost", len(lost) == 2, "\n".join(lost))
            # What the host still holds of the dead ones is answered with a reset.
            attempt(score, "net/vanish/reset", guest, is_reset, quiet)
            for s in (quiet, talker, patient):
                s.close()


def still_there(s):
    s.sendall(b"still there?")
    got = b""
    while len(got) < 12:
        part = s.recv(12)
        if not part:
            break
        got += part
    return None if got == b"still there?" else f"got {got!r}"


def is_reset(s):
    try:
        s.sendall(b"hello")
        return f"no reset, but {s.recv(5)!r}"
    except ConnectionResetError:
        return None


JOBS = {"crowd": many, "storm": storm, "deaf": deaf, "vanish": vanish}
