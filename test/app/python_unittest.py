# SPDX-License-Identifier: BSD-2-Clause
"""Runs modules of the standard library's own tests: names on the command line; counts, no times."""
import sys
import unittest

for name in sys.argv[1:]:
    suite = unittest.defaultTestLoader.loadTestsFromName("test." + name)
    result = unittest.TestResult()
    suite.run(result)
    print(name, result.testsRun, "run", len(result.failures), "failures", len(result.errors),
          "errors", len(result.skipped), "skipped")
    for case, text in result.failures + result.errors:
        print(case)
        print(text, file=sys.stderr)
