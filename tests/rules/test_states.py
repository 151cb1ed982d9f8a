"""The state machine lets nobody pass who lacks what the rules ask for (RULES §6)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from kefud.desk.states import STEPS, refusal
from kefud.desk.ticket import Document, LetterRef, Ticket

SETTLED = {"answer": "已修好", "result": "已修好"}
INQUIRED = {"result": "已更换", "inquiry": "现场查看", "cause": "老化", "solution": "更换", "customer_talk": "业主同意"}


def ticket(status: str, **values: Any) -> Ticket:
    return Ticket(status=status, **{"handler": "cs_specialist", "kind": "complaint", **values})


@pytest.mark.parametrize(("now", "to"), [(a, b) for a, b in itertools.product(STEPS, STEPS) if b not in STEPS[a]])
def test_only_the_steps_of_the_table_are_taken(now: str, to: str) -> None:
    everything = {**SETTLED, **INQUIRED, "visit": "satisfied", "withdrawal": "不用了"}
    assert refusal(ticket(now, fields=everything), to)


def test_a_matter_gets_no_further_without_a_handler() -> None:
    assert refusal(ticket("registered", handler=None), "triaged")
    assert not refusal(ticket("registered"), "triaged")


def test_work_is_given_out_in_writing_only() -> None:
    assert refusal(ticket("triaged"), "assigned")
    assert not refusal(ticket("triaged", documents=(Document("notice", "客联〔2025〕001号"),)), "assigned")


def test_an_emergency_never_waits_for_papers() -> None:
    assert refusal(ticket("triaged", urgency="emergency"), "need_info")
    assert not refusal(ticket("triaged"), "need_info")


@pytest.mark.parametrize("lacking", ["result", "inquiry", "cause", "solution", "customer_talk"])
def test_a_complaint_is_handled_only_with_inquiry_cause_solution_and_talk(lacking: str) -> None:
    assert not refusal(ticket("in_progress", fields=INQUIRED), "handled")
    assert refusal(ticket("in_progress", fields={k: v for k, v in INQUIRED.items() if k != lacking}), "handled")


def test_nobody_has_to_talk_with_somebody_unknown() -> None:
    fields = {k: v for k, v in INQUIRED.items() if k != "customer_talk"}
    assert not refusal(ticket("in_progress", fields=fields, origin="anonymous"), "handled")


def test_a_dispute_needs_a_written_opinion() -> None:
    assert refusal(ticket("in_progress", fields=INQUIRED, dispute=True), "handled")
    assert not refusal(ticket("in_progress", fields={**INQUIRED, "written_opinion": "建议……"}, dispute=True), "handled")


def test_who_did_the_work_does_not_verify_it() -> None:
    done = ticket("handled", fields={**INQUIRED, "done_by": "contractor-a"})
    assert refusal(done, "verified", "contractor-a")
    assert not refusal(done, "verified", "cs_specialist")


def test_nothing_is_answered_before_the_departments_have_spoken() -> None:
    question = ticket("triaged", kind="consultation", joint=("engineering",), fields={"answer": "可以拆"})
    assert refusal(question, "answered")
    assert not refusal(question.changed(fields={"answer": "可以拆", "contributions": {"engineering": "非承重墙"}}), "answered")


@pytest.mark.parametrize("kind", ["complaint", "repair"])
def test_work_comes_before_its_answer(kind: str) -> None:
    assert refusal(ticket("triaged", kind=kind, fields={"answer": "已了解"}), "answered")
    assert not refusal(ticket("triaged", kind="consultation", fields={"answer": "9点开放"}), "answered")


def test_contributions_answer_a_department_s_letter_but_work_is_verified() -> None:
    letter = ticket("handled", kind="liaison", joint=("design",), fields={"answer": "可行", "contributions": {"design": "可行"}})
    assert not refusal(letter, "answered")
    assert refusal(letter.changed(joint=()), "answered")


def test_a_consultation_is_closed_only_with_its_answer() -> None:
    assert refusal(ticket("answered", kind="consultation"), "closed")
    assert not refusal(ticket("answered", kind="consultation", fields={"answer": "9点开放"}), "closed")


@pytest.mark.parametrize("kind", ["complaint", "repair"])
def test_complaints_and_repairs_are_closed_only_after_a_visit(kind: str) -> None:
    assert refusal(ticket("answered", kind=kind, fields=SETTLED), "closed")
    assert refusal(ticket("visiting", kind=kind, fields=SETTLED), "closed")
    assert not refusal(ticket("visiting", kind=kind, fields={**SETTLED, "visit": "satisfied"}), "closed")


def test_while_the_customer_is_not_satisfied_nothing_is_closed() -> None:
    assert refusal(ticket("visiting", fields={**SETTLED, "visit": "unsatisfied"}), "closed")


def test_an_anonymous_matter_ends_without_visit_but_not_without_a_reason() -> None:
    assert refusal(ticket("answered", origin="anonymous"), "closed")
    assert not refusal(ticket("answered", origin="anonymous", fields={"no_answer_reason": "匿名,无法联系"}), "closed")


def test_a_decline_needs_reason_and_alternative() -> None:
    assert refusal(ticket("triaged", fields={"decline_reason": "不在范围"}), "declined")
    both = {"decline_reason": "不在范围", "decline_alternative": "请向街道咨询"}
    assert not refusal(ticket("triaged", fields=both), "declined")


def test_a_withdrawal_needs_the_words_and_safety_stays_open() -> None:
    assert refusal(ticket("in_progress"), "withdrawn")
    assert not refusal(ticket("in_progress", fields={"withdrawal": "不用处理了"}), "withdrawn")
    assert refusal(ticket("in_progress", fields={"withdrawal": "不用处理了"}, category="safety"), "withdrawn")


def test_the_archive_takes_only_complete_papers() -> None:
    assert refusal(ticket("closed", documents=(Document("opinion_form"),)), "archived")
    complete = ticket("closed", documents=(Document("opinion_form", "意〔2025〕001号"),))
    assert not refusal(complete, "archived")
    held = LetterRef(1, "a@example.com", "replies/answer", "<1@x>", "held")
    assert refusal(complete.changed(letters=(held,)), "archived")
