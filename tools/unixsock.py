# SPDX-License-Identifier: BSD-2-Clause
"""Unix sockets of a run directory: at any path, although an address has 108 bytes, and with the name of a peer."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

BACKLOG = 128


def _at(path: Path, use) -> None:
    """Call use() with a short name for a path: one that goes through the directory's descriptor."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        use(f'/proc/self/fd/{directory}/{path.name}')
    finally:
        os.close(directory)


def listen(path: Path) -> socket.socket:
    """Make a listener at a path where nothing is yet. Raises OSError."""
    made = socket.socket(socket.AF_UNIX)
    try:
        _at(path, made.bind)
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def connect(path: Path, timeout: float | None = None) -> socket.socket:
    """Connect to a listener. Raises OSError."""
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(timeout)
    try:
        _at(path, made.connect)
    except OSError:
        made.close()
        raise
    return made


def peer(connection: socket.socket) -> str:
    """Describe the program at the other end: "pid 17 (socat - UNIX-CONNECT:port.sock)"."""
    pid, _, _ = struct.unpack('3i', connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    try:
        words = Path(f'/proc/{pid}/cmdline').read_bytes().decode(errors='replace').split('\0')[:-1]
    except OSError:
        words = []
    name = ' '.join([os.path.basename(words[0]), *words[1:]]) if words else 'which has ended'
    name = ''.join(c if c.isprintable() else '?' for c in name)
    return f'pid {pid} ({name[:57] + "..." if len(name) > 60 else name})'
