# SPDX-License-Identifier: BSD-2-Clause
"""The memory device as a process, under sanitizers: protocol, requests, memory, control socket, resets, ends."""

from __future__ import annotations

import os
import random
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
from vmem_frontend import (ACK, BUSY, ERROR, MIB, MIXED, NACK, PLUG, PLUGGED, REGION, STATE, UNPLUG, UNPLUG_ALL, UNPLUGGED,
                           Device, Frontend, Qmp)

PROGRAM = os.path.abspath(os.path.join(os.environ.get('O') or 'build', 'vmem-asan', 'ebb-vmem'))
CTL = str(Path(__file__).resolve().parent.parent.parent / 'tools' / 'ebb-ctl')
GIB = 1024 * MIB
# Ids of kernel/trace_events.h.
DEV_REQUEST, DEV_ANSWER, DEV_PUNCH, DEV_STRAY, DEV_FAULT = range(12, 17)


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
        """Hang up as QEMU does; returns the log of a device that ended as it should."""
        self.guest.sock.close()
        self.assertEqual(self.device.wait(), 0, self.device.text())
        self.assertFalse((self.device.path / 's').exists() or (self.device.path / 'c').exists())
        return self.device.text()


class Requests(Case):
    def test_negotiation(self) -> None:
        self.assertEqual(self.guest.offered & vf.PLAIN_FEATURES, vf.PLAIN_FEATURES)
        self.assertEqual(self.guest.offered >> 33, 0)
        for bit in (0, 3, 5, 9, 13, 15, 16):
            self.assertTrue(self.guest.protocol >> bit & 1, bit)
        self.assertEqual(self.guest.ask_u64(vf.GET_QUEUE_NUM), 1)
        self.assertGreaterEqual(self.guest.ask_u64(vf.GET_MAX_MEM_SLOTS), 8)

    def test_config(self) -> None:
        self.assertEqual(self.guest.config(), {'block': 2 * MIB, 'node': 0, 'addr': REGION, 'region': GIB, 'usable': 256 * MIB,
                                               'plugged': 0, 'requested': 0})
        self.qmp.request(512 * MIB)
        self.assertEqual(self.guest.config()['requested'], 512 * MIB)
        self.assertEqual(self.guest.config()['usable'], 768 * MIB)
        self.assertTrue(self.guest.config_change())
        self.assertFalse(self.guest.config_change(0.1))

    def test_grow_and_shrink(self) -> None:
        self.qmp.request(GIB)
        self.assertEqual(self.guest.request(PLUG, 0, 512), ACK)
        self.assertEqual(self.qmp.get('size'), GIB)
        self.assertEqual(self.guest.state(0, 512), PLUGGED)
        self.guest.touch(REGION, 64 * MIB)
        self.assertEqual(self.qmp.get('x-host-bytes'), 64 * MIB)
        self.qmp.request(0)
        self.assertEqual(self.guest.request(UNPLUG, 0, 16), ACK)
        self.assertEqual(self.qmp.get('x-host-bytes'), 32 * MIB)
        self.assertEqual(self.guest.state(15, 2), MIXED)
        self.assertEqual(self.guest.request(UNPLUG_ALL), ACK)
        self.assertEqual(self.guest.state(0, 128), UNPLUGGED)
        self.assertEqual((self.qmp.get('size'), self.qmp.get('x-host-bytes'), self.qmp.get('x-stray-bytes')), (0, 0, 0))
        self.assertEqual(self.qmp.get('x-violations')['total'], 0)
        self.assertIn('0 bytes plugged, 0 on the host, 0 stray', self.ends_well())

    def test_answers(self) -> None:
        self.qmp.request(8 * MIB)
        self.assertEqual(self.guest.request(PLUG, 0, 5), NACK)
        self.assertEqual(self.guest.request(PLUG, 0, 4), ACK)
        self.assertEqual(self.guest.request(PLUG, 3, 1), ERROR)
        self.assertEqual(self.guest.request(UNPLUG, 3, 2), ERROR)
        self.assertEqual(self.guest.request(PLUG, 9, 0), ERROR)
        self.assertEqual(self.guest.request(STATE, 600, 1), ERROR)
        self.assertEqual(self.guest.request(9, 0, 1), ERROR)
        self.guest.put(PLUG, REGION + 4096, 1)
        self.assertTrue(self.guest.await_used(self.guest.next))
        self.assertEqual(self.guest.response()[0], ERROR)
        violations = self.qmp.get('x-violations')
        self.assertEqual(violations, {'bad-type': 1, 'misaligned': 1, 'zero-count': 1, 'out-of-range': 1, 'wrong-state': 2,
                                      'stray-access': 0, 'bad-buffer': 0, 'bad-ring': 0, 'config-write': 0, 'features': 0,
                                      'total': 6})
        self.assertEqual(self.qmp.get('x-answers')['plug'], {'ack': 1, 'nack': 1, 'busy': 0, 'error': 3})

    def test_many_in_one_kick(self) -> None:
        self.qmp.request(GIB)
        for slot in range(32):
            self.guest.put(PLUG, REGION + slot * 4 * MIB, 1, slot, kick=slot == 31)
        self.assertTrue(self.guest.await_used(32))
        self.assertEqual([self.guest.response(slot)[0] for slot in range(32)], [ACK] * 32)
        self.assertEqual([self.guest.used_entry(i) for i in range(32)], [(2 * i, 10) for i in range(32)])

    def test_index_wraps_and_many_requests(self) -> None:
        self.guest.stop()
        self.guest.start(share=False, base=0xFFF0)
        for _ in range(64):
            self.assertEqual(self.guest.state(0, 1), UNPLUGGED)
        self.assertEqual(self.guest.stop(), 0x30)

    def test_random_resizes(self) -> None:
        rng, plugged = random.Random(3), set()
        for _ in range(40):
            want = rng.randrange(0, 257)
            self.qmp.request(want * 2 * MIB)
            while len(plugged) != want:
                grow = len(plugged) < want
                first = rng.randrange(0, 512)
                run = 0
                while run < abs(want - len(plugged)) and first + run < 512 and run < 32 and (first + run in plugged) != grow:
                    run += 1
                if not run or (first + run) * 2 * MIB > self.guest.config()['usable']:
                    continue
                self.assertEqual(self.guest.request(PLUG if grow else UNPLUG, first, run), ACK)
                blocks = set(range(first, first + run))
                plugged = plugged | blocks if grow else plugged - blocks
                if grow:
                    self.guest.touch(REGION + first * 2 * MIB, 4096)
            self.assertEqual(self.qmp.get('size'), want * 2 * MIB)
            self.assertLessEqual(self.qmp.get('x-host-bytes'), len(plugged) * 4096)
        self.assertEqual(self.qmp.get('x-stray-bytes'), 0)
        self.assertEqual(self.qmp.get('x-violations')['total'], 0)


class EventIndex(Requests):
    """All of it again with indirect descriptors and event index accepted."""

    def connect(self, **options) -> Frontend:
        return super().connect(features=vf.PLAIN_FEATURES | vf.F_EVENT_IDX | vf.F_INDIRECT, **options)

    def test_event_index_suppresses_calls(self) -> None:
        used_event = vf.AVAIL + 4 + 2 * vf.RING_SIZE
        self.guest.state(0, 1)
        struct.pack_into('<H', self.guest.ram, used_event, 3)
        for slot in range(4):
            self.guest.put(STATE, REGION, 1, slot)
            deadline = time.monotonic() + vf.LIMIT_S
            while self.guest.used() != self.guest.next and time.monotonic() < deadline:
                time.sleep(0.001)
            self.qmp.get('size')    # by now the device is through with the kick
            self.assertEqual(self.guest.drain(self.guest.call) > 0, self.guest.next == 4, self.guest.next)


class SmallBlocks(Case):
    block = MIB

    def test_one_mib(self) -> None:
        self.qmp.request(3 * MIB)
        self.assertEqual(self.guest.request(PLUG, 1, 3, MIB), ACK)
        self.assertEqual(self.guest.state(0, 4, MIB), MIXED)
        self.assertEqual(self.guest.request(PLUG, 7, 1, MIB), NACK)


class LargeBlocks(Case):
    block = 64 * MIB
    options = ('--requested', '128M')

    def test_64_mib(self) -> None:
        self.assertEqual(self.guest.config()['requested'], 128 * MIB)
        self.assertEqual(self.guest.request(PLUG, 0, 2, 64 * MIB), ACK)
        self.guest.touch(REGION, 128 * MIB)
        self.assertEqual(self.qmp.get('x-host-bytes'), 128 * MIB)
        self.assertEqual(self.guest.request(UNPLUG, 1, 1, 64 * MIB), ACK)
        self.assertEqual(self.qmp.get('x-host-bytes'), 64 * MIB)


class Stray(Case):
    def test_found_while_it_is_there(self) -> None:
        self.qmp.request(8 * MIB)
        self.assertEqual(self.guest.request(PLUG, 0, 2), ACK)
        self.guest.touch(REGION + 100 * MIB)
        self.assertEqual(self.qmp.get('x-stray-bytes'), 4096)
        self.assertEqual(self.qmp.get('x-stray-bytes'), 4096)
        self.assertEqual(self.qmp.get('x-violations')['stray-access'], 1)
        # Before it is plugged it is thrown away, and stays counted.
        self.assertEqual(self.guest.request(PLUG, 50, 1), ACK)
        self.assertEqual(self.guest.ram[REGION + 100 * MIB - vf.RAM_BASE], 0)
        self.assertEqual((self.qmp.get('x-stray-bytes'), self.qmp.get('x-stray-bytes-now')), (4096, 0))
        self.assertIn(f'stray access: 4096 bytes at {REGION + 100 * MIB:#x}', self.device.text())

    def test_found_at_unplug_and_at_the_end(self) -> None:
        self.qmp.request(8 * MIB)
        self.assertEqual(self.guest.request(PLUG, 0, 2), ACK)
        self.guest.touch(REGION + 200 * MIB)
        self.assertEqual(self.guest.request(UNPLUG, 0, 1), ACK)
        deadline = time.monotonic() + 5
        while 'stray access' not in self.device.text() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertIn(f'{REGION + 200 * MIB:#x}', self.device.text())
        self.guest.touch(REGION + 300 * MIB, 8192)
        log = self.ends_well()
        self.assertIn(f'8192 bytes at {REGION + 300 * MIB:#x}', log)
        self.assertIn('12288 stray', log)

    def test_read_counts(self) -> None:
        self.assertEqual(self.guest.ram[REGION - vf.RAM_BASE], 0)
        self.assertEqual(self.qmp.get('x-stray-bytes'), 4096)

    def test_buffers_in_unplugged_memory(self) -> None:
        self.guest.descriptor(0, vf.RAM_BASE + vf.BUFFERS, 24, 1, 1)
        self.guest.descriptor(1, REGION, 10, 2)
        self.guest.publish(0)
        self.assertTrue(self.guest.await_used(1))
        self.assertEqual(self.guest.used_entry(0), (0, 0))
        self.assertEqual(self.qmp.get('x-violations')['bad-buffer'], 1)
        self.assertEqual(self.qmp.get('x-host-bytes'), 0)


class StrayBefore(Case):
    start = False

    def test_used_before_the_driver(self) -> None:
        self.guest.touch(REGION + 10 * MIB, 3 * 4096)
        self.guest.start()
        self.assertEqual((self.qmp.get('x-stray-bytes'), self.qmp.get('x-host-bytes')), (3 * 4096, 0))
        self.assertIn('before the driver started', self.device.text())


class Protocol(Case):
    start = False

    def test_changes_are_held_back(self) -> None:
        self.qmp.request(64 * MIB)
        self.assertFalse(self.guest.config_change(0.2))
        self.guest.start()
        self.assertTrue(self.guest.config_change())
        self.guest.stop()
        self.qmp.request(32 * MIB)
        self.qmp.request(16 * MIB)
        self.assertFalse(self.guest.config_change(0.2))
        self.guest.start(share=False)
        self.assertTrue(self.guest.config_change())
        self.assertFalse(self.guest.config_change(0.1))

    def test_reset_keeps_blocks(self) -> None:
        self.guest.start()
        self.qmp.request(64 * MIB)
        self.assertEqual(self.guest.request(PLUG, 4, 8), ACK)
        self.guest.touch(REGION + 8 * MIB)
        self.assertEqual(self.guest.stop(), 1)
        self.guest.start(share=False)
        self.assertEqual(self.guest.config()['plugged'], 16 * MIB)
        self.assertEqual(self.guest.state(4, 8), PLUGGED)
        self.assertEqual(self.guest.ram[REGION + 8 * MIB - vf.RAM_BASE], 1)
        self.guest.send(vf.RESET_DEVICE)
        self.assertEqual(self.guest.config()['plugged'], 16 * MIB)

    def test_mem_table(self) -> None:
        low = self.guest.region(size=128 * MIB)
        high = self.guest.region(REGION, GIB, vf.USER_BASE + 128 * MIB, 128 * MIB)
        table = struct.pack('<II', 2, 0) + low + high
        self.assertEqual(self.guest.tell(vf.SET_MEM_TABLE, table, (self.guest.fd, self.guest.fd)), 0)
        self.guest.start(share=False)
        self.qmp.request(64 * MIB)
        self.assertEqual(self.guest.request(PLUG, 0, 1), ACK)
        # Without the region's memory there is nothing to plug; afterwards there is again.
        self.assertEqual(self.guest.tell(vf.REM_MEM_REG, struct.pack('<Q', 0) + high), 0)
        self.assertEqual(self.guest.request(PLUG, 1, 1), BUSY)
        self.assertEqual(self.guest.tell(vf.ADD_MEM_REG, struct.pack('<Q', 0) + high, (self.guest.fd,)), 0)
        self.assertEqual(self.guest.request(PLUG, 1, 1), ACK)
        self.assertEqual(self.guest.state(0, 2), PLUGGED)

    def test_refuses_bad_regions(self) -> None:
        bad = (self.guest.region(size=self.guest.ram_size + 1), self.guest.region(gpa=2**64 - 4096), self.guest.region(user=2**64 - 1),
               self.guest.region(offset=2**63), self.guest.region(offset=4096))
        for region in bad:
            self.assertEqual(self.guest.tell(vf.ADD_MEM_REG, struct.pack('<Q', 0) + region, (self.guest.fd,)), 1)
        self.assertEqual(self.guest.tell(vf.ADD_MEM_REG, struct.pack('<Q', 0) + self.guest.region()), 1)
        self.assertEqual(self.guest.tell(vf.ADD_MEM_REG, b''), 1)
        self.assertEqual(self.guest.tell(vf.SET_MEM_TABLE, struct.pack('<II', 9, 0)), 1)
        self.assertEqual(self.guest.tell(vf.SET_MEM_TABLE, struct.pack('<II', 2, 0) + self.guest.region(), (self.guest.fd,)), 1)
        self.guest.start()
        self.assertEqual(self.guest.state(0, 1), UNPLUGGED)

    def test_refuses_bad_rings(self) -> None:
        for size in (0, 3, 2048, 2**31):
            self.assertEqual(self.guest.tell(vf.SET_VRING_NUM, struct.pack('<II', 0, size)), 1)
        self.assertEqual(self.guest.tell(vf.SET_VRING_NUM, struct.pack('<II', 1, 64)), 1)
        self.assertEqual(self.guest.tell(vf.SET_VRING_ADDR, b'1234'), 1)
        self.assertEqual(self.guest.tell(77), 1)
        self.assertEqual(self.guest.tell(vf.SET_FEATURES, struct.pack('<Q', 1 << 40)), 1)
        self.assertEqual(len(self.guest.ask(vf.GET_CONFIG, struct.pack('<III', 300, 8, 0))), 0)
        self.assertEqual(len(self.guest.ask(vf.GET_CONFIG, struct.pack('<III', 250, 8, 0) + bytes(8))), 0)
        self.assertEqual(self.guest.ask(vf.GET_CONFIG, struct.pack('<III', 8, 16, 0) + bytes(16))[20:], struct.pack('<Q', REGION))

    def test_writes_to_the_configuration_are_ignored(self) -> None:
        self.guest.start()
        self.guest.send(vf.SET_CONFIG, struct.pack('<III', 0, 8, 0) + bytes(8))
        self.assertEqual(self.guest.config()['block'], 2 * MIB)
        self.assertEqual(self.qmp.get('x-violations')['config-write'], 1)

    def test_needs_unplugged_inaccessible(self) -> None:
        self.guest.features = vf.F_PROTOCOL | vf.F_VERSION_1
        self.guest.start()
        self.qmp.request(64 * MIB)
        self.assertEqual(self.guest.request(PLUG, 0, 1), ERROR)
        self.assertEqual(self.qmp.get('x-violations')['features'], 1)

    def test_a_broken_ring_stays_broken_until_reset(self) -> None:
        self.guest.start()
        self.guest.publish(0x7777)
        self.guest.put(STATE, REGION, 1)
        self.assertFalse(self.guest.await_used(1, 0.2))
        self.assertEqual(self.qmp.get('x-violations')['bad-ring'], 1)
        self.guest.stop()
        self.guest.start(share=False)
        self.assertEqual(self.guest.state(0, 1), UNPLUGGED)

    def test_memory_not_shared(self) -> None:
        self.guest.start(share=False)
        self.guest.put(STATE, REGION, 1)
        self.assertFalse(self.guest.await_used(1, 0.2))
        self.assertIn('share=on', self.device.text())

    def test_garbage_ends_the_connection(self) -> None:
        self.guest.sock.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
        self.assertEqual(self.device.wait(), 0)
        self.assertIn('does not speak vhost-user', self.device.text())

    def test_message_in_pieces(self) -> None:
        for byte in struct.pack('<III', vf.GET_FEATURES, 1, 0):
            self.guest.sock.sendall(bytes([byte]))
            time.sleep(0.002)
        self.assertEqual(self.guest.receive()[0], vf.GET_FEATURES)

    def test_fuzzed_messages(self) -> None:
        """The device may refuse or hang up, but neither crash nor hang."""
        rng = random.Random(11)
        for _ in range(300):
            request = rng.choice((2, 3, 5, 8, 9, 10, 12, 13, 14, 16, 18, 21, 25, 34, 37, 38, 39, 99))
            payload = rng.randbytes(rng.choice((0, 4, 8, 12, 40, 40, 264)))
            if rng.random() < 0.3 and len(payload) >= 8:
                payload = struct.pack('<II', 0, rng.choice((0, 1, 64))) + payload[8:]
            fds = tuple(rng.choice((self.guest.fd, self.guest.kick, 0)) for _ in range(rng.randrange(0, 4)))
            self.guest.send(request, payload, fds)
        self.assertEqual(len(self.guest.ask(vf.GET_CONFIG, struct.pack('<III', 0, 56, 0) + bytes(56))), 68)
        self.ends_well()


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
                         {'id': 'vm0', 'memaddr': REGION, 'requested-size': 8 * MIB, 'size': 0, 'max-size': GIB, 'block-size': 2 * MIB})
        self.assertIn('package', q.execute('query-version'))

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
        self.assertEqual(q.sock.recv(1), b'')
        self.assertEqual(self.qmp.get('size'), 0)

    def test_many_clients(self) -> None:
        clients = [Qmp(self.device.path / 'c') for _ in range(15)]
        for number, client in enumerate(clients):
            client.request(2 * MIB * number)
        self.assertEqual(self.qmp.get('requested-size'), 28 * MIB)
        late = socket.socket(socket.AF_UNIX)
        late.settimeout(vf.LIMIT_S)
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
        for block in range(8):
            self.assertEqual(self.guest.request(PLUG, block), ACK)
        first = self.qmp.event()
        self.assertEqual(first['event'], 'MEMORY_DEVICE_SIZE_CHANGE')
        self.assertEqual(first['data'], {'id': 'vm0', 'size': 2 * MIB, 'qom-path': '/vm0'})
        self.assertIn('seconds', first['timestamp'])
        self.assertEqual(self.qmp.event()['data']['size'], 16 * MIB)
        self.assertIsNone(self.qmp.event(1.3))

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
        q.execute('x-inject', kind='delay', ms=300)
        begun = time.monotonic()
        self.guest.put(STATE, REGION, 1, 0)
        self.guest.put(STATE, REGION, 0, 1)
        self.assertEqual(q.get('size'), 0)
        self.assertLess(time.monotonic() - begun, 0.3)
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
        time.sleep(0.3)
        self.assertEqual(self.guest.used(), 0)
        self.assertEqual(self.guest.state(0, 1), UNPLUGGED)

    def test_spurious_config(self) -> None:
        self.qmp.execute('x-inject', kind='spurious-config', count=3)
        for _ in range(3):
            self.assertTrue(self.guest.config_change())
        self.assertFalse(self.guest.config_change(0.1))


class Watch(Case):
    options = ('--qmp', 'q')
    start = False

    def serve(self, path: str = 'q') -> socket.socket:
        """QEMU's QMP, up to its answer to qmp_capabilities; returns the connection."""
        server = socket.socket(socket.AF_UNIX)
        self.addCleanup(server.close)
        server.bind(str(self.device.path / path))
        server.listen(1)
        server.settimeout(vf.LIMIT_S)
        connection = server.accept()[0]
        self.addCleanup(connection.close)
        connection.settimeout(vf.LIMIT_S)
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
            return subprocess.run([PROGRAM, *common, *options], cwd=where, capture_output=True, text=True, timeout=20, check=False)

    @unittest.skipUnless(os.access(PROGRAM, os.X_OK), 'the device is not built')
    def setUp(self) -> None:
        pass

    def test_bad_options(self) -> None:
        for options in (('--block', '3M'), ('--size', '1000001'), ('--addr', '0x88000001'), ('--size', '0'), ('--requested', '1M'),
                        ('--requested', '2G'), ('--addr', 'x'), ('--size', '1Q'), ('--nonsense', '1'), ('word',),
                        ('--id', 'a/b'), ('--faults', 'x'), ('--addr', '0xffffffffffe00000', '--size', '4M'),
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

    def test_signals_and_stale_sockets(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            device = Device(PROGRAM)
            self.addCleanup(device.close)
            device.process.send_signal(number)
            self.assertEqual(device.wait(), 0)
            self.assertEqual(sorted(p.name for p in device.path.iterdir()), ['log'])
        device = Device(PROGRAM)
        self.addCleanup(device.close)
        command = [PROGRAM, '--socket', 's', '--ctl', 'c', '--addr', '0', '--size', '2M']
        second = subprocess.run(command, cwd=device.path, capture_output=True, text=True, timeout=20, check=False)
        self.assertIn('another process is listening', second.stderr)
        self.assertEqual(device.qmp.get('size'), 0)
        device.process.kill()
        device.process.wait()
        self.assertTrue((device.path / 's').exists())
        third = subprocess.run(command + ['--wait', '1'], cwd=device.path, capture_output=True, text=True, timeout=20, check=False)
        self.assertIn('did not connect', third.stderr)


class Client(Case):
    """tools/ebb-ctl, with a driver that this test plays."""

    def setUp(self) -> None:
        super().setUp()
        run = self.device.path / 'run'
        run.mkdir()
        (run / 'vm0.ctl').symlink_to(self.device.path / 'c')
        self.run_dir = str(run)

    def ctl(self, *words: str) -> subprocess.Popen:
        return subprocess.Popen([sys.executable, CTL, '--run', self.run_dir, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True)

    def done(self, process: subprocess.Popen) -> tuple[int, str, str]:
        out, err = process.communicate(timeout=30)
        return process.returncode, out, err

    def test_resize(self) -> None:
        process = self.ctl('resize', '64M')
        self.assertTrue(self.guest.config_change())
        time.sleep(1.2)
        self.guest.request(PLUG, 0, 16)
        time.sleep(0.2)
        self.guest.request(PLUG, 16, 16)
        status, out, err = self.done(process)
        self.assertEqual((status, err), (0, ''))
        self.assertIn('plugged 0 of 64M requested (0%)', out)
        self.assertIn('vm0: plugged 64M, as requested', out)

    def test_resize_reached_from_below(self) -> None:
        self.device.close()
        self.device = Device(PROGRAM, block=MIB)
        self.addCleanup(self.device.close)
        (Path(self.run_dir)).mkdir(parents=True)
        (Path(self.run_dir) / 'vm0.ctl').symlink_to(self.device.path / 'c')
        guest = self.connect()
        guest.start()
        process = self.ctl('resize', '5M')
        self.assertTrue(guest.config_change())
        guest.request(PLUG, 0, 4, MIB)
        status, out, _ = self.done(process)
        self.assertEqual(status, 0)
        self.assertIn('2M at a time', out)

    def test_resize_gives_up_with_a_reason(self) -> None:
        self.qmp.execute('x-inject', kind='busy', count=1)
        process = self.ctl('resize', '--patience', '1', '64M')
        self.assertTrue(self.guest.config_change())
        self.assertEqual(self.guest.request(PLUG, 0, 1), BUSY)
        status, _, err = self.done(process)
        self.assertEqual(status, 0 if 'BUSY' not in err else 1)
        status, _, err = self.done(self.ctl('resize', '--patience', '1', '62M'))
        self.assertEqual((status, err.count('\n')), (1, 1))
        self.guest.stop()
        status, _, err = self.done(self.ctl('resize', '--patience', '1', '60M'))
        self.assertIn('no driver', err)

    def test_resize_refuses(self) -> None:
        for words in (('1M',), ('2G',), ('2M', '--dev', 'vm7')):
            status, _, err = self.done(self.ctl('resize', *words))
            self.assertEqual((status, err.count('\n')), (1, 1), err)
        self.assertEqual(self.qmp.get('requested-size'), 0)
        self.assertEqual(self.done(self.ctl('resize', '12Q'))[0], 2)

    def test_status(self) -> None:
        self.qmp.request(64 * MIB)
        self.guest.request(PLUG, 0, 8)
        self.guest.touch(REGION, 2 * MIB)
        status, out, _ = self.done(self.ctl('status'))
        self.assertEqual(status, 0)
        self.assertEqual(out.splitlines()[1].split(), ['vm0', '64M', '16M', '2M', '0', '2M', '0x88000000+1G'])
        status, out, _ = self.done(self.ctl('status', '--json'))
        self.assertIn('"host": 2097152', out)

    def test_no_machine(self) -> None:
        self.device.process.kill()
        self.device.process.wait()
        status, _, err = self.done(self.ctl('status'))
        self.assertEqual((status, err.count('\n')), (1, 1), err)


if __name__ == '__main__':
    unittest.main()
