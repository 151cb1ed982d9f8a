"""What a department, contractor or other party orders by answering its notice (S1-5.1, S1-9.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kefud.api import (
    AddTask,
    Assign,
    Decision,
    DoneTask,
    Draw,
    DropClock,
    Effect,
    Extension,
    Move,
    Notice,
    Notify,
    Party,
    Remark,
    Reply,
    SetFields,
    Site,
    StopClock,
    Ticket,
    VoidDocument,
    Write,
    as_instant,
    chinese,
    contact_shown,
    due,
    find_when,
    fold,
    local,
    number,
    parse_term,
    parse_when,
)

from .repairs import FILED, filed
from .speech import MARKS, Said, fit_to_tell, is_empty, labelled, unlabelled

PROMISED = ("resolve", "rectify", "reply", "drawing", "reply_to_property", "reply_to_sales")
"""Deadlines an extension may move, the first that runs."""

NAMES: dict[str, str] = {
    "acknowledge": "收到", "handled": "已处理", "in_progress": "处理中", "extend": "申请延期", "transfer": "转办",
    "return": "退回", "adopted": "采纳", "not_adopted": "不采纳", "opinion": "意见", "agree": "同意", "disagree": "不同意",
    "release": "放行", "rewrite": "改写", "discard": "不予发出", "verify": "验收", "task": "待办", "instruct": "批示", "scene": "现场报告",
    "former": "来信",
}  # fmt: skip
_UNFOUNDED = re.compile(
    r"(?:诉求|要求|反映|投诉|意见|主张)[^,。;\n]{0,6}不(?:合理|成立|属实)|不予?(?:变更|修改|调整)|不属于?设计|无需(?:修改|变更)"
    r"|符合(?:设计|国家|现行)?(?:规范|标准)"
)
_DRAWN = re.compile(r"图纸|出图|蓝图|变更单|工作单|工单|修改(?:方案|设计)|设计变更")

_LONGER = re.compile(
    r"(?:延期|延长|延后|推迟|宽限|顺延|[再多]给)[^0-9一二两三四五六七八九十,。;]{0,4}([0-9]{1,3}|[一二两三四五六七八九十]{1,3})个?"
    r"(工作日|小时|日|天|周|星期|礼拜)"
)

_MONTH_AND_DAY = re.compile(r"[0-9一二三四五六七八九十]\s?[月/.]\s?[0-9一二三四五六七八九十]")
_YEAR_NAMED = re.compile(r"[0-9零〇一二三四五六七八九]{4}\s?[-/.年]|[明次来]年")
_A_YEAR = timedelta(days=365)
_LATELY = timedelta(days=90)
"""How long a day named without a year may be past; a request for the rest of the year names the year."""

COORDINATING = ("property_manager", "cs_manager", "leader_in_charge", "leadership")
"""Who decides where a matter stays that was passed on before (S0-4.2.2, S0-4.3.2)."""

TALK = "与顾客沟通"
MUST_SAY = ("已处理", "处理完毕", "处理完成", "已完成", "已办结", "已解决", "已整改", "整改完毕", "整改完成")
"""Words that say it is done, but not what was done."""

ALIASES: dict[str, tuple[str, ...]] = {
    "engineering": ("工程部", "工程"), "design": ("设计部门", "设计部", "设计院", "设计"),
    "sales": ("销售部", "营销部", "案场", "销售"), "property_company": ("物业公司", "物业服务中心", "物业", "物管"),
    "finance": ("财务部", "财务"), "leasing": ("租赁部", "租赁"), "legal": ("法务部", "法务"),
    "clubhouse": ("会所",), "concierge": ("礼宾部", "礼宾", "秩序部", "安保部"),
    "cs_center": ("客户服务中心", "客服中心", "客服部", "客服"), "leadership": ("公司领导",),
    "contractor": ("维修单位", "维修队", "施工单位", "施工队", "维保单位"),
}  # fmt: skip


@dataclass
class Answer:
    """What a mail comes to: decisions, and what its writer is told of each command."""

    decisions: list[Decision] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    ticket: Ticket = field(default_factory=Ticket)

    def done(self, command: str, text: str = "") -> None:
        self.steps.append({"ok": True, "command": NAMES.get(command, command), "text": text})

    def refuse(self, command: str, reason: str) -> None:
        self.steps.append({"ok": False, "command": NAMES.get(command, command), "text": ""})
        self.refused.append(f"{NAMES.get(command, command)}:{reason}")


class Departments:
    """Carries out what a proven party says."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._steps: dict[str, Callable[[Ticket, str, Said, datetime, Answer], Iterator[Decision]]] = {
            "acknowledge": self._acknowledge,
            "in_progress": self._in_progress,
            "handled": self._handled,
            "extend": self._extend,
            "transfer": self._transfer,
            "return": self._return,
            "adopted": self._adopted,
            "not_adopted": self._adopted,
        }

    def can(self, command: str) -> bool:
        return command in self._steps

    def carry_out(self, ticket: Ticket, party: str, said: Said, at: datetime, answer: Answer) -> Iterator[Decision]:
        """The decisions of one command; ``answer`` is told what was done and what not."""
        return self._steps[said.command](ticket, party, said, at, answer)

    def _acknowledge(self, ticket: Ticket, party: str, said: Said, at: datetime, answer: Answer) -> Iterator[Decision]:
        if ticket.status not in ("assigned", "reopened"):
            answer.done("acknowledge", "已记录")
            return
        answer.done("acknowledge", "已登记签收")
        yield from _reassigned(ticket)
        yield Move("acknowledged", party, rule="S1-4.3.6", why=f"{self.name(party)}签收")

    def _in_progress(self, ticket: Ticket, party: str, said: Said, at: datetime, answer: Answer) -> Iterator[Decision]:
        yield from self.progress(party, said, at)
        yield from _onward(ticket, "in_progress", party, "责任部门已安排")
        answer.done("in_progress", "已记录进展")

    def progress(self, party: str, said: Said, at: datetime) -> Iterator[Decision]:
        """What the next word to the customer may repeat; what is meant for us is read by the handler alone (S1-5.1)."""
        words = said.whole.lstrip(MARKS) or said.words
        if fit_to_tell(words):
            said = {"progress_note": words, "progress_at": at.isoformat(), "progress_by": party}
            yield SetFields(said, rule="S3-2.3.2", why=f"{self.name(party)}报告进展")
            return
        told = {"text": f"{self.name(party)}来信(不宜转告业主,进展请另行拟写):{words[:2000]}"}
        yield Remark(f"{self.name(party)}来信(不转告业主):{words}", rule="S1-5.1")
        yield Write("handler", "reports/alert", told, key=f"progress:{at.isoformat()}", rule="S1-5.1")

    def findings(self, ticket: Ticket, party: str, fields: dict[str, str], at: datetime, answer: Answer) -> Iterator[Decision]:
        """What was found and is planned stands in the file, and is no result: the work goes on (S1-5.6.1, S1-9.1, rules 20, 27)."""
        found = self.found(party, fields, at)
        yield found
        yield from _onward(ticket, "in_progress", party, "责任部门报告办理情况")
        after = ticket.changed(fields={**ticket.fields, **found.values})
        if ticket.fields.get("result") and lacking(ticket) and not lacking(after):
            yield from self._finish(after, party, Said("handled", "", ""), at, answer)
            return
        answer.done("in_progress", "已登记办理情况,尚无处理结果;办结后请以“已处理:处理情况及结果”报我中心")

    def found(self, party: str, fields: dict[str, str], at: datetime) -> SetFields:
        kept = {name: text for name, text in fields.items() if name != "result"}
        return SetFields({**kept, **filed(kept, at, self.site)}, rule="S1-5.1", why=f"{self.name(party)}报告办理情况")

    def _handled(self, ticket: Ticket, party: str, said: Said, at: datetime, answer: Answer) -> Iterator[Decision]:
        if ticket.status not in ("assigned", "acknowledged", "in_progress", "reopened"):
            answer.refuse("handled", f"工单当前为“{chinese(ticket.status)}”")
            return
        fields = labelled(said.text)
        fields |= filed(fields, at, self.site)
        told = fields.keys() - {*FILED} or not is_empty(unlabelled(said.account))
        if fold(said.words).startswith(MUST_SAY) and not told:
            answer.refuse("handled", "请写明处理情况及结果(S3-2.5.3)")
            yield from _onward(ticket, "in_progress", party, "责任部门报告已处理,待补结果")
            return
        fields.setdefault("result", unlabelled(said.account) or said.text or said.words)
        fields["done_by"] = self._doer(ticket, party)
        yield SetFields(fields, rule="S1-5.1", why=f"{self.name(party)}报告处理结果")
        yield from _onward(ticket, "in_progress", party, "责任部门已处理")
        after = ticket.changed(fields={**ticket.fields, **fields})
        yield from self._finish(after, party, said, at, answer)

    def _finish(self, ticket: Ticket, party: str, said: Said, at: datetime, answer: Answer) -> Iterator[Decision]:
        handler = ticket.handler or "cs_specialist"
        if ticket.department == "design" and ticket.kind != "consultation":
            yield from self._drawn(ticket, party, said, at, answer)
            return
        missing = lacking(ticket)
        if missing:
            if missing == [TALK] and not self._may_contact(ticket, party):
                answer.done("handled", f"已登记结果;{TALK}由我中心办理")  # they were told not to call whoever complained
            else:
                answer.refuse("handled", f"结果已登记,投诉件尚缺:{'、'.join(missing)}(S3-2.5.3)")
            text = f"{self.name(party)}报告已处理,尚缺:{'、'.join(missing)}。请补齐后用 handle 登记。"
            yield AddTask("complete", handler, text, key=f"complete:{ticket.round}", rule="S3-2.5.3")
            how = "补齐后请直接回复：首行写“已处理：结果”，另起行写“调查：”“原因：”“措施：”“沟通：”。"
            key = f"complete:{ticket.round}:{at.isoformat()}"
            yield Write("handler", "reports/task", {"text": text, "how": how}, key=key, rule="S3-2.5.3")
            return
        answer.done("handled", "已登记结果,由我中心验收")
        yield Move("handled", party, rule="S1-9.1", why=f"{self.name(party)}报告已处理")
        text = f"{self.name(party)}报告已处理,请验收:{ticket.fields['result']}"
        yield AddTask("verify", handler, text, key=f"verify:{ticket.round}", rule="S1-2.2")
        if ticket.fields["done_by"] != handler:
            told = {"by": self.name(party), "result": ticket.fields["result"]}
            yield Write("handler", "reports/verify", told, key=f"verify:{ticket.round}:{at.isoformat()}", rule="S1-2.2")

    def _doer(self, ticket: Ticket, party: str) -> str:
        """Who did the work: one of the staff who completes a department's report did not, and may accept it (S1-9.1)."""
        own = self.site.party(party) or ticket.department in (None, "cs_center")
        return party if own else str(ticket.fields.get("done_by") or party)

    def _may_contact(self, ticket: Ticket, party: str) -> bool:
        found = self.site.party(party)
        return found is not None and contact_shown(ticket, found.kind, found.show_contact)

    def _drawn(self, ticket: Ticket, party: str, said: Said, at: datetime, answer: Answer) -> Iterator[Decision]:
        """Design has judged: a drawing goes on to engineering, a refusal is explained to the owner (S1-5.6.3)."""
        words = fold(said.text)
        handler = ticket.handler or "cs_specialist"
        judged = {"design_reasonable": not _UNFOUNDED.search(words)}
        yield StopClock("drawing", at, rule="S1-5.6.3", why="设计部门已答复")
        if not judged["design_reasonable"]:
            yield SetFields(judged, rule="S1-5.6.3", why="设计部门判定不予变更")
            text = "设计部门判定不予变更,请向业主书面说明理由。"
        elif not _DRAWN.search(words):
            text = "设计部门已答复,请判断是否已给出图纸和工作单,或须向业主书面说明理由。"
        else:
            yield SetFields(judged, rule="S1-5.6.3", why="设计部门给出图纸")
            yield Draw("drawing_order", {"reason": said.text, "by": party}, rule="S1-5.6.3", why="设计工单")
            text = "设计部门已出图,请将图纸和工作单转工程部组织实施,并向业主说明方案和完成时间(plan)。"
        answer.done("handled", "已登记设计意见")
        yield AddTask("design", handler, text, key=f"design:{ticket.round}", rule="S1-5.6.3")
        yield Write("handler", "reports/task", {"text": text}, key=f"design:{ticket.round}", rule="S1-5.6.3")

    def _extend(self, ticket: Ticket, party: str, said: Said, at: datetime, answer: Answer) -> Iterator[Decision]:
        words = f"{said.words}{said.text}"
        old = promised(ticket)[1]
        until = this_year(parse_when(words, at, self.site.calendar), words, at) or longer_by(words, old or at, self.site)
        until = until or self._named(said, old, at)
        asked = ask_extension(ticket, until, said.given_reason, at, self.site)
        if isinstance(asked, str):
            answer.refuse("extend", asked)
            yield Remark(f"{self.name(party)}申请延期未受理:{asked}", rule="S3-2.3.3")
        else:
            answer.done("extend", "已征询业主,业主同意后生效;此前原时限不变")
            yield from asked

    def _named(self, said: Said, old: datetime | None, at: datetime) -> datetime | None:
        """The time named before the request: 预计6月18日才能完工,望批准顺延."""
        found = (this_year(when, said.before[start:end], at) for when, (start, end) in find_when(said.before, at, self.site.calendar))
        return max((when for when in found if when and when > (old or at)), default=None)

    def _transfer(self, ticket: Ticket, party: str, said: Said, at: datetime, answer: Answer) -> Iterator[Decision]:
        target = self.find(said.text)
        if target is None:
            answer.refuse("transfer", "未找到要转往的部门,请写部门全称,如“转 工程部 因 …”")
            return
        yield from self.hand_over(ticket, target, said.reason, party, at, answer)

    def hand_over(
        self, ticket: Ticket, target: Party | str, reason: str, by: str, at: datetime, answer: Answer
    ) -> Iterator[Decision]:
        """Pass the ticket to another department with a new notice; the second time it goes to the property manager."""
        id = target if isinstance(target, str) else target.id
        name = self.name(id)
        if ticket.status not in ("triaged", "assigned", "acknowledged", "in_progress", "reopened"):
            answer.refuse("transfer", f"工单当前为“{chinese(ticket.status)}”,不可转办")
            return
        department = "contractor" if isinstance(target, Party) and target.kind == "contractor" else id
        same_firm = department != "contractor" or ticket.fields.get("contractor") in (None, "", id)
        same = department == ticket.department and same_firm
        if same and (department == "cs_center" or has_notice(ticket, id)):
            answer.refuse("transfer", f"本件现由{name}办理")
            return
        why = f"{self.name(by)}转{name}:{reason or '未写原因'}"
        if ticket.transfers >= 1 and not same and by not in COORDINATING:
            yield from self.to_coordinator(ticket, why, f"transfer:{ticket.transfers + 1}", transfer=True)
            answer.done("transfer", "本件已是第二次转办,按规定交物业经理协调(S0-4.3.2)")
            return
        if department == "contractor":
            yield SetFields({"contractor": id}, rule="S1-2.2", why=why)
        yield Assign(department, transfer=not same, decided=True, rule="S0-4.2.1", why=why)
        if not same:
            yield from _no_longer_theirs(ticket, by, at, why)
            yield from _relieved(ticket, by, name, why)
        if department != "cs_center":
            yield self.notice(ticket.changed(department=department), target, at, "" if same else reason)
            yield from _reassigned(ticket)
            yield Move("assigned", by, rule="S0-4.2.1", why=why)
        if any(task.kind == "coordinate" and task.done_at is None for task in ticket.tasks):
            yield DoneTask("coordinate", at, rule="S0-4.2.2", why=why)
        yield Remark(f"转{name},原因:{reason or '未写'}", rule="S0-4.2.1")
        answer.done("transfer", f"已转{name}")

    def _return(self, ticket: Ticket, party: str, said: Said, at: datetime, answer: Answer) -> Iterator[Decision]:
        why = f"{self.name(party)}退回:{said.reason or said.words}"
        yield from self.to_coordinator(ticket, why, f"returned:{party}:{ticket.round}")
        answer.done("return", "已报物业经理协调,协调结果出来前仍请先行处理")

    def _adopted(self, ticket: Ticket, party: str, said: Said, at: datetime, answer: Answer) -> Iterator[Decision]:
        if ticket.kind != "suggestion":
            yield Remark(f"{self.name(party)}:{said.words}{said.text}", rule="S1-5.1")
            answer.done(said.command, "已记录")
            return
        partly = "部分" in said.words
        decision = "declined" if said.command == "not_adopted" else "partly" if partly else "adopted"
        reason = said.reason or said.words
        result = f"{said.words} {said.text}".strip()
        values = {"department_decision": decision, "adoption_reason": reason, "result": result, "done_by": party}
        yield SetFields(values, rule="S1-9.2", why=f"{self.name(party)}意见:{NAMES[said.command]}")
        yield from _onward(ticket, "handled", party, "责任部门已研究")
        verb = "decline" if decision == "declined" else "adopt"
        text = f"{self.name(party)}对建议的意见:{values['result']}。请核定后用 {verb} 答复提出人。"
        yield AddTask("adoption", ticket.handler or "cs_clerk", text, key=f"adoption:{ticket.round}", rule="S1-5.4.5")
        more = " --partly --plan 采纳的内容 --reason 其余未采纳的理由" if partly else ""
        how = f"核定后登记：kefud ticket {verb} {ticket.number}{more}，答复随即发给提出人。"
        yield Write("handler", "reports/task", {"text": text, "how": how}, key=f"adoption:{ticket.round}", rule="S1-5.4.5")
        answer.done(said.command, "已登记,由我中心答复提出人")

    def contribute(self, ticket: Ticket, party: str, text: str, answer: Answer) -> Iterator[Decision]:
        """A joint department's text is its contribution; with the last one the handler can answer (S0-4.2.2)."""
        given = {**(ticket.fields.get("contributions") or {}), party: text}
        after = ticket.changed(fields={**ticket.fields, "contributions": given})
        yield SetFields({"contributions": given}, rule="S0-4.2.2", why=f"{self.name(party)}提供意见")
        answer.done("opinion", "意见已收,由我中心统一答复")
        if after.has_unanswered_joint:
            return
        task = "协同部门意见已齐,请拟定答复:" + ";".join(f"{self.name(k)}:{v}" for k, v in given.items())
        yield Write("handler", "reports/task", {"text": task}, key=f"contributions:{ticket.round}", rule="S0-4.2.2")
        yield AddTask("answer", ticket.handler or "cs_clerk", task, key=f"contributions:{ticket.round}", rule="S0-4.2.2")
        if ticket.department in (None, "cs_center") and ticket.kind in ("consultation", "liaison"):
            yield SetFields({"result": "协同部门意见已收齐"}, rule="S0-4.2.2")
            yield from _onward(ticket, "handled", "program", "协同部门意见已收齐")

    def to_coordinator(self, ticket: Ticket, why: str, key: str, *, transfer: bool = False) -> Iterator[Decision]:
        """Stuck between departments: the property manager coordinates (S0-4.2.2, S0-4.3.2)."""
        if transfer:
            yield Assign(transfer=True, rule="S0-4.3.2", why=why)
        yield Effect(("report_up:property_manager",), rule="S0-4.2.2", why=why)
        yield Notify(("property_manager",), "reports/escalation", {"reason": why}, rule="S0-4.2.2", why=why)
        yield AddTask("coordinate", "property_manager", why, key=key, rule="S0-4.2.2")
        yield Remark(why, rule="S0-4.2.2")

    def notice(self, ticket: Ticket, target: Party | str, at: datetime, reason: str) -> Notice:
        """The notice to the department that takes over."""
        party = target if isinstance(target, Party) else self.site.party(target)
        resolve = next((d.due for n in PROMISED if (d := ticket.deadline(n)) and d.open), None)
        rude = bool(ticket.fields.get("insults"))
        return Notice(
            party.id if party else str(target),
            subject="" if rude else ticket.subject,
            content=ticket.summary if rude else ticket.text or ticket.summary,
            request=f"本件由原办理部门转来({reason})。请核实处理,将结果书面回复我中心。" if reason else "",
            finish_by=resolve,
            reply_by=resolve,
            limit_rule="S1-4.3.6",
            mask=not contact_shown(ticket, party.kind if party else "department", party.show_contact if party else False),
            template="notices/work-order" if ticket.urgency == "normal" else "notices/urgent-work-order",
            clock="notice_property" if ticket.department == "property_company" and ticket.deadline("notice_property") else "",
            rule="S0-4.2.1",
            why="转办",
        )

    def known(self, text: str) -> str:
        """The id of the department or firm a person names, "" where there is none."""
        if self.site.party(text) or text in ALIASES:
            return text
        found = self.find(text)
        return found.id if isinstance(found, Party) else found or ""

    def find(self, text: str) -> Party | str | None:
        """The department a text names at its beginning: a party's name or id, or a usual word for it."""
        head = fold(text).lstrip(" ,:给交由至到往请")[:24]
        for party in self.site.parties:
            if party.name and head.startswith(fold(party.name)) or head.startswith(party.id):
                return party
        for id, words in ALIASES.items():
            if head.startswith(words):
                return self.site.party(id) or id
        return None

    def lead(self, ticket: Ticket) -> str:
        """The name of who has the matter now, of a firm rather than of the firms."""
        firm = str(ticket.fields.get("contractor") or "") if ticket.department == "contractor" else ""
        return self.name(firm or ticket.department or "cs_center")

    def name(self, id: str) -> str:
        party = self.site.party(id)
        return party.name if party and party.name else chinese(id)


def had_notice(ticket: Ticket, party: str) -> bool:
    """Whether the matter was the party's before it was passed on."""
    return any(d.form == "notice" and d.void and d.to == party for d in ticket.documents)


def has_notice(ticket: Ticket, id: str) -> bool:
    """Whether a department, or the firm that works for "contractor", has a notice that stands."""
    its = (id, ticket.fields.get("contractor")) if id == "contractor" else (id,)
    return any(d.form == "notice" and not d.void and d.to in its for d in ticket.documents)


def lacking(ticket: Ticket) -> list[str]:
    """What a complaint still lacks before it may be called handled (S3-2.5.3)."""
    wanted = {"inquiry": "初步调查", "cause": "原因", "solution": "措施"} if ticket.kind == "complaint" else {}
    if wanted and ticket.origin != "anonymous":
        wanted["customer_talk"] = TALK
    missing = [name for key, name in wanted.items() if not ticket.fields.get(key)]
    if ticket.dispute and not ticket.fields.get("written_opinion"):
        missing.append("书面处理意见")
    return missing


def ask_extension(ticket: Ticket, until: datetime | None, reason: str, at: datetime, site: Site) -> list[Decision] | str:
    """Ask the owner for more time, or say why that cannot be (S3-2.3.3)."""
    if not ticket.is_open or ticket.status in ("answered", "visiting"):
        return f"工单当前为“{chinese(ticket.status)}”,没有可延长的时限"
    name, old = promised(ticket)
    if old and at > old:
        return f"申请须在时限({_text(old, site)})之前提出,现已逾期,原时限不变"
    if until is None:
        return "请写明延期到何时,如“申请延期至3月8日17时 因 …”"
    if is_empty(reason):
        return "请写明延期原因"
    if until <= (old or at):
        return f"新时间不晚于原时限({_text(old or at, site)})"
    if ticket.origin == "anonymous":
        return "匿名件无法征得业主同意,原时限不变"
    return _asking(ticket, name, old, until, reason, site)


def promised(ticket: Ticket) -> tuple[str, datetime | None]:
    """The deadline an extension would move, and when it is due; an imported ticket may know only the time promised."""
    running = next((d for n in PROMISED if (d := ticket.deadline(n)) and d.open), None)
    if running:
        return running.name, running.due
    return "resolve", as_instant(ticket.fields.get("promised_at") or ticket.fields.get("agreed_reply_at"))


def this_year(until: datetime | None, words: str, at: datetime) -> datetime | None:
    """A day without a year that has just passed is not the one a year later: 3月1日 said on 3月5日 (S3-2.3.3, rule 24)."""
    day = fold(words)
    if until is None or _YEAR_NAMED.search(day) or not _MONTH_AND_DAY.search(day):
        return until
    return until - _A_YEAR if at - _LATELY <= until - _A_YEAR < at else until


def longer_by(words: str, old: datetime, site: Site) -> datetime | None:
    """延期3天, 宽限两个工作日: counted from the deadline as it stands."""
    found = _LONGER.search(fold(words))
    amount = number(found[1]) if found else None
    if not found or not amount:
        return None
    unit = {"工作日": "working_days", "小时": "clock_hours"}.get(found[2], "calendar_days")
    weeks = 7 if found[2] in ("周", "星期", "礼拜") else 1
    return due(old, parse_term(f"{amount * weeks} {unit}"), site.calendar)


def _no_longer_theirs(ticket: Ticket, by: str, at: datetime, why: str) -> Iterator[Decision]:
    """What the department before had to sign: it did by passing it on, or let the time lapse; else nobody needs it any more.

    The next one's time begins when its notice has reached it. An emergency's alarm goes on until somebody takes it.
    """
    names = ("sign_off",) if ticket.urgency == "emergency" else ("sign_off", "acknowledge")
    for deadline in ticket.deadlines:
        if deadline.name in names and deadline.open:
            if by == ticket.department or deadline.due < at:
                yield StopClock(deadline.name, at, rule=deadline.rule, why=why)
            else:
                yield DropClock(deadline.name, rule=deadline.rule, why=why)


def _relieved(ticket: Ticket, by: str, name: str, why: str) -> Iterator[Decision]:
    """Who had the matter stops, its notice is void, and what it writes later is read by the handler (S0-4.2.1, S1-4.3.6)."""
    lead = str(ticket.fields.get("contractor") or "") if ticket.department == "contractor" else ticket.department
    theirs = [d for d in ticket.documents if d.form == "notice" and not d.void and d.number and d.to == lead]
    if not lead or not theirs or lead in ticket.joint:
        return
    for notice in theirs:
        yield VoidDocument("notice", notice.number, rule="S1-4.3.6", why=f"改由{name}办理")
    if by != lead:
        numbers = "、".join(notice.number for notice in theirs)
        text = f"本件改由{name}办理,请停止办理;联系单{numbers}作废,已做的请书面告知我中心。"
        yield Write(lead, "reports/alert", {"text": text}, key=f"relieved:{len(ticket.documents)}", rule="S0-4.2.1", why=why)


def _asking(ticket: Ticket, name: str, old: datetime | None, until: datetime, reason: str, site: Site) -> list[Decision]:
    rule = "S3-2.3.3"
    told = {"old_due": _text(old, site) if old else "约定时间", "new_due": _text(until, site), "reason": reason}
    values = {"extension_until": until.isoformat(), "extension_reason": reason, "extension_of": name}
    made: list[Decision] = [
        SetFields(values, rule=rule, why="责任部门申请延期"),
        Effect((f"extension_requested:{until.isoformat()}", "customer_consent_required"), rule=rule, why="须征得业主同意"),
        Extension("asked", rule=rule, why="待业主同意,原时限不变"),
        Draw("extension_notice", told, rule=rule, why="延期告知书"),
    ]
    if ticket.reply_address:
        return [*made, Reply("replies/extension-consent", told, rule=rule, why="事先告知并征求同意")]
    text = f"请电话征求业主是否同意延期至{told['new_due']}(原因:{reason}),结果用 extend 登记。"
    return [*made, AddTask("consent", ticket.handler or "cs_specialist", text, key=f"consent:{until.isoformat()}", rule=rule)]


def _reassigned(ticket: Ticket) -> Iterator[Decision]:
    """From a reopened ticket back to where its new notice stands."""
    if ticket.status == "reopened":
        yield Move("triaged", rule="S3-2.5.4", why="重新处理")
        yield Move("assigned", rule="S3-2.5.4", why="新一轮联系单已开具")


def _onward(ticket: Ticket, to: str, by: str, why: str) -> Iterator[Decision]:
    """The steps from where the ticket stands to ``to``, none left out."""
    yield from _reassigned(ticket)
    line = ("assigned", "acknowledged", "in_progress", "handled")
    now = "assigned" if ticket.status == "reopened" else ticket.status
    if now == "triaged":
        now = "acknowledged"
    if now not in line:
        return
    for step in line[line.index(now) + 1 : line.index(to) + 1]:
        yield Move(step, by, rule="S1-4.3.6", why=why)


def _text(instant: datetime, site: Site) -> str:
    return local(instant, site.calendar.zone)
