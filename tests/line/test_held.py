"""Core rule 13: a letter with words we do not use waits, says why, and leaves on the manager's word."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from line.office import Line, line, mail
from servers.dovecot import Dovecot

QUESTION = "请问5号楼地下室能不能放自行车?5-1-201 何样板 13800000201"


@pytest.fixture
def office(tmp_path: Path, imap_server: Dovecot) -> Iterator[Line]:
    with line(tmp_path, f"sqlite:///{tmp_path}/kefud.db", imap_server) as made:
        made.put(mail(QUESTION))
        made.work()
        made.office.casework.order("KF20250303-0001", "reply", "cs_clerk", {"text": "这个不归我们管,您找别人去。"})
        made.work()
        yield made


def _answers(office: Line) -> list[str]:
    return [m.get_body().get_content() for m in office.delivered("heyangban@mail.example.com")]


def test_the_letter_is_held_and_the_manager_is_told_why(office: Line) -> None:
    assert not any("不归我们管" in text for text in _answers(office))
    assert "outgoing_blocked" in office.tickets[0].effects
    [told] = office.delivered("cs-manager@roles.example.com")
    assert "不归我们管" in told.get_body().get_content()


def test_it_leaves_when_the_manager_answers_yes(office: Line) -> None:
    [told] = office.delivered("cs-manager@roles.example.com")
    office.put(mail("同意", sender="cs-manager@roles.example.com", name="经理", answers=told))
    office.work()
    assert any("不归我们管" in text for text in _answers(office))


def test_a_clerk_cannot_release_it(office: Line) -> None:
    [told] = office.delivered("cs-manager@roles.example.com")
    office.put(mail("同意", sender="cs-clerk@roles.example.com", name="内勤", answers=told))
    office.work()
    assert not any("不归我们管" in text for text in _answers(office))
