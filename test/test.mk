# SPDX-License-Identifier: BSD-2-Clause
# Every kind of test, and "make test" which installs what they need, runs them all and sums up.

include test/host/host.mk
