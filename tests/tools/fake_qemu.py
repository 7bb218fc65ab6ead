#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Plays a QEMU that has virtio-mem-pci on riscv64, and the ebb in it, because no distribution has a package with that device.

Like that QEMU, this program puts the regions at the first 1 GiB boundary above memory, has one QMP connection at a time, and
holds each region in a memory file. The guest reaches every size at once and touches the first page of each block it gets.
"""

import json
import os
import socket
import sys
import threading

GIB = 1 << 30
RAM_BASE = 0x80000000


def option(text: str) -> dict[str, str]:
    """Turn 'virtio-mem-pci,id=vm0' into {'': 'virtio-mem-pci', 'id': 'vm0'}."""
    return dict(part.split('=', 1) if '=' in part else ('', part) for part in text.split(','))


def size_of(text: str) -> int:
    """Return the bytes of a size like '2M'."""
    shift = {'K': 10, 'M': 20, 'G': 30, 'T': 40}.get(text[-1], 0)
    return int(text[:-1] if shift else text) << shift


class MemDevice:
    """A virtio-mem-pci and its backend."""

    def __init__(self, words: dict[str, str], backends: dict[str, dict[str, str]], addr: int):
        backend = backends[words['memdev']]
        if backend[''] != 'memory-backend-memfd' or (backend['share'], backend['reserve']) != ('on', 'off'):
            sys.exit(f'{backend}: cannot set up guest memory: Cannot allocate memory')
        self.id, self.addr, self.max = words['id'], addr, size_of(backend['size'])
        self.block, self.requested, self.size = size_of(words['block-size']), size_of(words['requested-size']), 0
        self.fd = os.memfd_create('memory-backend-memfd')
        os.ftruncate(self.fd, self.max)

    def request(self, size: int) -> None:
        """Set the requested size; the guest reaches it at once."""
        self.requested = size
        for at in range(self.size, size, self.block):
            os.pwrite(self.fd, b'x', at)
        os.ftruncate(self.fd, size)
        os.ftruncate(self.fd, self.max)
        self.size = size

    def info(self) -> dict:
        """Return an entry of query-memory-devices."""
        return {'type': 'virtio-mem', 'data': {
            'id': self.id, 'memaddr': self.addr, 'requested-size': self.requested, 'size': self.size, 'max-size': self.max,
            'block-size': self.block, 'node': 0, 'memdev': f'/objects/mem-{self.id}'}}


class Qemu:
    """The machine."""

    def __init__(self, words: list[str]):
        pairs = list(zip(words, words[1:]))
        backends = {option(value)['id']: option(value) for name, value in pairs if name == '-object'}
        self.devices: dict[str, MemDevice] = {}
        memory = next(value for name, value in pairs if name == '-m').split(',')[0]
        at = -(-(RAM_BASE + size_of(memory)) // GIB) * GIB
        for name, value in pairs:
            if name == '-device' and value.startswith('virtio-mem-pci'):
                device = MemDevice(option(value), backends, at)
                self.devices[device.id] = device
                at += -(-device.max // GIB) * GIB
        self.sockets = {os.path.basename(path): path for value in words if 'server=on' in value
                        for path in [option(value.removeprefix('unix:'))['' if value.startswith('unix:') else 'path']]}

    def serve(self, name: str, answer, greeting: bytes = b'') -> None:
        """Serve one client after another, in a thread."""
        if name not in self.sockets:
            return
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.sockets[name])
        listener.listen(1)

        def loop() -> None:
            while True:
                client, _ = listener.accept()
                with client:
                    try:
                        client.sendall(greeting)
                        for line in client.makefile('rb'):
                            client.sendall(answer(line.decode().strip()))
                    except OSError:
                        pass
        threading.Thread(target=loop, daemon=True).start()

    def qmp(self, line: str) -> bytes:
        """Execute a QMP command."""
        request = json.loads(line)
        words, event, result = request.get('arguments', {}), b'', {}
        if request['execute'] == 'query-memory-devices':
            result = [device.info() for device in self.devices.values()]
        elif request['execute'] == 'query-chardev':
            result = [{'label': 'port', 'frontend-open': True}]
        elif request['execute'].startswith('qom-'):
            device = self.devices[words['path'].removeprefix('/machine/peripheral/')]
            if request['execute'] == 'qom-get':
                result = {'size': device.size, 'requested-size': device.requested, 'block-size': device.block}[words['property']]
            else:
                device.request(words['value'])
                data = {'id': device.id, 'size': device.size, 'qom-path': words['path']}
                event = json.dumps({'event': 'MEMORY_DEVICE_SIZE_CHANGE', 'data': data}).encode() + b'\r\n'
        return json.dumps({'return': result}).encode() + b'\r\n' + event

    def ebb(self, line: str) -> bytes:
        """Return the answer of ebb's command port."""
        text = ''
        if line == 'vmem':
            for device in self.devices.values():
                text += (f'{device.id}: {device.addr:#x}-{device.addr + device.max - 1:#x} ({device.max >> 20} MiB), block '
                         f'{device.block >> 20} MiB, granule 2 MiB, pci 00:01.0\n  requested {device.requested >> 20} MiB, '
                         f'plugged {device.size >> 20} MiB, usable 256 MiB\n  last failure: none\n')
        elif line.startswith('lsmem'):
            text = 'RANGE SIZE STATE REMOVABLE BLOCK\n'
        return f'{text}=0\n'.encode()


def main() -> None:
    words = sys.argv[1:]
    if '--version' in words:
        print('QEMU emulator version 99.1')
    elif ',help' in ' '.join(words):
        if 'virtio-mem-pci,help' in words:
            print('  requested-size=<size>')
    else:
        qemu = Qemu(words)
        qemu.serve('qmp.sock', qemu.qmp, b'{"QMP": {}}\r\n')
        qemu.serve('port.sock', qemu.ebb)
        print('ebb: ready', flush=True)
        typed = b''
        while b'poweroff' not in typed and (part := os.read(0, 4096)):
            typed += part


if __name__ == '__main__':
    main()
