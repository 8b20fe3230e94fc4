# SPDX-License-Identifier: BSD-2-Clause
"""Required deaths: each ends with the status and the report that the README promises."""
import glob
import re

from harness import target
from harness.guest import Test, wanted


def run_one(score, test, cpus):
    name = f"death/{test.name}" + (f"-smp{cpus}" if cpus > 1 else "")
    program = f"build/test/death/{test.name}"
    if target.on_host():
        got = target.run([program])
    else:
        got = target.run(target.guest(program, cpus=cpus, options=test.words("options")), limit=90)
    err = got.err.decode(errors="replace")
    wrong = []
    if str(got.status) != test.meta["status"]:
        wrong.append(f"status is not {test.meta['status']}")
    if got.out != b"before\n":
        wrong.append(f"standard output is {got.out!r}")
    if not target.on_host():
        report = test.meta.get("report")
        if report and not re.search(report, err, re.S):
            wrong.append(f"no report like {report}")
        once = test.meta.get("once")
        if once and len(re.findall(once, err)) != 1:
            wrong.append(f"{once} is not said once")
        if "silent" in test.meta and err:
            wrong.append("standard error is not empty")
    score.result(name, not wrong, "\n".join(wrong + [got.text()]))


def run(score, only):
    for path in sorted(glob.glob("test/death/*.c")):
        test = Test(path)
        if wanted(test.name, only):
            run_one(score, test, 1)
            if test.name in ("null_pointer", "abort", "out_of_memory"):
                run_one(score, test, 4)
