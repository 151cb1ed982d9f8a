"""What the requester says about a ticket that is still being worked on: more facts, thanks, impatience, a yes, an end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from kefud.api import (
    AddTask,
    Author,
    Decision,
    Draw,
    Effect,
    Extension,
    Heard,
    Move,
    MoveClock,
    Notice,
    Remark,
    Reply,
    SetFields,
    Site,
    StartClock,
    StopClock,
    Term,
    Ticket,
    Write,
    answered_letter,
    as_instant,
    due,
    find_when,
    hides_house,
    local,
    next_step,
    normalise_phone,
    without_personal,
)

from .resumed import resumed, takes_it_up_again
from .speech import by_telephone, consent, customer_says, is_empty, only_thanks, speaks_of_consent, spoken, withdrawal

PROMISED = {"reply": "agreed_reply_at"}
"""Where the agreed time of a deadline stands, promised_at for all others."""
SETTLED = ("answered", "visiting", "closed", "archived")
"""States in which the customer's words are an answer to a return visit; the plugin visits reads them."""


def _says_more(text: str) -> bool:
    """Whether a yes or no comes with a demand of its own: 不行!换一家来修,费用你们出."""
    return re.search("但|换|要求|必须|赔|费用|否则|如果|投诉|请(?:尽快|派|安排|给)", text) is not None


class Customers:
    """Reads the requester's words; a mail that proves nothing is kept for the handler and changes no state."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def heard(self, ticket: Ticket, occasion: Heard) -> Iterator[Decision]:
        text = spoken(occasion.message.text) or occasion.message.subject
        if is_empty(text) or (ticket.status in SETTLED and not occasion.merged):
            return
        if takes_it_up_again(ticket, occasion, text):
            yield from resumed(ticket, occasion, text)
            return
        answer = self._answer_to_extension(ticket, occasion, text)
        understood: dict[str, bool | None] = {"withdraw": True, "withdraw?": None}
        taken_back = understood[occasion.says] if occasion.says in understood else withdrawal(text, ticket.requester.name)
        if answer is not None:
            yield from decide_extension(ticket, answer, occasion.message.received_at, self.site)
        elif taken_back:
            yield from self._withdrawn(ticket, occasion, text)
        elif customer_says(text, "chase"):
            yield from self._chased(ticket, occasion, text)
        elif taken_back is None:
            yield Remark(f"顾客来信:{text}", rule="S1-4.3.3")  # nobody is set to work on what may be taken back
        elif only_thanks(text):
            yield Remark("顾客来信致谢或知悉,无新要求", rule="S1-4.3.3")
        else:
            yield from self._told_more(ticket, occasion, text)
        if occasion.merged or occasion.author.believed or occasion.author.verified:
            yield from _wanted_in_writing(ticket, text)
        if answer is None and ticket.extension == "asked" and speaks_of_consent(text):
            yield from self._ask_back("consent", ticket, occasion, f"延期须经业主明确同意,请联系确认后用 extend 登记:{text}", "S3-2.3.3")
        if taken_back is None:
            yield from self._ask_back("confirm", ticket, occasion, f"顾客似有撤回之意,请联系确认;确认前照常办理:{text}", "S3-2.5.4")
        if answer is not None and _says_more(text):
            yield self._to_handler(f"顾客对延期的答复另有要求,请联系:{text}", f"besides:{occasion.message.mark}")
        if customer_says(text, "others") and not taken_back:
            yield from self._asks_for_others(ticket, occasion, text)

    def called(self, ticket: Ticket, occasion: Heard) -> Iterator[Decision]:
        """A call that names the ticket: what it takes back is taken back, if the number is the customer's (S3-2.5.4, S2-5.2)."""
        call = occasion.message.call
        noted = "。".join(filter(None, (call.content, call.result))) if call else ""
        if call is None or call.direction != "in" or not noted:
            return
        said = by_telephone(call.content)
        taken_back = withdrawal(said, ticket.requester.name) if ticket.status not in SETTLED else False
        theirs = self._is_theirs(ticket, call.caller)
        if taken_back:
            yield from self._withdrawn(ticket, replace(occasion, author=Author("requester", verified=theirs)), said)
            return
        yield Remark(f"来电:{noted}", rule="S2-5.2")
        yield from _wanted_in_writing(ticket, said)
        if taken_back is None:
            told = f"顾客来电似有撤回之意,请联系确认;确认前照常办理:{noted}"
            yield from self._ask_back("confirm", ticket, occasion, told, "S3-2.5.4")

    def _is_theirs(self, ticket: Ticket, caller: str) -> bool:
        """Whether a telephone number is the requester's, or registered for the house."""
        number, house = normalise_phone(caller), self.site.houses.get(ticket.house or "")
        return bool(number) and number in map(normalise_phone, (ticket.requester.phone, house.phone if house else ""))

    def _answer_to_extension(self, ticket: Ticket, occasion: Heard, text: str) -> bool | None:
        """The yes or no to the extension asked last; None where it may be meant for an earlier one, or for another day."""
        if ticket.extension != "asked" or not occasion.author.verified or not _answers_the_last_request(ticket, occasion):
            return None
        said = consent(text)
        until = as_instant(ticket.fields.get("extension_until"))
        named = find_when(text, occasion.message.received_at, self.site.calendar) if said and until else ()
        day = self.site.calendar.local(until).date() if until else None
        return None if any(self.site.calendar.local(when).date() != day for when, _ in named) else said

    def _ask_back(self, kind: str, ticket: Ticket, occasion: Heard, text: str, rule: str) -> Iterator[Decision]:
        """What may be read in two ways is asked of the customer by a person."""
        key = f"{kind}:{occasion.message.mark}"
        yield AddTask(kind, ticket.handler or "cs_specialist", text, key=key, rule=rule)
        yield Write("handler", "reports/task", {"text": text}, key=key, rule=rule)

    def _withdrawn(self, ticket: Ticket, occasion: Heard, text: str) -> Iterator[Decision]:
        proven = occasion.author.verified
        safety = ticket.urgency == "emergency" or ticket.category == "safety"
        if not proven or safety or not ticket.is_open:
            why = "涉及安全,不因撤回而结束" if safety else "来信身份未经证实"
            yield Remark(f"顾客表示撤回,未执行:{why}", rule="S3-2.5.4")
            yield self._to_handler(f"顾客表示撤回({why}),请联系核实:{text}", f"withdraw:{ticket.round}")
            if proven and safety and occasion.may_answer and occasion.message.medium == "mail":
                yield Reply("replies/stays-open", rule="S3-2.5.4", why="涉及安全,告知继续办理")
            return
        yield SetFields({"withdrawal": text}, rule="S3-2.5.4", why="顾客原话")
        yield Move("withdrawn", "customer", rule="S3-2.5.4", why="顾客撤回")
        if occasion.may_answer and occasion.message.medium == "mail":
            yield Reply("replies/withdrawn", rule="S3-2.5.4", why="确认撤回")
        if ticket.document("notice") and ticket.department not in (None, "cs_center"):
            yield Write("department", "reports/alert", {"text": "业主已撤回本件,请停止办理。"}, key=f"withdrawn:{ticket.round}")

    def _chased(self, ticket: Ticket, occasion: Heard, text: str) -> Iterator[Decision]:
        at = occasion.message.received_at
        yield Effect(("customer_chased",), rule="S1-4.3.6", why="顾客催办")
        day = self.site.calendar.local(at).date().isoformat()
        yield self._to_handler(f"顾客催办,请尽快联系并告知进展:{text}", f"chased:{day}")
        if occasion.author.believed and ticket.document("notice") and ticket.department not in (None, "cs_center"):
            told = {"text": "业主来信催办,请抓紧办理并书面回复进展和完成时间。"}
            yield Write("department", "reports/alert", told, key=f"chased.department:{day}", rule="S1-4.3.6")
        if self._contractor_is_late(ticket, occasion):
            yield Effect(("contractor_late",), rule="S1-5.6.2", why="维修单位逾期")

    def _told_more(self, ticket: Ticket, occasion: Heard, text: str) -> Iterator[Decision]:
        yield Remark(f"顾客补充:{text}", rule="S0-3.2" if occasion.merged else "S1-4.3.3")
        if ticket.status == "need_info" and occasion.author.verified:
            back = str(ticket.fields.get("need_info_from") or "triaged")
            yield SetFields({"info_received": text, "missing": []}, rule="S0-4.2.1", why="顾客已补充资料")
            yield Move(back if back in ("triaged", "in_progress") else "triaged", "customer", rule="S0-4.2.1", why="资料已补充")
        mark = occasion.message.mark
        secret = ticket.masked and hides_house(ticket)  # new words may tell who complains of whom: a person passes them on
        noted = "顾客补充情况或提出新要求" + ("(本件须保密,未转责任部门,请隐去身份后转达)" if secret else "")
        yield self._to_handler(f"{noted}:{text}", f"more:{mark}")
        told = occasion.author.believed and ticket.document("notice") and not secret
        if customer_says(text, "more") and told and ticket.department not in (None, "cs_center"):
            known = {"text": f"业主就本件补充:{without_personal(text, ticket)}\n请一并办理。"}
            yield Write("department", "reports/alert", known, key=f"more.department:{mark}", rule="S0-3.2")

    def _asks_for_others(self, ticket: Ticket, occasion: Heard, text: str) -> Iterator[Decision]:
        """The contractor is late and the owner asks for others: last notice, evidence, a draft of the claim (S1-5.6.2)."""
        if ticket.kind != "repair" or not occasion.author.believed or not self._is_contractors(ticket):
            return
        rule = "S1-5.6.2"
        yield Effect(("owner_request_recorded",), rule=rule, why="业主要求另派他人维修")
        yield SetFields({"owner_request": text}, rule=rule, why="业主原话,留作证据")
        if not self._contractor_is_late(ticket, occasion) or ticket.document("retention_claim"):
            return
        unit = str(ticket.fields.get("contractor") or ticket.department or "contractor")
        yield Effect(("contractor_late",), rule=rule, why="维修单位逾期")
        yield Draw("evidence_record", {"owner_request": text, "unit": unit}, rule=rule, why="留存证据")
        yield Draw("retention_claim", {"unit": unit, "draft": True}, rule=rule, why="质保金扣款申请,草稿,待批准")
        end = due(occasion.message.received_at, self.site.term("resolve.repair.urgent"), self.site.calendar)
        yield Notice(
            unit,
            subject=ticket.subject,
            content=ticket.text or ticket.summary,
            finish_by=end,
            reply_by=end,
            request="贵单位未按约定时间完成维修,业主已要求另派他人。请立即到场完成维修并书面回复;"
            "仍未到场的,我中心将按规定安排其他单位先行维修并留存证据,费用按合同由责任单位承担。",
            limit_rule=rule,
            mask=ticket.masked,
            template="notices/urgent-work-order",
            rule=rule,
            why="最后通知",
        )
        text = "维修单位逾期且业主要求另派他人,质保金扣款申请已拟草稿,请审核证据后决定。软件不作任何扣款。"
        yield Write("cs_manager", "reports/alert", {"text": text}, key=f"retention:{ticket.round}", rule=rule)

    def _contractor_is_late(self, ticket: Ticket, occasion: Heard) -> bool:
        if not self._is_contractors(ticket):
            return False
        end = as_instant(ticket.fields.get("promised_at"))
        resolve = ticket.deadline("resolve")
        end = end or (resolve.due if resolve and resolve.open else None)
        return end is not None and occasion.message.received_at > end

    def _is_contractors(self, ticket: Ticket) -> bool:
        party = self.site.party(ticket.department or "")
        return ticket.department == "contractor" or (party is not None and party.kind == "contractor")

    def _to_handler(self, text: str, key: str) -> Write:
        return Write("handler", "reports/alert", {"text": text}, key=key, rule="S1-4.3.6")


def _wanted_in_writing(ticket: Ticket, text: str) -> Iterator[Decision]:
    """A demand that came with a further message takes effect like one made at first (S0-3.2)."""
    if ticket.is_open and ticket.origin == "owner" and customer_says(text, "in_writing"):
        yield Effect(("written_answer_requested",), rule="S0-3.2", why="顾客后来要求书面答复")


def _answers_the_last_request(ticket: Ticket, occasion: Heard) -> bool:
    """Where more time was asked for more than once, only the answer to the last letter counts for it."""
    asked = [x for x in ticket.letters if x.template == "replies/extension-consent"]
    return len(asked) < 2 or answered_letter(ticket, occasion.message) == asked[-1]


def decide_extension(ticket: Ticket, agreed: bool, at: datetime, site: Site) -> Iterator[Decision]:
    """The owner's word on an extension, given ``at``: the deadline moves, or stays where it was (S3-2.3.3).

    One that had passed before the word came stays broken, and the new one runs from then.
    """
    until = as_instant(ticket.fields.get("extension_until"))
    name = str(ticket.fields.get("extension_of") or "resolve")
    running = ticket.deadline(name)
    rule = "S3-2.3.3"
    if until is None:
        yield Remark("业主答复延期,但没有待延长的时限", rule=rule)
        return
    if not agreed:
        yield Extension("refused", rule=rule, why="业主不同意,原时限不变")
        told = "业主未同意延期,原时限不变" + (f":{local(running.due, site.calendar.zone)}。" if running else "。")
    else:
        yield Extension("agreed", rule=rule, why="业主同意")
        if running and running.open and running.due < at:
            wake = next_step(at, until, Term(1, "clock_hours"), site.calendar, 0)[1]
            yield StopClock(name, at, rule=running.rule, why="原时限已过,业主事后同意新的时限")
            yield StartClock(name, at, until, agreed=True, next_at=wake, rule=running.rule, why="业主同意延期")
        elif running and running.open:
            wake = next_step(running.start, until, Term(1, "clock_hours"), site.calendar, 0)[1]
            yield MoveClock(name, until, next_at=wake, agreed=True, rule=rule, why="业主同意延期")
        promised = PROMISED.get(name, "promised_at")  # what was promised before is not what anybody is late for (rule 24)
        yield SetFields({promised: until.isoformat()}, rule=rule, why="业主同意延期")
        told = f"业主已同意延期,新的时限:{local(until, site.calendar.zone)}。"
    yield Effect((), remove=("customer_consent_required",), rule=rule, why="业主已答复")
    to = "department" if ticket.department not in (None, "cs_center") else "handler"
    yield Write(to, "reports/alert", {"text": told}, key=f"extension:{until.isoformat()}", rule=rule)


