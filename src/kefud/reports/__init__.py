"""Tickets → ledger, registers, digests, figures; as plain data first, then as XLSX, CSV, HTML, JSON or a printed form.

Nothing here reads a clock, a database or the network. Data are made once per period (`digests`, `summaries`, `ledger`) and
everything people see is made from them, so that a report printed again says the same.
"""

from __future__ import annotations

from kefud.desk.cases import Case, Check, Event, Paper, Written
from kefud.reports.reader import Desk, for_reader
from kefud.reports.schedule import RHYTHM, Slot, latest, parse_period, sign_by, slot_of, span_of
from kefud.reports.settings import ROLES, Settings, read_settings
from kefud.reports.sheets import TITLES
from kefud.reports.signoff import SignOff, read_sign_off
from kefud.reports.spotcheck import draw_sample
from kefud.reports.table import Table, gated

__all__ = [
    "RHYTHM", "ROLES", "TITLES", "Case", "Check", "Desk", "Event", "Paper", "Settings", "SignOff", "Slot", "Table", "Written",
    "draw_sample", "for_reader", "gated", "latest", "parse_period", "read_settings", "read_sign_off", "sign_by", "slot_of",
    "span_of",
]  # fmt: skip
