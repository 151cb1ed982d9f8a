"""R28: nobody reads the log, or its disk is full. Work goes on, and what could not be written is counted."""

from __future__ import annotations

import fcntl
import io
import logging
import os
import threading
from pathlib import Path
from typing import BinaryIO

import psutil
import pytest
from hostile.station import Station, environment, kefud
from hostile.test_children import end, eventually
from line.office import mail
from servers.scripted_smtp import ScriptedSmtp

from kefud import log

F_SETPIPE_SZ = 1031
LEAK = "厨房水龙头坏了,一直滴水,请派人来修。"


def blocked() -> tuple[BinaryIO, int]:
    """A pipe of one page that nobody reads, filled already; and its other end."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, F_SETPIPE_SZ, 4096)
    os.write(writing, b"x" * 4096)
    return os.fdopen(writing, "wb"), reading


@pytest.mark.parametrize("where", ["nobody reads", "full"])
def test_work_goes_on_where_the_log_does_not(tmp_path: Path, where: str) -> None:
    with ScriptedSmtp() as smtp:
        office = Station(tmp_path, smtp=smtp)
        target, reading = blocked() if where == "nobody reads" else (os.fdopen(os.open("/dev/full", os.O_WRONLY), "wb"), -1)
        daemon = psutil.Popen(kefud(office.path, "run"), env=environment(), stderr=target)
        try:
            for n in range(4):
                office.put(mail(f"{n + 1}号楼1单元101,{LEAK}", sender=f"o{n}@mail.example.com", name=f"业主{n}"))
            eventually(lambda: all(office.delivered(f"o{n}@mail.example.com") for n in range(4)), 60)
            daemon.terminate()
            assert daemon.wait(40) == 0
        finally:
            end(daemon)
            target.close()
            if reading >= 0:
                os.close(reading)
        assert office.broken() == []
        office.office.db.close()


class Stuck(io.StringIO):
    """Takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()

    def write(self, text: str) -> int:
        self.free.wait(20)
        return super().write(text)


def test_lines_that_were_lost_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    out, logger = Stuck(), logging.getLogger("kefud")
    before = list(logger.handlers), logger.propagate, logger.level
    monkeypatch.setattr("sys.stderr", out)
    monkeypatch.setattr(log, "MOST_WAITING", 10)
    try:
        log.set_up("human", unhurried=True)
        for n in range(50):
            log.event("line", number=n)
        out.free.set()
        logger.handlers[0].flush()
    finally:
        logger.handlers[:], logger.propagate = before[:2]
        logger.setLevel(before[2])
    written = out.getvalue().splitlines()
    assert "number=0" in written[0]
    told = [int(line.rpartition("=")[2]) for line in written if "log-lines-lost" in line]
    assert told and sum(told) + len(written) - len(told) == 50
