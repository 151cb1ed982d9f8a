"""`kefud report`: any register or report, of any period, as a spreadsheet, a page, a printed form or plain data."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from kefud.cli.common import acting, as_json, office, table
from kefud.compose import Press
from kefud.errors import Usage
from kefud.periodic import is_masked
from kefud.reports import RHYTHM, TITLES, Table, export, for_reader, parse_period, schedule, span_of
from kefud.reports.forms import forms
from kefud.reports.ledger import (
    BOXES,
    CALLS,
    DOCUMENTS_IN,
    DOCUMENTS_OUT,
    LEDGER,
    box_rows,
    call_rows,
    documents_in,
    documents_out,
    ledger_row,
)
from kefud.reports.sheets import tables, title
from kefud.reports.table import of_rows
from kefud.shipped import shipped
from kefud.store import registers
from kefud.wiring import Office

FORMATS = ("xlsx", "pdf", "html", "csv", "json")
NAMES: dict[str, str] = {
    "daily": "daily", "weekly": "weekly", "monthly": "monthly", "yearly": "yearly", "ledger": "ledger", "calls": "calls",
    "box": "box",
    "documents": "documents", "contractors": "contractors", "visits": "visits", "daily-record": "record", "kpi": "kpi",
    "effect": "effect", "internal": "internal", "briefing": "briefing", "meeting": "meeting",
    "visit-analysis": "visit-analysis",
    "spot-check": "spot-check", "breaches": "breaches", "tasks": "tasks",
}  # fmt: skip
"""What may be asked for, and what it is called inside."""
REGISTERS = ("ledger", "calls", "box", "documents")
SPANS = ("kpi", "breaches")
ALL = (datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))


@click.command()
@click.argument("kind", type=click.Choice(list(NAMES)), metavar="KIND")
@click.option("--date", "period", metavar="D", help="The period: 2025-04-24, 2025-W17, 2025-04 or 2025.")
@click.option("--format", "format_", type=click.Choice(FORMATS), help="Default: by the ending of FILE, else text for people.")
@click.option("-o", "--output", "file", metavar="FILE", help='Where to; "-" is standard output.')
@click.option(
    "--as", "role", default="cs_manager", show_default=True, help="Who reads: outside parties get no names and numbers."
)
@click.option("--fresh", is_flag=True, help="Count anew even where the report was made before.")
@as_json
@click.pass_context
def report(
    ctx: click.Context,
    kind: str,
    period: str | None,
    format_: str | None,
    file: str | None,
    role: str,
    fresh: bool,
    as_json: bool,
) -> None:
    """Make a register or report of any period again.

    KIND is daily, weekly, monthly, yearly, ledger, calls, box, documents, contractors, visits, daily-record, kpi, effect,
    internal, briefing, meeting, visit-analysis, spot-check, breaches or tasks. A report that was sent is shown as it was
    sent; the others are counted now. Without a date: the current day or week, the last full month, the current year; for
    the registers everything there is.
    """
    chosen = "json" if as_json else format_ or _format_of(file)
    with office(ctx) as found:
        masked = is_masked(found.site, acting(found.site, role))
        name = NAMES[kind]
        if name == "ledger" and chosen in ("xlsx", "csv", "html"):
            content = _ledger_file(found, period, chosen, masked)
            data: Mapping[str, Any] = {"period": period or ""}
        else:
            data = for_reader(_data(found, name, period, fresh), masked)
            if chosen is None:
                _print(name, data)
                return
            content = _rendered(found, name, data, chosen)
    _put_out(content, chosen, file, f"{kind}-{data.get('period') or 'all'}")


def _format_of(file: str | None) -> str | None:
    if file is None or file == "-":
        return None if file is None else "json"
    ending = Path(file).suffix.lstrip(".").lower()
    if ending not in FORMATS:
        raise Usage(f"{file}: the ending says no format; add --format {'|'.join(FORMATS)}")
    return ending


def _data(found: Office, kind: str, period: str | None, fresh: bool) -> dict[str, Any]:
    """The data of a report: as it was made, or counted now."""
    now = found.clock()
    with found.db.read() as tx:
        if kind in REGISTERS:
            return _register(found, tx, kind, period)
        if kind == "tasks":
            return found.reporter.tasks(tx)
        rhythm, day = _asked(found, kind, period, now)
        if kind in SPANS or rhythm != RHYTHM.get(kind):
            if kind not in SPANS:
                raise Usage(f"a {kind} report covers a {RHYTHM[kind]}; write {_example(RHYTHM[kind])}")
            name, start, end = span_of(rhythm, day, found.site.calendar)
            make = found.reporter.kpi if kind == "kpi" else found.reporter.breaches
            return make(tx, name, start, min(end, max(now, start)))
        slot = found.reporter.slot(kind, day)
        if slot is None:
            raise Usage(f"the centre is closed on {day.isoformat()}; there is no {kind} report")
        have = None if fresh else registers.made(tx, kind, slot.period)
        if have and kind == "spot-check":
            return {**found.reporter.spot_check(have), "made_at": have.made_at.isoformat()}
        if have and not have.data.get("early"):
            return {**have.data, **_signature(found, have)}
        return found.reporter.data(tx, slot, now)


def _signature(found: Office, have: registers.Made) -> dict[str, Any]:
    if have.signed_at is None:
        return {}
    reviewed = {"name": found.reporter.desk.name(have.signed_by), "at": found.reporter.desk.text(have.signed_at)}
    return {
        "reviewed": reviewed,
        "signed_by": have.signed_by,
        "signed_at": have.signed_at.isoformat(),
        "instruction": have.text,
    }


def _asked(found: Office, kind: str, period: str | None, now: datetime) -> tuple[str, date]:
    today = found.site.calendar.local(now).date()
    rhythm = RHYTHM.get(kind, "month")
    if period is None:
        past = rhythm == "month" and kind != "meeting"
        return rhythm, schedule.months_before(today, 1) if past else today
    try:
        given, day = parse_period(period)
    except ValueError as error:
        raise Usage(str(error)) from None
    finer = ("day", "week", "month", "year").index(given) <= ("day", "week", "month", "year").index(rhythm)
    return (rhythm if finer and kind not in SPANS else given), day


def _example(rhythm: str) -> str:
    return {"day": "2025-04-24", "week": "2025-W17", "month": "2025-04", "year": "2025"}[rhythm]


# Registers


def _span(found: Office, period: str | None) -> tuple[str, datetime, datetime]:
    if period is None:
        return "", *ALL
    try:
        return span_of(*parse_period(period), found.site.calendar)
    except ValueError as error:
        raise Usage(str(error)) from None


def _register(found: Office, tx: Any, kind: str, period: str | None) -> dict[str, Any]:
    name, start, end = _span(found, period)
    desk = found.reporter.desk
    data: dict[str, Any] = {"kind": kind, "period": name, "title": TITLES[kind]}
    if kind == "ledger":
        data["columns"] = [head for _, head in LEDGER]
        data["rows"] = list(_ledger_rows(found, tx, start, end))
    elif kind == "calls":
        data["rows"] = list(call_rows(registers.calls(tx, start, end), desk))
    elif kind == "box":
        empty = [
            {"box": m.data["box"], "at": m.signed_at, "by": desk.name(m.signed_by), "text": m.text}
            for m in registers.listed(tx, ("box",)) if m.signed_at and start <= m.signed_at < end
        ]  # fmt: skip
        boxes = {c.id: str(c.settings.get("box") or c.id) for c in found.site.channels if c.plugin == "complaint_box"}
        data["rows"] = box_rows(registers.box_letters(tx, start, end), empty, desk, boxes)
    else:
        cases = registers.cases(tx, start, end)
        data |= {"incoming": documents_in(cases, start, end, desk), "outgoing": documents_out(cases, start, end, desk)}
    return data


def _ledger_rows(found: Office, tx: Any, start: datetime, end: datetime) -> Iterable[dict[str, Any]]:
    """The ledger's rows one by one, with serial numbers from 1."""
    now = found.clock()
    checked = found.reporter.checked(tx)
    cases = registers.of_ids(tx, registers.begun(tx, start, end))
    for serial, case in enumerate(cases, 1):
        yield ledger_row(case, serial, now, found.reporter.desk, checked)


def _ledger_file(found: Office, period: str | None, chosen: str, masked: bool) -> bytes:
    """The ledger as a file, row by row: it may be long."""
    name, start, end = _span(found, period)
    with found.db.read() as tx:
        rows = (for_reader(r, masked) for r in _ledger_rows(found, tx, start, end))
        return _written(chosen, f"{TITLES['ledger']} {name}".strip(), [of_rows(TITLES["ledger"], LEDGER, rows)])


_COLUMNS = {"ledger": LEDGER, "calls": CALLS, "box": BOXES}


def _tables(kind: str, data: Mapping[str, Any]) -> list[Table]:
    if kind == "documents":
        return [of_rows("收文登记簿", DOCUMENTS_IN, data["incoming"]), of_rows("发文登记簿", DOCUMENTS_OUT, data["outgoing"])]
    if kind in _COLUMNS:
        return [of_rows(TITLES[kind], _COLUMNS[kind], data["rows"])]
    return tables(kind, data)


# Putting out


def _rendered(found: Office, kind: str, data: Mapping[str, Any], chosen: str) -> bytes:
    if chosen == "json":
        return export.document(data)
    if chosen == "pdf":
        return _pdf(found, kind, data)
    return _written(chosen, title(kind, data), _tables(kind, data))


def _written(chosen: str, name: str, made: Sequence[Table]) -> bytes:
    if chosen == "xlsx":
        return export.workbook(name, made)
    return export.comma_separated(made) if chosen == "csv" else export.page(name, made)


def _pdf(found: Office, kind: str, data: Mapping[str, Any]) -> bytes:
    """The printed form; several sheets (one per contractor, one per box) become one file."""
    site = found.post.site_view
    press = Press([*found.loaded.templates, str(shipped("templates"))])
    if kind == "documents":
        common = {"site": site, "number": data["period"]}
        return export.joined([press.print("doc_in_register", {**common, "rows": data["incoming"]}),
                              press.print("doc_out_register", {**common, "rows": data["outgoing"]})])  # fmt: skip
    return export.joined([press.print(form, filled) for form, filled in forms(kind, data, site)])


def _print(kind: str, data: Mapping[str, Any]) -> None:
    """For people at a terminal."""
    click.secho(title(kind, data), bold=True)
    for one in _tables(kind, data):
        rows = [["" if c is None else " ".join(str(c).split())[:40] for c in row] for row in one.rows]
        click.echo()
        click.secho(f"{one.title}({len(rows)})", bold=True)
        if rows:
            table(rows, list(one.columns))


def _put_out(content: bytes, chosen: str, file: str | None, name: str) -> None:
    if file is None and chosen in ("xlsx", "pdf") and sys.stdout.isatty():
        file = f"{name}.{chosen}"
    if file is None or file == "-":
        sys.stdout.buffer.write(content)
        return
    Path(file).write_bytes(content)
    click.echo(file, err=True)
