"""Tables → files: XLSX, CSV, HTML, JSON. Equal tables give equal bytes.

Nothing a stranger wrote becomes a formula or markup.
"""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from kefud.errors import KefudError
from kefud.reports.table import Table, gated

MADE = datetime(2025, 1, 1, tzinfo=UTC).replace(tzinfo=None)
"""The date in every workbook's properties: a report made again is the same file."""

WIDEST = 60
_STYLE = (
    "body{font-family:'Noto Sans CJK SC','Microsoft YaHei',sans-serif;margin:2em;color:#222}h1{font-size:1.4em}"
    "h2{font-size:1.1em;margin-top:1.6em}table{border-collapse:collapse;font-size:.85em}"
    "th,td{border:1px solid #999;padding:.25em .5em;text-align:left;vertical-align:top;white-space:pre-wrap}th{background:#eee}"
)


def workbook(title: str, tables: Sequence[Table]) -> bytes:
    """One worksheet per table. Raises KefudError where xlsxwriter is not installed."""
    try:
        import xlsxwriter
    except ImportError:
        raise KefudError("XLSX needs the package xlsxwriter; install kefud[xlsx] or choose --format csv") from None
    buffer = io.BytesIO()
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(buffer, options)
    book.set_properties({"title": title, "created": MADE})
    bold = book.add_format({"bold": True, "bg_color": "#EEEEEE", "border": 1, "text_wrap": True, "valign": "vcenter"})
    cell = book.add_format({"text_wrap": True, "valign": "top", "border": 1})
    names: set[str] = set()
    for table in tables:
        sheet = book.add_worksheet(_sheet_name(table.title, names))
        sheet.freeze_panes(1, 0)
        for index, head in enumerate(table.columns):
            sheet.set_column(index, index, min(WIDEST, max(9, 2 * len(head) + 2)))
            sheet.write_string(0, index, str(gated(head)), bold)
        for number, row in enumerate(table.rows, 1):
            _write_row(sheet, number, row, cell)
    book.close()
    return buffer.getvalue()


def _write_row(sheet: Any, number: int, row: Sequence[Any], style: Any) -> None:
    for index, value in enumerate(row):
        safe = gated(value)
        if safe is None or safe == "":
            sheet.write_blank(number, index, None, style)
        elif isinstance(safe, str):
            sheet.write_string(number, index, safe, style)
        else:
            sheet.write_number(number, index, safe, style)


def _sheet_name(title: str, used: set[str]) -> str:
    """A sheet's name: at most 31 characters, none of []:*?/\\, none twice."""
    clean = re.sub(r"[\[\]:*?/\\']", " ", title).strip()[:28] or "表"
    name, count = clean, 1
    while name.lower() in used:
        count += 1
        name = f"{clean}{count}"
    used.add(name.lower())
    return name


def comma_separated(tables: Sequence[Table]) -> bytes:
    """CSV with a byte order mark, as spreadsheets want it; several tables stand below each other under their titles."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    several = len(tables) > 1
    for index, table in enumerate(tables):
        if several:
            writer.writerows([[]] if index else [])
            writer.writerow([gated(table.title)])
        writer.writerow([gated(head) for head in table.columns])
        for row in table.rows:
            writer.writerow(["" if (safe := gated(value)) is None else safe for value in row])
    return text.getvalue().encode("utf-8-sig")


def page(title: str, tables: Sequence[Table]) -> bytes:
    """One HTML page that needs nothing else; every cell is escaped."""
    parts = [
        f'<!DOCTYPE html>\n<html lang="zh-CN"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>{html.escape(title)}</h1>\n"
    ]
    for table in tables:
        parts.append(f"<h2>{html.escape(table.title)}</h2>\n<table><thead><tr>")
        parts += [f"<th>{html.escape(head)}</th>" for head in table.columns]
        parts.append("</tr></thead><tbody>\n")
        rows = 0
        for row in table.rows:
            cells = "".join(f"<td>{html.escape('' if v is None else str(v))}</td>" for v in row)
            parts.append(f"<tr>{cells}</tr>\n")
            rows += 1
        parts.append("</tbody></table>\n" if rows else "</tbody></table>\n<p>(无)</p>\n")
    parts.append("</body></html>\n")
    return "".join(parts).encode("utf-8", "replace")


def joined(papers: Sequence[bytes]) -> bytes:
    """Several PDF files as one. Raises KefudError where there are several and pypdfium2 is not installed."""
    if len(papers) == 1:
        return papers[0]
    try:
        import pypdfium2
    except ImportError:
        raise KefudError(f"this report has {len(papers)} sheets; to join them install pypdfium2 (kefud[ocr])") from None
    whole = pypdfium2.PdfDocument.new()
    for paper in papers:
        whole.import_pages(pypdfium2.PdfDocument(paper))
    buffer = io.BytesIO()
    whole.save(buffer)
    return buffer.getvalue()


def document(data: Any) -> bytes:
    """The plain data as JSON."""
    return (json.dumps(data, ensure_ascii=False, indent=1, default=str) + "\n").encode("utf-8", "replace")
