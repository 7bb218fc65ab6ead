# SPDX-License-Identifier: BSD-2-Clause
"""Run programs that print KTAP, each within its time limit, and count their results.

A job is any command: the host's test program, `tools/run` with a guest that runs its suites, a scenario. A job may hang,
crash, print nothing, or contradict itself: each of these is a failure with a reason, never a silent pass.
"""

from __future__ import annotations

import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from ktap import Parser, Result
from machine import describe_end, die_with_parent, signal_of
from patience import Deadline, ended, limit
from screen import draw_again, may_colour
from sizes import count

EXIT_WORDS = {0: 'pass', 1: 'fail', 2: 'panic', 3: 'harness error', 4: 'all skipped'}
HARNESS_ERROR = 3
ALL_SKIPPED = 4
KILL_GRACE = 5.0         # seconds between SIGTERM and SIGKILL
EXIT_LIMIT = 10.0        # seconds from the end of a job's output to its exit
TAIL_LINES = 25


@dataclass
class Job:
    """One command to run. logdir is created, and gets output.log besides the command's own files."""
    name: str
    command: list[str]
    logdir: Path
    limit: float                       # seconds on an idle machine
    may_be_empty: bool = False         # a filter may leave no test here
    image: Path | None = None          # the image of the addresses in lines "FAILED at FUNCTION+0xN [0xADDRESS]"
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class Outcome:
    """The result of a job."""
    job: Job
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    reasons: list[str] = field(default_factory=list)     # failures of the job as a whole
    results: list[Result] = field(default_factory=list)
    seconds: float = 0.0


class Report:
    """Prints progress: one changing line on a terminal, a line per job elsewhere, and every failure."""

    def __init__(self, stream=sys.stdout, verbose: bool = False):
        self.stream, self.verbose = stream, verbose
        self.live = may_colour(stream) and not verbose

    def line(self, text: str) -> None:
        """Print a line that stays."""
        print(('\r\033[K' if self.live else '') + text, file=self.stream, flush=True)

    def result(self, job: Job, number: int, result: Result) -> None:
        """Report a finished leaf."""
        word = f'[{number:3}] {job.name}: {result.name} ... {result.status}'
        if result.status == 'failed':
            self.line(word)
            for text in result.context:
                self.line(f'      {text}')
        elif self.verbose:
            self.line(word + (f' ({result.note})' if result.note else ''))
        elif self.live:
            draw_again(word, self.stream)

    def outcome(self, outcome: Outcome) -> None:
        """Report a finished job."""
        for reason in outcome.reasons:
            self.line(f'{outcome.job.name}: {reason}')
        counts = f'{outcome.passed} passed, {outcome.failed} failed, {outcome.skipped} skipped'
        self.line(f'  {outcome.job.name:32} {counts:42} {outcome.seconds:6.1f} s')
        if outcome.failed:
            self.line(f'  logs: {outcome.job.logdir}')


def _stop(process: subprocess.Popen) -> None:
    """End a job's whole process group: by SIGTERM, so that it can end its own children, then by SIGKILL."""
    for signum, grace in ((signal.SIGTERM, KILL_GRACE), (signal.SIGKILL, KILL_GRACE)):
        try:
            os.killpg(process.pid, signum)
        except ProcessLookupError:
            pass
        try:
            process.wait(limit(grace))
        except subprocess.TimeoutExpired:
            continue
        if signum == signal.SIGTERM:
            continue                    # the leader is gone, but its group may still exist
    process.wait()


def _lines(process: subprocess.Popen, deadline: Deadline, log):
    """Yield the lines of a process until the end of its output. Raises TimeoutError at the deadline."""
    fd = process.stdout.fileno()
    rest = b''
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ)
        while True:
            left = deadline.left()
            if left <= 0.0:
                if rest:
                    yield rest.decode(errors='replace')
                raise TimeoutError
            if not selector.select(left):
                continue
            data = os.read(fd, 65536)
            if not data:
                break
            log.write(data)
            *complete, rest = (rest + data).split(b'\n')
            yield from (line.decode(errors='replace') for line in complete)
    if rest:
        yield rest.decode(errors='replace')


def _judge(outcome: Outcome, parser: Parser, status: int | None) -> None:
    """Compare the job's output with its exit status."""
    job = outcome.job
    if status == HARNESS_ERROR and job.may_be_empty and not parser.results:
        return
    parser.finish()
    outcome.reasons += parser.problems if status is not None else []
    if not parser.results and not outcome.reasons:
        outcome.reasons.append('ran no test')
    if status is None:
        return
    if signal_of(status):
        outcome.reasons.append(describe_end(status))
    elif status not in (0, ALL_SKIPPED) and not outcome.failed:
        outcome.reasons.append(f'exit status {status} ({EXIT_WORDS.get(status, "unknown")}) although no test failed')
    elif status in (0, ALL_SKIPPED) and outcome.failed:
        outcome.reasons.append(f'exit status {status} ({EXIT_WORDS[status]}) although {count(outcome.failed, "test")} failed')


CODE = re.compile(r'\S+\+0x[0-9a-f]+ \[(0x[0-9a-f]+)\]')


def with_place(line: str, image: Path | None) -> str:
    """Replace the address in a line by "file:line": that of the test itself, not of a function that was inlined into it."""
    match = CODE.search(line)
    tool = next(filter(None, map(shutil.which, ('riscv64-unknown-elf-addr2line', 'riscv64-linux-gnu-addr2line',
                                                'llvm-addr2line', 'llvm-addr2line-14'))), None)
    if not match or not image or not tool:
        return line
    done = subprocess.run([tool, '-i', '-e', str(image), match[1]], capture_output=True, text=True, check=False)
    places = [place.split(' ')[0] for place in done.stdout.splitlines() if ':' in place and '?' not in place]
    return line.replace(match[0], os.path.relpath(places[-1])) if places else line


def run_job(job: Job, report: Report) -> Outcome:
    """Run a job to its end or its limit."""
    job.logdir.mkdir(parents=True, exist_ok=True)
    outcome, parser, start = Outcome(job), Parser(), time.monotonic()
    tail: list[str] = []
    parent, deadline = os.getpid(), Deadline(job.limit)
    with open(job.logdir / 'output.log', 'wb', buffering=0) as log:
        try:
            process = subprocess.Popen(job.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                       start_new_session=True, env={**os.environ, **job.environment},
                                       preexec_fn=lambda: die_with_parent(signal.SIGTERM, parent))
        except OSError as error:
            outcome.reasons.append(f'{job.command[0]}: {error.strerror}')
            outcome.failed = 1
            return outcome
        status: int | None
        try:
            for line in _lines(process, deadline, log):
                if ' FAILED at ' in line:
                    line = with_place(line, job.image)
                tail = tail[1 - TAIL_LINES:] + [line.rstrip('\r')]
                if result := parser.feed(line):
                    report.result(job, len(parser.results), result)
            status = ended(process, EXIT_LIMIT)
        except (TimeoutError, subprocess.TimeoutExpired):
            status = None
        finally:
            _stop(process)
            process.stdout.close()
    outcome.results = parser.results
    outcome.passed, outcome.failed, outcome.skipped = (parser.count(word) for word in ('ok', 'failed', 'skipped'))
    if status is None:
        outcome.reasons.append(f'hung: no end within {time.monotonic() - start:.0f} s ({job.limit:.0f} s are allowed on an idle '
                               'machine); the last output:')
    _judge(outcome, parser, status)
    if outcome.reasons:
        outcome.failed += 1
        outcome.reasons += [f'    {line}' for line in tail]
    outcome.seconds = time.monotonic() - start
    return outcome


def totals(outcomes: list[Outcome]) -> tuple[int, int, int]:
    """Count passed, failed and skipped of all jobs."""
    return (sum(o.passed for o in outcomes), sum(o.failed for o in outcomes), sum(o.skipped for o in outcomes))
