"""`kefud doctor`: probes the machine it runs on; distributions mend bugs without changing numbers, so it tries."""

from __future__ import annotations

import email.errors
import email.message
import email.policy
import email.utils
import importlib.util
import shutil
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from kefud.cli.common import as_json, config_path, loaded, show
from kefud.config import Loaded
from kefud.errors import ConfigError, KefudError
from kefud.shipped import shipped

Finding = tuple[str, str, str]
"""Level ("ok", "warn", "bad"), what was probed, what was found."""


@click.command()
@as_json
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Probe the machine: Python, fonts, OCR models, calendar horizon, modes of files."""
    findings = [f for probe in PROBES for f in _safely(probe)]
    if config_path(ctx).exists():
        findings += _configured(ctx)
    if as_json:
        show([{"level": level, "probe": probe, "finding": finding} for level, probe, finding in findings])
    else:
        colours = {"ok": "green", "warn": "yellow", "bad": "red"}
        for level, probe, finding in findings:
            click.echo(f"{click.style(f'{level:4}', fg=colours[level])} {probe}: {finding}")
    sys.exit(1 if any(level == "bad" for level, _, _ in findings) else 0)


def _safely(probe: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from probe()
    except Exception as error:
        yield "bad", probe.__name__.strip("_"), f"{type(error).__name__}: {error}"


def _python() -> Iterator[Finding]:
    version = sys.version.split()[0]
    yield ("ok" if sys.version_info >= (3, 11) else "bad"), "python", version


def _header_injection() -> Iterator[Finding]:
    """CVE-2024-6923, CVE-2026-1299: a header value with a line end must not become two headers, as text or as bytes."""
    message = email.message.Message(email.policy.default)
    message["Subject"] = _Folded("a\r\nBcc: victim@example.com\r\n")
    through = []
    for write in (message.as_string, message.as_bytes):
        try:
            write()
            through.append(write.__name__)
        except email.errors.MessageError:
            pass
    text = f"{' and '.join(through)} let line ends through; kefud strips them" if through else "refused by the standard library"
    yield ("warn" if through else "ok"), "header injection", text


class _Folded(str):
    """A header value that claims to be folded already."""

    name = "Subject"

    def fold(self, **_: object) -> str:
        return f"Subject: {self}"


def _parseaddr() -> Iterator[Finding]:
    """CVE-2023-27043: a malformed From must not yield somebody's address."""
    _, address = email.utils.parseaddr("alice@corp.example)<evil@example.com>")
    strict = address == ""
    text = "strict" if strict else "accepts malformed addresses (CVE-2023-27043); kefud reads From with its own strict parser"
    yield ("ok" if strict else "warn"), "address parser", text


def _imap_literal() -> Iterator[Finding]:
    """A server that announces two gigabytes must not make us allocate them."""
    import imaplib

    source = Path(imaplib.__file__).read_text("utf-8")
    guarded = "_read_literal" in source or "safe_read" in source
    text = "bounded by the standard library" if guarded else "imaplib allocates what a server announces; kefud checks first"
    yield ("ok" if guarded else "warn"), "imap literal", text


def _fonts() -> Iterator[Finding]:
    from kefud.compose import Press

    problems = Press([str(shipped("templates"))]).check()
    if problems:
        yield "bad", "fonts", "; ".join(str(p) for p in problems[:2])
    else:
        yield "ok", "fonts", "every form prints with Chinese characters, 㛃䶮 among them"


def _ocr() -> Iterator[Finding]:
    spec = importlib.util.find_spec("rapidocr")
    if spec is None or spec.origin is None:
        yield "warn", "ocr", "not installed; every scan waits for a person (pip install 'kefud[ocr]')"
        return
    models = list(Path(spec.origin).parent.glob("models/*.onnx"))
    yield ("ok" if len(models) >= 3 else "bad"), "ocr", f"rapidocr with {len(models)} models in the package"


def _ports() -> Iterator[Finding]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
    yield "ok", "loopback", f"works, {threading.active_count()} thread"


PROBES = (_python, _header_injection, _parseaddr, _imap_literal, _fonts, _ocr, _ports)


def _configured(ctx: click.Context) -> Iterator[Finding]:
    try:
        found = loaded(ctx)
    except (ConfigError, KefudError) as error:
        yield "bad", "configuration", str(error).splitlines()[0]
        return
    yield from _calendar(found)
    yield from _space(found)
    yield from _modes(found)


def _calendar(found: Loaded) -> Iterator[Finding]:
    horizon, today = found.site.calendar.horizon(), datetime.now(ZoneInfo(found.site.timezone)).date()
    days = (horizon - today).days
    text = f"make-up working days are known until {horizon}"
    if days < 60:
        text += "; enter the next year's under [calendar] makeup_working_days when the State Council announces them"
    yield ("ok" if days >= 60 else "warn"), "calendar", text


def _space(found: Loaded) -> Iterator[Finding]:
    spool = Path(found.spool)
    place = next(p for p in (spool, *spool.parents) if p.exists())
    free = shutil.disk_usage(place).free >> 20
    yield ("ok" if free > 1024 else "bad"), "disk", f"{free} MiB free for {spool}"


def _modes(found: Loaded) -> Iterator[Finding]:
    for path in [Path(found.path), Path(found.spool)]:
        if path.exists() and path.stat().st_mode & 0o022:
            yield "bad", "modes", f"{path} is writable by others; run: chmod go-w {path}"
            return
    yield "ok", "modes", "configuration and spool are not writable by others"


