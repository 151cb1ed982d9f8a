"""Loop, schedule, signals, watchdog. Knows nothing of tickets: only stages that do one piece of work and say if there was any.

Each stage runs in a thread of its own, so that none waits for another. The watchdog is fed by the progress of the stages,
never by a timer alone: a stage that makes none for longer than it may stops the feeding, and systemd starts us anew.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import schedule

from kefud import log
from kefud.errors import KefudError

LONGEST_SILENCE = 900.0
"""Seconds a stage may be at one piece of work before the watchdog is starved."""


class Stage(Protocol):
    """One stage of the line."""

    name: str

    def step(self) -> bool: ...


@dataclass
class Job:
    """Something done at a rhythm: ``every`` seconds call ``do``, which only wakes or notes and never takes long."""

    name: str
    every: float
    do: Callable[[], object]


@dataclass
class _Runner:
    stage: Stage
    idle: float
    wake: threading.Event = field(default_factory=threading.Event)
    beat: float = 0.0
    resting: bool = False
    failures: int = 0


class Orders:
    """What was asked for: by SIGTERM and SIGINT an end, by SIGHUP to begin again with the configuration as it is then.

    Kept over a reload: an end that is asked for while one daemon goes and the next comes is not forgotten. Signal handlers
    take no lock (the main thread may hold it) and wake the main thread through a socket, so none comes between its last
    look and its sleep (signal.set_wakeup_fd).
    """

    def __init__(self) -> None:
        self.end = False
        self.again = False
        self._hears, self._calls = socket.socketpair()
        self._hears.setblocking(False)
        self._calls.setblocking(False)

    def listen(self) -> None:
        """Take signals from now on; the main thread alone may call this."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, lambda *_: self.ask(end=True))
        signal.signal(signal.SIGHUP, lambda *_: self.ask(end=False))
        signal.set_wakeup_fd(self._calls.fileno(), warn_on_full_buffer=False)

    def ask(self, *, end: bool) -> None:
        """Ask for an end or a new beginning, from any thread or signal handler."""
        self.end |= end
        self.again |= not end
        with contextlib.suppress(BlockingIOError):  # full: then it wakes already
            self._calls.send(b"!")

    def wait(self, seconds: float) -> None:
        """Until something is asked for, ``seconds`` at most."""
        select.select([self._hears], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            while self._hears.recv(4096):
                pass

    def close(self) -> None:
        self._hears.close()
        self._calls.close()


class Daemon:
    """Runs stages and jobs until told to stop.

    ``monotonic`` counts seconds; ``idle`` is the longest a stage without work waits before it looks again.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        jobs: Sequence[Job] = (),
        *,
        monotonic: Callable[[], float],
        status: Callable[[], str] = lambda: "",
        idle: float = 30.0,
        stop_grace: float = 25.0,
    ) -> None:
        self._runners = {s.name: _Runner(s, getattr(s, "idle", idle)) for s in stages}
        self._jobs = jobs
        self._monotonic = monotonic
        self._status = status
        self._stop = threading.Event()
        self._grace = stop_grace
        self._threads: list[threading.Thread] = []

    def stopping(self) -> bool:
        return self._stop.is_set()

    def wake(self, *names: str) -> None:
        """There may be work for these stages, for all where none is named."""
        for name, runner in self._runners.items():
            if not names or name in names:
                runner.wake.set()

    def run(self, orders: Orders, interrupt: Callable[[], None] = lambda: None) -> str:
        """Run until ``orders`` ask for something; "stop" or "reload". ``interrupt`` is called to wake those who wait for the outside."""
        self._threads = [
            threading.Thread(target=self._work, args=(r,), name=r.stage.name, daemon=True) for r in self._runners.values()
        ]
        for runner in self._runners.values():
            runner.beat = self._monotonic()
        for thread in self._threads:
            thread.start()
        notify("READY=1")
        self._tick_until(orders)
        self._stop.set()
        notify("STOPPING=1" if orders.end else "RELOADING=1")
        self._end(interrupt)
        return "stop" if orders.end else "reload"

    def _tick_until(self, orders: Orders) -> None:
        rhythm = schedule.Scheduler()
        for job in self._jobs:
            rhythm.every(max(1, int(job.every))).seconds.do(self._safely, job)
        rhythm.every(10).seconds.do(self._report)
        self._report()
        while not (orders.end or orders.again):
            rhythm.run_pending()
            orders.wait(min(5.0, max(0.2, rhythm.idle_seconds or 1.0)))

    def _safely(self, job: Job) -> None:
        try:
            job.do()
        except Exception as error:
            log.error("job-failed", job=job.name, reason=f"{type(error).__name__}: {error}")

    def _report(self) -> None:
        late = self.stuck()
        if late:
            log.error("stage-stuck", stages=", ".join(late))
            return
        try:
            text = self._status()
        except Exception as error:  # a store that is away ends no daemon: the stages say so, too, and try again
            text = f"{type(error).__name__}: {' '.join(str(error).split())}"
            log.error("status-unknown", reason=error)
        notify("WATCHDOG=1" + (f"\nSTATUS={text}" if text else ""))

    def stuck(self) -> list[str]:
        """Stages that have been at one piece of work for too long."""
        now = self._monotonic()
        return [n for n, r in self._runners.items() if not r.resting and now - r.beat > LONGEST_SILENCE]

    def _end(self, interrupt: Callable[[], None]) -> None:
        """Let those who send finish their letter, then wake everyone who still waits for the outside."""
        self.wake()
        deadline = self._monotonic() + self._grace
        patient = [t for t in self._threads if t.name.startswith("outbox")]
        for thread in patient:
            thread.join(max(0.1, deadline - self._monotonic()))
        interrupt()
        for thread in self._threads:
            thread.join(max(0.1, deadline - self._monotonic()))

    def _work(self, runner: _Runner) -> None:
        while not self._stop.is_set():
            runner.wake.clear()
            runner.beat, runner.resting = self._monotonic(), False
            worked = self._step(runner)
            runner.beat = self._monotonic()
            if not worked and not self._stop.is_set():
                runner.resting = True
                self._rest(runner)
        self._finish(runner)

    def _finish(self, runner: _Runner) -> None:
        end = getattr(runner.stage, "end", None)
        if end is not None:
            try:
                end()
            except Exception as error:
                log.error("stage-failed", stage=runner.stage.name, reason=f"{type(error).__name__}: {error}")

    def _step(self, runner: _Runner) -> bool:
        try:
            worked = runner.stage.step()
            runner.failures = 0
            return worked
        except Exception as error:
            if self._stop.is_set():
                return False
            runner.failures += 1
            trace = "" if isinstance(error, KefudError) else _where(error)
            log.error("stage-failed", stage=runner.stage.name, reason=f"{type(error).__name__}: {error}", at=trace or None)
            self._stop.wait(min(60.0, 0.5 * 2 ** min(runner.failures, 7)))
            return True

    def _rest(self, runner: _Runner) -> None:
        rest = getattr(runner.stage, "rest", None)
        if rest is None:
            runner.wake.wait(runner.idle)
            return
        try:
            rest(self._stop.wait)
        except Exception as error:
            log.error("stage-failed", stage=runner.stage.name, reason=f"{type(error).__name__}: {error}")
            self._stop.wait(1.0)


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else ""


def notify(message: str) -> None:
    """Tell systemd (sd_notify(3)); quietly nothing where nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as wire:
            wire.setblocking(False)
            wire.sendto(message.encode(), address)
    except OSError:
        return


def run_until_idle(stages: Sequence[Stage], rounds: int = 100_000) -> None:
    """Work off all there is, in order, in this thread: `kefud run --once` and tests."""
    for _ in range(rounds):
        if not any([_drain(stage) for stage in stages]):
            return


def _drain(stage: Any) -> bool:
    worked = False
    while stage.step():
        worked = True
    return worked
