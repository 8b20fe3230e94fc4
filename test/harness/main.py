# SPDX-License-Identifier: BSD-2-Clause
"""test/run KIND [NAME...]: run the tests of one kind, or "all" of them.

Each test prints "ok NAME" or "not ok NAME" and its detail; the last line is "N passed, N failed"
and the status is 0 when none failed. NAMEs select tests whose name contains one of them.
"""
import os
import subprocess
import sys
import time

from harness import app, boot, death, guest, host, model, net, packets
from harness.score import Score


def check(score, only):
    done = subprocess.run(["make", "-s", "check"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    score.result("check", done.returncode == 0, done.stdout)


def tool(score, only):
    """The tests of the skiff command are its own script, which prints ok and not ok lines."""
    if not os.path.exists("test/tool/run"):
        return
    done = subprocess.run(["test/tool/run"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, text=True, errors="replace")
    bad = 0
    for line in done.stdout.splitlines():
        if line.startswith("ok "):
            score.ok("tool/" + line[3:])
        elif line.startswith("not ok "):
            bad += 1
            score.bad("tool/" + line[7:])
        else:
            print("    " + line)
    if done.returncode != 0 and not bad:
        score.bad("tool", f"status {done.returncode}")


def everything(score, only):
    for name in ("check", "host", "model", "tool", "boot", "death", "guest", "app", "net"):
        start = time.monotonic()
        print(f"== {name}", flush=True)
        score.guarded(name, KINDS[name], score, only)
        print(f"== {name}: {time.monotonic() - start:.0f} s", flush=True)


def apps(score, only):
    app.run(score, only)
    packets.run(score, only)


def smoke(score, only):
    boot.smoke(score)


KINDS = {"all": everything, "check": check, "host": host.run, "model": model.run, "tool": tool, "guest": guest.run,
         "death": death.run, "boot": boot.run, "app": apps, "net": net.run, "smoke": smoke}


def main(args):
    if not args or args[0] not in KINDS:
        print(__doc__ + "\nkinds: " + " ".join(KINDS), file=sys.stderr)
        return 2
    score = Score()
    KINDS[args[0]](score, args[1:])
    return score.finish()
