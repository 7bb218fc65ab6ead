# SPDX-License-Identifier: BSD-2-Clause
"""O=/elsewhere: one QEMU serves all build directories, and `make clean` removes only build output."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from patience import limit

TOP = Path(__file__).resolve().parent.parent.parent
QEMU = '''#!/bin/sh
case "$*" in
*vhost-user-test-device-pci,help) echo "  virtio-id=<uint16>" ;;
*) echo "QEMU emulator version 99.9, $0" ;;
esac
'''
APT = '#!/bin/sh\necho "$0 $*" >>"$APT_LOG"\nexit 1\n'


class Elsewhere(unittest.TestCase):
    """A separate checkout, with a QEMU in it or on PATH, and an apt that no command may call."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.top = Path(directory.name)
        self.checkout, self.bin = self.top / 'a checkout', self.top / 'bin'
        (self.checkout / 'tools').mkdir(parents=True)
        self.bin.mkdir()
        for name in ('get-qemu', 'clean'):
            shutil.copy(TOP / 'tools' / name, self.checkout / 'tools' / name)
        for name in ('apt-get', 'apt-config', 'dpkg', 'dpkg-deb'):
            self.program(self.bin / name, APT)

    def program(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def get(self, out: Path) -> subprocess.CompletedProcess:
        env = {'PATH': f'{self.bin}:/usr/bin:/bin', 'O': str(out), 'APT_LOG': str(self.top / 'apt.log'), 'HOME': str(self.top)}
        return subprocess.run([str(self.checkout / 'tools' / 'get-qemu')], env=env, capture_output=True, text=True,
                              timeout=limit(60), check=False)

    def test_qemu_of_the_checkout_is_used(self):
        shared = self.checkout / 'build' / 'qemu'
        self.program(shared / 'qemu-system-riscv64', QEMU)
        (shared / '.ok').touch()
        for name in ('here', 'there'):
            done = self.get(self.top / name)
            self.assertEqual((done.returncode, done.stderr), (0, ''))
            launcher = self.top / name / 'qemu' / 'qemu-system-riscv64'
            version = subprocess.run([launcher, '--version'], capture_output=True, text=True, check=True).stdout
            self.assertIn(str(shared), version)
        self.assertFalse((self.top / 'apt.log').exists())

    def test_what_is_missing_comes_into_the_checkout(self):
        self.program(self.bin / 'qemu-system-riscv64', QEMU)
        self.assertEqual(self.get(self.top / 'here').returncode, 0)
        self.assertTrue((self.checkout / 'build' / 'qemu' / '.ok').exists())
        (self.bin / 'qemu-system-riscv64').unlink()
        self.assertEqual(self.get(self.top / 'there').returncode, 1) # the checkout's launcher leads to a QEMU that has gone
        self.assertTrue((self.top / 'apt.log').exists())

    def test_clean_removes_no_more_than_what_was_built(self):
        (self.top / 'out' / 'k').mkdir(parents=True)
        (self.top / 'out' / 'qemu').mkdir()
        env = {**os.environ, 'HOME': str(self.top)}
        for place, status in ((self.checkout, 1), (self.top, 1), (self.top / 'out', 0)):
            done = subprocess.run([str(self.checkout / 'tools' / 'clean'), str(place)], env=env, capture_output=True, text=True,
                                  timeout=limit(60), check=False)
            self.assertEqual(done.returncode, status, done.stderr)
        self.assertTrue((self.checkout / 'tools' / 'clean').exists())
        self.assertEqual([path.name for path in (self.top / 'out').iterdir()], ['qemu'])

    def test_make_says_which_places_it_cannot_build_in(self):
        for out, status in (('', 0), ('a b', 2)):
            done = subprocess.run(['make', '-C', str(TOP), f'O={out}', 'help'], capture_output=True, text=True, timeout=limit(60),
                                  check=False)
            self.assertEqual((done.returncode, 'name one directory' in done.stderr), (status, status != 0))

    def test_place_that_cannot_be_written_is_named(self):
        for goal in ('build', 'run', 'test'):
            done = subprocess.run([str(TOP / 'tools' / 'setup'), goal], env={**os.environ, 'O': '/proc/ebb'}, capture_output=True,
                                  text=True, timeout=limit(60), check=False)
            self.assertEqual((done.returncode, done.stdout), (1, ''))
            self.assertRegex(done.stderr, '^setup: the build cannot write into /proc/ebb; name another directory: make O=.*\n$')


if __name__ == '__main__':
    unittest.main()
