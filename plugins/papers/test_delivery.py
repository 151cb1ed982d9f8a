"""A result goes out in the way the customer chose, and is delivered only with proof."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from kefud.api import AddTask, Author, Document, Draw, Heard, Message, Moved, Opened, Ordered, Requester, Ticket
from kefud.desk.triage import Outcome, deliberate
from kefud.testing import rule_contract

from .delivery import Delivery, chosen

AT = datetime.fromisoformat("2025-03-04T10:00:00+08:00")


def answered(**values: Any) -> Ticket:
    given = {"status": "answered", "handler": "cs_clerk", "fields": {"answer": "已办理", "delivery": "post"}}
    return Ticket(**{**given, "requester": Requester(email="a@example.com"), **values})


def ordered(ticket: Ticket, **args: Any) -> Outcome:
    return deliberate(ticket, Ordered(AT, "deliver", "cs_clerk", args), [Delivery()])


def wrote(ticket: Ticket, text: str, verified: bool = True) -> Ticket:
    heard = Heard(AT, Message("mail", AT, text=text), Author("requester", verified=verified))
    return deliberate(ticket, heard, [Delivery()]).ticket


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ("请问产权证何时能办？结果请邮寄给我。", "post"),
        ("办好后请把书面答复寄到5号楼1单元201", "post"),
        ("希望以挂号信方式答复", "post"),
        ("请派人上门答复。", "on_site"),
        ("证办好后我自己来取证", "pickup"),
        ("复函我周六来取", "pickup"),
        ("答复请邮寄给我，算了，复函我来取", "pickup"),
        ("上次说答复寄到我家，一直没收到", ""),
        ("我的快递寄到门岗后丢了", ""),
        ("请问我去哪里领产权证？", ""),
        ("请派人上门维修", ""),
    ],
)
def test_customers_choose_in_their_own_words(text: str, way: str) -> None:
    opened = Opened(AT, Message("mail", AT, text=text))
    assert deliberate(Ticket(), opened, [Delivery()]).ticket.fields.get("delivery", "") == chosen(text) == way


def test_only_a_proven_customer_chooses_again() -> None:
    assert wrote(answered(status="assigned"), "复函我来取").fields["delivery"] == "pickup"
    assert wrote(answered(status="assigned"), "复函我来取", verified=False).fields["delivery"] == "post"


def test_post_is_registered_with_the_answer_and_delivered_with_its_number() -> None:
    asked = deliberate(answered(), Moved(AT, "triaged", "answered"), [Delivery()])
    assert [d.form for d in asked.decisions if isinstance(d, Draw)] == ["doc_out_register"]
    assert [t.kind for t in asked.ticket.tasks] == ["deliver"] and "快递单号" in asked.ticket.tasks[0].text
    numbered = asked.ticket.changed(documents=(Document("doc_out_register", "客发〔2025〕001号"),))
    assert "快递单号" in ordered(numbered).refused[0]
    done = ordered(numbered, proof="EX000000001CN", enclosed=["书面答复"]).ticket
    assert done.tasks[0].done_at == AT
    [record] = done.fields["deliveries"]
    assert (record["name"], record["proof"], record["paper"]) == ("邮寄", "EX000000001CN", "客发〔2025〕001号")


def test_what_the_checklist_names_must_lie_in_the_envelope() -> None:
    deed = answered(fields={"answer": "已办妥", "delivery": "post", "papers": "产权证办理"})
    asked = deliberate(deed, Moved(AT, "triaged", "answered"), [Delivery()]).ticket
    assert "书面答复、证书原件、费用票据" in asked.tasks[0].text
    half = ordered(asked, proof="EX000000001CN", enclosed=["书面答复", "证书原件"])
    assert half.refused == ("送达清单尚未核对:费用票据(S3-3.2.4)",) and not half.ticket.fields.get("deliveries")
    whole = ordered(asked, proof="EX000000001CN", enclosed="书面答复、证书原件、费用票据").ticket
    assert whole.fields["deliveries"][0]["enclosed"] == ["书面答复", "证书原件", "费用票据"]


def test_what_goes_along_with_the_result_is_delivered_too() -> None:
    result = answered(fields={"answer": "已修复", "enclosures": ["验收单"]})
    asked = deliberate(result, Moved(AT, "verified", "answered"), [Delivery()]).ticket
    assert "书面答复、验收单" in asked.tasks[0].text and "尚未选择" in asked.tasks[0].text
    chose = wrote(asked, "答复请当面交，验收单也是，请上门送达")
    assert "验收单" in ordered(chose, proof="王样签收", enclosed=["书面答复"]).refused[0]
    done = ordered(chose, proof="王样签收", enclosed=["书面答复", "验收单"]).ticket
    assert not [task for task in done.tasks if task.done_at is None]


def test_a_letter_that_is_registered_already_gets_no_second_number() -> None:
    drawn = answered(documents=(Document("doc_out_register"),))
    decisions = deliberate(drawn, Moved(AT, "triaged", "answered"), [Delivery()]).decisions
    assert [type(d) for d in decisions] == [AddTask]


def test_a_choice_told_by_telephone_is_entered_and_nothing_is_delivered_too_early() -> None:
    chose = ordered(answered(status="assigned", fields={}), way="自取").ticket
    assert chose.fields["delivery"] == "pickup" and not chose.tasks
    assert "尚未答复" in ordered(chose, proof="王样签字").refused[0]
    assert [t.kind for t in ordered(answered(fields={}), way="pickup").ticket.tasks] == ["deliver"]
    assert "送达方式" in ordered(answered(fields={}), way="飞鸽").refused[0]


def test_the_rule_keeps_the_contract() -> None:
    rule_contract(Delivery())
