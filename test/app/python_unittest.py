# SPDX-License-Identifier: BSD-2-Clause
"""Runs modules of the standard library's own tests: names on the command line; counts, no times.
Single tests that start another process are left out, on the host too."""
import sys
import unittest

FORK = {"test_regression_gh94675", "test_struct_cleans_up_at_runtime_shutdown"}


def without_fork(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from without_fork(test)
        elif test.id().rsplit(".", 1)[-1] not in FORK:
            yield test


for name in sys.argv[1:]:
    suite = unittest.defaultTestLoader.loadTestsFromName("test." + name)
    result = unittest.TestResult()
    unittest.TestSuite(without_fork(suite)).run(result)
    print(name, result.testsRun, "run", len(result.failures), "failures", len(result.errors),
          "errors", len(result.skipped), "skipped")
    for case, text in result.failures + result.errors:
        print(case)
        print(text, file=sys.stderr)
