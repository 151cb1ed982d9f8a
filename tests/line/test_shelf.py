"""Scans that nobody can read wait for a person, and come back as tickets."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from line.office import Line, line, mail
from paper import render_letter
from PIL import Image
from servers.dovecot import Dovecot

from kefud.store import arrivals

BOX = """
[[channel]]
id = "box"
plugin = "complaint_box"
folder = "box"
box = "东门意见箱"
settle = "100ms"
"""


@pytest.fixture
def office(tmp_path: Path, imap_server: Dovecot) -> Iterator[Line]:
    (tmp_path / "box").mkdir()
    blurred = Image.open(io.BytesIO(render_letter("楼道灯坏了三天,请修。\n5-1-201 何样板 13800000201", "png"))).resize((90, 120))
    blurred.save(tmp_path / "box" / "letter.png")
    with line(tmp_path, f"sqlite:///{tmp_path}/kefud.db", imap_server, BOX) as made:
        made.work()
        yield made
        assert made.broken() == []


def _shelf(office: Line) -> list[arrivals.ShelfEntry]:
    with office.office.db.read() as tx:
        return arrivals.shelf(tx)


def test_the_scan_is_shown_to_a_person_who_is_asked_to_read_it(office: Line) -> None:
    [entry] = _shelf(office)
    assert "ocr_low_confidence" in entry.effects
    [asked] = office.delivered("cs-clerk@roles.example.com")
    assert "东门意见箱" in asked.get_body().get_content()
    [picture] = list(asked.iter_attachments())
    assert picture.get_content_type() == "image/png"


def test_answering_that_mail_makes_the_ticket(office: Line) -> None:
    [asked] = office.delivered("cs-clerk@roles.example.com")
    office.put(mail("楼道灯坏了三天,请修。\n5-1-201 何样板 13800000201", sender="cs-clerk@roles.example.com", name="内勤", answers=asked))
    office.work()
    [ticket] = office.tickets
    assert (ticket.kind, ticket.house, ticket.medium) == ("repair", "5-1-201", "paper")
    assert _shelf(office) == []


def test_a_stranger_cannot_write_what_the_scan_says(office: Line) -> None:
    [asked] = office.delivered("cs-clerk@roles.example.com")
    office.put(mail("楼道灯坏了", sender="stranger@other.example.com", name="路人", answers=asked))
    office.work()
    assert office.tickets == []
    assert len(_shelf(office)) == 1
