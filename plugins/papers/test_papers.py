"""Two of four papers came: exactly the two others are asked for, once; when they come the acceptance is stamped."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from kefud.api import Attachment, Author, Heard, Message, Opened, Reply, Requester, Site, Ticket
from kefud.config import load
from kefud.desk.triage import Outcome, deliberate
from kefud.testing import rule_contract

from . import Papers

AT = datetime.fromisoformat("2025-03-04T10:00:00+08:00")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    lists = '[plugin.papers.business.parking]\nname = "车位租用申请"\nwords = ["租用车位"]\n'
    lists += 'items = { "行驶证复印件" = ["行驶证"] }\n'
    (tmp_path / "kefud.toml").write_text(lists, "utf-8")
    return load(tmp_path / "kefud.toml").site


def mail(text: str, *files: str) -> Message:
    enclosed = tuple(Attachment(name, "image/jpeg", 1, "0" * 64, n) for n, name in enumerate(files, 1))
    return Message("mail", AT, text=text, attachments=enclosed)


def applied(site: Site, text: str, *files: str) -> Outcome:
    owner = Requester(email="a@example.com")
    ticket = Ticket(kind="consultation", status="triaged", requester=owner, fields={"missing": ["房号"]})
    return deliberate(ticket, Opened(AT, mail(text, *files)), [Papers(site)])


def test_exactly_the_missing_papers_are_asked_for(site: Site) -> None:
    fields = applied(site, "现申请装修，资料见附件。", "身份证.jpg", "装修申请表.pdf").ticket.fields
    assert fields["papers_missing"] == ["装修图纸或方案", "施工单位资质证明"]
    assert fields["missing"] == ["房号", "装修图纸或方案", "施工单位资质证明"]


def test_what_the_words_say_is_enclosed_counts(site: Site) -> None:
    text = "现申请装修。\n随信附上：身份证、申请表、图纸、施工单位营业执照。"
    ticket = applied(site, text, "IMG_0001.jpg").ticket
    assert ticket.has("papers_complete") and ticket.fields["accepted_at"] == AT.isoformat()


@pytest.mark.parametrize(("text", "files"), [("请问装修申请要什么资料？", ()), ("楼道装修垃圾没人清，照片见附件", ("a.jpg",))])
def test_a_question_or_another_matter_is_left_alone(site: Site, text: str, files: tuple[str, ...]) -> None:
    assert not applied(site, text, *files).decisions


def test_lists_of_the_office_are_used(site: Site) -> None:
    assert applied(site, "申请租用车位，见附件", "身份证.jpg").ticket.fields["papers_missing"] == ["行驶证复印件"]


def test_when_the_rest_comes_the_acceptance_is_stamped_and_told(site: Site) -> None:
    first = applied(site, "现申请装修，资料见附件。", "身份证.jpg", "装修申请表.pdf").ticket
    said = Heard(AT, mail("补交图纸，见附件", "图纸.pdf"), Author("requester", verified=True))
    half = deliberate(first, said, [Papers(site)])
    assert half.ticket.fields["papers_missing"] == ["施工单位资质证明"] and not half.ticket.has("papers_complete")
    last = replace(said, message=mail("附上执照", "营业执照.jpg"))
    done = deliberate(half.ticket, last, [Papers(site)])
    assert done.ticket.has("papers_complete") and [type(d) for d in done.decisions if isinstance(d, Reply)] == [Reply]
    assert not deliberate(done.ticket, last, [Papers(site)]).decisions


def test_the_rule_keeps_the_contract(site: Site) -> None:
    rule_contract(Papers(site))
