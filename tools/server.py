# SPDX-License-Identifier: BSD-2-Clause
"""The accept loop of the launcher's sockets: door.py and tracehub.py say what becomes of each client."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from typing import Callable

from unixsock import listen

PAUSE = 0.02            # seconds until the next attempt to accept a client

Work = Callable[[socket.socket], None]


def serve(path: Path, choose: Callable[[socket.socket], Work]) -> None:
    """Listen at a path until the process ends. choose() picks the work for each client, in the order in which they connect.
    The work runs in a thread of its own; when it returns, the client is disconnected."""
    listener = listen(path)
    threading.Thread(target=_accept, args=(listener, choose), daemon=True).start()


def _accept(listener: socket.socket, choose: Callable[[socket.socket], Work]) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:             # too many open files: try again when a client may have closed one
            time.sleep(PAUSE)
            continue
        threading.Thread(target=_work, args=(choose(client), client), daemon=True).start()


def _work(work: Work, client: socket.socket) -> None:
    with client:
        try:
            work(client)
        except OSError:
            pass                    # the client, or the program behind the server, has closed
