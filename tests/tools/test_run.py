# SPDX-License-Identifier: BSD-2-Clause
"""The launcher, with programs that play QEMU and the memory device: status, input, locks, and that nothing is left running."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import termios
import unittest
from pathlib import Path

from patience import ended, talk, until
from stub_kernel import stub_kernel

LIMIT = 20.0      # seconds on an idle machine
RUN = str(Path(__file__).resolve().parent.parent.parent / 'tools' / 'run')
QEMU = '''#!{python}
import os, subprocess, sys, time
words = ' '.join(sys.argv)
if ',help' in words:
    if 'vhost-user-test' in words: print('  virtio-id=<uint16>')
elif 'dumpdtb=' in words:
    name = next(word for word in sys.argv if 'dumpdtb=' in word).split('dumpdtb=')[1]
    tree = b'/dts-v1/; / {{ memory@80000000 {{ reg = <0 0 0 0>; }}; }};'
    subprocess.run(['dtc', '-q', '-o', name], input=tree, check=True)
else:
    {body}
'''
VMEM = '''#!{python}
import socket, sys, time
listener = socket.socket(socket.AF_UNIX)
{body}
'''
LISTEN = "listener.bind(sys.argv[sys.argv.index('--socket') + 1]); time.sleep(600)"
# A device that ends, with status 0, when QEMU makes a file beside its socket.
LEAVE = """import os
name = sys.argv[sys.argv.index('--socket') + 1]
listener.bind(name)
while not os.path.exists(name + '.leave'): time.sleep(0.01)"""
TAKE_LEAVE = "open(words.split('path=')[1].split('vm0.sock')[0] + 'vm0.sock.leave', 'w').close(); print('ebb: ready', flush=True)"
ECHO = "print('ebb: ready', flush=True); line = sys.stdin.readline(); print('got ' + line, end=''); sys.exit(7)"


class LauncherTest(unittest.TestCase):
    """Each test writes its own QEMU and memory device."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.out = Path(directory.name) / 'a build'
        (self.out / 'qemu').mkdir(parents=True)
        (self.out / 'ebb.elf').write_bytes(stub_kernel())
        self.program('ebb-vmem', VMEM, LISTEN)

    def program(self, name, text, body):
        path = self.out / name
        path.write_text(text.format(python=sys.executable, body=body))
        path.chmod(0o755)

    def environment(self, **more):
        ours = ('QEMU', 'MEM', 'VMEM', 'SMP', 'CMD', 'APPEND', 'DRY', 'TRANSPORT', 'RUN', 'BLOCK', 'MAKELEVEL', 'V', 'NO_COLOR')
        clean = {k: v for k, v in os.environ.items() if k not in ours}
        return {**clean, 'O': str(self.out), 'TERM': 'vt100', **more}

    def start(self, body, stdin=subprocess.DEVNULL, words=(), **more):
        self.program('qemu/qemu-system-riscv64', QEMU, body)
        process = subprocess.Popen([RUN, *words], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=self.environment(**more))
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(lambda: [s.close() for s in (process.stdin, process.stdout, process.stderr) if s])
        return process

    def pids(self):
        self.assertTrue(until((self.out / 'run' / 'qemu.pid').exists, LIMIT), 'QEMU was not started')
        return [int((self.out / 'run' / f'{name}.pid').read_text()) for name in ('qemu', 'vm0')]

    def assert_gone(self, pids):
        gone = until(lambda: not any(os.path.exists(f'/proc/{pid}/exe') for pid in pids), LIMIT)
        self.assertTrue(gone, 'a process was left behind')

    def test_input_output_and_status_pass_through(self):
        process = self.start(ECHO, subprocess.PIPE)
        out, _ = talk(process, LIMIT, 'hello\n')
        self.assertEqual((out.splitlines()[-1], process.returncode), ('got hello', 7))

    def test_run_directory_is_the_users_alone(self):
        before = os.umask(0)
        try:
            process = self.start("print('mask %o' % os.umask(0)); print('ebb: ready', flush=True); sys.exit(0)")
        finally:
            os.umask(before)
        self.assertIn('mask 77\n', process.communicate(timeout=20)[0])
        for path in (self.out / 'run', *(self.out / 'run').iterdir()):
            self.assertEqual(path.lstat().st_mode & 0o077 if not path.is_symlink() else 0, 0, path)

    def test_gdb_is_named_when_it_can_attach(self):
        socket = self.out / 'run' / 'gdb.sock'
        process = self.start(f"time.sleep(0.5); open({str(socket)!r}, 'w').close(); time.sleep(600)", words=('--gdb',))
        self.assertIn('make gdb', process.stderr.readline())
        self.assertTrue(socket.exists(), 'gdb cannot attach yet')

    def test_input_waits_for_ready(self):
        body = ("import select; early = select.select([sys.stdin], [], [], 0.5)[0]; print('early' if early else 'held');"
                "print('ebb: ready', flush=True); print(sys.stdin.readline())")
        out, _ = talk(self.start(body, subprocess.PIPE), LIMIT, 'x\n')
        self.assertIn('held', out)

    FIRMWARE = "print('OpenSBI v1.6\\r\\nPlatform Name : virt\\r', flush=True);"
    BOOT = "print('ebb: first light\\r\\nebb: ready\\r', flush=True);"

    def test_firmware_lines_are_in_the_log_only(self):
        process = self.start(self.FIRMWARE + self.BOOT)
        out, _ = talk(process, LIMIT)
        self.assertEqual(out, 'ebb: first light\nebb: ready\n')
        self.assertIn(b'Platform Name', (self.out / 'run' / 'console.log').read_bytes())

    def test_firmware_lines_with_v1(self):
        out, _ = talk(self.start(self.FIRMWARE + self.BOOT, V='1'), LIMIT)
        self.assertEqual(out.splitlines(), ['OpenSBI v1.6', 'Platform Name : virt', 'ebb: first light', 'ebb: ready'])

    def test_firmware_lines_when_ebb_does_not_start(self):
        for rest in ('', 'os.close(1); time.sleep(600)'):
            with self.subTest(rest):
                out, _ = talk(self.start(self.FIRMWARE + rest), LIMIT)
                self.assertEqual(out.splitlines(), ['OpenSBI v1.6', 'Platform Name : virt'])

    def test_firmware_lines_when_ebb_is_late(self):
        process = self.start(self.FIRMWARE + 'time.sleep(600)')
        self.assertTrue(until(lambda: select.select([process.stdout], [], [], 0)[0], LIMIT), 'the lines did not come')
        self.assertEqual(process.stdout.readline(), 'OpenSBI v1.6\n')

    def test_firmware_lines_after_a_reboot(self):
        out, _ = talk(self.start(self.BOOT + "print('ebb: reboot\\r', flush=True);" + self.FIRMWARE + self.BOOT), LIMIT)
        self.assertEqual(out, 'ebb: first light\nebb: ready\nebb: reboot\nebb: first light\nebb: ready\n')

    COLOURS = "print('ebb> ma\\r\\x1b[J[ 1.0] message\\r\\nebb> ma\\r\\n\\x1b[32m.\\x1b[0m\\r', flush=True);"

    def test_pipe_gets_plain_text(self):
        out, _ = talk(self.start(self.BOOT + self.COLOURS), LIMIT)
        self.assertEqual(out.splitlines()[2:], ['ebb> ma', '[ 1.0] message', 'ebb> ma', '.'])

    def at_a_terminal(self, body, lines=24, columns=40, **more):
        """Run the launcher at a terminal of that size until it ends; return its output."""
        self.program('qemu/qemu-system-riscv64', QEMU, body)
        master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (lines, columns))
        process = subprocess.Popen([RUN], stdin=slave, stdout=slave, stderr=slave, env=self.environment(**more))
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        os.close(slave)
        self.addCleanup(os.close, master)
        said = b''
        try:
            while until(lambda: select.select([master], [], [], 0)[0], LIMIT) and (data := os.read(master, 65536)):
                said += data
        except OSError:     # the other end is closed
            pass
        return said.decode()

    def test_terminal_gets_colours(self):
        self.assertIn('\x1b[32m.\x1b[0m', self.at_a_terminal(self.BOOT + self.COLOURS))
        self.assertIn('\x1b[32m.\x1b[0m', self.at_a_terminal(self.BOOT + self.COLOURS, NO_COLOR=''))
        dumb = self.at_a_terminal(self.BOOT + self.COLOURS, TERM='dumb')
        self.assertTrue(dumb.endswith('ebb> ma\r\n[ 1.0] message\r\nebb> ma\r\n.\r\n'), dumb)
        plain = self.at_a_terminal(self.BOOT + self.COLOURS, NO_COLOR='1')
        self.assertIn('ma\r\x1b[J[ 1.0] message', plain)
        self.assertNotIn('\x1b[32m', plain)

    def test_terminal_tells_its_size(self):
        body = self.BOOT + "print('ebb> ', end='', flush=True); print(repr(os.read(0, 99)), flush=True)"
        self.assertIn(r"b'\x1b[8;24;40t'", self.at_a_terminal(body))
        self.assertIn(r"b'\x1b[8;50;132t'", self.at_a_terminal(body, 50, 132))

    def test_tests_get_the_memory_that_they_need(self):
        (self.out / 'ebb-test.elf').write_bytes(stub_kernel())
        for more, words in (({'APPEND': 'kunit.filter_glob=buddy.*'}, ("append 'mem=512M kunit", 'size=3')),
                            ({'CMD': 'ut all'}, ("append 'mem=512M autorun", 'size=3')),
                            ({'APPEND': 'kunit.filter_glob=buddy.*', 'MEM': '256M'}, ("append 'kunit",)),
                            ({'APPEND': 'loglevel=8'}, ('append loglevel',))):
            with self.subTest(more):
                out, _ = talk(self.start("time.sleep(600)", DRY='1', **more), LIMIT)
                for word in words:
                    self.assertIn(word, out)

    def test_tests_that_do_not_exist_start_no_machine(self):
        (self.out / 'ebb-test.elf').write_bytes(stub_kernel())
        process = self.start("time.sleep(600)", words=('--tests', 'pagealloc.*'))
        _, err = talk(process, LIMIT)
        self.assertEqual((process.returncode, err), (3, "run: no test matches 'pagealloc.*'; near it: page_alloc.*\n"))

    def test_killed_launcher_takes_all_along(self):
        for signum in (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP):
            process = self.start("print('up', flush=True); time.sleep(600)")
            pids = self.pids()
            process.stdout.readline()
            process.send_signal(signum)
            ended(process, LIMIT)
            self.assert_gone(pids)
            for stale in (self.out / 'run').glob('*.pid'):
                stale.unlink()

    def test_killed_make_takes_all_along(self):
        self.program('qemu/qemu-system-riscv64', QEMU, "print('up', flush=True); time.sleep(600)")
        parent = subprocess.Popen(['/bin/sh', '-c', f'"{RUN}"; true'], env=self.environment(MAKELEVEL='1'),
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        pids = self.pids()
        parent.stdout.readline()
        parent.kill()
        parent.wait()
        parent.stdout.close()
        self.assert_gone(pids)

    def test_ctrl_a_x_leaves_and_restores_the_terminal(self):
        self.program('qemu/qemu-system-riscv64', QEMU, "print('up', flush=True); time.sleep(600)")
        master, slave = pty.openpty()
        process = subprocess.Popen([RUN], stdin=slave, stdout=slave, stderr=slave, env=self.environment())
        pids = self.pids()
        self.assertTrue(until(lambda: select.select([master], [], [], 0)[0], LIMIT))
        os.write(master, b'\x01x')
        self.assertEqual(ended(process, LIMIT), 0)
        self.assert_gone(pids)
        os.close(master)
        os.close(slave)

    def test_terminal_that_is_closed_takes_all_along(self):
        """The host kernel sends SIGHUP to the terminal's first program only; if that is make, make waits for the launcher."""
        self.program('qemu/qemu-system-riscv64', QEMU, "print('up', flush=True); time.sleep(600)")
        master, slave = pty.openpty()
        process = subprocess.Popen([RUN], stdin=slave, stdout=slave, stderr=slave, env=self.environment())
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        os.close(slave)
        pids = self.pids()
        self.assertTrue(until(lambda: select.select([master], [], [], 0)[0], LIMIT))
        os.close(master)
        self.assertEqual(ended(process, LIMIT), 128 + signal.SIGHUP)
        self.assert_gone(pids)

    def test_second_run_is_refused(self):
        self.start("print('up', flush=True); time.sleep(600)").stdout.readline()
        second = self.start("time.sleep(600)")
        _, err = talk(second, LIMIT)
        self.assertEqual(second.returncode, 3)
        self.assertIn('already runs', err)

    def test_device_that_dies_at_once(self):
        self.program('ebb-vmem', VMEM, "sys.exit('cannot do that')")
        process = self.start("time.sleep(600)")
        _, err = talk(process, LIMIT)
        self.assertEqual(process.returncode, 3)
        self.assertIn('cannot do that', err)

    def test_device_that_ends_and_leaves_qemu(self):
        """A device that another program ends has status 0; its machine cannot continue either."""
        self.program('ebb-vmem', VMEM, LEAVE)
        process = self.start(f'{TAKE_LEAVE}; time.sleep(600)')
        pids = self.pids()
        _, err = talk(process, LIMIT)
        self.assertEqual(process.returncode, 3)
        self.assertRegex(err, r'^run: memory device vm0 ended with status 0 .*vm0\.log')
        self.assertIn('QEMU did not end with it, and cannot go on without it', err)
        self.assert_gone(pids)

    def test_device_that_ends_with_qemu(self):
        self.program('ebb-vmem', VMEM, LEAVE)
        process = self.start(f'{TAKE_LEAVE}; time.sleep(0.2); sys.exit(5)')
        self.assertEqual((talk(process, LIMIT)[1], process.returncode), ('', 5))

    def test_device_that_is_killed(self):
        process = self.start("print('up', flush=True); time.sleep(600)")
        pids = self.pids()
        process.stdout.readline()
        os.kill(pids[1], signal.SIGKILL)
        _, err = talk(process, LIMIT)
        self.assertEqual(process.returncode, 3)
        self.assertRegex(err, r'^run: memory device vm0 was ended by SIGKILL: .*OOM killer.*vm0\.log')
        self.assert_gone(pids)

    def test_qemu_that_a_signal_ends(self):
        for signum, meaning in ((signal.SIGBUS, "host's memory.* is full"), (signal.SIGKILL, 'OOM killer'),
                                (signal.SIGSEGV, 'crashed'), (signal.SIGABRT, 'assertion'), (signal.SIGXCPU, 'CPU time')):
            for how in ('os.kill(os.getpid(), {n}); time.sleep(9)', 'sys.exit(128 + {n})'):      # by itself, and below a shell
                with self.subTest(signum, how=how):
                    process = self.start("print('up', flush=True); print('last words', file=sys.stderr, flush=True); " +
                                         how.format(n=int(signum)))
                    _, err = talk(process, LIMIT)
                    self.assertEqual(process.returncode, 128 + signum)
                    self.assertRegex(err, rf'^run: QEMU was ended by {signum.name}: .*{meaning}.*qemu\.log\)\n  last words\n$')

    def test_qemu_that_ends_in_order_when_a_signal_tells_it_to(self):
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(signum):
                words = f'qemu-system-riscv64: terminating on signal {int(signum)} from pid 7 (kill)'
                process = self.start(f"print('up', flush=True); print('{words}', file=sys.stderr, flush=True)")
                _, err = talk(process, LIMIT)
                self.assertEqual(process.returncode, 128 + signum)
                self.assertRegex(err, rf'^run: QEMU was ended by {signum.name}: .*qemu\.log\)\n  {re.escape(words)}\n$')

    def test_status_of_the_guest_is_no_signal(self):
        for status in (0, 1, 2):
            process = self.start(f"print('up', flush=True); sys.exit({status})")
            _, err = talk(process, LIMIT)
            self.assertEqual((process.returncode, err), (status, ''))

    def test_qemu_that_closes_its_console_and_stays(self):
        process = self.start("print('up', flush=True); os.close(1); time.sleep(600)")
        pids = self.pids()
        _, err = talk(process, LIMIT)
        self.assertEqual((process.returncode, len(err.splitlines())), (3, 1), err)
        self.assert_gone(pids)

    def test_reader_that_goes_away(self):
        process = self.start("[print('line', flush=True) or time.sleep(.01) for _ in range(60000)]")
        pids = self.pids()
        process.stdout.readline()
        process.stdout.close()
        self.assertEqual(ended(process, LIMIT), 128 + signal.SIGPIPE)
        self.assertEqual(process.stderr.read(), '')
        self.assert_gone(pids)

    def test_file_that_is_no_kernel(self):
        """QEMU would run the contents of any file, without a message."""
        whole = stub_kernel()
        other = 'it is not an ELF file for 64-bit RISC-V'
        for data, why in ((b'', other), (b'text ' * 99, other), (Path(sys.executable).read_bytes(), other),
                          (whole[:-1], 'its end is missing'), (whole[:80], 'its end is missing'),
                          (stub_kernel(entry=0x80201000), 'nothing lies at its entry, 0x80201000')):
            with self.subTest(why, data=data[:16]):
                (self.out / 'ebb.elf').write_bytes(data)
                _, err = talk(process := self.start("print('up', flush=True); time.sleep(600)"), LIMIT)
                self.assertEqual(process.returncode, 3)
                self.assertRegex(err, rf"^run: \S.*ebb\.elf is not a (whole )?kernel: {why}; type: rm '.*ebb\.elf'; "
                                      r'make all\n$')

    def test_missing_device(self):
        (self.out / 'ebb-vmem').unlink()
        process = self.start("time.sleep(600)")
        _, err = talk(process, LIMIT)
        self.assertEqual(process.returncode, 3)
        self.assertIn('make all', err)

    def test_bad_words_give_one_line(self):
        for more in ({'MEM': 'lots'}, {'CMD': 'echo "x"'}, {'TRANSPORT': 'usb'}, {'VMEM': '3K'}, {'MEM': '1M'},
                     {'QEMU': '/gone'}):
            with self.subTest(more):
                process = self.start("time.sleep(600)", **more)
                _, err = talk(process, LIMIT)
                self.assertEqual((process.returncode, len(err.strip().splitlines())), (3, 1), err)

    def test_bad_numbers(self):
        for name, values in (('SMP', ('two', '0', '65', '-1', '1.5', '1_0', 'nan')),
                             ('MEM', ('-1', '16777216T', '1' * 5000, 'nan', '1e9')), ('VMEM', ('-4G', '99999999999999999999')),
                             ('BLOCK', ('0', '-2M', '3M'))):
            for value in values:
                with self.subTest(name, value=value):
                    process = self.start("time.sleep(600)", **{name: value})
                    _, err = talk(process, LIMIT)
                    self.assertEqual((process.returncode, len(err.splitlines())), (3, 1), err)

    def test_dry_run_starts_nothing(self):
        process = self.start("time.sleep(600)", DRY='1', CMD='lsmem; poweroff')
        out, _ = talk(process, LIMIT)
        self.assertIn('autorun="lsmem; poweroff"', out)
        self.assertFalse((self.out / 'run').exists())


if __name__ == '__main__':
    unittest.main()
