# SPDX-License-Identifier: BSD-2-Clause
"""The launcher's doors in front of QEMU's sockets: each serves one client and sends any other a line; threads play QEMU."""

import json
import os
import re
import socket
import tempfile
import threading
import time
import unittest
from pathlib import Path
from unittest import mock

from cmdport import CommandPort, PortError
from door import TOO_LONG, Business, Door, port_words, qmp_words
from patience import limit, until
from qmp import Qmp, QmpError
from unixsock import connect, listen

LIMIT = 10.0
TOP = Path(__file__).resolve().parent.parent.parent


class DoorTest(unittest.TestCase):
    """A thread behind the door answers each line with "you said LINE" and "=0"."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.rundir = Path(directory.name)
        self.heard, self.ended = [], 0
        self.door = Door(self.rundir / 'port.sock', self.rundir / 'inner.sock', port_words('port.sock', 'type: make console'))

    def play_qemu(self):
        """Serve one client after another, as QEMU does."""
        listener = listen(self.rundir / 'inner.sock')
        self.addCleanup(listener.close)

        def serve():
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client:
                    self.serve_one(client)
                self.ended += 1
        threading.Thread(target=serve, daemon=True).start()

    def serve_one(self, client):
        rest = b''
        while data := client.recv(4096):
            self.heard.append(data)
            rest += data
            while b'\n' in rest:
                line, rest = rest.split(b'\n', 1)
                if line == b'end':
                    return
                try:
                    client.sendall(b'you said ' + line + b'\n=0\n')
                except OSError:
                    return

    def client(self):
        made = connect(self.rundir / 'port.sock', limit(LIMIT))
        self.addCleanup(made.close)
        return made

    def read_all(self, client):
        out = b''
        while data := client.recv(4096):
            out += data
        return out

    def test_bytes_pass_both_ways(self):
        self.play_qemu()
        port = CommandPort(self.rundir / 'port.sock')
        self.addCleanup(port.close)
        for word in ('one', 'two', 'x' * 3000):
            self.assertEqual(port.run(word), (0, f'you said {word}\n'))

    def test_a_second_client_is_told_and_the_first_goes_on(self):
        self.play_qemu()
        first = CommandPort(self.rundir / 'port.sock')
        self.addCleanup(first.close)
        first.run('one')
        for early in (b'', b'vmem\n', b'half a li'):
            second = self.client()
            second.sendall(early)
            text = self.read_all(second).decode()
            self.assertRegex(text, rf'^taken: port\.sock serves one program at a time, now pid {os.getpid()} \(.+\); '
                                   r'type: make console\n=-16\n$')
        self.assertEqual(first.run('two'), (0, 'you said two\n'))
        self.assertNotIn(b'vmem\n', self.heard)

    def test_the_clients_of_the_tools_say_it(self):
        self.play_qemu()
        self.client()
        for line in ('', 'vmem'):
            port = CommandPort(self.rundir / 'port.sock')
            self.addCleanup(port.close)
            with self.assertRaisesRegex(PortError, '^taken: port.sock serves one program at a time, now pid'):
                port.run(line)

    def test_a_second_client_of_qmp_is_told_in_json(self):
        Door(self.rundir / 'qmp.sock', self.rundir / 'inner.sock', qmp_words('qmp.sock', 'end it'))
        holder = connect(self.rundir / 'qmp.sock')
        self.addCleanup(holder.close)
        second = connect(self.rundir / 'qmp.sock', limit(LIMIT))
        self.addCleanup(second.close)
        self.assertIn('at qmp.sock QEMU serves one client at a time, now pid', json.loads(self.read_all(second))['error']['desc'])
        with self.assertRaisesRegex(QmpError, '^taken: at qmp.sock QEMU serves one client at a time, now pid'):
            Qmp(self.rundir / 'qmp.sock')

    def test_a_client_may_follow_another_at_once(self):
        self.play_qemu()
        for number in range(300):
            port = CommandPort(self.rundir / 'port.sock')
            self.assertEqual(port.run(str(number)), (0, f'you said {number}\n'))
            port.close()
        self.assertTrue(until(lambda: self.ended == 300, LIMIT), self.ended)

    def test_a_client_that_sends_no_more_still_gets_its_answer(self):
        self.play_qemu()
        client = self.client()
        client.sendall(b'one\n')
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(client.recv(100), b'you said one\n=0\n')
        client.close()
        self.assertTrue(until(lambda: self.ended == 1, LIMIT))

    def test_a_client_that_dies_in_a_line_ends_its_connection(self):
        self.play_qemu()
        client = self.client()
        client.sendall(b'one\npoweroff')
        self.assertTrue(until(lambda: b'poweroff' in b''.join(self.heard), LIMIT))
        client.close()
        self.assertTrue(until(lambda: self.ended == 1, LIMIT))
        port = CommandPort(self.rundir / 'port.sock')
        self.addCleanup(port.close)
        self.assertEqual(port.run('two'), (0, 'you said two\n'))

    def fill(self, client):
        """Send until the door takes no more bytes."""
        client.settimeout(0.5)
        with self.assertRaises(TimeoutError):
            while True:
                client.sendall(b'a line\n' * 1000)

    def test_a_client_that_never_reads_may_go(self):
        self.play_qemu()
        client = self.client()
        self.fill(client)
        client.close()
        port = CommandPort(self.rundir / 'port.sock')
        self.addCleanup(port.close)
        self.assertEqual(port.run('two'), (0, 'you said two\n'))

    def test_a_client_may_go_although_ebb_does_not_read(self):
        listener = listen(self.rundir / 'inner.sock')
        self.addCleanup(listener.close)
        client = self.client()
        inner, _ = listener.accept()
        self.addCleanup(inner.close)
        self.fill(client)
        client.close()
        inner.settimeout(limit(LIMIT))
        while inner.recv(1 << 20):
            pass

    def test_what_a_client_sent_before_it_closed_arrives(self):
        listener = listen(self.rundir / 'inner.sock')
        self.addCleanup(listener.close)
        with mock.patch('door.DRAIN', limit(LIMIT)):
            client = self.client()
            inner, _ = listener.accept()
            self.addCleanup(inner.close)
            client.settimeout(0.5)
            sent = 0
            with self.assertRaises(TimeoutError):       # the sockets are full, and the door holds bytes
                while True:
                    sent += client.send(b'a line\n' * 1000)
            client.close()
            time.sleep(0.1)                             # a door that does not wait has closed by now
            inner.settimeout(limit(LIMIT))
            while data := inner.recv(1 << 20):
                sent -= len(data)
        self.assertEqual(sent, 0)

    def test_the_end_of_qemu_ends_the_client(self):
        self.play_qemu()
        client = self.client()
        client.sendall(b'end\n')
        self.assertEqual(self.read_all(client), b'')

    def test_qemu_may_listen_later(self):
        client = self.client()
        client.sendall(b'one\n')
        time.sleep(0.1)
        self.play_qemu()
        self.assertEqual(client.recv(100), b'you said one\n=0\n')

    def test_a_client_that_leaves_before_qemu_listens(self):
        self.client().close()
        self.play_qemu()
        port = CommandPort(self.rundir / 'port.sock')
        self.addCleanup(port.close)
        self.assertEqual(port.run('two'), (0, 'you said two\n'))

    def test_a_path_may_be_long(self):
        deep = self.rundir / ('x' * 90) / ('y' * 90)
        deep.mkdir(parents=True)
        listener = listen(deep / 'port.sock')
        self.addCleanup(listener.close)
        connect(deep / 'port.sock').close()


class BusinessTest(unittest.TestCase):
    """The door knows what a client has left unfinished, wherever its bytes are cut into pieces."""

    def test_a_status_that_arrives_in_pieces(self):
        for cut in range(1, 17):
            business = Business()
            business.sent(b'a line\n')
            for piece in (b'did a line\n=-110\n'[:cut], b'did a line\n=-110\n'[cut:]):
                self.assertFalse(business.done())
                business.heard(piece)
            self.assertTrue(business.done(), cut)

    def test_a_line_that_ends_with_ctrl_c(self):
        business = Business()
        business.sent(b'half\x03')
        self.assertFalse(business.done())


class SettleTest(unittest.TestCase):
    """Behind the door of a command port: an ebb that has not heard of the change of clients yet, so it mixes their bytes."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.rundir = Path(directory.name)
        self.rest, self.did, self.lost = b'', [], 0
        self.interrupted, self.piece = False, 4096      # a Ctrl-C came; bytes that ebb sends at once
        self.listener = listen(self.rundir / 'inner.sock')
        self.addCleanup(self.listener.close)
        threading.Thread(target=self.serve, daemon=True).start()
        Door(self.rundir / 'port.sock', self.rundir / 'inner.sock', port_words('port.sock', 'wait'), settles=True)

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
                with client:
                    while data := client.recv(4096):
                        out = self.answers(data)
                        for at in range(0, len(out), self.piece):
                            client.sendall(out[at:at + self.piece])
                            time.sleep(0.001)           # the next piece arrives by itself
            except OSError:
                if self.listener.fileno() < 0:
                    return

    def answers(self, data):
        """Return ebb's answers; ebb drops a line that is too long."""
        if self.lost:
            self.lost -= 1
            return b''
        out = b''
        for byte in (data[at:at + 1] for at in range(len(data))):
            if byte == b'\n':
                out += self.answer(self.rest)
                self.rest = b''
            elif byte == b'\x03':
                self.interrupted = True
            else:
                self.rest += byte
        return out

    def answer(self, line):
        if len(line) > 255:
            return b'line too long: 255 bytes at most\n=-7\n'
        self.did.append(line)
        return (line[5:] if line.startswith(b'echo ') else b'did ' + line) + b'\n=0\n'

    def run_line(self, line):
        port = CommandPort(self.rundir / 'port.sock')
        try:
            return port.run(line)
        finally:
            port.close()

    def test_an_unfinished_line_is_not_the_next_clients(self):
        for number in range(20):
            self.assertEqual(self.run_line(f'one {number}'), (0, f'did one {number}\n'))
            with connect(self.rundir / 'port.sock') as dying:
                dying.sendall(b'poweroff')
        self.assertEqual(self.run_line('two'), (0, 'did two\n'))
        self.assertFalse([line for line in self.did if line.startswith(b'poweroff')])

    def test_an_answer_is_not_the_next_clients(self):
        for number in range(20):
            with connect(self.rundir / 'port.sock') as leaving:
                leaving.sendall(b'a line\n' * 3)
            self.assertEqual(self.run_line(f'one {number}'), (0, f'did one {number}\n'))

    def test_the_line_that_is_too_long_is_so_for_ebb(self):
        most = re.search(r'SHELL_LINE_BYTES\s+(\d+)', (TOP / 'include/kernel/console/shell.h').read_text())
        self.assertGreater(len(TOO_LONG), int(most[1]))

    def leave_half_a_line(self):
        with connect(self.rundir / 'port.sock') as dying:
            dying.sendall(b'half')
            self.assertTrue(until(lambda: self.rest == b'half', LIMIT))

    def test_a_command_that_runs_is_interrupted(self):
        self.leave_half_a_line()
        self.assertEqual(self.run_line('one'), (0, 'did one\n'))
        self.assertTrue(self.interrupted)

    def test_an_answer_in_pieces(self):
        self.leave_half_a_line()
        self.piece = 1
        self.assertEqual(self.run_line('one'), (0, 'did one\n'))

    def test_each_client_settles_with_its_own_word(self):
        for _ in range(2):
            self.leave_half_a_line()
            self.run_line('one')
        words = [line for line in self.did if line.startswith(b'echo ')]
        self.assertEqual(len(words), 2)
        self.assertNotEqual(*words)

    def test_bytes_that_qemu_loses(self):
        self.leave_half_a_line()
        self.lost = 2
        self.assertEqual(self.run_line('one'), (0, 'did one\n'))

    def test_a_client_that_leaves_while_ebb_is_silent(self):
        self.leave_half_a_line()
        self.lost = 1
        connect(self.rundir / 'port.sock').close()
        self.assertEqual(self.run_line('one'), (0, 'did one\n'))

    def test_ebb_is_asked_nothing_for_a_client_that_left_nothing(self):
        for number in range(3):
            self.run_line(f'one {number}')
        with connect(self.rundir / 'port.sock') as idle:
            idle.sendall(b'\x03')
        self.run_line('two')
        self.assertEqual(self.did, [b'one 0', b'one 1', b'one 2', b'two'])


if __name__ == '__main__':
    unittest.main()
