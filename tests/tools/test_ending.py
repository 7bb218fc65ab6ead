# SPDX-License-Identifier: BSD-2-Clause
"""Programs that signals end."""

import signal
import subprocess
import sys
import unittest
from pathlib import Path

from patience import limit

TOOLS = Path(__file__).resolve().parent.parent.parent / 'tools'
PROGRAM = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from ending import end_on_signals
end_on_signals()
try:
    os.kill(os.getpid(), int(sys.argv[2]))
    print('not ended')
finally:
    os.kill(os.getpid(), int(sys.argv[3]))      # as `timeout` and make do
    print('restored')
"""


class Ending(unittest.TestCase):
    """A program ends once, in order, and silently."""

    def test_second_signal_does_not_interrupt_the_end(self):
        for first in (signal.SIGTERM, signal.SIGHUP):
            for second in (signal.SIGTERM, signal.SIGHUP):
                with self.subTest(first, second=second):
                    done = subprocess.run([sys.executable, '-c', PROGRAM, TOOLS, str(int(first)), str(int(second))], text=True,
                                          capture_output=True, timeout=limit(20), check=False)
                    self.assertEqual((done.returncode, done.stdout, done.stderr), (128 + first, 'restored\n', ''))


if __name__ == '__main__':
    unittest.main()
