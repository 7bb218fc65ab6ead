# SPDX-License-Identifier: BSD-2-Clause
"""Shared by the tests of the memory device: the device under sanitizers with a front-end connected."""

from __future__ import annotations

import os
import unittest

from vmem_frontend import MIB, Device, Frontend

PROGRAM = os.path.abspath(os.path.join(os.environ.get('O') or 'build', 'vmem-asan', 'ebb-vmem'))
GIB = 1024 * MIB
SEED = int(os.environ.get('SEED') or 1)


@unittest.skipUnless(os.access(PROGRAM, os.X_OK), 'the device is not built')
class Case(unittest.TestCase):
    """A device, and a front-end that has started its ring."""
    options: tuple[str, ...] = ()
    block = 2 * MIB
    size = GIB
    start = True

    def setUp(self) -> None:
        self.device = Device(PROGRAM, *self.options, size=self.size, block=self.block)
        self.addCleanup(self.device.close)
        self.qmp = self.device.qmp
        self.guest = self.connect()
        if self.start:
            self.guest.start()

    def connect(self, **options) -> Frontend:
        guest = Frontend(self.device.path / 's', **options)
        self.addCleanup(guest.close)
        return guest

    def ends_well(self) -> str:
        """Close the connection like QEMU; return the log of a device that ended correctly."""
        self.guest.sock.close()
        self.assertEqual(self.device.wait(), 0, self.device.text())
        self.assertFalse((self.device.path / 's').exists() or (self.device.path / 'c').exists())
        return self.device.text()
