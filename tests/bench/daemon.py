"""One kefud for a measurement: its configuration, its processes, what they cost, and when they have nothing left to do."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import psutil

ROOT = Path(__file__).resolve().parents[2]

_SERVICE = """
include = ["departments.toml", "houses.toml", "knowledge.toml"]

[service]
name = "客户服务中心"
hotline = "400-000-0000"
spool = "var"
outgoing = {{ name = "客户服务中心", address = "service@example.cn" }}

# The caps against floods would hold most letters of a benchmark back: a thousand mails of one hour are meant here.
[limits]
letters_per_recipient_hour = 1000000
letters_per_recipient_day = 1000000
letters_per_hour = 1000000
tickets_per_sender_hour = 1000000
"""
_MAILBOX = """
[[channel]]
id = "{user}"
plugin = "imap_mailbox"
host = "127.0.0.1"
port = {port}
tls = "none"
username = "{user}"
password = {{ file = "password" }}
{more}
"""
_BOX = """
[[channel]]
id = "box"
plugin = "complaint_box"
folder = "{folder}"
settle = 0.0
"""
_SMTP = """
[[transport]]
id = "mail"
plugin = "smtp"
host = "127.0.0.1"
port = {port}
tls = "none"
"""


class Kefud:
    """A kefud in a directory of its own. Use as a context manager: it runs from entry to exit."""

    def __init__(
        self,
        home: Path,
        *,
        imap_port: int = 0,
        users: Sequence[str] = (),
        smtp_port: int = 0,
        box: Path | None = None,
        more: str = "",
        store: Path | None = None,
    ) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        for name in ("departments.toml", "houses.toml", "knowledge.toml"):
            shutil.copy(ROOT / "config" / name, home / name)
        (home / "password").write_text("pw")
        (home / "password").chmod(0o600)
        text = _SERVICE.format() + "".join(_MAILBOX.format(user=u, port=imap_port, more=more) for u in users)
        text += _BOX.format(folder=box) if box else ""
        text += _SMTP.format(port=smtp_port) if smtp_port else ""
        (home / "kefud.toml").write_text(text)
        self.spool = home / "var"
        self.spool.mkdir(mode=0o700, exist_ok=True)
        self.database = self.spool / "kefud.db"
        self._past = {"arrival": 0, "letter": 0, "ticket": 0}
        if store is not None:
            shutil.copy(store, self.database)
            self._past = {table: self._ask(f"select max(id) from {table}") for table in self._past}
        self.most_pss = 0.0
        self._gone: dict[int, float] = {}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "kefud", "-c", str(self.home / "kefud.toml"), *arguments]

    @property
    def environment(self) -> dict[str, str]:
        # Without -P, and with the checkout first: what is measured is this tree, not an installed one.
        return {**os.environ, "PYTHONPATH": str(ROOT / "src")}

    def __enter__(self) -> Kefud:
        self._notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = f"\0kefud-bench-{os.getpid()}-{time.monotonic_ns()}"
        self._notified.bind(address)
        self._log = open(self.home / "log", "ab")
        environment = {**self.environment, "NOTIFY_SOCKET": f"@{address[1:]}"}
        self.started = time.perf_counter()
        self.process = subprocess.Popen(self.command("run"), env=environment, stdout=self._log, stderr=self._log)
        self._stop = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._watch.join()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._notified.close()
        self._log.close()

    def ready(self, patience: float = 60.0) -> float:
        """Seconds from start to READY=1."""
        self._notified.settimeout(patience)
        while b"READY=1" not in self._notified.recv(4096):
            pass
        return time.perf_counter() - self.started

    def processes(self) -> list[psutil.Process]:
        try:
            root = psutil.Process(self.process.pid)
            return [root, *root.children(recursive=True)]
        except psutil.Error:
            return []

    def cpu(self) -> float:
        """CPU seconds of all processes so far, those that ended included as far as they were seen."""
        for process in self.processes():
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            self._gone[process.pid] = times.user + times.system
        return sum(self._gone.values())

    def pss(self) -> float:
        """Sum of PSS in MB."""
        return sum(self.pss_by_process().values())

    def pss_by_process(self) -> dict[int, float]:
        found = {}
        for process in self.processes():
            try:
                found[process.pid] = process.memory_full_info().pss / 1e6
            except psutil.Error:
                continue
        return found

    def wait(self, done: Callable[[], bool], patience: float = 600.0) -> float:
        """Seconds since the start until ``done``."""
        while not done():
            if self.process.poll() is not None:
                raise RuntimeError(f"kefud ended: {(self.home / 'log').read_text()[-2000:]}")
            if time.perf_counter() - self.started > patience:
                raise RuntimeError(f"kefud takes longer than {patience:g} s: {self.state()}")
            time.sleep(0.05)
        return time.perf_counter() - self.started

    def taken(self, count: int) -> bool:
        """Whether so many arrivals are committed."""
        return self._ask(f"select count(*) from arrival where id > {self._past['arrival']}") >= count

    def filed(self, count: int) -> bool:
        """Whether so many arrivals are worked off."""
        return self.taken(count) and not self._ask("select exists(select 1 from arrival where status = 'received')")

    def delivered(self, count: int) -> bool:
        """Whether so many arrivals are worked off, their letters sent, and the tickets told."""
        if not self.filed(count):
            return False
        work = "exists(select 1 from letter where status in ('pending', 'leased')) or exists(select 1 from letter where told is false)"
        return not self._ask(f"select {work}")

    def state(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for table, past in self._past.items():
            status = "'s'" if table == "ticket" else "' ' || status"
            found |= self._rows(f"select '{table}' || {status}, count(*) from {table} where id > {past} group by 1")
        return found

    def _ask(self, query: str) -> int:
        rows = self._rows(query)
        return int(rows[0][0]) if rows else 0

    def _rows(self, query: str) -> list[tuple[str, int]]:
        try:
            with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=5) as connection:
                return list(connection.execute(query))
        except sqlite3.OperationalError:
            return []

    def _look(self) -> None:
        while not self._stop.wait(0.5):
            self.cpu()
            self.most_pss = max(self.most_pss, self.pss())
