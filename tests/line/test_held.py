"""Core rule 13: a letter with words we do not use waits, says why, and leaves on the manager's word."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from line.office import Line, line, mail
from servers.dovecot import Dovecot

from kefud.errors import NotAllowed

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


def _says(office: Line, text: str) -> None:
    told = office.delivered("cs-manager@roles.example.com")[-1]
    office.put(mail(text, sender="cs-manager@roles.example.com", name="经理", answers=told))
    office.work()


def test_it_leaves_when_the_manager_answers_yes(office: Line) -> None:
    """A promise is the manager's to make; words we do not use are nobody's."""
    office.office.casework.order("KF20250303-0001", "reply", "cs_clerk", {"text": "地下室可以停放,保证本周内装好车架。"})
    office.work()
    _says(office, "同意")
    assert any("保证本周内装好" in text for text in _answers(office))
    assert office.tickets[0].status == "closed" and office.tickets[0].fields["answer"].startswith("地下室可以停放")


def test_forbidden_words_leave_on_nobodys_yes(office: Line) -> None:
    """Rule 13: the manager is told so, and writes it anew."""
    _says(office, "同意")
    assert not any("不归我们管" in text for text in _answers(office)) and office.tickets[0].status == "triaged"
    receipt = office.delivered("cs-manager@roles.example.com")[-1].get_body()
    assert receipt and "不能照原文放行" in receipt.get_content()
    with pytest.raises(NotAllowed, match="不能照原文放行"):
        office.office.casework.order("KF20250303-0001", "release", "cs_manager", {})
    told = office.delivered("cs-manager@roles.example.com")[0]
    office.put(mail("同意 改为:5号楼东侧设有车棚。", sender="cs-manager@roles.example.com", name="经理", answers=told))
    office.work()
    assert any("东侧设有车棚" in text for text in _answers(office)) and office.tickets[0].status == "closed"


def test_a_decline_that_waits_for_its_signature_is_checked_too(office: Line) -> None:
    words = {"reason": "地下室不归我们管", "alternative": "请联系街道办"}
    office.office.casework.order("KF20250303-0001", "decline", "cs_clerk", words)
    office.work()
    told = office.delivered("cs-manager@roles.example.com")[-1]
    body = told.get_body()
    assert body and "签发" in body.get_content() and "禁用语" in body.get_content()
    _says(office, "同意")
    assert office.tickets[0].status == "triaged"
    office.put(mail("同意 改为:地下室由街道办管理。", sender="cs-manager@roles.example.com", name="经理", answers=told))
    office.work()
    [answer] = _answers(office)[1:]
    assert "地下室由街道办管理" in answer and "请联系街道办" in answer and "不归我们管" not in answer
    assert office.tickets[0].status in ("declined", "closed")


def test_what_is_held_is_gone_once_the_matter_is_answered_in_another_way(office: Line) -> None:
    [told] = office.delivered("cs-manager@roles.example.com")
    office.office.casework.order("KF20250303-0001", "reply", "cs_specialist", {"text": "东侧设有车棚。", "by": "phone"})
    office.work()
    assert office.tickets[0].status == "closed" and not [x for x in office.letters if x["status"] == "held"]
    office.put(mail("同意 改为:请停车棚。", sender="cs-manager@roles.example.com", name="经理", answers=told))
    office.work()
    receipt = office.delivered("cs-manager@roles.example.com")[-1].get_body()
    assert receipt and "已不再发出" in receipt.get_content() and not any("请停车棚" in text for text in _answers(office))


def test_a_word_in_between_that_is_held_ends_with_the_matter(office: Line) -> None:
    order = office.office.casework.order
    order("KF20250303-0001", "withdraw", "cs_clerk", {"text": "不用了"})
    [letter] = [x for x in office.tickets[0].letters if x.template == "replies/answer"]
    assert letter.status == "superseded" and not [t for t in office.tickets[0].tasks if t.kind == "release" and not t.done_at]
    with pytest.raises(NotAllowed, match="已不再发出"):
        order("KF20250303-0001", "release", "cs_manager", {"letter": str(letter.id)})


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
