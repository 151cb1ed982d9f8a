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
    assert "outgoing_blocked" in office.tickets[0].effects and office.tickets[0].status == "triaged"
    [told] = office.delivered("cs-manager@roles.example.com")
    assert "不归我们管" in told.get_body().get_content()


def test_it_leaves_when_the_manager_answers_yes(office: Line) -> None:
    [told] = office.delivered("cs-manager@roles.example.com")
    office.put(mail("同意", sender="cs-manager@roles.example.com", name="经理", answers=told))
    office.work()
    assert any("不归我们管" in text for text in _answers(office))
    assert office.tickets[0].status == "closed" and office.tickets[0].fields["answer"].startswith("这个不归我们管")


def test_another_answer_takes_its_place(office: Line) -> None:
    office.office.casework.order("KF20250303-0001", "reply", "cs_clerk", {"text": "地下室请勿停放,5号楼东侧设有车棚。"})
    office.work()
    [ticket] = office.tickets
    assert ticket.status == "closed" and not any(task.kind == "release" and not task.done_at for task in ticket.tasks)
    assert [x.status for x in ticket.letters if x.template == "replies/answer"] == ["superseded", "sent"]
    assert any("东侧设有车棚" in text for text in _answers(office))


def test_refused_it_waits_for_another_answer(office: Line) -> None:
    [told] = office.delivered("cs-manager@roles.example.com")
    office.put(mail("不同意,请写明车棚在哪里", sender="cs-manager@roles.example.com", name="经理", answers=told))
    office.work()
    assert office.tickets[0].status == "triaged" and not any("不归我们管" in text for text in _answers(office))


def test_a_clerk_cannot_release_it(office: Line) -> None:
    [told] = office.delivered("cs-manager@roles.example.com")
    office.put(mail("同意", sender="cs-clerk@roles.example.com", name="内勤", answers=told))
    office.work()
    assert not any("不归我们管" in text for text in _answers(office))
