# SPDX-License-Identifier: BSD-2-Clause
"""test/run KIND [NAME...]: run the tests of one kind, or "all" of them.

Each test prints "ok NAME" or "not ok NAME" and its detail; the last line is "N passed, N failed"
and the status is 0 when none failed.
"""
import sys

from harness import host
from harness.score import Score

KINDS = {"host": host.run}


def main(args):
    if not args or args[0] not in KINDS:
        print(__doc__ + "\nkinds: " + " ".join(KINDS), file=sys.stderr)
        return 2
    score = Score()
    KINDS[args[0]](score, args[1:])
    return score.finish()
