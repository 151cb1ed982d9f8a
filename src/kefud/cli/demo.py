"""`kefud demo`: the whole system on this machine alone."""

from __future__ import annotations

import importlib.util
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from kefud.cli.outbox import letter_json
from kefud.cli.shelf import entry_json
from kefud.compose import Press
from kefud.config import load
from kefud.demo.mailbox import find_dovecot, mailbox
from kefud.demo.office import furnish
from kefud.demo.play import Play, Seen, daemon
from kefud.demo.report import Report, cut, lines
from kefud.demo.samples import sample
from kefud.demo.smtp import SmtpServer
from kefud.desk.ticket import chinese
from kefud.errors import KefudError, Usage
from kefud.shipped import shipped
from kefud.store import arrivals, letters, tickets
from kefud.store.invariants import violations
from kefud.wiring import Office

PATIENCE = 85.0
"""Seconds for working everything off; a page of a scan takes up to ten of them on a busy machine."""


@click.command()
@click.option("--keep", "keep", type=click.Path(file_okay=False), metavar="DIR", help="Keep everything in this new directory.")
@click.option("--patience", default=PATIENCE, show_default=True, metavar="SECONDS", help="How long to wait for the work.")
def demo(keep: str | None, patience: float) -> None:
    """Sample mail, calls and letters go in, work orders come out; says what it did and where to look."""
    directory = _directory(keep)
    started = time.monotonic()
    lacks = _lacks()
    for what in lacks:
        _say(f"注意 note: {what}")
    try:
        with _signals():
            done, report, broken = _run(directory, min(patience, 30.0) if "PDF" in "".join(lacks) else patience)
    except KeyboardInterrupt:
        if not keep:
            shutil.rmtree(directory, ignore_errors=True)
        raise
    except KefudError as error:
        raise KefudError(f"{error}\nfiles of this run: {directory}") from None
    click.secho(f"kefud 演示 demonstration: {time.monotonic() - started:.0f} 秒 seconds", bold=True)
    _print(report, directory)
    for what in lacks:
        click.secho(f"\n注意 note: {what}", fg="yellow")
    for line in broken:
        click.secho(f"kefud: verify: {line}", fg="red", err=True)
    if not done:
        click.secho("kefud: not everything could be worked off in time; see what is pending above", fg="red", err=True)
    if broken or not done:
        sys.exit(1)


def _print(report: Report, directory: Path) -> None:
    for section in report.sections(directory, _program()):
        click.echo("")
        click.secho(f"■ {section.title}", bold=True, fg="cyan")
        for number, line in enumerate(lines(section)):
            click.secho(line, dim=(number == 0 and bool(section.heads) and bool(section.rows)) or None)


def _lacks() -> list[str]:
    """What this machine lacks, and what follows from it."""
    found = []
    try:
        press = Press([str(shipped("templates"))])
        press.print("notice", press.samples()["notice"])
    except (KefudError, ImportError) as error:
        found.append(f"工作联系单不能打印成 PDF,不会发出 (no PDF, so no work order leaves: {error})")
    if importlib.util.find_spec("rapidocr") is None:
        found.append("没有安装 OCR,来信都等人誊录 (without OCR every scan waits for a person: pip install 'kefud[ocr]')")
    return found


def _directory(keep: str | None) -> Path:
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="kefud-demo-"))
    found = Path(keep).absolute()
    if found.exists() and any(found.iterdir()):
        raise Usage(f"{found} is not empty; name another directory, or remove it: rm -r {found}")
    found.mkdir(parents=True, exist_ok=True)
    return found


@contextmanager
def _signals() -> Iterator[None]:
    """A polite end is an interruption too, so that no child stays behind."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(directory: Path, patience: float) -> tuple[bool, Report, list[str]]:
    """The demonstration from the first server to the last check of the store."""
    told = sample()
    _say("启动邮件服务器 starting mail servers")
    with mailbox(directory, find_dovecot()) as box, SmtpServer(directory / "sent") as smtp:
        _say(f"收信 in: {box.note}  发信 out: SMTP 127.0.0.1:{smtp.port}")
        config = furnish(directory, box, smtp.port, told.houses, datetime.now(ZoneInfo("Asia/Shanghai")).date())
        loaded = load(config)
        _say("启动后台服务 starting the daemon: kefud run")
        with daemon(config, directory / "kefud.log") as alive, Office(loaded, exclusive=False) as office:
            zone = ZoneInfo(loaded.site.timezone)
            play = Play(told, box, smtp, directory, zone, lambda: _look(office))
            mails, calls, scans = len(told.mails), len(told.calls), len(told.scans)
            _say(f"投入 putting in: {mails} 封邮件 mails, {calls} 条来电 calls, {scans} 封信件 letters")
            play.begin()
            done = play.until_done(patience, _progress(told.arrivals), alive)
            _say("停止 stopping")
    with Office(loaded, exclusive=False) as office:
        report = Report(_last_look(office), zone, _namer(office))
        broken = [f"{v.invariant}: {v.where} {v.what}" for v in violations(office.db, office.spool)]
    return done, report, broken


def _look(office: Office) -> Seen:
    with office.db.read() as tx:
        found = tickets.load(tx, tickets.search(tx, most=500))
        rows = [{**letter_json(r), "documents": [list(d) for d in r["documents"]]} for r in letters.listed(tx, most=500)]
        shelf = tuple(entry_json(e, office) for e in arrivals.shelf(tx))
        counts = arrivals.counts(tx)
    settled = sum(count for status, count in counts.items() if status != "received")
    unsent = sum(1 for r in rows if r["status"] in ("pending", "leased"))
    return Seen(tuple(found.values()), tuple(rows), shelf, settled, unsent)


def _last_look(office: Office) -> Seen:
    seen = _look(office)
    with office.db.read() as tx:
        return replace(seen, messages=tuple(m for t in seen.tickets for m in tickets.messages_of(tx, t.id)))


def _namer(office: Office) -> Callable[[str], str]:
    names = {role.id: role.name for role in office.site.roles}
    for party in office.site.parties:
        names |= {key: party.name for key in (party.id, party.address) if key}
    return lambda id: names.get(id) or ("" if chinese(id) == id else chinese(id))


def _progress(expected: int) -> Callable[[Seen, float], None]:
    """One line at a terminal that is written over and over; nothing elsewhere."""
    if not sys.stderr.isatty():
        return lambda seen, seconds: None

    def tell(seen: Seen, seconds: float) -> None:
        full = round(14 * min(1, seen.settled / expected))
        sent = sum(1 for x in seen.letters if x["status"] == "sent")
        text = (
            f"{seconds:3.0f} s {'█' * full}{'░' * (14 - full)} 来件 in {seen.settled}/{expected} · "
            f"工单 tickets {len(seen.tickets)} · 函件 letters {sent}/{len(seen.letters)} · 搁置 shelf {len(seen.shelf)}"
        )
        click.echo("\r\x1b[K" + cut(text, shutil.get_terminal_size().columns), nl=False, err=True)

    return tell


def _say(text: str) -> None:
    click.echo(("\r\x1b[K" if sys.stderr.isatty() else "") + f"· {text}", err=True)


def _program() -> str:
    """How this kefud is called from here."""
    beside = Path(sys.executable).with_name("kefud")
    if not beside.exists():
        return f"{sys.executable} -m kefud"
    if shutil.which("kefud") == str(beside):
        return "kefud"
    here = Path.cwd()
    return str(beside.relative_to(here)) if beside.is_relative_to(here) else str(beside)
