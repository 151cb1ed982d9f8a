"""The state machine of RULES §6: which step may follow which, and what must be there first.

Pure: `refusal` gives the reason in Chinese for which a step is refused, "" where it may be taken.
"""

from __future__ import annotations

from kefud.desk.ticket import Ticket, chinese

STEPS: dict[str, tuple[str, ...]] = {
    "registered": ("triaged", "declined", "merged", "withdrawn"),
    "triaged": ("answered", "need_info", "need_approval", "assigned", "in_progress", "declined", "merged", "withdrawn"),
    "need_info": ("triaged", "in_progress", "declined", "merged", "withdrawn"),
    "need_approval": ("triaged", "declined", "merged", "withdrawn"),
    "assigned": ("acknowledged", "in_progress", "handled", "assigned", "merged", "withdrawn"),
    "acknowledged": ("in_progress", "handled", "assigned", "merged", "withdrawn"),
    "in_progress": ("handled", "need_info", "assigned", "merged", "withdrawn"),
    "handled": ("verified", "in_progress", "answered", "merged", "withdrawn"),
    "verified": ("answered", "merged", "withdrawn"),
    "answered": ("visiting", "closed", "reopened", "merged", "withdrawn"),
    "visiting": ("closed", "reopened", "merged", "withdrawn"),
    "closed": ("archived", "reopened"),
    "archived": ("reopened",),
    "reopened": ("triaged", "merged", "withdrawn"),
    "declined": ("closed",),
    "merged": (),
    "withdrawn": ("reopened",),
}
"""From each state the states that may follow; a side exit (merged, withdrawn) is open to every open ticket."""

DIRECT_CLOSE = ("praise", "consultation", "liaison", "document", "suggestion")
"""Kinds that may close from answered without a visit record (RULES §6, catalogue table row 15)."""


def refusal(ticket: Ticket, to: str, by: str = "program") -> str:
    """Why ``ticket`` may not go to state ``to`` at the hand of ``by`` (a role id, a party id or "program"); "" if it may."""
    if to not in STEPS.get(ticket.status, ()):
        return f"工单当前为“{chinese(ticket.status)}”,不可直接转为“{chinese(to)}”"
    guard = _GUARDS.get(to)
    return guard(ticket, by) if guard else ""


def _triaged(ticket: Ticket, by: str) -> str:
    return "" if ticket.handler else "尚未指定经办人,不能完成分类"


def _assigned(ticket: Ticket, by: str) -> str:
    return "" if ticket.document("notice") else "尚未开具工作联系单,不能派单"


def _need_info(ticket: Ticket, by: str) -> str:
    return "紧急事件不等待补充资料" if ticket.urgency == "emergency" else ""


def _handled(ticket: Ticket, by: str) -> str:
    if not ticket.fields.get("result"):
        return "请先写明处理结果"
    if ticket.kind != "complaint":
        return _dispute(ticket)
    wanted = {"inquiry": "初步调查", "cause": "原因", "solution": "措施"}
    if ticket.origin != "anonymous":
        wanted["customer_talk"] = "与顾客沟通"
    missing = [name for key, name in wanted.items() if not ticket.fields.get(key)]
    return f"投诉件尚缺:{'、'.join(missing)}(S3-2.5.3)" if missing else _dispute(ticket)


def _dispute(ticket: Ticket) -> str:
    if ticket.dispute and not ticket.fields.get("written_opinion"):
        return "纠纷件须先有书面处理意见(S1-4.2.4)"
    return ""


def _verified(ticket: Ticket, by: str) -> str:
    doer = ticket.fields.get("done_by")
    return "验证人不能是办理人本人(S1-9.1)" if doer and by == doer else ""


def _answered(ticket: Ticket, by: str) -> str:
    if ticket.status == "triaged" and ticket.kind not in DIRECT_CLOSE:
        return "投诉、报修须先处理并验收,再答复顾客(S3-2.5.3、S1-9.1)"
    if ticket.status == "handled" and not _joint_contributed(ticket):
        return "须先验证,或协同部门的意见尚未收齐(S0-4.2.2)"
    if not ticket.fields.get("answer") and not ticket.fields.get("no_answer_reason"):
        return "尚无答复内容(S0-1.0)"
    if ticket.status == "triaged" and ticket.has_unanswered_joint:
        return "协同部门的意见尚未收齐(S0-4.2.2)"
    return ""


def _joint_contributed(ticket: Ticket) -> bool:
    asked = ticket.kind == "consultation" or (ticket.kind == "liaison" and bool(ticket.joint))
    return asked and not ticket.has_unanswered_joint


def _closed(ticket: Ticket, by: str) -> str:
    if ticket.status == "declined":
        return ""
    if not ticket.fields.get("answer") and not ticket.fields.get("no_answer_reason"):
        return "尚无答复记录,不能办结(S0-1.0)"
    if ticket.kind not in DIRECT_CLOSE and any(task.kind == "inform" and task.done_at is None for task in ticket.tasks):
        return "并案来件人尚未全部告知结果,不能办结(S1-9.3);告知后登记待办 inform"
    visit = ticket.fields.get("visit")
    if visit == "unsatisfied" and not ticket.fields.get("ended_by_leadership"):
        return "回访不满意,须重新处理,不能办结(S3-2.5.4)"
    if ticket.status == "visiting":
        return "" if visit else "尚无回访记录,不能办结(S1-9.3)"
    if ticket.kind in DIRECT_CLOSE or ticket.origin == "anonymous":
        return ""
    return "投诉、报修须回访后方可办结(S1-9.3)"


def _declined(ticket: Ticket, by: str) -> str:
    have = ticket.fields.get("decline_reason") and ticket.fields.get("decline_alternative")
    return "" if have else "不予受理须同时写明理由和替代办法(S3-2.2.3)"


def _withdrawn(ticket: Ticket, by: str) -> str:
    if ticket.urgency == "emergency" or ticket.category == "safety":
        return "涉及安全的事项不因撤回而结束"
    return "" if ticket.fields.get("withdrawal") else "撤回须记录顾客原话"


def _archived(ticket: Ticket, by: str) -> str:
    missing = [d.form for d in ticket.documents if d.form in ("notice", "opinion_form") and not d.number and not d.void]
    if missing:
        return f"归档资料不全:{'、'.join(missing)}(S1-4.3.5)"
    unsent = any(letter.status in ("pending", "leased", "held") for letter in ticket.letters)
    return "尚有未发出的函件,不能归档(S1-4.3.5)" if unsent else ""


_GUARDS = {
    "triaged": _triaged, "assigned": _assigned, "need_info": _need_info, "handled": _handled, "verified": _verified,
    "answered": _answered, "closed": _closed, "declined": _declined, "withdrawn": _withdrawn, "archived": _archived,
}  # fmt: skip
