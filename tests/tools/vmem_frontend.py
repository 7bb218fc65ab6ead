# SPDX-License-Identifier: BSD-2-Clause
"""Plays QEMU and the guest's driver for ebb-vmem: a vhost-user front-end with its own memory file."""

from __future__ import annotations

import json
import mmap
import os
import select
import socket
import struct
import subprocess
import tempfile
from pathlib import Path

from patience import Deadline, ended, limit, until

MIB = 1 << 20
RAM_BASE = 0x80000000
USER_BASE = 0x7F0000000000
REGION = 0x88000000
RING_SIZE = 64
DESC, AVAIL, USED, BUFFERS = 0x1000, 0x2000, 0x3000, 0x4000   # offsets in RAM
USED_EVENT = AVAIL + 4 + 2 * RING_SIZE

PLUG, UNPLUG, UNPLUG_ALL, STATE = range(4)
ACK, NACK, BUSY, ERROR = range(4)
PLUGGED, UNPLUGGED, MIXED = range(3)

(GET_FEATURES, SET_FEATURES, SET_OWNER, SET_MEM_TABLE, SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE,
 SET_VRING_KICK, SET_VRING_CALL, GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES, GET_QUEUE_NUM, SET_VRING_ENABLE,
 SET_BACKEND_REQ_FD, GET_CONFIG, SET_CONFIG, RESET_DEVICE, GET_MAX_MEM_SLOTS, ADD_MEM_REG, REM_MEM_REG, SET_STATUS,
 GET_STATUS) = (1, 2, 3, 5, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18, 21, 24, 25, 34, 36, 37, 38, 39, 40)
CONFIG_CHANGE = 2

F_INACCESSIBLE, F_INDIRECT, F_EVENT_IDX, F_PROTOCOL, F_VERSION_1 = 1 << 1, 1 << 28, 1 << 29, 1 << 30, 1 << 32
PLAIN_FEATURES = F_INACCESSIBLE | F_PROTOCOL | F_VERSION_1
LIMIT_S = 20.0      # on an idle machine, like all limits here


class Qmp:
    """A client of a QMP socket."""

    def __init__(self, path: Path, negotiate: bool = True):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(limit(LIMIT_S))
        self.sock.connect(str(path))
        self.file = self.sock.makefile('rb')
        self.events: list[dict] = []
        self.greeting = self.read()
        if negotiate:
            self.execute('qmp_capabilities')

    def read(self) -> dict:
        return json.loads(self.file.readline())

    def answer(self) -> dict:
        while 'event' in (message := self.read()):
            self.events.append(message)
        return message

    def ask(self, command: str, **arguments) -> dict:
        self.sock.sendall(json.dumps({'execute': command, 'arguments': arguments}).encode())
        return self.answer()

    def execute(self, command: str, **arguments):
        answer = self.ask(command, **arguments)
        if 'error' in answer:
            raise AssertionError(f'{command}: {answer}')
        return answer['return']

    def get(self, name: str):
        return self.execute('qom-get', path='/vm0', property=name)

    def request(self, size: int) -> None:
        self.execute('qom-set', path='/vm0', property='requested-size', value=size)

    def event(self, seconds: float = LIMIT_S) -> dict | None:
        """Return the next event, or None if none arrives in time."""
        if self.events:
            return self.events.pop(0)
        self.sock.settimeout(limit(seconds))
        try:
            return self.read()
        except TimeoutError:
            return None
        finally:
            self.sock.settimeout(limit(LIMIT_S))

    def close(self) -> None:
        self.file.close()
        self.sock.close()


class Device:
    """An ebb-vmem process in its own directory."""

    def __init__(self, program: str, *options: str, size: int = 1024 * MIB, block: int = 2 * MIB, umask: int = -1):
        self.dir = tempfile.TemporaryDirectory(prefix='ebb-vmem-')
        self.path = Path(self.dir.name)
        self.log = open(self.path / 'log', 'w+', encoding='utf-8')
        self.process = subprocess.Popen(
            [program, '--socket', 's', '--ctl', 'c', '--addr', hex(REGION), '--size', str(size), '--block', str(block), *options],
            cwd=self.path, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, umask=umask)
        self.await_path('s')
        self.await_path('c')
        self.qmp = Qmp(self.path / 'c')

    def await_path(self, name: str) -> None:
        until(lambda: (self.path / name).exists() or self.process.poll() is not None, LIMIT_S)
        if not (self.path / name).exists():
            raise AssertionError(f'the device did not come up: {self.text()}')

    def text(self) -> str:
        return (self.path / 'log').read_text(encoding='utf-8')

    def wait(self) -> int:
        return ended(self.process, LIMIT_S)

    def close(self) -> None:
        self.qmp.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.log.close()
        self.dir.cleanup()


class Frontend:
    """QEMU's side of the socket, and the driver's side of the ring."""

    def __init__(self, path: Path, ram: int = 128 * MIB + 1024 * MIB, features: int = PLAIN_FEATURES):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(limit(LIMIT_S))
        self.sock.connect(str(path))
        self.ram_size = ram
        self.features = features
        self.fd = os.memfd_create('ram')
        os.ftruncate(self.fd, ram)
        self.ram = mmap.mmap(self.fd, ram)
        self.backend, theirs = socket.socketpair()
        self.backend.settimeout(limit(LIMIT_S))
        self.kick = os.eventfd(0, os.EFD_NONBLOCK)
        self.call = os.eventfd(0, os.EFD_NONBLOCK)
        self.next = 0
        self.wants_calls = True     # with event index: a call for each request
        self._negotiate(theirs)
        theirs.close()

    # --- messages -------------------------------------------------------------------------------------------------

    def send(self, request: int, payload: bytes = b'', fds: tuple[int, ...] = (), flags: int = 1) -> None:
        socket.send_fds(self.sock, [struct.pack('<III', request, flags, len(payload)) + payload], list(fds))

    def receive(self) -> tuple[int, bytes]:
        request, _, size = struct.unpack('<III', self._exactly(12))
        return request, self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        data = b''
        while len(data) < size:
            part = self.sock.recv(size - len(data))
            if not part:
                raise EOFError('the device closed the connection')
            data += part
        return data

    def ask(self, request: int, payload: bytes = b'') -> bytes:
        """Send a request that has a reply."""
        self.send(request, payload)
        got, data = self.receive()
        assert got == request, (got, request)
        return data

    def ask_u64(self, request: int, payload: bytes = b'') -> int:
        return struct.unpack('<Q', self.ask(request, payload))[0]

    def tell(self, request: int, payload: bytes = b'', fds: tuple[int, ...] = ()) -> int:
        """Send a request and ask for an acknowledgement: 0 is success."""
        self.send(request, payload, fds, 9)
        return struct.unpack('<Q', self.receive()[1])[0]

    def _negotiate(self, theirs: socket.socket) -> None:
        self.offered = self.ask_u64(GET_FEATURES)
        self.protocol = self.ask_u64(GET_PROTOCOL_FEATURES)
        self.send(SET_PROTOCOL_FEATURES, struct.pack('<Q', self.protocol))
        self.send(SET_OWNER)
        self.send(SET_BACKEND_REQ_FD, fds=(theirs.fileno(),))

    # --- set-up ---------------------------------------------------------------------------------------------------

    def region(self, gpa: int = RAM_BASE, size: int | None = None, user: int = USER_BASE, offset: int = 0) -> bytes:
        return struct.pack('<QQQQ', gpa, size or self.ram_size, user, offset)

    def share(self) -> None:
        assert self.tell(ADD_MEM_REG, struct.pack('<Q', 0) + self.region(), (self.fd,)) == 0

    def start(self, share: bool = True, base: int = 0) -> None:
        """Send what QEMU sends after a driver's DRIVER_OK."""
        self.send(SET_FEATURES, struct.pack('<Q', self.features))
        if share:
            self.share()
        self.ram[DESC:BUFFERS] = bytes(BUFFERS - DESC)
        struct.pack_into('<H', self.ram, AVAIL + 2, base)
        struct.pack_into('<H', self.ram, USED + 2, base)
        self.next = base
        self.resume(base)
        self.drain(self.call)

    def resume(self, base: int) -> None:
        """Send what QEMU sends at the end of a pause: like start(), with the ring as it was."""
        self.send(SET_VRING_NUM, struct.pack('<II', 0, RING_SIZE))
        self.send(SET_VRING_BASE, struct.pack('<II', 0, base))
        self.send(SET_VRING_ADDR, struct.pack('<IIQQQQ', 0, 0, USER_BASE + DESC, USER_BASE + USED, USER_BASE + AVAIL, 0))
        self.send(SET_VRING_KICK, struct.pack('<Q', 0), (self.kick,))
        self.send(SET_VRING_CALL, struct.pack('<Q', 0), (self.call,))
        self.send(SET_STATUS, struct.pack('<Q', 7))
        assert self.tell(SET_VRING_ENABLE, struct.pack('<II', 0, 1)) == 0

    def stop(self) -> int:
        """Send what QEMU sends at a device reset or a pause; return the ring's index."""
        self.send(SET_VRING_ENABLE, struct.pack('<II', 0, 0))
        base = struct.unpack('<II', self.ask(GET_VRING_BASE, struct.pack('<II', 0, 0)))[1]
        self.send(SET_STATUS, struct.pack('<Q', 0))
        return base

    def config(self) -> dict[str, int]:
        data = self.ask(GET_CONFIG, struct.pack('<III', 0, 56, 0) + bytes(56))
        fields = struct.unpack('<QH6xQQQQQ', data[12:])
        return dict(zip(('block', 'node', 'addr', 'region', 'usable', 'plugged', 'requested'), fields))

    # --- requests -------------------------------------------------------------------------------------------------

    @staticmethod
    def drain(fd: int) -> int:
        try:
            return os.eventfd_read(fd)
        except BlockingIOError:
            return 0

    def descriptor(self, number: int, addr: int, size: int, flags: int, link: int = 0) -> None:
        struct.pack_into('<QIHH', self.ram, DESC + 16 * number, addr, size, flags, link)

    def publish(self, head: int, kick: bool = True) -> None:
        struct.pack_into('<H', self.ram, AVAIL + 4 + 2 * (self.next % RING_SIZE), head)
        if self.features & F_EVENT_IDX and self.wants_calls:
            struct.pack_into('<H', self.ram, USED_EVENT, self.next)
        self.next = (self.next + 1) & 0xFFFF
        struct.pack_into('<H', self.ram, AVAIL + 2, self.next)
        if kick:
            os.eventfd_write(self.kick, 1)

    def put(self, kind: int, addr: int = 0, blocks: int = 0, slot: int = 0, kick: bool = True) -> None:
        """Queue a request in descriptors 2 * slot and 2 * slot + 1."""
        at = BUFFERS + 64 * slot
        self.ram[at:at + 24] = struct.pack('<H6xQH6x', kind, addr, blocks)
        self.ram[at + 32:at + 42] = b'\xaa' * 10
        self.descriptor(2 * slot, RAM_BASE + at, 24, 1, 2 * slot + 1)
        self.descriptor(2 * slot + 1, RAM_BASE + at + 32, 10, 2)
        self.publish(2 * slot, kick)

    def used(self) -> int:
        return struct.unpack_from('<H', self.ram, USED + 2)[0]

    def used_entry(self, index: int) -> tuple[int, int]:
        return struct.unpack_from('<II', self.ram, USED + 4 + 8 * (index % RING_SIZE))

    def await_used(self, index: int, seconds: float = LIMIT_S) -> bool:
        """Wait for the device's calls until the used index has this value."""
        deadline = Deadline(seconds)
        while self.used() != index & 0xFFFF:
            if deadline.over():
                return False
            select.select([self.call], [], [], deadline.left())
            self.drain(self.call)
        return True

    def response(self, slot: int = 0) -> tuple[int, int]:
        kind, state = struct.unpack_from('<H6xH', self.ram, BUFFERS + 64 * slot + 32)
        return kind, state

    def request(self, kind: int, block: int = 0, count: int = 1, size: int = 2 * MIB) -> int:
        """Send a request about whole blocks; return its answer."""
        self.put(kind, REGION + block * size, count)
        assert self.await_used(self.next), 'no answer'
        return self.response()[0]

    def state(self, block: int, count: int, size: int = 2 * MIB) -> int:
        assert self.request(STATE, block, count, size) == ACK
        return self.response()[1]

    def touch(self, gpa: int, size: int = 1) -> None:
        """Write to guest memory, as the guest does."""
        at = gpa - RAM_BASE
        for page in range(at, at + size, 4096):
            self.ram[page] = 1

    def config_change(self, seconds: float = LIMIT_S) -> bool:
        """Return True if a configuration notification arrives in time."""
        deadline = Deadline(seconds)
        while not select.select([self.backend], [], [], deadline.left())[0]:
            if deadline.over():
                return False
        return self.backend_message() == CONFIG_CHANGE

    def backend_message(self) -> int:
        """Take the device's next message like QEMU: read it as a whole, and answer if the message asks for an answer."""
        header = b''
        while len(header) < 12:
            header += self.backend.recv(12 - len(header))
        kind, flags, size = struct.unpack('<III', header)
        assert flags & 3 == 1 and size == 0, header
        if flags & 8:
            self.backend.sendall(struct.pack('<IIIQ', kind, 5, 8, 0))
        return kind

    def close(self) -> None:
        self.sock.close()
        self.backend.close()
        self.ram.close()
        for fd in (self.fd, self.kick, self.call):
            os.close(fd)
