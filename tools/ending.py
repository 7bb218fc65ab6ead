# SPDX-License-Identifier: BSD-2-Clause
"""The end of a program by a signal: in order, with the terminal restored and the programs that it started ended."""

import signal
import sys

ENDING = (signal.SIGTERM, signal.SIGHUP)


def end_on_signals() -> None:
    """Make SIGTERM and SIGHUP end this program with status 128 + n. The program ignores a second signal, which must not
    interrupt its end: `timeout` and make pass on a signal that their caller has sent to the whole process group."""
    def end(signum: int, _frame) -> None:
        for each in ENDING:
            signal.signal(each, signal.SIG_IGN)
        sys.exit(128 + signum)

    for each in ENDING:
        signal.signal(each, end)
