"""What the commands share: finding the configuration, opening the office, printing."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from kefud import log
from kefud.config import Loaded, Site, load
from kefud.desk.ticket import POSTS
from kefud.errors import ConfigError, Problem, Usage
from kefud.wiring import Office

as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
by_role = click.option("--as", "role", default="cs_specialist", show_default=True, help="The role that acts.")


def acting(site: Site, role: str) -> str:
    """``role`` as it is. Raises Usage where nobody is called so: a slip must not read or decide what a role may not."""
    if not (site.role(role) or site.party(role) or role in POSTS):
        named = ", ".join(dict.fromkeys([*(r.id for r in site.roles), *(p.id for p in site.parties)]))
        raise Usage(f"--as {role}: there is no such role or party; known are {named or ', '.join(POSTS)}")
    return role


def config_path(ctx: click.Context) -> Path:
    """FILE, else $KEFUD_CONFIG, else config/kefud.toml below the working directory, else /etc/kefud/kefud.toml."""
    given = ctx.find_root().obj["config"] or os.environ.get("KEFUD_CONFIG")
    if given:
        return Path(given)
    here = Path("config/kefud.toml")
    return here if here.exists() else Path("/etc/kefud/kefud.toml")


def loaded(ctx: click.Context) -> Loaded:
    path = config_path(ctx)
    if not path.exists():
        message = "there is no configuration; write one with `kefud init DIR`, or name it with -c FILE"
        raise ConfigError([Problem(str(path), 0, "", message)])
    return load(path)


def office(ctx: click.Context, *, exclusive: bool = False) -> Office:
    """The office of the configuration; only the daemon itself holds the store alone."""
    found = loaded(ctx)
    log.set_up(found.config.service.log, verbose=ctx.find_root().obj["verbose"])
    return Office(found, exclusive=exclusive)


def show(document: Any) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=1, default=_plain))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def table(rows: Sequence[Sequence[Any]], heads: Sequence[str]) -> None:
    """Print rows under heads, columns as wide as their widest cell (汉字 count twice)."""
    cells = [[str("" if c is None else c) for c in row] for row in (heads, *rows)]
    widths = [max(_width(row[i]) for row in cells) for i in range(len(heads))]
    for index, row in enumerate(cells):
        line = "  ".join(c + " " * (w - _width(c)) for c, w in zip(row, widths, strict=True)).rstrip()
        click.echo(click.style(line, bold=True) if index == 0 else line)


def _width(text: str) -> int:
    return sum(2 if ord(c) > 0x2E7F else 1 for c in text)


def cut(text: str, width: int = 40) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"


def local(instant: datetime | None, zone: Any) -> str:
    return instant.astimezone(zone).strftime("%Y-%m-%d %H:%M") if instant else ""


def progress(items: Sequence[Any], label: str) -> Any:
    """A progress bar at a terminal, nothing elsewhere."""
    return click.progressbar(items, label=label, file=sys.stderr, hidden=not sys.stderr.isatty())
