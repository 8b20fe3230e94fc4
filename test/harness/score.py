# SPDX-License-Identifier: BSD-2-Clause
"""Counting results. One line per test as it ends; a failure shows its detail at once."""
import sys
import threading
import traceback


class Score:
    def __init__(self):
        self.passed = 0
        self.failed = []
        self.lock = threading.Lock()

    def ok(self, name, note=""):
        with self.lock:
            self.passed += 1
            print(f"ok {name}{' # ' + note if note else ''}", flush=True)

    def bad(self, name, detail=""):
        with self.lock:
            self.failed.append(name)
            print(f"not ok {name}", flush=True)
            for line in detail.rstrip("\n").splitlines()[:60]:
                print(f"    {line}", flush=True)

    def result(self, name, good, detail=""):
        if good:
            self.ok(name)
        else:
            self.bad(name, detail)

    def skip(self, name, why):
        """A test that cannot be run here is told, and counts as neither."""
        with self.lock:
            print(f"skip {name} # {why}", flush=True)

    def guarded(self, name, function, *args):
        """What goes wrong in the tests' own machinery is a failure too, and not the end of the rest."""
        try:
            function(*args)
        except Exception:
            self.bad(name, traceback.format_exc())

    def finish(self):
        if len(self.failed) > 0:
            print("failed: " + " ".join(self.failed))
        print(f"{self.passed} passed, {len(self.failed)} failed")
        sys.stdout.flush()
        return 1 if self.failed else 0
