# SPDX-License-Identifier: BSD-2-Clause
"""The example of docs/howto/write-a-test.md is a whole file: it compiles as it stands, and the lint accepts it."""

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from patience import limit

TOP = Path(__file__).resolve().parent.parent.parent
PAGE = TOP / 'docs' / 'howto' / 'write-a-test.md'
FLAGS = ['-std=gnu2x', '-Wall', '-Wextra', '-Werror', '-fsyntax-only', '-DEBB_DEBUG=1', '-Iinclude',
         '-Itests/host/include', '-I.']


class HowTo(unittest.TestCase):
    """A reader who does what the page says gets a suite that runs."""

    def test_example_compiles(self):
        text = PAGE.read_text(encoding='utf-8')
        name = re.search(r'Save this in `tests/mm/` as (\w+)_test\.c:', text)[1]
        source = re.search(r'^```c\n(.*?)^```$', text, re.M | re.S)[1]
        self.assertTrue(source.startswith('/* SPDX-License-Identifier: BSD-2-Clause */\n'))
        self.assertIn(f'.name = "{name}"', source)
        self.assertIn(f"T='{name}.*'", text)
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / f'{name}_test.c'
            file.write_text(source, encoding='utf-8')
            done = subprocess.run([os.environ.get('HOSTCC') or 'gcc', *FLAGS, file], cwd=TOP, text=True, capture_output=True,
                                  timeout=limit(60), check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ''))


if __name__ == '__main__':
    unittest.main()
