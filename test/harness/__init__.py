# SPDX-License-Identifier: BSD-2-Clause
"""What the test runner is made of: score, target, one module per kind of test."""
