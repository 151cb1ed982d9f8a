"""Gapless numbers: drawn in the transaction that uses them, so that a number exists if and only if its paper does."""

from __future__ import annotations

import re
from datetime import date

from sqlalchemy import Connection, bindparam, insert, select, update

from kefud.store.tables import Counter, table_of

SERIES = {
    "notice": "客联", "opinion_form": "客意", "visit_record": "客访", "approval_request": "客请", "extension_notice": "客延",
    "drawing_order": "客设", "retention_claim": "客质", "evidence_record": "客证", "doc_in_register": "客收",
    "doc_out_register": "客发", "thanks_letter": "客谢",
}  # fmt: skip
"""Forms that carry a number of their own, and the word their yearly series begins with (S1-4.3.6)."""

LEFT_OUT = 200
"""Numbers that are left out after a restore: more than an office gives out between two backups."""

IMPORTED = "imported."
"""Before the name of a series: up to where its numbers came from elsewhere."""


def draw(tx: Connection, name: str, count: int = 1) -> int:
    """The first of ``count`` consecutive new numbers of the series ``name``, from 1."""
    value = tx.scalar(_DRAW, {"series": name, "count": count})
    if value is None:
        tx.execute(insert(Counter).values(name=name, value=count))
        return 1
    return int(value) - count + 1


_DRAW = (
    update(table_of(Counter))
    .where(Counter.name == bindparam("series"))
    .values(value=Counter.value + bindparam("count"))
    .returning(Counter.value)
)


def ticket_number(tx: Connection, day: date) -> str:
    """The next ticket number of the day: KF20250303-0001."""
    return f"KF{day:%Y%m%d}-{draw(tx, f'ticket.{day:%Y%m%d}'):04d}"


def form_number(tx: Connection, form: str, day: date) -> str:
    """The next number of a form in its yearly series: 客联〔2025〕001号."""
    word = SERIES[form]
    return f"{word}〔{day.year}〕{draw(tx, f'{form}.{day.year}'):03d}号"


def at_least(tx: Connection, name: str, value: int) -> None:
    """Never give out numbers up to ``value``: an import brought them along."""
    current = tx.scalar(select(Counter.value).where(Counter.name == name))
    if current is None:
        tx.execute(insert(Counter).values(name=name, value=value))
    elif current < value:
        tx.execute(update(Counter).where(Counter.name == name).values(value=value))


def leave_out(tx: Connection, day: date) -> None:
    """After a restore: the next numbers of the day and of the year's series lie beyond all that may have been given out since."""
    for form in SERIES:
        name = f"{form}.{day.year}"
        if last := tx.scalar(select(Counter.value).where(Counter.name == name)):
            for series in (name, IMPORTED + name):
                at_least(tx, series, last + LEFT_OUT)
    today = f"ticket.{day:%Y%m%d}"
    at_least(tx, today, (tx.scalar(select(Counter.value).where(Counter.name == today)) or 0) + LEFT_OUT)


def brought(tx: Connection, form: str, number: str) -> None:
    """Count on from a number that an import brought along, if it is of our own series; what lies below it may have gaps."""
    match = re.fullmatch(rf"{SERIES.get(form, '-')}〔([0-9]{{4}})〕([0-9]{{1,6}})号", number)
    if match:
        at_least(tx, f"{form}.{match[1]}", int(match[2]))
        at_least(tx, f"{IMPORTED}{form}.{match[1]}", int(match[2]))
