# SPDX-License-Identifier: BSD-2-Clause
"""tools/ebb-ctl, with a real device; this test plays the driver and the guest's command port."""

import json
import os
import pty
import socket
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

from patience import talk
from vmem_case import GIB, PROGRAM, Case
from vmem_frontend import BUSY, MIB, PLUG, RAM_BASE, REGION, UNPLUG, Device, Qmp

CTL = str(Path(__file__).resolve().parent.parent.parent / 'tools' / 'ebb-ctl')
DONE = r'vm0: plugged {size}, as requested, after \d+ ms{rest}\n'


class Server:
    """A socket for one client after another; a function answers each line."""

    def __init__(self, path: Path, answer, greeting: bytes = b''):
        self.answer, self.greeting, self.asked = answer, greeting, []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(1)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        """Serve clients until the listener is closed."""
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client:
                self.serve_one(client)

    def serve_one(self, client: socket.socket) -> None:
        """Serve a client until it closes the connection."""
        try:
            client.sendall(self.greeting)
            for line in client.makefile('rb'):
                self.asked.append(line.decode().strip())
                client.sendall(self.answer(self.asked[-1]))
        except OSError:
            pass


class ClientCase(Case):
    """A run directory with the device's control socket, and the output of a resize."""

    def setUp(self) -> None:
        super().setUp()
        self.link()

    def link(self) -> None:
        """Make the run directory of the current device."""
        self.run_dir = self.device.path / 'run'
        self.run_dir.mkdir()
        (self.run_dir / 'vm0.ctl').symlink_to(self.device.path / 'c')

    def ctl(self, *words: str) -> subprocess.Popen:
        return subprocess.Popen([sys.executable, '-S', '-E', CTL, '--run', str(self.run_dir), *words], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def done(self, process: subprocess.Popen) -> tuple[int, str, str]:
        out, err = talk(process, 60)
        return process.returncode, out, err

    def plug(self, count: int, first: int = 0) -> None:
        """Wait for the client's request, and carry it out."""
        self.assertTrue(self.guest.config_change())
        self.guest.request(PLUG, first, count)


class Client(ClientCase):
    """Without a command port: the device's figure decides."""

    def test_resize(self) -> None:
        process = self.ctl('resize', '64M')
        self.plug(32)
        status, out, err = self.done(process)
        self.assertEqual((status, err), (0, ''))
        self.assertRegex(out, '^' + DONE.format(size='64M', rest=", by the device's figure .this machine has no command port."))

    def test_wait_is_redrawn_on_a_terminal(self) -> None:
        master, slave = pty.openpty()
        process = subprocess.Popen([sys.executable, CTL, '--run', str(self.run_dir), 'resize', '64M'], stdout=slave, stderr=slave)
        self.assertTrue(self.guest.config_change())
        seen = b''
        while b'(0%)' not in seen:
            seen += os.read(master, 4096)
        self.guest.request(PLUG, 0, 32)
        self.assertEqual(process.wait(60), 0)
        os.close(slave)
        try:
            while part := os.read(master, 4096):
                seen += part
        except OSError:         # the end of a terminal
            pass
        os.close(master)
        text = seen.decode()
        self.assertIn('\r\033[Kvm0: plugged 0 of 64M requested (0%)', text)
        self.assertEqual(len(text.splitlines(keepends=False)[-1].split('\r')[-1].split('vm0')), 2, text)
        self.assertEqual(text.count('\n'), 1, text)      # redrawn text leaves no line behind

    def test_resize_reached_from_below(self) -> None:
        self.device.close()
        self.device = Device(PROGRAM, block=MIB)
        self.addCleanup(self.device.close)
        self.link()
        self.guest = self.connect()
        self.guest.start()
        process = self.ctl('resize', '5M')
        self.assertTrue(self.guest.config_change())
        self.guest.request(PLUG, 0, 4, MIB)
        status, out, _ = self.done(process)
        self.assertEqual(status, 0)
        self.assertIn('2M at a time', out)

    def test_resize_gives_up_with_a_reason(self) -> None:
        self.qmp.execute('x-inject', kind='busy', count=1)
        process = self.ctl('resize', '--patience', '1', '64M')
        self.assertTrue(self.guest.config_change())
        self.assertEqual(self.guest.request(PLUG, 0, 1), BUSY)
        status, _, err = self.done(process)
        self.assertEqual((status, err.count('\n')), (1, 1))
        self.assertIn('answered 1 plug request with BUSY', err)
        status, _, err = self.done(self.ctl('resize', '--patience', '1', '62M'))
        self.assertEqual((status, err.count('\n')), (1, 1))
        self.guest.stop()
        status, _, err = self.done(self.ctl('resize', '--patience', '1', '60M'))
        self.assertIn('the driver has stopped', err)

    def test_guest_that_does_not_look(self) -> None:
        """The guest does not read a config change, because it hangs or has given the device up."""
        process = self.ctl('resize', '--patience', '1', '64M')
        self.assertTrue(self.guest.config_change())
        status, _, err = self.done(process)
        self.assertEqual(status, 1)
        self.assertIn('has not read the requested size: it hangs, or has given the device up', err)

    def test_request_that_is_never_answered(self) -> None:
        self.qmp.execute('x-inject', kind='drop')
        self.guest.put(PLUG, REGION, 1)
        status, _, err = self.done(self.ctl('resize', '--patience', '0.5', '64M'))
        self.assertEqual(status, 1)
        self.assertIn('no answer to 1 request: ', err)

    def test_guest_without_a_driver(self) -> None:
        self.device.close()
        self.device = Device(PROGRAM)
        self.addCleanup(self.device.close)
        self.link()
        self.guest = self.connect()
        status, _, err = self.done(self.ctl('resize', '--patience', '0.2', '64M'))
        self.assertEqual(status, 1)
        self.assertIn('the guest runs no driver', err)

    def test_device_that_was_restarted(self) -> None:
        self.device.close()
        self.device = Device(PROGRAM)
        self.addCleanup(self.device.close)
        self.link()
        status, _, err = self.done(self.ctl('resize', '--patience', '0.2', '64M'))
        self.assertEqual(status, 1)
        self.assertIn('QEMU is not connected to the device: it does not reconnect to a restarted device', err)

    def test_resize_refuses(self) -> None:
        for words in (('1M',), ('2G',), ('2M', '--dev', 'vm7')):
            status, _, err = self.done(self.ctl('resize', *words))
            self.assertEqual((status, err.count('\n')), (1, 1), err)
        for words in (('12Q',), ('',), ('-1M',), ('nan',), ('1e3M',), ('1' * 5000,), ('16777216T',), ('0x1' + '0' * 16,), (),
                      ('1M', '2M'), ('--patience', 'nan', '2M'), ('--patience', 'inf', '2M'), ('--patience', '-1', '2M'),
                      ('--patience', '0', '2M'), ('--patience', '1e9', '2M'), ('--patience',), ('--json=1', '2M'),
                      ('--nosuch', '2M')):
            status, _, err = self.done(self.ctl('resize', *words))
            self.assertEqual((status, err.count('\n')), (2, 1), (words, err))
        self.assertIn("'-1M' is not a size", self.done(self.ctl('resize', '-1M'))[2])
        self.assertEqual(self.qmp.get('requested-size'), 0)

    def test_json_is_one_line(self) -> None:
        process = self.ctl('resize', '64M', '--json')
        self.plug(32)
        status, out, err = self.done(process)
        self.assertEqual((status, out.count('\n'), err), (0, 1, ''))
        result = json.loads(out)
        self.assertEqual([result[key] for key in ('dev', 'reached', 'requested', 'plugged', 'by')],
                         ['vm0', True, 64 * MIB, 64 * MIB, 'device'])
        self.assertGreater(result['ms'], 0)
        status, out, _ = self.done(self.ctl('resize', '62M', '--json', '--patience', '0.2'))
        self.assertEqual((status, out.count('\n'), json.loads(out)['reached']), (1, 1, False))
        status, out, _ = self.done(self.ctl('resize', '2G', '--json'))
        self.assertEqual((status, out.count('\n'), json.loads(out)['reached']), (1, 1, False))

    def test_status(self) -> None:
        self.qmp.request(64 * MIB)
        self.guest.request(PLUG, 0, 8)
        self.guest.touch(REGION, 2 * MIB)
        status, out, _ = self.done(self.ctl('status'))
        self.assertEqual(status, 0)
        self.assertEqual(out.splitlines()[1].split(), ['vm0', '64M', '16M', '2M', '0', '0', '2M', '0x88000000+1G'])
        status, out, _ = self.done(self.ctl('status', '--json'))
        self.assertIn('"host": 2097152', out)
        self.assertEqual(self.guest.ram[REGION + 512 * MIB - RAM_BASE], 0)      # one page is read, one written
        self.guest.touch(REGION + 256 * MIB)
        status, out, _ = self.done(self.ctl('status', '--json'))
        self.assertIn('"host": 2097152, "stray": 4096, "touched": 4096', out)

    def test_reader_that_goes_away(self) -> None:
        process = self.ctl('status')
        process.stdout.close()
        self.assertEqual((process.stderr.read(), process.wait(30)), ('', 141))
        process.stderr.close()

    def test_no_machine(self) -> None:
        self.device.process.kill()
        self.device.process.wait()
        for words in (('status',), ('resize', '2M')):
            status, _, err = self.done(self.ctl(*words))
            self.assertEqual(status, 1)
            self.assertRegex(err, r'^ebb-ctl: no machine runs in \S+; start one: make run RUN=\S+\n$')

    def test_machine_that_ends_meanwhile(self) -> None:
        process = self.ctl('resize', '64M')
        self.assertTrue(self.guest.config_change())
        self.device.process.kill()
        status, _, err = self.done(process)
        self.assertEqual(status, 1)
        self.assertRegex(err, r'^ebb-ctl: the machine in \S+ has ended; start it again: make run RUN=\S+\n$')


class WithPort(ClientCase):
    """The guest's figure decides."""

    def setUp(self) -> None:
        super().setUp()
        self.held = self.given_up = self.silent = False
        self.late = 0.0              # seconds until each answer
        self.has = None              # the plugged size that the guest says; None: the device's
        self.qmp_of_port = Qmp(self.device.path / 'c')
        self.addCleanup(self.qmp_of_port.close)
        self.seen = None             # the requested size that the guest has read; None: the newest
        self.offline: list[tuple[int, int]] = []
        self.port = Server(self.run_dir / 'port.sock', self.answer)
        self.addCleanup(self.port.listener.close)

    def answer(self, line: str) -> bytes:
        """Return ebb's answer to a line."""
        time.sleep(self.late)
        plugged, requested = self.qmp_now('size') if self.has is None else self.has, self.qmp_now('requested-size')
        if self.silent:
            return b''
        if line == 'lsmem':
            rows = [f'0x{0x80000000:016x}-0x{0x87ffffff:016x}  128M  online yes 16']
            rows += [f'0x{start:016x}-0x{end - 1:016x}  128M  offline yes 17' for start, end in self.offline]
            return ('RANGE SIZE STATE REMOVABLE BLOCK\n' + '\n'.join(rows) + '\n=0\n').encode()
        return (f'vm7: 0x70000000-0x7fffffff (256 MiB), block 2 MiB, granule 2 MiB, mmio\n  requested 0 MiB, plugged 9 MiB\n'
                f'vm0: {REGION:#x}-{REGION + GIB - 1:#x} (1024 MiB), block 2 MiB, granule 4 MiB, pci 00:01.0'
                f'{", given up" if self.given_up else ""}\n'
                f'  requested {(requested if self.seen is None else self.seen) >> 20} MiB, plugged {plugged >> 20} MiB'
                f'{" (2 MiB of it not in use)" if self.held else ""}, usable 256 MiB\n  last failure: '
                f'{"answered PLUG with 7; it is not used until it has been reset" if self.given_up else "none"}\n=0\n').encode()

    def qmp_now(self, name: str) -> int:
        """Return a property, read over the port's own connection."""
        return self.qmp_of_port.get(name)

    def test_the_line_of_the_readme(self) -> None:
        process = self.ctl('resize', '64M')
        self.plug(32)
        status, out, err = self.done(process)
        self.assertEqual((status, err), (0, ''))
        self.assertRegex(out, '^' + DONE.format(size='64M', rest='') + '$')
        process = self.ctl('resize', '0')
        self.assertTrue(self.guest.config_change())
        self.guest.request(UNPLUG, 0, 32)
        self.assertRegex(self.done(process)[1], '^' + DONE.format(size='0', rest='') + '$')

    def test_acknowledged_is_not_in_use(self) -> None:
        self.held = True
        process = self.ctl('resize', '64M')
        self.plug(32)
        with self.assertRaises(subprocess.TimeoutExpired):
            process.wait(1)
        self.held, self.seen = False, 0          # the guest has not read the new size either
        with self.assertRaises(subprocess.TimeoutExpired):
            process.wait(0.5)
        self.seen = None
        self.assertRegex(self.done(process)[1], DONE.format(size='64M', rest=''))

    def test_guest_that_answers_and_does_not_take_it(self) -> None:
        """However long the guest refuses, its figure counts, and not the device's."""
        self.held = True
        process = self.ctl('resize', '--patience', '4', '64M')
        self.plug(32)
        status, out, err = self.done(process)
        self.assertEqual((status, out), (1, ''))
        self.assertIn('vm0: stays at 64M, 64M are requested', err)

    def test_guest_that_is_ahead_of_the_device(self) -> None:
        self.qmp.request(64 * MIB)
        self.guest.request(PLUG, 0, 32)
        self.has = 0                             # the guest has removed its blocks, and not yet asked the device
        process = self.ctl('resize', '0')
        with self.assertRaises(subprocess.TimeoutExpired):
            process.wait(1)
        self.guest.request(UNPLUG, 0, 32)
        self.assertRegex(self.done(process)[1], DONE.format(size='0', rest=''))

    def test_guest_that_does_not_answer(self) -> None:
        self.silent = True
        status, _, err = self.done(self.ctl('resize', '--patience', '0.5', '64M'))
        self.assertEqual(status, 1)
        self.assertIn('does not accept more; in ebb, `vmem` says why; the command port does not answer: the guest hangs', err)

    def test_looks_seldom_when_nothing_happens(self) -> None:
        process = self.ctl('resize', '--patience', '3', '64M')
        self.assertEqual(self.done(process)[0], 1)
        self.assertLess(len(self.port.asked), 30)
        self.assertGreater(len(self.port.asked), 3)

    def test_added_and_not_online(self) -> None:
        self.offline = [(REGION, REGION + 128 * MIB), (REGION + 2 * GIB, REGION + 3 * GIB)]      # the second is not the device's
        process = self.ctl('resize', '64M')
        self.plug(32)
        status, out, _ = self.done(process)
        self.assertEqual(status, 0)
        self.assertRegex(out, DONE.format(size='64M', rest=', all of it added, not online'))
        process = self.ctl('resize', '256M', '--json')
        self.plug(96, 32)
        result = json.loads(self.done(process)[1])
        self.assertEqual((result['reached'], result['offline'], result['by']), (True, 128 * MIB, 'guest'))

    def test_the_guests_granule(self) -> None:
        process = self.ctl('resize', '6M')
        self.plug(2)
        status, out, _ = self.done(process)
        self.assertEqual(status, 0)
        self.assertIn('vm0: plugged 4M: the guest plugs 4M at a time and stays below the 6M', out)

    def test_device_that_the_guest_gave_up(self) -> None:
        self.given_up = True
        status, _, err = self.done(self.ctl('resize', '--patience', '0.3', '64M'))
        self.assertEqual(status, 1)
        self.assertRegex(err, 'given the device up: answered PLUG with 7; it is not used until')

    def test_reason_that_comes_late(self) -> None:
        """A slow guest answers after the patience has ended: the client waits for its reason."""
        self.given_up, self.late = True, 0.8
        status, _, err = self.done(self.ctl('resize', '--patience', '0.3', '64M'))
        self.assertEqual(status, 1)
        self.assertRegex(err, 'given the device up: answered PLUG with 7; it is not used until')

    def test_answers_of_an_earlier_client(self) -> None:
        self.port.greeting = b'rest of a text\n=0\n'
        process = self.ctl('resize', '64M')
        self.plug(32)
        self.assertRegex(self.done(process)[1], DONE.format(size='64M', rest=''))


class PortElsewhere(ClientCase):
    """A command port that does not serve the client."""

    def listen(self, backlog: int = 1) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.run_dir / 'port.sock'))
        listener.listen(backlog)
        self.addCleanup(listener.close)
        return listener

    def finds(self, words: str) -> None:
        """Check that a resize ends within a bounded time, and that its output has these words."""
        process = self.ctl('resize', '64M')
        self.plug(32)
        status, out, err = self.done(process)
        self.assertEqual((status, err), (0, ''))
        self.assertRegex(out, DONE.format(size='64M', rest=rf", by the device's figure .{words}."))

    def test_held_by_another_program(self) -> None:
        self.listen()
        self.finds('the command port does not answer; another program may hold it')

    def test_others_wait_for_it_too(self) -> None:
        self.listen(0)
        first = socket.socket(socket.AF_UNIX)
        first.connect(str(self.run_dir / 'port.sock'))
        self.addCleanup(first.close)
        self.finds('other programs are already waiting for the command port')

    def test_guest_without_a_command_port(self) -> None:
        self.listen()
        qmp = Server(self.run_dir / 'qmp.sock', lambda line: b'{"return": [{"label": "port", "frontend-open": false}]}\n'
                     if 'query-chardev' in line else b'{"return": {}}\n', b'{"QMP": {}}\n')
        self.addCleanup(qmp.listener.close)
        self.finds('the guest has no command port')

    def test_port_that_closes(self) -> None:
        listener = self.listen()
        threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True).start()
        self.finds('the command port was closed')


if __name__ == '__main__':
    unittest.main()
