# SPDX-License-Identifier: BSD-2-Clause
"""Host unit tests: run each program under build/test/host, believe its own ok lines."""
import glob
import os
import subprocess

LIMIT = 300


def programs():
    for source in sorted(glob.glob("test/host/*_test.c")):
        name = os.path.basename(source)[:-2]
        yield name
        with open(source) as f:
            if any(line.startswith("/* tsan") for line in f):
                yield name + ".tsan"


def run(score, only):
    env = dict(os.environ)
    env["UBSAN_OPTIONS"] = "print_stacktrace=1:" + env.get("UBSAN_OPTIONS", "")
    for name in programs():
        if only and name.split(".")[0] not in only and name.split(".")[0][:-5] not in only:
            continue
        path = f"build/test/host/{name}"
        try:
            done = subprocess.run([path], env=env, timeout=LIMIT, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  errors="replace")
        except (OSError, subprocess.TimeoutExpired) as error:
            score.bad(f"host/{name}", str(error))
            continue
        failed = 0
        for line in done.stdout.splitlines():
            if line.startswith("ok "):
                score.ok(f"host/{name}/{line[3:]}")
            elif line.startswith("not ok "):
                failed += 1
                score.bad(f"host/{name}/{line[7:]}", done.stderr)
        if done.returncode != 0 and failed == 0:
            score.bad(f"host/{name}", f"status {done.returncode}\n{done.stderr}")
