"""Result, return visit, and what follows from the customer's word: closed, or taken up again (S1-9.3, S3-2.5.4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from kefud.api import (
    AddTask,
    Besides,
    Classify,
    Decision,
    DoneTask,
    Draw,
    Due,
    Effect,
    Escalate,
    Heard,
    Move,
    Moved,
    NewRound,
    Notify,
    Occasion,
    Opened,
    Ordered,
    Refuse,
    Remark,
    Reply,
    Rule,
    SetFields,
    Site,
    StopClock,
    Ticket,
    Write,
    chinese,
    hookimpl,
    objection,
    without_personal,
)

from .announced import brief
from .offices import disputed, rejects
from .verdict import Verdict, asks_further, besides, is_visit, only_thanks, reason, remark, verdict

SETTLED = ("answered", "visiting", "closed", "archived")
VISITED = ("complaint", "repair")
RUNGS = ("cs_manager", "leader_in_charge", "leadership")
"""Who is told of the second, third and every later round."""

WAYS = {"mail": "邮件", "call": "电话"}
WORDS = {"satisfied": "满意", "mostly": "基本满意", "unsatisfied": "不满意", "unreached": "未联系上"}


class Visits:
    """From the verified result to the customer's word on it; no timer ever closes a ticket."""

    name = "visits"

    def __init__(self, site: Site) -> None:
        self.site = site
        self.attempts = int(site.plugin_settings("visits").get("attempts", 3))

    def judge(self, ticket: Ticket, occasion: Occasion) -> Iterable[Decision]:
        match occasion:
            case Opened():
                return brief(ticket, occasion, self.site)
            case Moved(to="verified") if ticket.status == "verified":
                return _tell_result(ticket)
            case Moved(to="answered") if ticket.status == "answered":
                return (*_others(ticket), *_after_answer(ticket))
            case Due(name="visit") if ticket.status == "visiting" and occasion.step == "50" and _by_mail(ticket):
                return (Reply("replies/visit", rule="S1-9.3", why="三日内回访"),)
            case Heard():
                return self._heard(ticket, occasion)
            case Ordered(command="visit"):
                return self._visited_by_order(ticket, occasion)
            case Ordered(command="reopen"):
                return self._reopened_by_order(ticket, occasion)
        return ()

    def _heard(self, ticket: Ticket, occasion: Heard) -> Iterator[Decision]:
        message, author = occasion.message, occasion.author
        if message.automatic or occasion.merged:
            return
        if author.role == "agent" and message.call and message.call.direction == "out":
            yield from self._called(ticket, occasion)
        elif author.role == "requester" and ticket.status in SETTLED:
            yield from self._written(ticket, occasion)
        elif ticket.status in SETTLED and rejects(ticket, occasion):
            text = message.text.strip()[:2000]
            yield Remark(f"{chinese(author.id)}不接受书面答复:{text}", rule="S1-9.3")
            yield from disputed(ticket, text)
            yield from _take_up_again(ticket, text, message.received_at, "mail", danger=_is_danger(ticket, occasion))

    def _written(self, ticket: Ticket, occasion: Heard) -> Iterator[Decision]:
        text, at, call = occasion.message.text, occasion.message.received_at, occasion.message.call
        again = occasion.says == "again" or _is_danger(ticket, occasion)
        said, own, more = ("unsatisfied", text, "") if again else _said(text)
        household = occasion.author.id == "household" and occasion.author.believed  # no stranger can write here
        if said and occasion.author.id == "other" and occasion.author.believed and occasion.author.keyed:
            yield from self._judged_by_another(ticket, said, text, at, occasion)
            return
        if said and (occasion.author.verified or household):
            if said == "unsatisfied" or ticket.status in ("answered", "visiting"):
                way = WAYS.get(occasion.message.medium, "来访")
                yield from self._judged(ticket, said, way, own, at, occasion, by=call.agent if call else "")
            else:
                yield Remark(f"办结后顾客来信:{WORDS[said]}", rule="S1-9.3")
            if more:
                yield Besides(more, rule="S0-4.1.4", why="顾客另有新事项")
        elif only_thanks(text) and said != "unsatisfied":
            yield Remark("顾客来信致谢或知悉,无新要求", rule="S1-4.3.3")
        elif text.strip():
            yield Remark(f"顾客来信:{text[:2000]}", rule="S1-4.3.3")
            why = "来信身份未经证实,请联系核实" if said else "请判断是否重新处理"
            further = not said and (occasion.author.verified or household) and _asks_further(ticket, text)
            why = "顾客就答复再问,已另立新单" if further else why
            told = {"text": f"顾客就已答复的工单来信({why}):{text[:2000]}"}
            yield Write("handler", "reports/alert", told, key=f"after:{occasion.message.mark}", rule="S1-9.3")
            if further:
                yield Besides(text, rule="S0-4.3.3", why=f"就{ticket.number}的答复再问或有异议")

    def _judged_by_another(self, ticket: Ticket, said: Verdict, text: str, at: datetime, occasion: Heard) -> Iterator[Decision]:
        """Whose ticket was merged into this one is as good a judge of what is not done; the other's word stays the other's."""
        writer = occasion.message.sender.email
        yield Remark(f"并案来件人({writer}):{WORDS[said]}", rule="S1-9.3")
        if said != "unsatisfied":
            return
        yield from self._judged(ticket, said, "并案来件人邮件", text, at, occasion)
        told = f"并案来件人 {writer} 不满意,请联系致歉,并将重新办理的结果告知:{text[:500]}"
        yield AddTask("inform", ticket.handler or "cs_specialist", told, key=f"also:{writer}:{ticket.round}", rule="S1-9.3")
        yield Write("handler", "reports/alert", {"text": told}, key=f"also:{occasion.message.mark}", rule="S1-9.3")

    def _called(self, ticket: Ticket, occasion: Heard) -> Iterator[Decision]:
        call, at = occasion.message.call, occasion.message.received_at
        assert call is not None
        noted = ",".join(filter(None, (call.content, call.result)))
        said, own, more = _said(noted) if is_visit(noted) or ticket.status == "visiting" else (None, noted, "")
        if graded := verdict(call.satisfaction):
            said, (own, more) = graded, besides(noted) if graded != "unsatisfied" else (noted, "")
        if call.status != "answered":
            yield from self._tried(ticket, at, call.agent or ticket.handler or "")
        elif said and ticket.status in SETTLED:
            yield from self._judged(ticket, said, "电话", own, at, occasion, by=call.agent)
            if more:
                yield Besides(more, rule="S0-4.1.4", why="回访时顾客另有新事项")
        elif said == "unsatisfied" and ticket.is_open:
            yield from self._displeased(ticket, noted, at, call.agent or ticket.handler or "")
        else:
            yield Remark(f"去电:{noted or '无记录'}", rule="S2-5.2")

    def _displeased(self, ticket: Ticket, noted: str, at: datetime, by: str) -> Iterator[Decision]:
        """Called before the answer was out, and not satisfied: the record counts, a person decides what is done again."""
        record = {
            "at": at.isoformat(), "visit_at": at.isoformat(), "way": "电话", "satisfaction": WORDS["unsatisfied"],
            "visitor": chinese(by), "person": ticket.requester.name, "text": noted[:2000], "reason": reason(noted),
        }  # fmt: skip
        why = f"答复前电话回访:{WORDS['unsatisfied']}"
        yield Draw("visit_record", record, rule="S1-9.3", why=why)
        yield Effect(("visit:unsatisfied",), rule="S1-9.3", why=why)
        told = {"text": f"电话回访时顾客不满意,工单当前为“{chinese(ticket.status)}”,请复查后再办:{noted[:2000]}"}
        yield Write("handler", "reports/alert", told, key=f"displeased:{at.isoformat()}", rule="S1-9.3")

    def _visited_by_order(self, ticket: Ticket, order: Ordered) -> Iterator[Decision]:
        result = str(order.args.get("result") or "")
        said: Any = {v: k for k, v in WORDS.items()}.get(result, result)
        text = str(order.args.get("text") or order.text or "")
        if said not in WORDS:
            yield Refuse("回访结果请写:满意、基本满意、不满意或未联系上", rule="S1-9.3")
        elif ticket.status not in SETTLED:
            yield Refuse(f"工单当前为“{chinese(ticket.status)}”,尚不能回访", rule="S1-9.3")
        elif said == "unreached":
            yield from self._tried(ticket, order.at, order.by)
        else:
            way = str(order.args.get("by") or order.args.get("way") or "电话")
            yield from self._judged(ticket, said, way, text, order.at, order, by=order.by)

    def _reopened_by_order(self, ticket: Ticket, order: Ordered) -> Iterator[Decision]:
        text = str(order.args.get("reason") or order.text or "")
        if ticket.status not in SETTLED:
            yield Refuse(f"工单当前为“{chinese(ticket.status)}”,不能重新处理")
        elif not text:
            yield Refuse("重新处理须写明顾客不满意的原因(S3-2.5.4)", rule="S3-2.5.4")
        else:
            yield from _take_up_again(ticket, text, order.at, "entry")

    def _judged(
        self, ticket: Ticket, said: Verdict, way: str, text: str, at: datetime, occasion: Heard | Ordered, by: str = ""
    ) -> Iterator[Decision]:
        record = {
            "at": at.isoformat(), "visit_at": at.isoformat(), "way": way, "satisfaction": WORDS[said],
            "visitor": chinese(by or ticket.handler or ""),
            "person": ticket.requester.name, "text": text[:2000], "reason": reason(text) if said == "unsatisfied" else "",
            "opinion": remark(text) if said == "mostly" else "",
        }  # fmt: skip
        effect = "visit:unsatisfied" if said == "unsatisfied" else "visit:satisfied"
        yield Draw("visit_record", record, rule="S1-9.3", why=f"{way}回访:{WORDS[said]}")
        yield Effect((effect,), rule="S1-9.3", why=f"{way}回访:{WORDS[said]}")
        yield SetFields({"visit": said}, rule="S1-9.3", why=f"{way}回访:{WORDS[said]}")
        yield DoneTask("visit", at, rule="S1-9.3")
        if _runs(ticket, "visit"):
            yield StopClock("visit", at, rule="S1-9.3", why="已回访")
        if said == "unsatisfied":
            writer = occasion.message.sender.name if isinstance(occasion, Heard) else ""
            why = "\n".join(line for line in reason(text).splitlines() if not writer or line.strip() != writer)
            danger = isinstance(occasion, Heard) and _is_danger(ticket, occasion)
            yield from _take_up_again(ticket, why, at, "mail" if way == "邮件" else "call", danger=danger)
            return
        if not ticket.fields.get("answer") and not ticket.fields.get("no_answer_reason"):
            answer = str(ticket.fields.get("result") or "结果已告知顾客,见回访记录")
            yield SetFields({"answer": answer}, rule="S0-1.0", why="顾客在回访中确认")
        if ticket.status == "answered":
            yield Move("visiting", rule="S1-9.3", why="已回访")
        if ticket.status in ("answered", "visiting"):
            yield Move("closed", rule="S1-9.3", why=f"回访{WORDS[said]}")
        if isinstance(occasion, Heard) and way == "邮件" and occasion.may_answer:
            yield Reply("replies/closed", rule="S1-9.3", why="感谢顾客评价")

    def _tried(self, ticket: Ticket, at: datetime, by: str) -> Iterator[Decision]:
        """Nobody reached: on the third different day the ticket is closed as 未联系上, counted neither way (§9)."""
        if ticket.status not in ("answered", "visiting"):
            yield Remark("去电未接通", rule="S2-5.2")
            return
        tries = [*(ticket.fields.get("visit_attempts") or ()), at.isoformat()]
        days = {self.site.calendar.local(datetime.fromisoformat(t)).date() for t in tries}
        yield SetFields({"visit_attempts": tries}, rule="S1-9.3", why=f"第{len(days)}天回访未接通")
        if len(days) < self.attempts:
            return
        record = {
            "at": at.isoformat(), "visit_at": at.isoformat(), "way": "电话", "satisfaction": WORDS["unreached"],
            "attempts": tries, "visitor": chinese(by),
        }  # fmt: skip
        yield SetFields({"visit": "unreached"}, rule="S1-9.3", why=f"{len(days)}天均未联系上")
        yield Draw("visit_record", record, rule="S1-9.3", why="未联系上")
        yield DoneTask("visit", at, rule="S1-9.3")
        if ticket.status == "answered":
            yield Move("visiting", rule="S1-9.3", why="回访")
        yield Move("closed", rule="S1-9.3", why=f"{len(days)}天均未联系上")


def _asks_further(ticket: Ticket, text: str) -> bool:
    """Whether the answer to a question leaves one, or is said to be wrong: that is a question again, with a clock (S0-4.3.3)."""
    return ticket.kind == "consultation" and asks_further(text)


def _said(text: str) -> tuple[Verdict | None, str, str]:
    """What the words say of the result, the words that say it, and those on another matter beside them."""
    said = verdict(text)
    own, more = besides(text)
    praised = verdict(own) if more and said != "unsatisfied" else None
    return (praised, own, more) if praised in ("satisfied", "mostly") else (said, text, "")


def _tell_result(ticket: Ticket) -> Iterator[Decision]:
    """The verified result goes to the customer; who cannot be written to is called by the handler."""
    answer = str(ticket.fields.get("answer") or ticket.fields.get("result") or "")
    if ticket.has("inspection"):
        yield SetFields({"no_answer_reason": "巡查整改件,没有顾客"}, rule="S1-5.7.2", why="逐项复查合格")
        yield Move("answered", rule="S1-5.7.2", why="逐项复查合格")
        return
    if ticket.origin == "anonymous":
        yield SetFields({"no_answer_reason": "匿名来件,无法答复"}, rule="S1-5.4.4", why="匿名来件只办理、不答复")
        yield Move("answered", rule="S1-5.4.4", why="匿名来件,无法答复")
        return
    if not ticket.reply_address:
        text = f"请将结果电话告知顾客,并用 reply --by phone 登记:{answer}"
        yield AddTask("answer", ticket.handler or "cs_specialist", text, key=f"answer:{ticket.round}", rule="S3-2.4")
        return
    waits = bool(objection(answer))
    said = {"held_answer": answer} if waits else {"answer": answer, "held_answer": ""}
    yield SetFields(said, rule="S3-2.4", why="答复处理结果")
    if ticket.origin in ("property_company", "sales"):
        relay = ticket.origin == "property_company"
        rule = "S1-5.7.4" if relay else "S1-5.5.2"
        yield Draw("doc_out_register", {"to": ticket.origin}, rule=rule, why="发文登记")
        meets = "reply_to_property" if relay else "reply_to_sales"
        yield Reply("replies/written-reply", {"answer": answer}, meets=meets, rule=rule, why="书面答复来函单位")
    else:
        yield Reply("replies/result", {"answer": answer}, meets="reply", rule="S3-2.4", why="答复处理结果")
    if not waits:  # else it is answered once somebody has let the letter go, or has written another
        yield Move("answered", rule="S3-2.4", why="结果已答复")


def _others(ticket: Ticket) -> Iterator[Decision]:
    """Those whose tickets were merged into this one hear of the result, too (S0-3.2, S1-9.3)."""
    waiting = [task.text for task in ticket.tasks if task.kind == "inform" and task.done_at is None]
    if waiting:
        answer = str(ticket.fields.get("answer") or ticket.fields.get("result") or "")
        text = "结果已答复来件人,并案来件人也须告知:\n" + "\n".join(waiting) + f"\n结果:{answer}"
        how = f"告知后登记：kefud ticket task {ticket.number} --kind inform。投诉、报修未全部告知的不能办结。"
        yield Write("handler", "reports/task", {"text": text, "how": how}, key=f"inform:{ticket.round}", rule="S1-9.3")


def _after_answer(ticket: Ticket) -> Iterator[Decision]:
    if ticket.origin == "anonymous" or ticket.kind not in VISITED:
        yield Move("closed", rule="S0-1.0", why="匿名来件免回访" if ticket.origin == "anonymous" else "已答复,直接办结")
        return
    yield Move("visiting", rule="S1-9.3", why="投诉、报修须回访")
    if _by_mail(ticket):
        return  # the result letter asks for the customer's word, and a visit letter follows at half time
    clock = ticket.deadline("visit")
    text = "请电话或上门回访,未预约上门的先致歉(S1-8.2),结果用 visit 登记"
    due = clock.due if clock and clock.open else None
    yield AddTask("visit", ticket.handler or "cs_specialist", text, due=due, key=f"visit:{ticket.round}", rule="S1-9.3")


def _by_mail(ticket: Ticket) -> bool:
    """Whether the owner can be asked by mail; who passed the matter on is not the one to say whether he is satisfied."""
    return bool(ticket.reply_address) and ticket.origin == "owner"


def _is_danger(ticket: Ticket, occasion: Heard) -> bool:
    """Whether these words tell of people or house in danger, as the plugin sorting read them (S1-5.4.2)."""
    return ticket.fields.get("worse_at") == occasion.message.mark and bool(ticket.fields.get("emergency_plan"))


def _urgency_again(ticket: Ticket, danger: bool) -> Iterator[Decision]:
    """The danger of the last round is over: only a new one alarms again, what is left of the old is urgent (S1-5.4.2, §9)."""
    rule = "S1-5.4.2"
    if danger:
        yield Classify(urgency="emergency", rule=rule, why="来信又报险情")
    elif ticket.urgency == "emergency":
        yield Classify(urgency="urgent", rule=rule, why="上一轮险情已处置,本轮按紧急办理")
        yield SetFields({"emergency_plan": ""}, rule=rule, why="上一轮险情已处置")


def _take_up_again(ticket: Ticket, why: str, at: datetime, medium: str, *, danger: bool = False) -> Iterator[Decision]:
    """A new round: clocks, form and notice follow from the change of state; the next rung is told (S3-2.5.4)."""
    rule, next_round = "S3-2.5.4", ticket.round + 1
    form = ticket.document("opinion_form")
    rung = min(next_round - 2, len(RUNGS) - 1)
    told = without_personal(why, ticket)
    yield SetFields(
        {
            "visit_reason": told, "round_started_at": at.isoformat(), "round_medium": medium, "promised_at": None,
            "agreed_reply_at": None, "previous_form": form.number if form else "", "proposed_answer": "",
        },
        rule=rule,
        why="顾客不满意",
    )  # fmt: skip
    yield NewRound(rule=rule, why="顾客不满意,重新处理")
    yield Effect((f"reopened:round{next_round}", f"report_up:{RUNGS[rung]}"), rule=rule, why=f"第{next_round}轮")
    yield Classify(important=True, rule="S0-4.2.1", why="第二轮及以上为重要事项")
    yield from _urgency_again(ticket, danger)
    yield Escalate(RUNGS[rung], rung + 1, rule=rule, why=f"第{next_round}轮上报")
    reasons = [f"第{next_round}轮处理", f"顾客不满意:{told}"]
    yield Notify((RUNGS[rung],), "reports/important", {"reasons": reasons}, rule=rule, why=f"第{next_round}轮上报")
    yield Move("reopened", "customer", rule=rule, why="顾客不满意,重新处理")
    if medium == "mail":
        yield Reply("replies/reopened", meets="first_response", rule=rule, why="致歉并告知重新处理")


def _runs(ticket: Ticket, name: str) -> bool:
    deadline = ticket.deadline(name)
    return deadline is not None and deadline.open


SETTINGS = ("attempts",)
"""Keys of [plugin.visits]."""


@hookimpl
def register_rules(site: Site) -> list[Rule]:
    return [Visits(site)]
