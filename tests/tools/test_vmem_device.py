# SPDX-License-Identifier: BSD-2-Clause
"""The memory device as a process: the protocol, requests, and the ownership of memory."""

from __future__ import annotations

import fcntl
import os
import random
import re
import struct
import time

import vmem_frontend as vf
from patience import until
from vmem_case import GIB, SEED, Case
from vmem_frontend import (ACK, BUSY, ERROR, MIB, MIXED, NACK, PLUG, PLUGGED, REGION, STATE, UNPLUG, UNPLUG_ALL, UNPLUGGED,
                           Frontend)


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
        self.assertTrue(self.guest.config_change())
        self.assertEqual(self.guest.config()['requested'], 512 * MIB)
        self.assertEqual(self.guest.config()['usable'], 768 * MIB)
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
        rng, plugged = random.Random(SEED), set()
        for _ in range(40):
            want = rng.randrange(0, 257)
            if want * 2 * MIB != self.qmp.get('requested-size'):
                self.qmp.request(want * 2 * MIB)
                self.assertTrue(self.guest.config_change())
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


class OneCopy(Case):
    """A driver never sees two sizes in the same generation. The generation rises when QEMU takes a notification."""

    def test_new_sizes_come_with_the_notification(self) -> None:
        self.qmp.request(256 * MIB)
        for _ in range(3):
            self.assertEqual((self.guest.config()['requested'], self.guest.config()['usable']), (0, 256 * MIB))
        self.assertFalse(self.qmp.get('x-config-unread'))
        self.assertTrue(self.guest.config_change())
        self.assertTrue(self.qmp.get('x-config-unread'))
        self.assertEqual((self.guest.config()['requested'], self.guest.config()['usable']), (256 * MIB, 512 * MIB))
        self.assertFalse(self.qmp.get('x-config-unread'))

    def test_half_by_half(self) -> None:
        """Read like QEMU: each half of a field is a request, and notifications are taken between any two."""
        rng, torn, passes, generation = random.Random(7), 0, 0, 0
        sizes = (512 * MIB, 512 * MIB - 2 * MIB)
        self.qmp.request(sizes[0])
        self.assertTrue(self.guest.config_change())

        def meanwhile() -> int:
            if rng.random() < 0.4:
                self.qmp.request(sizes[rng.randrange(2)])
            return int(rng.random() < 0.4 and self.guest.config_change(0))
        for _ in range(2000):
            before = generation
            low = self.guest.config()['requested'] & 0x0FFFFFFF
            generation += meanwhile()
            high = self.guest.config()['requested'] & ~0x0FFFFFFF
            generation += meanwhile()
            if generation == before:
                passes += 1
                torn += low | high not in sizes
        self.assertGreater(passes, 100)
        self.assertEqual(torn, 0)

    def test_not_across_a_pause(self) -> None:
        self.qmp.request(256 * MIB)
        self.assertTrue(self.guest.config_change())
        base = self.guest.stop()
        self.qmp.request(64 * MIB)
        self.assertEqual(self.guest.config()['requested'], 256 * MIB)
        self.guest.resume(base)
        self.assertEqual(self.guest.config()['requested'], 256 * MIB)
        self.assertTrue(self.guest.config_change())
        self.assertEqual(self.guest.config()['requested'], 64 * MIB)

    def test_unplug_all_shrinks_the_usable_region_at_once(self) -> None:
        self.qmp.request(512 * MIB)
        self.assertTrue(self.guest.config_change())
        self.assertEqual(self.guest.config()['requested'], 512 * MIB)
        self.qmp.request(0)
        self.assertEqual(self.guest.request(UNPLUG_ALL), ACK)
        self.assertEqual(self.guest.config()['usable'], 768 * MIB)
        self.assertTrue(self.guest.config_change())
        self.assertEqual(self.guest.request(UNPLUG_ALL), ACK)
        self.assertEqual((self.guest.config()['requested'], self.guest.config()['usable']), (0, 256 * MIB))

    def test_a_notification_that_comes_too_late(self) -> None:
        """QEMU crashes on a notification that it takes after it has stopped the ring, so the device must send none then."""
        for _ in range(20):
            self.qmp.request(64 * MIB)
            base = self.guest.stop()
            self.assertFalse(self.guest.config_change())
            self.guest.resume(base)
            self.assertTrue(self.guest.config_change())
            self.qmp.request(32 * MIB)
            self.assertTrue(self.guest.config_change())

    def test_stopped_and_started_before_it_is_read(self) -> None:
        self.qmp.request(64 * MIB)
        self.guest.resume(self.guest.stop())
        self.assertTrue(self.guest.config_change())
        self.assertEqual(self.guest.config()['requested'], 64 * MIB)

    def test_without_answers(self) -> None:
        self.guest.send(vf.SET_PROTOCOL_FEATURES, struct.pack('<Q', self.guest.protocol & ~8))
        self.qmp.request(64 * MIB)
        self.assertTrue(self.guest.config_change())
        self.qmp.get('size')
        self.assertEqual(self.guest.config()['requested'], 64 * MIB)


class Pause(Case):
    """QEMU stops the ring for a while; an unanswered request is not lost, and not answered twice."""

    def hold(self, ms: int, requests: int = 1) -> None:
        self.qmp.request(256 * MIB)
        self.qmp.execute('x-inject', kind='delay', ms=ms)
        for slot in range(requests):
            self.guest.put(PLUG, REGION + slot * 2 * MIB, 1, slot)
        while self.qmp.get('x-unanswered') != 1:
            time.sleep(0.005)

    def test_held_request(self) -> None:
        self.hold(600000)
        base = self.guest.stop()
        self.assertEqual(base, 0)
        self.assertEqual((self.qmp.get('x-unanswered'), self.qmp.get('size'), self.guest.used()), (0, 0, 0))
        self.guest.resume(base)
        self.assertTrue(self.guest.await_used(1))
        self.assertEqual((self.guest.response()[0], self.qmp.get('size'), self.qmp.get('x-requests')), (ACK, 2 * MIB, 1))

    def test_many_behind_the_held_one(self) -> None:
        self.assertEqual(self.guest.state(0, 1), UNPLUGGED)
        self.hold(600000, 5)
        for _ in range(10):
            self.qmp.execute('x-inject', kind='delay', ms=600000)
            base = self.guest.stop()
            self.assertEqual(base, 1)
            self.guest.resume(base)
            while self.qmp.get('x-faults-pending'):
                time.sleep(0.005)
        self.guest.resume(self.guest.stop())
        self.assertTrue(self.guest.await_used(6))
        self.assertEqual([self.guest.response(slot)[0] for slot in range(5)], [ACK] * 5)
        self.assertEqual([self.guest.used_entry(1 + i)[0] for i in range(5)], [0, 2, 4, 6, 8])
        self.assertEqual((self.qmp.get('size'), self.qmp.get('x-requests')), (10 * MIB, 6))

    def test_time_is_up_during_the_pause(self) -> None:
        self.hold(50)
        self.guest.send(vf.SET_VRING_ENABLE, struct.pack('<II', 0, 0))
        self.qmp.get('size')
        time.sleep(0.1)
        self.assertEqual((self.guest.used(), self.qmp.get('size')), (0, 0))
        self.assertEqual(self.guest.tell(vf.SET_VRING_ENABLE, struct.pack('<II', 0, 1)), 0)
        self.assertTrue(self.guest.await_used(1))
        self.assertEqual(self.guest.response()[0], ACK)

    def test_a_new_kick_descriptor(self) -> None:
        self.hold(600000)
        self.guest.send(vf.SET_VRING_KICK, struct.pack('<Q', 0), (self.guest.kick,))
        self.assertTrue(self.guest.await_used(1))
        self.assertEqual(self.guest.response()[0], ACK)

    def test_reset_forgets(self) -> None:
        self.hold(100)
        self.guest.stop()
        self.guest.start(share=False)
        # This request's delay ends when the forgotten request's delay would have ended.
        self.qmp.execute('x-inject', kind='delay', ms=100)
        self.assertEqual(self.guest.request(PLUG, 1), ACK)
        self.assertEqual((self.guest.used(), self.qmp.get('size')), (1, 2 * MIB))
        self.assertEqual(self.qmp.get('x-requests'), 1)

    def test_dropped_stays_dropped(self) -> None:
        self.qmp.request(256 * MIB)
        self.qmp.execute('x-inject', kind='drop')
        self.guest.put(PLUG, REGION, 1, 0)
        self.guest.put(PLUG, REGION + 2 * MIB, 1, 1)
        self.assertTrue(self.guest.await_used(1))
        self.assertEqual(self.qmp.get('x-unanswered'), 1)
        base = self.guest.stop()
        self.assertEqual(base, 2)
        self.guest.resume(base)
        self.guest.put(STATE, REGION, 1, 2)
        self.assertTrue(self.guest.await_used(2))
        self.assertEqual((self.guest.used_entry(1)[0], self.qmp.get('size')), (4, 2 * MIB))


class EventIndex(Requests):
    """The tests of Requests with indirect descriptors and event index accepted."""

    def connect(self, **options) -> Frontend:
        return super().connect(features=vf.PLAIN_FEATURES | vf.F_EVENT_IDX | vf.F_INDIRECT, **options)

    def test_event_index_suppresses_calls(self) -> None:
        self.guest.state(0, 1)
        self.qmp.get('size')
        self.guest.drain(self.guest.call)
        self.guest.wants_calls = False
        struct.pack_into('<H', self.guest.ram, vf.USED_EVENT, 3)
        for slot in range(4):
            self.guest.put(STATE, REGION, 1, slot)
            self.assertTrue(until(lambda: self.guest.used() == self.guest.next, vf.LIMIT_S))
            self.qmp.get('size')    # by now the device has handled the kick
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
        # The page was discarded when it was counted; the total stays.
        self.assertEqual((self.qmp.get('x-stray-bytes'), self.qmp.get('x-host-bytes')), (4096, 0))
        self.assertEqual(self.guest.request(PLUG, 50, 1), ACK)
        self.assertEqual(self.guest.ram[REGION + 100 * MIB - vf.RAM_BASE], 0)
        self.assertIn(f'stray access: 4096 bytes were written, the first at {REGION + 100 * MIB:#x}', self.device.text())

    def test_found_at_unplug_and_at_the_end(self) -> None:
        self.qmp.request(8 * MIB)
        self.assertEqual(self.guest.request(PLUG, 0, 2), ACK)
        self.guest.touch(REGION + 200 * MIB)
        self.assertEqual(self.guest.request(UNPLUG, 0, 1), ACK)
        self.assertTrue(until(lambda: 'stray access' in self.device.text(), vf.LIMIT_S))
        self.assertIn(f'{REGION + 200 * MIB:#x}', self.device.text())
        self.guest.touch(REGION + 300 * MIB, 8192)
        log = self.ends_well()
        self.assertIn(f'8192 bytes were written, the first at {REGION + 300 * MIB:#x}', log)
        self.assertIn('12288 stray, 0 touched', log)

    def test_reads_are_told_apart(self) -> None:
        self.assertEqual(self.guest.ram[REGION - vf.RAM_BASE], 0)
        self.assertEqual((self.qmp.get('x-stray-bytes'), self.qmp.get('x-touched-bytes')), (0, 4096))
        self.assertEqual((self.qmp.get('x-host-bytes'), self.qmp.get('x-violations')['total']), (0, 0))
        self.guest.ram[REGION + 8 * MIB - vf.RAM_BASE] = 0     # written zeros look the same
        self.guest.touch(REGION + 8 * MIB + 4096)
        self.assertEqual((self.qmp.get('x-touched-bytes'), self.qmp.get('x-stray-bytes')), (8192, 4096))
        self.assertEqual(self.qmp.get('x-violations')['stray-access'], 1)
        self.assertIn(f'touched: 4096 bytes at {REGION:#x}', self.device.text())
        self.assertIn('4096 stray, 8192 touched', self.ends_well())

    def test_a_whole_dump(self) -> None:
        self.qmp.request(64 * MIB)
        self.assertEqual(self.guest.request(PLUG, 1, 2), ACK)
        self.guest.touch(REGION + 2 * MIB)
        for at in range(REGION - vf.RAM_BASE, REGION - vf.RAM_BASE + 32 * MIB, 4096):
            self.assertLessEqual(self.guest.ram[at], 1)
        self.assertEqual(self.qmp.get('x-host-bytes'), 32 * MIB)
        self.assertEqual((self.qmp.get('x-stray-bytes'), self.qmp.get('x-touched-bytes')), (0, 28 * MIB))
        self.assertEqual(self.qmp.get('x-host-bytes'), 4 * MIB)     # plugged blocks are left alone
        self.assertEqual(self.guest.ram[REGION + 2 * MIB - vf.RAM_BASE], 1)

    def test_buffers_in_unplugged_memory(self) -> None:
        self.guest.descriptor(0, vf.RAM_BASE + vf.BUFFERS, 24, 1, 1)
        self.guest.descriptor(1, REGION, 10, 2)
        self.guest.publish(0)
        self.assertTrue(self.guest.await_used(1))
        self.assertEqual(self.guest.used_entry(0), (0, 0))
        self.assertEqual(self.qmp.get('x-violations')['bad-buffer'], 1)
        self.assertEqual(self.qmp.get('x-host-bytes'), 0)


class StrayFarAway(Case):
    size = 4 * GIB
    start = False

    def connect(self, **options) -> Frontend:
        return super().connect(ram=128 * MIB + 4 * GIB, **options)

    def test_scans_go_round(self) -> None:
        """After an unplug the device scans a part of the region, and each part has its turn."""
        self.guest.start()
        self.qmp.request(64 * MIB)
        self.guest.touch(REGION + 3 * GIB)
        self.guest.touch(REGION + 64 * MIB)
        for _ in range(2000):
            self.assertEqual(self.guest.request(PLUG, 0, 1), ACK)
            self.assertEqual(self.guest.request(UNPLUG, 0, 1), ACK)
            if (text := self.device.text()).count('stray access') == 2:
                break
        self.assertIn(f'{REGION + 3 * GIB:#x}', text)
        self.assertIn(f'{REGION + 64 * MIB:#x}', text)


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
        # Nothing can be plugged while the region's memory is missing.
        self.assertEqual(self.guest.tell(vf.REM_MEM_REG, struct.pack('<Q', 0) + high), 0)
        self.assertEqual(self.guest.request(PLUG, 1, 1), BUSY)
        self.assertEqual(self.guest.tell(vf.ADD_MEM_REG, struct.pack('<Q', 0) + high, (self.guest.fd,)), 0)
        self.assertEqual(self.guest.request(PLUG, 1, 1), ACK)
        self.assertEqual(self.guest.state(0, 2), PLUGGED)

    def test_refuses_bad_regions(self) -> None:
        bad = (self.guest.region(size=self.guest.ram_size + 1), self.guest.region(gpa=2**64 - 4096),
               self.guest.region(user=2**64 - 1), self.guest.region(offset=2**63), self.guest.region(offset=4096))
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

    def test_lines_that_the_outside_causes_are_bounded(self) -> None:
        """Each kind of complaint is logged a few times, however often its cause occurs."""
        self.guest.start()
        good, bad = self.guest.features, vf.F_PROTOCOL | vf.F_VERSION_1
        for _ in range(100):
            self.guest.tell(vf.SET_FEATURES, struct.pack('<Q', bad))
            self.guest.tell(vf.SET_FEATURES, struct.pack('<Q', 1 << 40))
            self.guest.tell(vf.SET_VRING_NUM, struct.pack('<II', 0, 3))
            self.guest.tell(vf.SET_VRING_NUM, struct.pack('<II', 1, 4))
            self.guest.tell(vf.SET_MEM_TABLE, struct.pack('<II', 9, 0))
            self.guest.tell(vf.ADD_MEM_REG, struct.pack('<Q', 0) + self.guest.region(size=0), (self.guest.fd,))
            self.guest.tell(vf.REM_MEM_REG, struct.pack('<Q', 0) + self.guest.region(size=1))
            self.guest.tell(77)
            self.guest.tell(vf.SET_VRING_ADDR, b'1234')
            self.guest.tell(vf.SET_VRING_KICK, struct.pack('<Q', 256))
        self.guest.tell(vf.SET_FEATURES, struct.pack('<Q', good))
        self.guest.tell(vf.REM_MEM_REG, struct.pack('<Q', 0) + self.guest.region())
        for _ in range(100):
            self.guest.resume(self.guest.stop())        # all of the region is missing each time
        lines = self.device.text().splitlines()
        kinds = [re.sub(r'[0-9]\w*', 'N', line.split(' (further')[0]) for line in lines]
        for kind in set(kinds):
            self.assertLessEqual(kinds.count(kind), 20, kind)
        self.assertGreater(len(set(kinds)), 8)

    def test_descriptors_that_would_block(self) -> None:
        """A full counter or pipe as the call descriptor does not stop the device."""
        self.guest.start()
        full = os.eventfd(0)
        os.eventfd_write(full, 2**64 - 2)
        ends = os.pipe()
        for fd in (full, *ends):
            self.addCleanup(os.close, fd)
        fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, 4096)
        os.write(ends[1], bytes(4096))
        for count, call in enumerate((full, ends[1]), 1):
            self.guest.send(vf.SET_VRING_CALL, struct.pack('<Q', 0), (call,))
            self.guest.put(STATE, REGION, 1)
            while self.qmp.get('x-requests') < count:
                time.sleep(0.005)
        self.guest.send(vf.SET_VRING_CALL, struct.pack('<Q', 0), (self.guest.call,))
        self.assertEqual(self.guest.state(0, 1), UNPLUGGED)

    def test_fuzzed_messages(self) -> None:
        """The device may refuse or hang up, but neither crash nor hang."""
        rng = random.Random(SEED)
        for _ in range(300):
            request = rng.choice((2, 3, 5, 8, 9, 10, 12, 13, 14, 16, 18, 21, 25, 34, 37, 38, 39, 99))
            payload = rng.randbytes(rng.choice((0, 4, 8, 12, 40, 40, 264)))
            if rng.random() < 0.3 and len(payload) >= 8:
                payload = struct.pack('<II', 0, rng.choice((0, 1, 64))) + payload[8:]
            fds = tuple(rng.choice((self.guest.fd, self.guest.kick, 0)) for _ in range(rng.randrange(0, 4)))
            self.guest.send(request, payload, fds)
        self.assertEqual(len(self.guest.ask(vf.GET_CONFIG, struct.pack('<III', 0, 56, 0) + bytes(56))), 68)
        self.ends_well()
