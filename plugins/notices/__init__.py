"""Passing on in writing: the numbered 工作联系单, the complaint form, alarms for emergencies, reports of important matters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from kefud.api import (
    AddTask,
    Author,
    Corrected,
    Decision,
    Draw,
    Effect,
    Heard,
    Move,
    Moved,
    Notice,
    Notify,
    Occasion,
    Opened,
    Rule,
    SetFields,
    Site,
    Ticket,
    VoidDocument,
    Write,
    chinese,
    hookimpl,
    without_personal,
)  # fmt: skip

from .recipients import Recipients, headline, resumed, said_by_customer
from .relief import relieved, says_it_is_over

ALARMED = ("duty_officer", "property_company", "cs_supervisor")
PASSED_ON = ("triaged", "need_info", "assigned", "acknowledged", "in_progress", "reopened")
"""States in which a department works, or could."""
CIRCULATED = ("cs_clerk", "cs_specialist", "receptionist")


class Notices:
    """What goes out in writing when a matter is opened, passed on, or taken up again."""

    name = "notices"

    def __init__(self, site: Site) -> None:
        self.site = site
        self.recipients = Recipients(site)

    def judge(self, ticket: Ticket, occasion: Occasion) -> Iterable[Decision]:
        match occasion:
            case Opened() if ticket.status in ("registered", "triaged", "need_approval"):
                return self._opened(ticket, occasion.at)
            case Heard() if ticket.is_open and ticket.urgency == "emergency" and "duty_officer" not in ticket.notify:
                return self._worse(ticket, occasion.at)
            case Heard() if ticket.is_open and ticket.important and ticket.fields.get("worse_at") == occasion.message.mark:
                return self._alarm(ticket, occasion.at)
            case Heard(author=Author(role="requester")) if _is_alarm(ticket) and says_it_is_over(occasion.message.text):
                return relieved(ticket, occasion, self.site)
            case Corrected(command="classify" | "assign") if ticket.is_open:
                return self._corrected(ticket, occasion)
            case Moved(to="reopened"):
                return self._reopened(ticket, occasion.at)
            case Moved(to="triaged") if ticket.status == "triaged" and occasion.came_from != "registered":
                return self._passed_on(ticket, occasion.at)
        return ()

    def _opened(self, ticket: Ticket, at: datetime) -> Iterator[Decision]:
        yield from self._alarm(ticket, at)
        if ticket.kind == "complaint":
            yield Draw("opinion_form", _form(ticket), rule="S1-9.1", why="投诉填写顾客意见处理单")
        if ticket.kind == "praise":
            yield from self._praise(ticket)
        if ticket.has("circulation"):
            yield from self._circulate(ticket)
        yield from self._inform(ticket)
        if ticket.status == "triaged" and ticket.kind != "praise":
            yield from self._send(ticket, at)

    def _inform(self, ticket: Ticket) -> Iterator[Decision]:
        """The adviser of the house (S4-1), and the clerk who keeps the archive (S1-5.5.3)."""
        house = self.site.houses.get(ticket.house or "")
        if house and house.adviser and not ticket.has("conflict_of_interest"):
            text = f"您负责的{house.id}有新工单:{ticket.summary or ticket.subject}"
            yield Write(house.adviser, "reports/alert", {"text": text}, key="adviser", rule="S4-1", why="告知专属服务顾问")
        start = next((name.partition(":")[2] for name in ticket.effects if name.startswith("knowledge_entry_valid_from:")), "")
        if start:
            text = f"请将政策录入知识库并核实,自{start}起生效,此前不得对外答复:{ticket.summary}"
            yield AddTask("knowledge", "cs_clerk", text, key="knowledge", rule="S1-5.5.3", why="统一口径")

    def _worse(self, ticket: Ticket, at: datetime) -> Iterator[Decision]:
        """A further message made it an emergency: those on site are told as if it had come so (S1-5.4.2)."""
        yield from self._alarm(ticket, at)
        on_site = ticket.changed(department="property_company", joint=())
        words = _new_words(ticket)
        for notice in self.recipients.notices(on_site, at):
            yield _led_by(notice, headline(words, ticket), f"最新情况:{words}") if words else notice
        if words and self.recipients.leader(ticket) not in ("property_company", "cs_center", ""):
            text = f"本件已成紧急事件,已通知物业公司值班人员赶赴现场,请立即联系并配合:{words}"
            yield Write("department", "reports/alert", {"text": text}, key="worse", rule="S1-5.4.2", why="责任部门须知悉险情")

    def _corrected(self, ticket: Ticket, occasion: Corrected) -> Iterator[Decision]:
        """What the matter turned out to be calls for its form, its alarm, and notices to those who have none of it yet."""
        was, at = occasion.was, occasion.at
        worse = ticket.urgency == "emergency" != was.urgency
        if ticket.kind == "complaint" and not ticket.document("opinion_form"):
            yield Draw("opinion_form", _form(ticket), rule="S1-9.1", why="投诉填写顾客意见处理单")
        if ticket.kind == "praise" != was.kind:
            yield from self._praise(ticket)
        alarm = list(self._worse(ticket, at)) if worse else []
        yield from alarm
        if occasion.command == "classify" and ticket.department != was.department:
            yield from self._relieved(ticket, was)
        if ticket.kind == "praise" or ticket.status not in PASSED_ON:
            return
        lead = self.recipients.leader(ticket)
        told = _noticed(ticket, lead if ticket.department != was.department else "")
        told |= {n.to for n in alarm if isinstance(n, Notice)}
        missing = [n for n in self.recipients.notices(ticket, at) if n.to not in told]
        yield from missing
        if missing or worse:
            yield _noted(ticket)
            yield from _handed_out(ticket, again=worse or lead in [n.to for n in missing])

    def _relieved(self, ticket: Ticket, was: Ticket) -> Iterator[Decision]:
        """Who had the notice before goes to nobody's house in vain."""
        before = self.recipients.leader(was)
        if before in _noticed(was):
            now = self._name(self.recipients.leader(ticket) or "cs_center")
            text = f"本件分类已更正,改由{now}办理,请停止办理;已做的请书面告知我中心。"
            key = f"relieved:{len(ticket.documents)}"
            yield Write(before, "reports/alert", {"text": text}, key=key, rule="S1-4.3.6", why="更正分类,改由他部门办理")
            for notice in was.documents:
                if notice.form == "notice" and not notice.void and notice.to == before and before not in ticket.joint:
                    yield VoidDocument("notice", notice.number, rule="S1-4.3.6", why=f"改由{now}办理")

    def _passed_on(self, ticket: Ticket, at: datetime) -> Iterator[Decision]:
        if ticket.round in (ticket.fields.get("noticed_rounds") or ()):
            return
        yield from self._send(ticket, at)

    def _reopened(self, ticket: Ticket, at: datetime) -> Iterator[Decision]:
        if ticket.kind == "complaint":
            yield Draw("opinion_form", _form(ticket), rule="S3-2.5.4", why=f"第{ticket.round}轮,新单关联原单")
        told = said_by_customer(ticket)
        if ticket.urgency == "emergency":
            yield from self._alarm(ticket, at)
        again = [_with(notice, told, ticket) for notice in self.recipients.notices(ticket, at, again=True)]
        yield from again
        yield _noted(ticket)
        if not again:
            why = "顾客撤回后又要求继续办理" if resumed(ticket) else f"回访不满意,进入第{ticket.round}轮"
            text = f"{why},请重新处理:{told or ticket.summary}"
            yield AddTask("rework", ticket.handler or "cs_specialist", text, key=f"rework:{ticket.round}", rule="S3-2.5.4")

    def _send(self, ticket: Ticket, at: datetime) -> Iterator[Decision]:
        notices = list(self.recipients.notices(ticket, at))
        yield from notices
        if notices:
            yield _noted(ticket)
            yield Move("assigned", rule="S0-4.2.1", why="已开具工作联系单")

    def _alarm(self, ticket: Ticket, at: datetime) -> Iterator[Decision]:
        plan = ticket.fields.get("emergency_plan") or ""
        if ticket.urgency == "emergency":
            yield Effect(("report_up:cs_supervisor",), rule="S1-5.4.2", why="紧急事件立即上报")
            told = {"plan": plan, "words": _new_words(ticket)}
            yield Notify(ALARMED, "reports/emergency", told, rule="S1-5.4.2", why="紧急事件不排队,任何时间立即通知")
            return
        marked = [name.removeprefix("report_up:") for name in ticket.effects if name.startswith("report_up:")]
        reasons = _why_important(ticket)
        if words := _new_words(ticket):
            reasons = [*reasons, f"顾客后续来信:{words}"]
        told = tuple(dict.fromkeys((*(superiors(ticket) if ticket.important else ()), *_not_accused(ticket, marked))))
        if told:
            yield Effect(tuple(f"report_up:{role}" for role in told), rule="S0-4.2.1", why="重要事项立即上报")
            yield Notify(told, "reports/important", {"reasons": reasons}, rule="S0-4.2.1")

    def _praise(self, ticket: Ticket) -> Iterator[Decision]:
        text = f"表扬请转达当事同事并致谢,然后办结:{ticket.summary or ticket.subject}"
        yield AddTask("praise", "cs_clerk", text, key="praise", rule="S1-4.3.5", why="表扬须转达并致谢")
        praised = str(ticket.fields.get("praised") or ticket.department or "")
        if praised and praised != "cs_center":
            why = f"表扬转达{chinese(praised)}"
            yield Effect((f"praise_forward:{praised}",), rule="S1-4.3.5", why=why)
            said = {"praised": praised, "praised_zh": self._name(praised)}
            yield Write(praised, "reports/praise-forward", said, key="praise", rule="S1-4.3.5", why=why)

    def _name(self, id: str) -> str:
        party = self.site.party(id)
        return (party.name if party else "") or chinese(id)

    def _circulate(self, ticket: Ticket) -> Iterator[Decision]:
        start = str(ticket.fields.get("policy_from") or "")
        number = next((e.partition(":")[2] for e in ticket.effects if e.startswith("incoming_notice_no:")), "")
        for role in CIRCULATED:
            if role != ticket.handler and self.site.role(role):
                data = {"valid_from": start, "incoming_number": number}
                key = f"circulation:{role}"
                yield Write(role, "reports/circulation", data, key=key, rule="S1-5.5.3", why="传阅,统一口径")


def _is_alarm(ticket: Ticket) -> bool:
    """Whether an emergency is open, and nobody has said yet that it is dealt with."""
    return ticket.urgency == "emergency" and ticket.status in ("registered", *PASSED_ON)


def _new_words(ticket: Ticket) -> str:
    """What the further message said that made it worse; nothing of the writer where he is not to be known (RULES §9)."""
    words = str(ticket.fields.get("worse_words") or said_by_customer(ticket))
    return without_personal(words, ticket) if ticket.masked or ticket.category == "attitude" else words


def _noticed(ticket: Ticket, new: str = "") -> set[str]:
    """Who has a notice; of one that only now takes over (``new``) only a notice drawn with the same order counts."""
    live = [d for d in ticket.documents if d.form == "notice" and not d.void]
    return {d.to for d in live if d.to != new or not d.id}


def _handed_out(ticket: Ticket, *, again: bool) -> Iterator[Decision]:
    """To where the ticket's new notices stand; one that is worked on stays so, unless its leader has to sign anew."""
    if ticket.status in ("need_info", "reopened"):
        yield Move("triaged", rule="S0-4.2.1", why="更正分类")
    if again or ticket.status in ("triaged", "need_info", "reopened"):
        yield Move("assigned", rule="S0-4.2.1", why="已开具工作联系单")


def superiors(ticket: Ticket) -> tuple[str, ...]:
    """Who is told of an important matter: the supervisor; the manager too from the second round and for grave ones."""
    if ticket.has("conflict_of_interest"):
        return ("leader_in_charge",) if "cs_manager" in str(ticket.fields.get("accused") or "") else ("cs_manager",)
    grave = ticket.round > 1 or ticket.dispute or ticket.has("major_quality")
    return ("cs_supervisor", "cs_manager") if grave else ("cs_supervisor",)


def _not_accused(ticket: Ticket, roles: list[str]) -> list[str]:
    """Nobody is told of a complaint about themselves (catalogue D27)."""
    return [] if ticket.has("conflict_of_interest") else roles


def _why_important(ticket: Ticket) -> list[str]:
    reasons = {
        "第" + str(ticket.round) + "轮处理": ticket.round > 1,
        "重大质量问题": ticket.has("major_quality"),
        "群诉": ticket.has("group_complaint"),
        "纠纷或索赔": ticket.dispute,
        "政府来文": ticket.origin == "government",
    }
    return [word for word, true in reasons.items() if true] or ["列为重要事项"]


def _form(ticket: Ticket) -> dict[str, object]:
    """What the complaint form knows beyond the ticket: its predecessor, and what the customer said then (S3-2.5.4)."""
    if ticket.round == 1:
        return {"round": 1}
    previous = ticket.document("opinion_form")
    return {"round": ticket.round, "previous": previous.number if previous else "", "reason": said_by_customer(ticket)}


def _led_by(notice: Notice, about: str, words: str) -> Notice:
    """The notice with the newest words before the old: whoever reads no further than the subject knows why it comes."""
    return replace(notice, subject=about or notice.subject, content=f"{words}\n此前反映:{notice.content}".strip())


def _with(notice: Notice, told: str, ticket: Ticket) -> Notice:
    if not told:
        return notice
    about = headline(told, ticket)
    return _led_by(notice, f"{about}(第{ticket.round}轮,原事由:{notice.subject})" if about else "", f"{_heard_when(ticket)}:{told}")


def _heard_when(ticket: Ticket) -> str:
    return "业主撤回后又要求继续办理" if resumed(ticket) else "回访时业主反映"


def _noted(ticket: Ticket) -> SetFields:
    rounds = [*(ticket.fields.get("noticed_rounds") or ()), ticket.round]
    return SetFields({"noticed_rounds": rounds}, rule="S1-4.3.6", why="本轮已开具联系单")


SETTINGS = ("joint_lead", "opinion_term")
"""Keys of [plugin.notices]."""


@hookimpl
def register_rules(site: Site) -> list[Rule]:
    return [Notices(site)]
