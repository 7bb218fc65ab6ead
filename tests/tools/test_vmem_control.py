# SPDX-License-Identifier: BSD-2-Clause
"""The memory device as a process: its control socket, faults, events, QEMU's resets, life and death."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import vmem_frontend as vf
from patience import limit
from vmem_case import GIB, PROGRAM, Case
from vmem_frontend import ACK, BUSY, ERROR, MIB, NACK, PLUG, REGION, STATE, UNPLUG, UNPLUGGED, Device, Qmp

# Ids of kernel/trace/trace_events.h.
DEV_REQUEST, DEV_ANSWER, DEV_PUNCH, DEV_STRAY, DEV_FAULT = range(12, 17)


class Control(Case):
    def test_qom(self) -> None:
        q = self.qmp
        self.assertEqual(q.get('block-size'), 2 * MIB)
        q.request(8 * MIB)
        self.assertEqual(q.execute('qom-get', path='/machine/peripheral/vm0', property='requested-size'), 8 * MIB)
        names = {p['name'] for p in q.execute('qom-list', path='/vm0')}
        self.assertLessEqual({'requested-size', 'size', 'block-size', 'x-host-bytes', 'x-stray-bytes', 'x-violations'}, names)
        for name in names:
            q.get(name)
        self.assertEqual(q.execute('qom-list', path='/')[0]['name'], 'vm0')
        entry = q.execute('query-memory-devices')[0]
        self.assertEqual(entry['type'], 'virtio-mem')
        self.assertEqual({k: entry['data'][k] for k in ('id', 'memaddr', 'requested-size', 'size', 'max-size', 'block-size')},
                         {'id': 'vm0', 'memaddr': REGION, 'requested-size': 8 * MIB, 'size': 0, 'max-size': GIB,
                          'block-size': 2 * MIB})
        self.assertIn('package', q.execute('query-version'))

    def test_what_there_is_of_a_driver(self) -> None:
        self.assertEqual((self.qmp.get('x-features'), self.qmp.get('x-driver')), (vf.F_INACCESSIBLE | vf.F_VERSION_1, 'running'))
        base = self.guest.stop()
        self.assertEqual((self.qmp.get('x-driver'), self.qmp.get('x-driver-running')), ('stopped', False))
        self.guest.resume(base)
        self.guest.publish(0x7777)
        self.guest.await_used(1, 0.1)
        self.assertEqual(self.qmp.get('x-driver'), 'broken-ring')
        other = Device(PROGRAM)
        self.addCleanup(other.close)
        self.assertEqual((other.qmp.get('x-driver'), other.qmp.get('x-connected')), ('no-qemu', False))
        guest = vf.Frontend(other.path / 's')
        self.addCleanup(guest.close)
        self.assertEqual(other.qmp.get('x-driver'), 'none')

    def error(self, command: str, **arguments) -> str:
        answer = self.qmp.ask(command, **arguments)
        self.assertIn('error', answer)
        self.assertTrue(answer['error']['desc'])
        return answer['error']['class']

    def test_errors(self) -> None:
        def value(v):
            return self.error('qom-set', path='/vm0', property='requested-size', value=v)
        for v in (MIB, 2 * GIB, -2 * MIB, '1G', 1.5, None, 2**64, [0]):
            self.assertEqual(value(v), 'GenericError', v)
        self.assertEqual(self.qmp.get('requested-size'), 0)
        self.assertEqual(self.error('qom-set', path='/vm0', property='size', value=0), 'GenericError')
        self.assertEqual(self.error('qom-set', path='/vm0', property='requested-size'), 'GenericError')
        self.assertEqual(self.error('qom-get', path='/vm1', property='size'), 'DeviceNotFound')
        self.assertEqual(self.error('qom-get', path='/vm0', property='nothing'), 'GenericError')
        self.assertEqual(self.error('qom-get', path='/vm0'), 'GenericError')
        self.assertEqual(self.error('qom-get', path='/vm0', property='size', more=1), 'GenericError')
        self.assertEqual(self.error('device_add'), 'CommandNotFound')
        self.assertEqual(self.error('qmp_capabilities'), 'CommandNotFound')
        self.assertEqual(self.error('x-inject', kind='nonsense'), 'GenericError')

    def test_envelope(self) -> None:
        q = Qmp(self.device.path / 'c', negotiate=False)
        self.addCleanup(q.close)
        self.assertIn('QMP', q.greeting)
        q.sock.sendall(b'{"execute": "query-version"}')
        self.assertEqual(q.read()['error']['class'], 'CommandNotFound')
        q.sock.sendall(b'{"execute":"qmp_capabilities","id":{"a":[1,"\\u00e9"]}}{"execute"')
        self.assertEqual(q.read(), {'return': {}, 'id': {'a': [1, 'é']}})
        q.sock.sendall(b':"qom-list","arguments":{"path":"/"},\r\n"id":7}')
        self.assertEqual(q.read()['id'], 7)
        for bad in (b'hello\n', b'{"execute": 1}', b'{}', b'{"execute":"quit","extra":1}', b'{"execute":"quit",}', b'[1]',
                    b'{"execute":"quit","arguments":[]}', b'}\n', b'{"execute":"quit","arguments":{"a":1}}', b'\xff\xfe\n',
                    b'{"execute":"\xff"}', b'{' * 40 + b'}' * 40, b'{"a":1,"a":2}'):
            q.sock.sendall(bad)
            self.assertIn('error', q.read(), bad)
        q.sock.sendall(b'{"execute":"' + b'x' * 70000)
        self.assertIn('error', q.read())
        try:
            self.assertEqual(q.sock.recv(1), b'')
        except ConnectionResetError:
            pass
        self.assertEqual(self.qmp.get('size'), 0)

    def test_a_long_look_lets_others_have_their_turn(self) -> None:
        """After a dump there is much to scan. The device serves requests that arrive with a query before it answers the
        query."""
        size = 512 * MIB
        at = REGION - vf.RAM_BASE
        self.qmp.request(GIB)
        self.assertEqual(sum(self.guest.ram[i] for i in range(at, at + size, 4096)), 0)
        gone = Qmp(self.device.path / 'c')

        def ask(client: Qmp, number: int, name: str) -> None:
            client.sock.sendall(json.dumps({'execute': 'qom-get', 'id': number,
                                            'arguments': {'path': '/vm0', 'property': name}}).encode())
        self.device.process.send_signal(signal.SIGSTOP)
        ask(gone, 0, 'x-touched-bytes')
        gone.close()
        for number, name in enumerate(('x-touched-bytes', 'size', 'x-stray-bytes', 'x-host-bytes')):
            ask(self.qmp, number, name)
        self.guest.put(PLUG, REGION + size, 1)
        self.device.process.send_signal(signal.SIGCONT)
        self.assertEqual([self.qmp.answer() for _ in range(4)], [{'return': size, 'id': 0}, {'return': 2 * MIB, 'id': 1},
                                                                 {'return': 0, 'id': 2}, {'return': 0, 'id': 3}])
        self.assertEqual(self.qmp.get('x-touched-bytes'), size)

    def test_many_clients(self) -> None:
        clients = [Qmp(self.device.path / 'c') for _ in range(15)]
        for number, client in enumerate(clients):
            client.request(2 * MIB * number)
        self.assertEqual(self.qmp.get('requested-size'), 28 * MIB)
        late = socket.socket(socket.AF_UNIX)
        late.settimeout(limit(vf.LIMIT_S))
        late.connect(str(self.device.path / 'c'))
        self.assertEqual(late.recv(1), b'')
        late.close()
        for client in clients:
            client.close()
        self.assertEqual(self.qmp.get('size'), 0)

    def test_a_client_that_does_not_read(self) -> None:
        rude = socket.socket(socket.AF_UNIX)
        rude.connect(str(self.device.path / 'c'))
        rude.setblocking(False)
        self.addCleanup(rude.close)
        try:
            for _ in range(100000):
                rude.send(b'{"execute":"qmp_capabilities"}{"execute":"qom-list","arguments":{"path":"/vm0"}}')
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            pass
        self.assertEqual(self.qmp.get('size'), 0)
        self.assertEqual(self.guest.state(0, 1), UNPLUGGED)

    def test_size_change_events(self) -> None:
        self.qmp.request(64 * MIB)
        begun = time.monotonic()
        for block in range(8):
            self.assertEqual(self.guest.request(PLUG, block), ACK)
        took = time.monotonic() - begun
        first = self.qmp.event()
        self.assertEqual(first['event'], 'MEMORY_DEVICE_SIZE_CHANGE')
        self.assertEqual(first['data'], {'id': 'vm0', 'size': 2 * MIB, 'qom-path': '/vm0'})
        self.assertIn('seconds', first['timestamp'])
        # One event per second at most: no more events than seconds that passed.
        sizes = [self.qmp.event()['data']['size']]
        while sizes[-1] != 16 * MIB:
            sizes.append(self.qmp.event()['data']['size'])
        self.assertLessEqual(len(sizes), 1 + took)
        self.assertEqual(sizes, sorted(set(sizes)))
        self.assertIsNone(self.qmp.event(1.3))

    def test_event_of_the_requested_size_does_not_wait(self) -> None:
        self.qmp.request(4 * MIB)
        for block in range(2):
            self.guest.request(PLUG, block)
        self.assertEqual(self.qmp.get('size'), 4 * MIB)      # the events came before this answer
        self.assertEqual([event['data']['size'] for event in self.qmp.events], [2 * MIB, 4 * MIB])

    def test_quit(self) -> None:
        self.assertEqual(self.qmp.execute('quit'), {})
        self.assertEqual(self.device.wait(), 0)
        self.assertFalse((self.device.path / 's').exists())


class Faults(Case):
    options = ('--faults', 'busy:count=2:skip=1', '--events', 'events')

    def records(self) -> list[tuple]:
        data = (self.device.path / 'events').read_bytes()
        return [struct.unpack('<IHBBQQIHH', data[i:i + 32]) for i in range(0, len(data), 32)]

    def test_option_and_events(self) -> None:
        self.qmp.request(64 * MIB)
        self.assertEqual([self.guest.request(PLUG, 2, 3) for _ in range(4)], [ACK, BUSY, BUSY, ERROR])
        self.assertEqual(self.guest.request(UNPLUG, 2, 1), ACK)
        records = self.records()
        self.assertEqual([r[0] for r in records], list(range(len(records))))
        self.assertTrue(all(r[2] == 0xFF and r[3] == 0 for r in records))
        self.assertEqual(sorted(r[4] for r in records), [r[4] for r in records])
        pfn = (REGION + 4 * MIB) >> 12
        seen = [(r[1], r[5], r[6], r[7], r[8]) for r in records]
        self.assertEqual(seen, [
            (DEV_REQUEST, pfn, 1, PLUG, 3), (DEV_ANSWER, pfn, 1, PLUG, ACK),
            (DEV_REQUEST, pfn, 2, PLUG, 3), (DEV_FAULT, pfn, 2, 0, 0), (DEV_ANSWER, pfn, 2, PLUG, BUSY),
            (DEV_REQUEST, pfn, 3, PLUG, 3), (DEV_FAULT, pfn, 3, 0, 0), (DEV_ANSWER, pfn, 3, PLUG, BUSY),
            (DEV_REQUEST, pfn, 4, PLUG, 3), (DEV_ANSWER, pfn, 4, PLUG, ERROR),
            (DEV_REQUEST, pfn, 5, UNPLUG, 1), (DEV_PUNCH, pfn, 512, 0, 0), (DEV_ANSWER, pfn, 5, UNPLUG, ACK)])

    def test_count_starts_anew_with_the_queue(self) -> None:
        self.guest.state(0, 1)
        self.guest.stop()
        self.guest.start(share=False)
        self.guest.put(STATE, REGION, 1)
        self.guest.await_used(1)
        self.assertEqual([r[6] for r in self.records() if r[1] == DEV_REQUEST], [1, 1])

    def test_stray_events(self) -> None:
        self.guest.touch(REGION + 20 * MIB, 8192)
        self.qmp.get('x-stray-bytes')
        self.assertEqual([(r[5], r[6]) for r in self.records() if r[1] == DEV_STRAY], [((REGION + 20 * MIB) >> 12, 2)])

    def test_injected(self) -> None:
        q = self.qmp
        q.execute('x-inject', kind='none')
        q.request(64 * MIB)
        for kind, answer in (('nack', NACK), ('error', ERROR), ('busy', BUSY), ('garbage', 0xDEAD)):
            q.execute('x-inject', kind=kind)
            self.assertEqual(self.guest.request(PLUG, 0, 1), answer)
        self.assertEqual(q.get('size'), 0)
        q.execute('x-inject', kind='short')
        self.assertEqual(self.guest.request(PLUG, 0, 1), ACK)
        self.assertEqual(self.guest.used_entry(self.guest.next - 1), (0, 0))
        q.execute('x-inject', kind='bad-id')
        self.assertEqual(self.guest.request(PLUG, 1, 1), ACK)
        self.assertGreater(self.guest.used_entry(self.guest.next - 1)[0], 1024)
        q.execute('x-inject', kind='drop')
        self.guest.put(PLUG, REGION + 4 * MIB, 1, slot=1)
        self.assertFalse(self.guest.await_used(self.guest.next, 0.2))
        self.assertEqual((q.get('size'), q.get('x-faults-pending')), (4 * MIB, 0))

    def test_delay_keeps_order_and_blocks_nobody(self) -> None:
        q = self.qmp
        q.execute('x-inject', kind='none')
        q.execute('x-inject', kind='delay', ms=600000)      # no client waits so long for an answer
        self.guest.put(STATE, REGION, 1, 0)
        self.assertEqual((q.get('size'), self.guest.used()), (0, 0))
        self.guest.stop()
        self.guest.start(share=False)
        q.execute('x-inject', kind='none')
        q.execute('x-inject', kind='delay', ms=300)
        begun = time.monotonic()
        self.guest.put(STATE, REGION, 1, 0)
        self.guest.put(STATE, REGION, 0, 1)
        self.assertTrue(self.guest.await_used(2))
        self.assertGreaterEqual(time.monotonic() - begun, 0.29)
        self.assertEqual((self.guest.response(0)[0], self.guest.response(1)[0]), (ACK, ERROR))

    def test_reset_during_a_delay(self) -> None:
        self.qmp.execute('x-inject', kind='none')
        self.qmp.execute('x-inject', kind='delay', ms=200)
        self.guest.put(STATE, REGION, 1)
        self.qmp.get('size')
        self.guest.stop()
        self.guest.start(share=False)
        # This request's delay ends when the forgotten request's delay would have ended.
        self.qmp.execute('x-inject', kind='delay', ms=200)
        self.assertEqual(self.guest.state(0, 1), UNPLUGGED)
        self.assertEqual(self.guest.used(), 1)

    def test_spurious_config(self) -> None:
        self.qmp.execute('x-inject', kind='spurious-config', count=3)
        for _ in range(3):
            self.assertTrue(self.guest.config_change())
        self.assertFalse(self.guest.config_change(0.1))


class Watch(Case):
    options = ('--qmp', 'q')
    start = False

    def serve(self, path: str = 'q') -> socket.socket:
        """Play QEMU's QMP up to its answer to qmp_capabilities; return the connection."""
        server = socket.socket(socket.AF_UNIX)
        self.addCleanup(server.close)
        server.bind(str(self.device.path / path))
        server.listen(1)
        server.settimeout(limit(vf.LIMIT_S))
        connection = server.accept()[0]
        self.addCleanup(connection.close)
        connection.settimeout(limit(vf.LIMIT_S))
        connection.sendall(b'{"QMP": {"version": {}, "capabilities": ["oob"]}}\r\n')
        self.assertIn(b'qmp_capabilities', connection.recv(4096))
        connection.sendall(b'{"return": {}}\r\n')
        return connection

    def test_reset_unplugs(self) -> None:
        self.guest.start()
        self.qmp.request(64 * MIB)
        self.assertEqual(self.guest.request(PLUG, 0, 32), ACK)
        self.guest.touch(REGION, 16 * MIB)
        self.assertEqual(self.qmp.get('x-qmp'), 'waiting')
        qemu = self.serve()
        self.guest.stop()
        qemu.sendall(b'{"timestamp": {}, "event": "STOP"}\r\n{"event": "RESET", "data": {"guest": true, "rea')
        self.assertEqual(self.qmp.get('size'), 64 * MIB)
        qemu.sendall(b'son": "guest-reset"}}\r\n')
        self.guest.start(share=False)
        self.assertEqual(self.guest.state(0, 32), UNPLUGGED)
        self.assertEqual((self.qmp.get('size'), self.qmp.get('x-host-bytes'), self.qmp.get('x-stray-bytes')), (0, 0, 0))
        self.assertEqual((self.qmp.get('x-resets'), self.qmp.get('requested-size')), (1, 64 * MIB))
        self.assertEqual(self.qmp.get('x-qmp'), 'connected')
        self.ends_well()

    def test_reset_comes_before_the_next_request(self) -> None:
        self.guest.start()
        self.qmp.request(64 * MIB)
        qemu = self.serve()
        for _ in range(20):
            self.assertEqual(self.guest.request(PLUG, 0, 8), ACK)
            qemu.sendall(b'{"event": "RESET", "data": {"guest": false}}\r\n')
            self.assertEqual(self.guest.state(0, 8), UNPLUGGED)

    def test_ends_with_the_frontend(self) -> None:
        self.ends_well()


class Life(unittest.TestCase):
    """Starting and ending, without a front-end."""

    def run_device(self, *options: str, base: tuple[str, ...] | None = None) -> subprocess.CompletedProcess:
        with tempfile.TemporaryDirectory() as where:
            common = base if base is not None else ('--socket', 's', '--ctl', 'c', '--addr', '0x88000000', '--size', '1G')
            return self.run_in(where, *common, *options)

    @staticmethod
    def run_in(where: str | Path, *options: str) -> subprocess.CompletedProcess:
        return subprocess.run([PROGRAM, *options], cwd=where, capture_output=True, text=True, timeout=limit(20), check=False)

    @unittest.skipUnless(os.access(PROGRAM, os.X_OK), 'the device is not built')
    def setUp(self) -> None:
        pass

    def test_bad_options(self) -> None:
        for options in (('--block', '3M'), ('--size', '1000001'), ('--addr', '0x88000001'), ('--size', '0'),
                        ('--requested', '1M'), ('--requested', '2G'), ('--addr', 'x'), ('--size', '1Q'),
                        ('--nonsense', '1'), ('word',), ('--id', 'a/b'), ('--faults', 'x'),
                         ('--addr', '0xffffffffffe00000', '--size', '4M'), ('--wait', '18446744074'), ('--wait', '1M'),
                        ('--wait', '-1'), ('--wait', ''), ('--wait', 'nan'), ('--id', 'vm256'), ('--id', 'vm300'),
                        ('--id', '99999999999999999999'), ('--id', ''), ('--id', 'x' * 32), ('--size', '16777216T'),
                        ('--faults', 'busy:count=18446744073709551615'), ('--size', ' 1G'), ('--size', '1.5G'),
                        ('--events', '/nonexistent/x'), ('--block', '2048')):
            done = self.run_device(*options)
            self.assertEqual(done.returncode, 2, options)
            self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.assertEqual(self.run_device(base=()).returncode, 2)
        self.assertIn('usage', self.run_device('--help').stdout)

    def test_sockets_that_cannot_be(self) -> None:
        for options in (('--ctl', 'no/where'), ('--socket', 'no/where'), ('--ctl', 'x' * 200)):
            done = self.run_device(*options)
            self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1), done.stderr)

    def test_waits_for_qemu_with_a_bound(self) -> None:
        done = self.run_device('--wait', '1')
        self.assertEqual(done.returncode, 1)
        self.assertIn('did not connect', done.stderr)

    def test_nobody_else_can_connect(self) -> None:
        for mask in (0o000, 0o022, 0o777):
            device = Device(PROGRAM, '--events', 'events', umask=mask)
            self.addCleanup(device.close)
            for name in ('s', 'c', 'events'):
                mode = (device.path / name).stat().st_mode
                self.assertEqual(oct(mode & 0o777), oct(0o600), f'{name} under umask {mask:o}')

    def test_signals_and_stale_sockets(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            device = Device(PROGRAM)
            self.addCleanup(device.close)
            device.process.send_signal(number)
            self.assertEqual(device.wait(), 0)
            self.assertEqual(sorted(p.name for p in device.path.iterdir()), ['log'])
        device = Device(PROGRAM)
        self.addCleanup(device.close)
        command = ['--socket', 's', '--ctl', 'c', '--addr', '0', '--size', '2M']
        second = self.run_in(device.path, *command)
        self.assertIn('another process is listening', second.stderr)
        self.assertEqual(device.qmp.get('size'), 0)
        device.process.kill()
        device.process.wait()
        self.assertTrue((device.path / 's').exists())
        third = self.run_in(device.path, *command, '--wait', '1')
        self.assertIn('did not connect', third.stderr)


if __name__ == '__main__':
    unittest.main()
