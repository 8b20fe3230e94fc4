# SPDX-License-Identifier: BSD-2-Clause
"""Guest tests: the same program on Linux and in the guest, standard output and status compared.

Most tests run one after the other in one process and one boot (test/guest/runner.c). A test during
which the guest dies or falls silent fails, and a new boot goes on with the next one.
"""
import difflib
import glob
import os
import re
import shlex
from concurrent.futures import ThreadPoolExecutor

from harness import target

DIR = "build/test/guest"
IDLE = 30  # seconds that one test may stay silent
ON_Q35 = ("mmap_anonymous", "mmap_thread_faults", "pthread_create_join", "futex_requeue",
          "signal_siginfo_kinds", "timer_posix", "stat_fields", "condvar_signal", "epoll_edge",
          "tcp_echo", "clock_reading")
STRESS = ("pthread_stress_locks", "pthread_stress_waits", "pthread_stress_lives") # 1 to 8 CPUs
SMOKE = ("mmap_anonymous", "pthread_create_join", "signal_masks_nested", "open_errors",
         "futex_wait_wake")


class Test:
    def __init__(self, path):
        self.name = os.path.basename(path)[:-2]
        with open(path) as f:
            text = f.read()
        self.meta = dict((m.group(1), (m.group(2) or "").strip()) for m in
                         re.finditer(r"^/\* ([a-z]+)(?:: (.*))? \*/$", text, re.M))
        self.alone = "standalone" in self.meta

    def words(self, key):
        return shlex.split(self.meta.get(key, ""))

    def stdin(self):
        return self.meta.get("stdin", "").encode().decode("unicode_escape").encode("latin-1")


def all_tests():
    paths = sorted(glob.glob("test/guest/*.c"))
    return [Test(p) for p in paths if not p.endswith("/runner.c")]


def wanted(name, only):
    return not only or any(word in name for word in only)


def cut(out, results):
    """Fill results with name: (status, output) from what runner printed; give back the name of
    the test that began and did not end, with its output."""
    open_name, rest = None, b""
    pieces = re.split(rb"^\x1e(begin|end) (\S+)(?: (\d+))?\n", out, flags=re.M)
    for i in range(1, len(pieces), 4):
        what, name, status, text = pieces[i:i + 4]
        name = name.decode()
        if what == b"begin":
            open_name, rest = name, text
        elif open_name == name:
            results[name] = (int(status), rest)
            open_name = None
    return open_name, rest


def run_many(names, start):
    """Run the named tests by runner, booting again after each that does not come back. start gives
    the result of running "runner DIR names"."""
    results, left, silent = {}, list(names), 0
    while left:
        done = start(left)
        open_name, rest = cut(done.out, results)
        if open_name:
            results[open_name] = (None, rest + b"\n" + done.text().encode())
        before = len(left)
        left = [n for n in left if n not in results]
        if left and len(left) == before:
            silent += 1
            results[left[0]] = (None, b"did not start\n" + done.out[-2000:] + done.text().encode())
            left = left[1:]
            if silent >= 3:  # nothing boots at all: no use in trying them one by one
                for n in left:
                    results[n] = (None, b"not tried: the guest does not start")
                break
    return results


def host_many(names):
    with target.scratch() as tmp:
        env = dict(os.environ, TMPDIR=tmp)
        return run_many(names, lambda left: target.run(
            [os.path.abspath(f"{DIR}/runner"), os.path.abspath(f"{DIR}/t")] + left, limit=600, idle=IDLE, env=env))


def guest_many(names, cpus, machine):
    if target.on_host():
        return host_many(names)
    files = [f"{DIR}/t:/t"]
    return run_many(names, lambda left: target.run(
        target.guest(f"{DIR}/runner", ["/t"] + left, cpus=cpus, machine=machine, files=files,
                     memory="512M"), limit=900, idle=IDLE))


def usable(result):
    """Could the test do its work at all? 96: runner cannot load it; 99: NEED() of t.h."""
    return result[0] not in (None, 96, 99)


def compare(score, name, want, got):
    if want == got:
        score.ok(name)
        return
    (want_status, want_out), (status, out) = want, got
    if status is None:
        score.bad(name, out.decode(errors="replace")[-4000:])
        return
    lines = list(difflib.unified_diff(want_out.decode(errors="replace").splitlines(),
                                      out.decode(errors="replace").splitlines(),
                                      "linux", "guest", lineterm="", n=1))
    if want_status != status:
        lines.insert(0, f"status {status} instead of {want_status}")
    score.bad(name, "\n".join(lines) or "output differs in line ends")


def run_alone(score, test, cpus=1):
    path = f"{DIR}/{test.name}"
    if not os.path.exists(path):
        score.skip(f"guest/{test.name}", "not built here")
        return
    env = dict(e.split("=", 1) for e in test.words("env"))
    with target.scratch() as tmp:
        want = target.run([os.path.abspath(path)] + test.words("args"), test.stdin(),
                          env=dict(env, TMPDIR=tmp, PATH="/usr/bin:/bin"), cwd=tmp)
    if target.on_host():
        got = want
    else:
        got = target.run(target.guest(path, test.words("args"), cpus=cpus, env=test.words("env"),
                                      files=test.words("files"), options=test.words("options")),
                         test.stdin(), limit=90)
    if got.late or (got.status != want.status and got.status in (125, 126)):
        score.bad(f"guest/{test.name}", got.text())
    else:
        compare(score, f"guest/{test.name}", (want.status, want.out), (got.status, got.out))
        if got.status != want.status:
            print("    " + got.text().replace("\n", "\n    "))


def run(score, only, groups=None):
    tests = [t for t in all_tests() if wanted(t.name, only)]
    if os.geteuid() != 0:  # programs are root in the guest, and must be on Linux to see the same
        for t in tests:
            if "root" in t.meta:
                score.skip(f"guest/{t.name}", "compares with Linux as root: run make test as root")
        tests = [t for t in tests if "root" not in t.meta]
    many = [t.name for t in tests if not t.alone]
    want = host_many(many)
    for name in many:
        if not usable(want[name]):
            score.bad(f"guest/{name} on Linux", want[name][1].decode(errors="replace")[-2000:])

    def group(label, cpus, machine, names):
        names = [n for n in names if usable(want[n])]
        got = guest_many(names, cpus, machine)
        for name in names:
            compare(score, f"{label}/{name}", want[name], got[name])

    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(group, "guest", 1, None, many),
                pool.submit(group, "guest-smp4", 4, None, many)]
        jobs += [pool.submit(group, f"guest-smp{n}", n, None, [t for t in many if t in STRESS])
                 for n in (2, 8)]
        jobs += [pool.submit(run_alone, score, t) for t in tests if t.alone]
        jobs.append(pool.submit(group, "guest-q35", 2, "q35", [n for n in many if n in ON_Q35]))
        for job in jobs:
            job.result()


def run_smoke(score):
    want = host_many(SMOKE)
    got = guest_many(SMOKE, 2, None)
    for name in SMOKE:
        compare(score, f"smoke/{name}", want[name], got[name])
