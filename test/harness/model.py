# SPDX-License-Identifier: BSD-2-Clause
"""Models: every interleaving of test/model/NAME.pml, tried by spin. A model passes when spin finds no
error in it, within memory and depth, and when each of its deliberate mistakes (-DBREAK=N, listed in
its first comment as " *	N  what") is found: so the check is known to be able to fail."""
import glob
import os
import re
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

LIMIT = 300


def search(path, defines):
    """(errors, complete, what spin said)"""
    with tempfile.TemporaryDirectory(prefix="skiff-model-") as tmp:
        for argv in (["spin", "-a"] + defines + [os.path.abspath(path)],
                     ["gcc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=1500", "-o", "pan", "pan.c"],
                     ["./pan", "-m1000000", "-w22"]):
            try:
                done = subprocess.run(argv, cwd=tmp, timeout=LIMIT, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                      errors="replace")
            except (OSError, subprocess.TimeoutExpired) as error:
                return None, False, str(error)
            if done.returncode != 0 and argv[0] != "./pan":
                return None, False, done.stdout
    found = re.search(r"errors: (\d+)", done.stdout)
    complete = not re.search(r"max search depth too small|Search not completed|out of memory|aborted",
                             done.stdout)
    return int(found.group(1)) if found else None, complete, done.stdout


def run(score, only):
    jobs = []
    with ThreadPoolExecutor(2) as pool:
        for path in sorted(glob.glob("test/model/*.pml")):
            name = os.path.basename(path)[:-4]
            if only and not any(word in name for word in only):
                continue
            with open(path) as f:
                head = f.read().split("*/\n", 2)
            mistakes = re.findall(r"^ \*\t(\d+)  ", "".join(head[:2]), re.M)
            jobs.append((f"model/{name}", False, pool.submit(search, path, [])))
            jobs += [(f"model/{name}-mistake{n}", True, pool.submit(search, path, [f"-DBREAK={n}"]))
                     for n in mistakes]
        for name, broken, job in jobs:
            errors, complete, text = job.result()
            good = bool(errors) if broken else errors == 0 and complete
            score.result(name, good, text)
