"""Orders of our own people, from the command line or the console: `kefud ticket COMMAND NO … --as ROLE`.

Whether a step may be taken is the state machine's word; here stands what each order means, and what it must bring along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from kefud.api import (
    VOCABULARY,
    AddTask,
    Assign,
    Classify,
    Decision,
    Discard,
    DoneTask,
    Draw,
    Effect,
    Join,
    Lock,
    Move,
    Notify,
    Ordered,
    Refuse,
    Relate,
    Release,
    Remark,
    Reply,
    SetFields,
    Site,
    StopClock,
    Ticket,
    Write,
    as_instant,
    chinese,
    normalise_house,
    objection,
    parse_when,
    refusal,
)

from .customers import decide_extension
from .departments import Answer, Departments, ask_extension, has_notice, lacking, this_year
from .outcome import FORBIDDEN, all_contributed, answered, between, held_answers, hindered, is_answer, not_held
from .repairs import filed, unreadable

SIGNING = ("cs_manager", "leader_in_charge", "leadership")
"""Who may decline in their own name; a decline by anyone else waits for the manager's signature (SERVICE_RULES §9)."""

REPORTED = (
    "inquiry", "cause", "solution", "customer_talk", "liable_unit", "improvement", "written_opinion", "contractor",
)  # fmt: skip
SUPERIORS = {"property_supervisor": "pm_dept_manager", "property_manager": "leadership"}
"""Whom those who check the ledger tell at once of an important matter (S0-4.2.4, S0-4.2.5)."""
CLASSIFIED = ("kind", "category", "urgency", "important", "origin", "house", "subject", "summary", "masked", "dispute")
RESUMING = ("handle", "reply", "respond", "transfer")
"""Orders that say that the work goes on: what we waited for is here, or is not needed any more."""
ELSEWHERE = ("approve", "reject", "visit", "reopen")
"""Orders that the plugins approvals and visits carry out."""


def release(ticket: Ticket, by: str, letter: str = "") -> Iterator[Decision]:
    """Held letters leave on the word of those who sign (RULES §9): all of the ticket, or the one with this id."""
    held = [x for x in ticket.letters if x.status == "held" and letter in ("", str(x.id))]
    named = next((x for x in ticket.letters if letter == str(x.id)), None)
    clean = [x for x in held if FORBIDDEN not in x.hold]
    if by not in SIGNING:
        names = "、".join(chinese(role) for role in SIGNING)
        yield Refuse(f"暂缓的函件由{names}放行", rule="S0-6.0")
    elif not held:
        yield Refuse(not_held(named) if named else f"没有编号为{letter}的函件" if letter else "没有暂缓的函件")
    else:
        yield from (Release(each.message_id, rule="S0-6.0", why=f"{chinese(by)}放行") for each in clean)
        for each in held:
            if each not in clean:
                why = f"函件{each.id}有{each.hold},不能照原文放行,请改写后另行答复(S0-4.3.2)"
                yield Refuse(why, rule="S0-4.3.2")


class Orders:
    """One method for each order."""

    def __init__(self, site: Site, departments: Departments) -> None:
        self.site = site
        self.departments = departments
        self._orders: dict[str, Callable[[Ticket, Ordered], Iterator[Decision]]] = {
            "assign": self._assign,
            "note": self._note,
            "reply": self._reply,
            "transfer": self._transfer,
            "extend": self._extend,
            "handle": self._handle,
            "verify": self._verify,
            "close": self._close,
            "merge": self._merge,
            "acknowledge": self._acknowledge,
            "adopt": self._adopt,
            "decline": self._decline,
            "plan": self._plan,
            "need_info": self._need_info,
            "got_info": self._got_info,
            "classify": self._classify,
            "withdraw": self._withdraw,
            "done": self._done,
            "release": self._release,
            "respond": self._respond,
            "contribute": self._contribute,
            "finding": self._finding,
        }

    def carry_out(self, ticket: Ticket, order: Ordered) -> Iterator[Decision]:
        step = self._orders.get(order.command)
        if step and ticket.status == "need_info" and _resumes(order):
            return _resumed(ticket, order, step)
        return step(ticket, order) if step else iter(())

    def _assign(self, ticket: Ticket, order: Ordered) -> Iterator[Decision]:
        department, handler = _text(order, "department", text=False), _text(order, "handler", text=False)
        if not department and not handler:
            yield Refuse("请写明责任部门或经办人")
            return
        if department and not self.departments.known(department):
            yield Refuse(f"没有部门“{department}”")
            return
        if handler and self.site.role(handler) is None and chinese(handler) == handler:
            yield Refuse(f"没有岗位“{handler}”")
            return
        if department and self._is_handed_over(ticket, department):
            yield from self._hand_over(ticket, department, order)
        elif department:
            yield from self._led_by(department, rule="S3-2.5.2", why=f"{chinese(order.by)}指定责任部门")
            yield Lock(("department",), rule="S1-4.3.5")
        if handler:
            yield Assign(handler=handler, decided=True, rule="S3-2.5.2", why=f"{chinese(order.by)}指定经办人")
            yield Lock(("handler",), rule="S1-4.3.5")
        if ticket.status == "registered":
            yield Move("triaged", order.by, rule="S1-4.3.5")

    def _is_handed_over(self, ticket: Ticket, to: str) -> bool:
        """Whether the department is told by the order itself: it takes over from another, or was never told that it leads."""
        if to != ticket.department:
            return ticket.document("notice") is not None
        waits = to != "cs_center" and ticket.status in ("triaged", "assigned", "acknowledged", "in_progress")
        return waits and not has_notice(ticket, to)

    def _led_by(self, department: str, *, rule: str, why: str) -> Iterator[Decision]:
        id = self.departments.known(department)
        party = self.site.party(id)
        if party and party.kind == "contractor":
            yield SetFields({"contractor": id}, rule=rule, why=why)
            id = "contractor"
        yield Assign(id, decided=True, rule=rule, why=why)

    def _note(self, ticket: Ticket, order: Ordered) -> Iterator[Decision]:
        text = _text(order, "text")
        yield Remark(text, rule="S1-4.3.3") if text else Refuse("备注没有内容")
        fields = order.args.get("fields")
        if isinstance(fields, dict):
            yield SetFields({str(k): v for k, v in fields.items()}, rule="S1-4.3.3", why=f"{chinese(order.by)}登记")

    def _release(self, ticket: Ticket, order: Ordered) -> Iterator[Decision]:
        yield from release(ticket, order.by, _text(order, "letter", text=False))

    def _reply(self, ticket: Ticket, order: Ordered) -> Iterator[Decision]:
        text, way = _text(order, "text"), _text(order, "by", text=False) or "mail"
        if not text:
            yield Refuse("答复没有内容")
            return
        address = ticket.reply_address
        final = is_answer(ticket)
        spoken = way != "mail" or not address
        why = f"{chinese(order.by)}答复({way if spoken else '邮件'})"
        if not final:
            yield from _interim(ticket, order, text, spoken, why)
            return
        through = between(ticket.status, "handled") if all_contributed(ticket) else ()
        said = ticket.changed(fields={**ticket.fields, "answer": text, "result": ticket.fields.get("result") or text})
        if reason := hindered(said, (*through, "answered"), order.by):
            yield Refuse(reason)
            return
        for letter in held_answers(ticket):
            yield Discard(letter.message_id, rule="S0-4.3.2", why="已另拟答复,原文不再发出")
        yield from _done(ticket, order.at, "answer", "rewrite")
        if not spoken and (_signature(ticket, order.by) or objection(text)):
            yield SetFields({"held_answer": text, "answered_by": order.by, **_enclosed(order)}, rule="S0-4.3.2", why=why)
            yield from _letter(ticket, order.by, text, why)
            return
        yield SetFields({"answer": text, "answered_by": order.by, "held_answer": "", **_enclosed(order)}, rule="S0-1.0", why=why)
        if not spoken:
            yield from _letter(ticket, order.by, text, why)
        elif ticket.origin != "anonymous":
            yield from _said(ticket, order.at, why)
        yield from answered(ticket, order.by, why)

    def _respond(self, ticket: Ticket, order: Ordered) -> Iterator[Decision]:
        """Somebody spoke with the customer; the matter goes on."""
        why = f"{chinese(order.by)}已联系顾客"
        for name in ("first_response", "callback"):
            running = ticket.deadline(name)
            if running and running.open:
                yield StopClock(name, order.at, rule=running.rule, why=why)
        yield from _done(ticket, order.at, "callback", "respond")
        yield Remark(f"{why}:{order.text}" if order.text else why, rule="S4-4.1.1")

    def _contribute(self, ticket: Ticket, order: Ordered) -> Iterator[Decision]:
        department, text = _text(order, "department", text=False), _text(order, "text")
        if department not in ticket.joint or not text:
            yield Refuse(f"请写明协同部门({'、'.join(map(chinese, ticket.joint)) or '无'})和意见", rule="S0-4.2.2")
            return
        yield from self.departments.contribute(ticket, department, text, Answer())

    def _transfer(self, ticket: Ticket, order: Ordered) -> Iterator[Decision]:
        to = _text(order, "to", text=False) or _text(order, "department", text=False)
        yield from self._hand_over(ticket, to, order)

    def _hand_over(self, ticket: Ticket, to: str, order: Ordered) -> Iterator[Decision]:
        target = self.site.party(to) or self.departments.find(to)
        if not to or target is None:
            yield Refuse(f"没有部门“{to}”")
            return
        answer = Answer()
        yield from self.departments.hand_over(ticket, target, _text(order, "reason"), order.by, order.at, answer)
        for reason in answer.refused:
            yield Refuse(reason)

    def _extend(self, ticket: Ticket, order: Ordered) -> Iterator[Decision]:
        consent = _text(order, "consent", text=False)
        if consent and ticket.extension == "asked":
            yield from decide_extension(ticket, consent in ("agreed", "yes", "同意"), order.at, self.site)
            yield from _done(ticket, order.at, "consent")
            return
        until = this_year(self._when(order, "until"), _text(order, "until", text=False), order.at)
        asked = ask_extension(ticket, until, _text(order, "reason"), order.at, self.site)
        if isinstance(asked, str):
            yield Refuse(asked, rule="S3-2.3.3")
            return
        yield from asked
        if consent:
            reason = _text(order, "reason")
            name = next(str(d.values["extension_of"]) for d in asked if isinstance(d, SetFields))
            values = {"extension_until": until.isoformat() if until else "", "extension_reason": reason, "extension_of": name}
            after = ticket.changed(fields={**ticket.fields, **values})
            yield from decide_extension(after, consent in ("agreed", "yes", "同意"), order.at, self.site)

    def _handle(self, ticket: Ticket, order: Ordered) -> Iterator[Decision]:
        given = {name: order.args[name] for name in REPORTED if order.args.get(name)}
        result = _text(order, "result") or str(ticket.fields.get("result") or "")
        by = _text(order, "done_by", text=False) or str(ticket.fields.get("done_by") or order.by)
        values = {**given, **filed(order.args, order.at, self.site), **_enclosed(order), "result": result, "done_by": by}
        if not result:
            yield Refuse("请写明处理结果(S3-2.5.3)", rule="S3-2.5.3")
            return
        if wrong := unreadable(order.args, order.at, self.site):
            yield Refuse(f"{wrong}(S1-4.2.7)", rule="S1-4.2.7")
            return
        yield SetFields(values, rule="S3-2.5.3", why=f"{chinese(order.by)}登记处理情况")
        if ticket.status in ("reopened", "triaged", "assigned", "acknowledged"):
            for step in between(ticket.status, "in_progress"):
                yield Move(step, order.by, rule="S1-4.3.6", why="登记处理情况")
        missing = lacking(ticket.changed(fields={**ticket.fields, **values}))
        if missing:
            yield Refuse(f"已登记;投诉件尚缺:{'、'.join(missing)}(S3-2.5.3)", rule="S3-2.5.3")
            return
        yield DoneTask("complete", order.at, rule="S3-2.5.3")
        yield Move("handled", by, rule="S1-9.1", why="处理完毕")

    def _verify(self, ticket: Ticket, order: Ordered) -> Iterator[Decision]:
        passed = order.args.get("passed", True) not in (False, "no", "false", "0", "不合格")
        text = _text(order, "text")
        acceptance = {"passed": passed, "by": order.by, "text": text}
        wanting = [str(n) for n, x in enumerate(ticket.fields.get("findings") or (), 1) if x.get("state") != "ok"]
        if passed and wanting:
            yield Refuse(f"第{'、'.join(wanting)}项尚未复查合格(S1-5.7.2)", rule="S1-5.7.2")
            return
        if passed and (reason := refusal(ticket.changed(fields={**ticket.fields, "acceptance": acceptance}), "verified", order.by)):
            yield Refuse(reason)
            return
        if passed:
            yield SetFields({"acceptance": acceptance}, rule="S1-2.2", why="验收合格")
            yield Move("verified", order.by, rule="S1-9.1", why=text or "验收合格")
            yield DoneTask("verify", order.at, rule="S1-2.2")
            return
        if ticket.status != "handled":
            yield Refuse(f"工单当前为“{chinese(ticket.status)}”,没有待验收的结果")
            return
        yield SetFields({"acceptance": acceptance}, rule="S1-2.2", why="验收不合格")
        yield Move("in_progress", order.by, rule="S1-2.2", why=f"验收不合格:{text}")
        told = {"text": f"验收不合格:{text or '未达要求'}。请重新处理,原时限不变。"}
        to = "department" if ticket.department not in (None, "cs_center") else "handler"
        yield Write(to, "reports/alert", told, key=f"rejected:{order.at.isoformat()}", rule="S1-2.2")

    def _finding(self, ticket: Ticket, order: Ordered) -> Iterator[Decision]:
        """One item of an inspection is looked at again: in order, or not yet (S1-5.7.2)."""
        findings = [dict(x) for x in ticket.fields.get("findings") or ()]
        number, state = str(order.args.get("item") or ""), str(order.args.get("state") or "")
        if not number.isdigit() or not 1 <= int(number) <= len(findings) or state not in ("ok", "open"):
            yield Refuse(f"请写明第几项(1–{len(findings)})和复查结果(ok 合格,open 未合格)", rule="S1-5.7.2")
            return
        said = {"state": state, "checked_by": order.by, "checked_at": order.at.isoformat(), "note": _text(order, "text")}
        findings[int(number) - 1] |= said
        word = "合格" if state == "ok" else "未合格"
        yield SetFields({"findings": findings}, rule="S1-5.7.2", why=f"第{number}项复查{word}")
        yield Remark(f"第{number}项复查{word}。{said['note']}", rule="S1-5.7.2")

    def _close(self, ticket: Ticket, order: Ordered) -> Iterator[Decision]:
        reason = _text(order, "reason")
        values: dict[str, Any] = {}
        if reason and not ticket.fields.get("answer"):
            values["no_answer_reason"] = reason
        ended = ticket.round >= 3 and order.by in ("leadership", "leader_in_charge") and bool(reason)
        if ended:
            values |= {"ended_by_leadership": reason, "visit": "unsatisfied"}
        through = ("answered", *(["visiting"] if ended else [])) if ticket.status in ("triaged", "verified") else ()
        steps = (*through, "closed")
        if reason_against := hindered(ticket.changed(fields={**ticket.fields, **values}), steps, order.by):
            yield Refuse(reason_against)
            return
        if values:
            why = "公司领导书面终结" if ended else "无需或无法答复的理由"
            yield SetFields(values, rule="S3-2.5.4" if ended else "S1-5.4.4", why=why)
        for step in steps:
            yield Move(step, order.by, rule="S0-1.0", why=reason or f"{chinese(order.by)}办结")

    def _merge(self, ticket: Ticket, order: Ordered) -> Iterator[Decision]:
        target = _text(order, "target", text=False) or _text(order, "into", text=False)
        if not target or target == ticket.number:
            yield Refuse("请写明并入的工单号")
            return
        yield Relate((target,), rule="S0-3.2")
        yield SetFields({"merged_into": target}, rule="S0-3.2", why=f"并入{target}")
        yield Move("merged", order.by, rule="S0-3.2", why=f"并入{target}")

    def _acknowledge(self, ticket: Ticket, order: Ordered) -> Iterator[Decision]:
        yield Remark(f"{chinese(order.by)}知悉。{_text(order, 'text')}".strip(), rule="S0-4.2.4")
        if ticket.status == "assigned" and order.args.get("for_department"):
            yield Move("acknowledged", order.by, rule="S1-4.3.6", why="责任部门签收,由我中心登记")

    def _adopt(self, ticket: Ticket, order: Ordered) -> Iterator[Decision]:
        if ticket.kind != "suggestion":
            yield Refuse("只有建议件可登记采纳")
            return
        decision = "partly" if order.args.get("partly") else "adopted"
        reason, plan = _text(order, "reason"), _text(order, "plan", text=False)
        thanks = "感谢您的建议,建议已被采纳。" + (plan or reason)
        if decision == "partly" and not (reason and plan):
            yield Refuse("部分采纳须写明采纳的内容(plan)和其余未采纳的理由(reason)(S1-5.4.5)", rule="S1-5.4.5")
            return
        if decision == "partly":
            thanks = f"感谢您的建议,已采纳其中一部分:{plan}。其余暂未采纳,理由:{reason}"
        values = {"adoption": decision, "adoption_reason": reason, "plan": plan, "answer": thanks, "answered_by": order.by}
        yield from self._adoption(ticket, order, values, thanked=True)

    def _decline(self, ticket: Ticket, order: Ordered) -> Iterator[Decision]:
        reason, alternative = _text(order, "reason"), _text(order, "alternative", text=False)
        if ticket.kind == "suggestion" and ticket.status not in ("registered", "triaged"):
            if not reason:
                yield Refuse("未采纳须写明理由(S1-5.4.5)", rule="S1-5.4.5")
                return
            answer = f"暂未采纳,理由:{reason}{f'。替代做法:{alternative}' if alternative else ''}"
            values = {"adoption": "declined", "adoption_reason": reason, "decline_alternative": alternative, "answer": answer}
            yield from self._adoption(ticket, order, values, thanked=False)
            return
        if not reason or not alternative:
            yield Refuse("不予受理须同时写明理由和替代办法(S3-2.2.3)", rule="S3-2.2.3")
            return
        told = {"reason": reason, "alternative": alternative}
        values = {"decline_reason": reason, "decline_alternative": alternative}
        if refusal(ticket.changed(fields={**ticket.fields, **values}), "declined", order.by):
            now = chinese(ticket.status)
            yield Refuse(f"工单当前为“{now}”,不予受理只限派单之前;请办理后答复,或转办、报物业经理协调(S3-2.2.3)", rule="S3-2.2.3")
            return
        for letter in ticket.letters:
            if letter.status == "held" and letter.template == "replies/declined":
                yield Discard(letter.message_id, rule="S0-4.3.2", why="已另拟答复,原文不再发出")
        yield SetFields(values, rule="S3-2.2.3", why="不予受理")
        hold = "" if order.by in SIGNING else "不予受理的答复须客服经理签发(S3-2.2.3)"
        if ticket.origin != "anonymous":
            letter = Reply("replies/declined", told, hold=hold, meets="reply", rule="S3-2.2.3", why="说明理由并提供替代办法")
            yield _written(ticket, letter, f"请电话告知不予受理的理由和替代办法:{reason};{alternative}")
            if ticket.reply_address and (hold or objection(f"{reason}。{alternative}")):
                yield SetFields({"declined_by": order.by}, rule="S3-2.2.3", why="待签发")
                return
        yield Move("declined", order.by, rule="S3-2.2.3", why=reason)

    def _adoption(self, ticket: Ticket, order: Ordered, values: dict[str, Any], *, thanked: bool) -> Iterator[Decision]:
        rule = "S1-5.4.5"
        if not between(ticket.status, "answered"):
            yield Refuse(f"工单当前为“{chinese(ticket.status)}”,采纳与否已不能再登记", rule=rule)
            return
        result = {"result": ticket.fields.get("result") or values["answer"]}
        why = "建议已采纳,致谢" if thanked else "建议未采纳,说明理由"
        yield SetFields({**result, **values}, rule=rule, why=why)
        if thanked:
            yield Draw("thanks_letter", {"public": ticket.origin == "anonymous"}, rule=rule, why=why)
        if ticket.origin != "anonymous":
            template, meets = ("replies/thanks", "thanks") if thanked else ("replies/not-adopted", "")
            told = {"reason": values["adoption_reason"], "alternative": values.get("decline_alternative", "")}
            letter = Reply(template, told, meets=meets, rule=rule, why=why)
            yield _written(ticket, letter, f"请电话告知:{values['answer']}")
        elif thanked:
            board = "匿名建议已采纳,请在公告栏张贴答谢函"
            yield AddTask("board", ticket.handler or "cs_clerk", board, key="board", rule=rule, why=why)
        yield DoneTask("adoption", order.at, rule=rule)
        for step in between(ticket.status, "answered"):
            yield Move(step, order.by, rule=rule, why=why)

    def _plan(self, ticket: Ticket, order: Ordered) -> Iterator[Decision]:
        text, promised = _text(order, "text"), self._when(order, "promised_at")
        if not text:
            yield Refuse("方案没有内容(S4-4.1.2)", rule="S4-4.1.2")
            return
        values: dict[str, Any] = {"plan": text}
        if promised:
            values["promised_at"] = promised.isoformat()
        yield SetFields(values, rule="S4-4.1.2", why="详细解决方案")
        if ticket.reply_address and ticket.origin != "anonymous" and _text(order, "by", text=False) in ("", "mail"):
            hold = _undecided(ticket)
            yield Reply("replies/progress", {"progress": text}, hold=hold, meets="plan", rule="S4-4.1.2", why="方案告知顾客")
        else:
            yield StopClock("plan", order.at, rule="S4-4.1.2", why="方案已当面或电话告知顾客")
            yield StopClock("first_response", order.at, rule="S4-4.1.1", why="已联系顾客")

    def _need_info(self, ticket: Ticket, order: Ordered) -> Iterator[Decision]:
        wanted: Any = order.args.get("missing") or _text(order, "text")
        missing = [item for item in ([wanted] if isinstance(wanted, str) else map(str, wanted)) if item]
        asked = list(ticket.fields.get("asked_for") or ())
        if not missing:
            yield Refuse("请一次列全需要补充的资料(S3-2.2.2)", rule="S3-2.2.2")
        elif again := [item for item in missing if item in asked]:
            yield Refuse(f"已向顾客要过:{'、'.join(again)},不重复索要(S0-4.2.1)", rule="S0-4.2.1")
        else:
            since = _waited_from(ticket) if ticket.status == "need_info" else ticket.status
            values = {"missing": missing, "asked_for": [*asked, *missing], "need_info_from": since}
            yield SetFields(values, rule="S3-2.2.2", why="所缺资料一次问全")
            yield Move("need_info", order.by, rule="S3-2.2.2", why=f"待补充:{'、'.join(missing)}")
            letter = Reply("replies/need-info", {"missing": missing}, rule="S3-2.2.2", why="所缺资料一次问全")
            yield _written(ticket, letter, f"请电话请顾客一次补齐:{'、'.join(missing)}")

    def _got_info(self, ticket: Ticket, order: Ordered) -> Iterator[Decision]:
        """What was missing came by telephone or over the counter."""
        text = _text(order, "text")
        if ticket.status != "need_info":
            yield Refuse(f"工单当前为“{chinese(ticket.status)}”,没有等待补充的资料")
        elif not text:
            yield Refuse("请写明收到了哪些资料(S1-4.3.3)", rule="S1-4.3.3")
        else:
            yield Remark(f"{chinese(order.by)}收到补充资料:{text}", rule="S1-4.3.3")
            yield from _back_to_work(ticket, order, text)

    def _classify(self, ticket: Ticket, order: Ordered) -> Iterator[Decision]:
        given = {name: _value(name, order.args[name]) for name in CLASSIFIED if order.args.get(name) is not None}
        unknown = [given[n] for n in VOCABULARY if n in given and given[n] not in VOCABULARY[n]]
        lowered = _RANK.get(given.get("urgency", ""), 9) < _RANK.get(ticket.urgency, 0)
        if unknown:
            yield Refuse(f"没有这个类别:{'、'.join(unknown)}")
            return
        if "house" in given and not (house := normalise_house(given["house"])):
            yield Refuse(f"房号“{given['house']}”无法识别,请写如3号楼2单元501")
            return
        if "house" in given:
            given["house"] = house
        if not given and not order.args.get("department") and not order.args.get("joint"):
            yield Refuse("请写明要更正的类别")
            return
        if lowered and not _text(order, "reason"):
            yield Refuse("降低紧急程度须写明理由")
            return
        why = f"{chinese(order.by)}更正分类:{_text(order, 'reason')}".rstrip(":")
        department = str(order.args.get("department") or "")
        helpers = order.args.get("joint") or ()
        joint = tuple(self.departments.known(str(x)) or str(x) for x in ((helpers,) if isinstance(helpers, str) else helpers))
        if nobody := [x for x in (department, *joint) if x and not self.departments.known(x)]:
            yield Refuse(f"没有部门“{'、'.join(nobody)}”")
            return
        if given:
            yield Classify(**given, decided=True, rule="S1-4.3.5", why=why)
        if given.get("urgency") == "emergency" and "important" not in given:
            yield Classify(important=True, rule="S1-5.4.2", why="紧急事件列为重要")
        if given.get("important") and not ticket.important:
            superior = SUPERIORS.get(order.by, "cs_supervisor")
            yield Effect((f"report_up:{superior}",), rule="S0-4.2.1", why=why)
            reasons = [f"{chinese(order.by)}列为重要"]
            yield Notify((superior,), "reports/important", {"reasons": reasons}, rule="S0-4.2.4", why=why)
        if department:
            yield from self._led_by(department, rule="S1-4.3.5", why=why)
        if joint:
            yield Join(joint, rule="S0-4.2.2", why=why)
        yield Lock((*given, *(["department"] if department else [])), rule="S1-4.3.5", why=why)

    def _withdraw(self, ticket: Ticket, order: Ordered) -> Iterator[Decision]:
        text = _text(order, "text")
        if text:
            yield SetFields({"withdrawal": text}, rule="S3-2.5.4", why="顾客原话")
        yield Move("withdrawn", order.by, rule="S3-2.5.4", why="顾客撤回")

    def _done(self, ticket: Ticket, order: Ordered) -> Iterator[Decision]:
        kind = _text(order, "task", text=False) or _text(order, "kind", text=False)
        if not any(t.kind == kind and t.done_at is None for t in ticket.tasks):
            yield Refuse(f"没有待办“{kind}”")
            return
        yield DoneTask(kind, order.at, rule="S1-4.3.6", why=_text(order, "text"))

    def _when(self, order: Ordered, name: str) -> datetime | None:
        """An instant given as ISO 8601 or in Chinese words (3月8日17时)."""
        value = order.args.get(name)
        if value is None or isinstance(value, datetime):
            return value
        return as_instant(str(value)) or parse_when(str(value), order.at, self.site.calendar)


def _resumes(order: Ordered) -> bool:
    return order.command in RESUMING or (order.command == "assign" and bool(order.args.get("department")))


def _resumed(
    ticket: Ticket, order: Ordered, step: Callable[[Ticket, Ordered], Iterator[Decision]]
) -> Iterator[Decision]:
    """The order as it is carried out where the ticket waited from; one that is refused leaves it waiting."""
    decisions = list(step(ticket.changed(status=_waited_from(ticket)), order))
    if decisions and not isinstance(decisions[0], Refuse):
        yield from _back_to_work(ticket, order, order.text)
    yield from decisions


def _back_to_work(ticket: Ticket, order: Ordered, text: str) -> Iterator[Decision]:
    why = f"{chinese(order.by)}登记资料已补充"
    yield SetFields({"info_received": text, "missing": []}, rule="S0-4.2.1", why=why)
    yield Move(_waited_from(ticket), order.by, rule="S0-4.2.1", why=why)
    yield from _done(ticket, order.at, "tell")


def _waited_from(ticket: Ticket) -> str:
    """The state in which something was found to be missing."""
    return "in_progress" if ticket.fields.get("need_info_from") == "in_progress" else "triaged"


def _enclosed(order: Ordered) -> dict[str, list[str]]:
    """What goes to the customer along with the result (S3-2.4.2)."""
    given = order.args.get("enclosures") or ()
    return {"enclosures": [given] if isinstance(given, str) else [str(item) for item in given]} if given else {}


def _value(name: str, given: Any) -> Any:
    if name in ("important", "masked", "dispute"):
        return given not in (False, "no", "false", "0", "否", "")
    return str(given)


_RANK = {"normal": 0, "urgent": 1, "emergency": 2}
def _interim(ticket: Ticket, order: Ordered, text: str, spoken: bool, why: str) -> Iterator[Decision]:
    """Words to the customer while the work goes on: progress, no answer (S3-2.3.2)."""
    said = {"progress_note": text, "progress_at": order.at.isoformat(), "progress_by": order.by}
    yield SetFields(said, rule="S3-2.3.2", why=why)
    if spoken:
        yield from _said(ticket, order.at, why, answered=False)
        yield Remark(f"{why}:{text}", rule="S3-2.3.2")
    else:
        hold = _undecided(ticket)
        yield Reply("replies/progress", {"progress": text}, hold=hold, meets="first_response", rule="S3-2.3.2", why=why)


def _undecided(ticket: Ticket) -> str:
    """Why words on the matter may not leave yet: others have to decide or contribute first (S0-4.2.3, S0-4.2.2)."""
    if ticket.status == "need_approval":
        return "本件正在请示,批复前的内容须审核后发出(S0-4.2.3)"
    if ticket.kind == "consultation" and ticket.has_unanswered_joint:
        return "协同部门的意见尚未收齐,此前的内容须审核后发出(S0-4.2.2)"
    return ""


def _letter(ticket: Ticket, by: str, text: str, why: str) -> Iterator[Decision]:
    """The answer as a letter: to an office in writing and registered, to an owner by what the matter was."""
    if ticket.origin == "government":
        yield Draw("doc_out_register", {"to": ticket.origin}, rule="S1-4.3.6", why="发文登记")
        hold = _signature(ticket, by)
        yield Reply("replies/written-reply", {"answer": text}, hold=hold, meets="reply", rule="S1-4.3.6", why=why)
        return
    if ticket.origin in ("property_company", "sales"):
        meets = "reply_to_property" if ticket.origin == "property_company" else "reply_to_sales"
        rule = "S1-5.7.4" if ticket.origin == "property_company" else "S1-5.5.2"
        yield Draw("doc_out_register", {"to": ticket.origin}, rule=rule, why="发文登记")
        yield Reply("replies/written-reply", {"answer": text}, meets=meets, rule=rule, why=why)
    elif ticket.kind in ("complaint", "repair") and ticket.status in ("handled", "verified"):
        yield Reply("replies/result", {"answer": text}, meets="reply", rule="S3-2.4", why=why)
    elif ticket.origin != "anonymous":
        yield Reply("replies/answer", {"answer": text}, meets="reply", rule="S0-1.0", why=why)


def _written(ticket: Ticket, letter: Reply, words: str) -> Decision:
    """The letter, or a call where there is no address to write to."""
    if ticket.reply_address:
        return letter
    return AddTask("tell", ticket.handler or "cs_clerk", words, key=f"tell:{letter.template}", rule=letter.rule, why=letter.why)


def _signature(ticket: Ticket, by: str) -> str:
    """Why the answer needs another's signature, "" where it does not."""
    return "致政府部门的函件须客服经理签发" if ticket.origin == "government" and by not in SIGNING else ""


def _said(ticket: Ticket, at: datetime, why: str, *, answered: bool = True) -> Iterator[Decision]:
    """What spoken words keep: the answer only if they were one, or came at the time agreed (S0-4.1.3)."""
    for name in ("first_response", "callback", "reply"):
        running = ticket.deadline(name)
        if running and running.open and (answered or name != "reply" or running.agreed):
            yield StopClock(name, at, rule=running.rule, why=why)
    yield from _done(ticket, at, "callback", "respond", "tell")


def _done(ticket: Ticket, at: datetime, *kinds: str) -> Iterator[Decision]:
    """Tasks that the order has done with."""
    for kind in kinds:
        if any(task.kind == kind and task.done_at is None for task in ticket.tasks):
            yield DoneTask(kind, at, rule="S1-4.3.6")


def _text(order: Ordered, name: str, *, text: bool = True) -> str:
    """An argument as text; the order's free text stands in for its main argument."""
    value = order.args.get(name)
    return str(value).strip() if value not in (None, "") else order.text.strip() if text else ""
