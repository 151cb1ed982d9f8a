"""A ticket as others read it: plain dicts and strings for letters, forms and JSON, each with no more than the reader needs.

`ticket_json` is the contract others script against; `ticket_view` is what templates get (the same keys, Chinese labels,
local times as text); `form_data` fills a printed form. Names, numbers and insults stay away from those who need none of
them (S2-5.7, S3-4.3.1; RULES §9).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from kefud.desk.chinese import fold
from kefud.desk.discretion import contact_shown, customers_words, without_traces
from kefud.desk.houses import find_houses
from kefud.desk.scene import concerns_home, scene
from kefud.desk.ticket import Deadline, Ticket, chinese

Profile = Literal["full", "owner", "party", "masked"]

LONGEST = 8_000
"""Characters of one text that a letter shows; the whole text stays in the archive."""

DEADLINE_NAMES: dict[str, str] = {
    "first_response": "首次响应", "plan": "详细解决方案", "reply": "答复", "notice_property": "书面通知物业公司",
    "notice_engineering": "书面通知工程部", "reply_to_property": "书面答复物业公司", "reply_to_sales": "书面答复销售部",
    "drawing": "出图及设计工单", "approval": "请示批复", "callback": "回拨", "resolve": "办结", "rectify": "整改", "read": "传阅", "visit": "回访",
    "progress": "进展告知", "thanks": "答谢", "acknowledge": "部门签收", "sign_off": "联系单签收",
    "important": "重要事项签阅", "opinion": "部门答复",
}  # fmt: skip

FORM_TITLES: dict[str, str] = {
    "front_desk_ledger": "客服前台工作台帐", "daily_record": "客服组日工作记录表", "opinion_form": "顾客意见处理单",
    "notice": "工作联系单", "visit_record": "回访记录", "call_register": "来电登记表", "box_register": "意见箱开箱登记表",
    "doc_in_register": "收文登记簿", "doc_out_register": "发文登记簿", "approval_request": "请示单",
    "extension_notice": "延期告知书", "evidence_record": "维修取证记录", "retention_claim": "质保金扣款申请",
    "drawing_order": "设计工单", "thanks_letter": "答谢函", "meeting_pack": "例会材料", "monthly_report": "月报",
    "contractor_score": "月度考核", "yearly_appraisal": "年终考核",
}  # fmt: skip

VISIT_ANSWERS = {"satisfied": "满意", "mostly": "基本满意", "unsatisfied": "不满意", "unreached": "未联系上"}
NO_CONTACT = "未登记姓名和电话，上门前请与我中心联系预约"
MEDIUM_NAMES = {"mail": "邮件", "call": "来电", "paper": "意见箱", "entry": "来访"}
DOCUMENT_STATES = {"asked": "已申请，待业主同意", "agreed": "业主已同意", "refused": "业主未同意"}

_ANSWERING = ("reply", "reply_to_property", "reply_to_sales", "resolve", "plan", "drawing")
"""Deadlines that tell the requester by when they are answered, the most telling first; the next word on progress is no answer."""

_HOUSE_HIDDEN = ("attitude", "sales_service")
"""Categories whose masked notice shows no house: nobody has to go there, and it would tell who complained (D26)."""
_COMPLAINS = ("complaint", "suggestion")

_INTERNAL_FIELDS = ("insults", "quoted_insults", "ladder", "opened_by", "accused")
_TITLES = {"女士": "女士", "小姐": "女士", "太太": "女士", "夫人": "女士", "先生": "先生", "老师": "老师", "师傅": "师傅"}
_COMPOUND_SURNAMES = (
    "欧阳", "上官", "司马", "诸葛", "司徒", "东方", "独孤", "南宫", "夏侯", "皇甫", "尉迟", "公孙", "慕容", "长孙", "宇文",
    "令狐",
    "端木", "申屠", "轩辕", "呼延", "百里", "东郭", "西门", "闻人", "澹台", "淳于", "公冶", "太叔", "钟离", "鲜于", "闾丘",
    "亓官",
)  # fmt: skip


class TicketView(Mapping[str, Any]):
    """The ticket for a template: the keys of the JSON contract, ``*_zh`` labels, local times as text ("2025年3月6日 17:00").

    A letter says little of all that can be said: a value is worked out when it is first asked for.
    """

    def __init__(self, ticket: Ticket, timezone: str, profile: Profile, names: Mapping[str, str] | None) -> None:
        self.ticket = ticket
        self.profile = profile
        self.zone = ZoneInfo(timezone)
        self.name_of = _namer(names)
        self.clean = _cleaner(ticket, profile)
        self._known: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        if key not in self._known:
            self._known[key] = _SAID[key](self, self.ticket)
        return self._known[key]

    def __contains__(self, key: object) -> bool:
        return key in _SAID

    def __iter__(self) -> Iterator[str]:
        return iter(_SAID)

    def __len__(self) -> int:
        return len(_SAID)


_SAID: dict[str, Callable[[TicketView, Ticket], Any]] = {
    "number": lambda v, t: t.number,
    "status": lambda v, t: t.status,
    "status_zh": lambda v, t: chinese(t.status),
    "round": lambda v, t: t.round,
    "kind": lambda v, t: t.kind,
    "kind_zh": lambda v, t: chinese(t.kind),
    "class": lambda v, t: t.ticket_class,
    "class_zh": lambda v, t: {"daily": "日常类", "complaint": "投诉类", "repair": "维修类"}[t.ticket_class],
    "category": lambda v, t: t.category,
    "category_zh": lambda v, t: chinese(t.category),
    "urgency": lambda v, t: t.urgency,
    "urgency_zh": lambda v, t: chinese(t.urgency),
    "important": lambda v, t: t.important,
    "important_zh": lambda v, t: "重要" if t.important else "一般",
    "origin": lambda v, t: t.origin,
    "origin_zh": lambda v, t: v.name_of(t.origin),
    "house": lambda v, t: None if v.profile == "masked" and hides_house(t) else t.house,
    "house_zh": lambda v, t: house_text(v["house"]),
    "place": lambda v, t: v.clean(place_of(t)),
    "elsewhere": lambda v, t: is_elsewhere(t),
    "appointment": lambda v, t: makes_appointment(t),
    "subject": lambda v, t: v.clean(t.subject),
    "summary": lambda v, t: v.clean(t.summary or t.subject),
    "text": lambda v, t: v.clean(t.text),
    "department": lambda v, t: t.department,
    "department_zh": lambda v, t: v.name_of(t.department or "cs_center"),
    "joint": lambda v, t: list(t.joint),
    "joint_zh": lambda v, t: "、".join(map(v.name_of, t.joint)),
    "handler": lambda v, t: t.handler,
    "handler_zh": lambda v, t: v.name_of(t.handler or "cs_clerk"),
    "requester": lambda v, t: _requester(t, v.profile),
    "salutation": lambda v, t: salutation(t.requester.name) if v.profile in ("full", "owner") else "",
    "contact": lambda v, t: _contact(v["requester"], v.profile),
    "masked": lambda v, t: t.masked,
    "dispute": lambda v, t: t.dispute,
    "channel": lambda v, t: t.channel,
    "medium": lambda v, t: t.medium,
    "medium_zh": lambda v, t: MEDIUM_NAMES.get(t.medium, t.medium),
    "arrivals": lambda v, t: [
        {"id": a.id, "channel": a.channel, "ref": a.ref, "received_at": local(a.received_at, v.zone), "subject": v.clean(a.subject)}
        for a in t.arrivals
    ],
    "effects": lambda v, t: list(t.effects),
    "notify": lambda v, t: list(t.notify),
    "deadlines": lambda v, t: {d.name: _deadline_view(d, v.zone) for d in _current_deadlines(t)},
    "documents": lambda v, t: [
        {"form": d.form, "form_zh": FORM_TITLES.get(d.form, d.form), "number": d.number, "path": d.path, "to_zh": v.name_of(d.to)}
        for d in t.documents if not d.void
    ],
    "notice_number": lambda v, t: notice.number if (notice := t.document("notice")) else "",
    "letters": lambda v, t: [
        {"to": x.to, "template": x.template, "message_id": x.message_id, "status": x.status} for x in t.letters
    ] if v.profile == "full" else [],
    "tasks": lambda v, t: [
        {"kind": x.kind, "role_zh": v.name_of(x.role), "due": local(x.due, v.zone), "text": v.clean(x.text),
        "done": local(x.done_at, v.zone)}
        for x in t.tasks
    ] if v.profile == "full" else [],
    "related": lambda v, t: list(t.related),
    "fields": lambda v, t: _fields(t, v.profile, v.clean, v.zone),
    "transfers": lambda v, t: t.transfers,
    "rung": lambda v, t: t.rung,
    "extension": lambda v, t: t.extension,
    "extension_zh": lambda v, t: DOCUMENT_STATES.get(t.extension, ""),
    "received_at": lambda v, t: local(t.started_at or t.created_at, v.zone),
    "created_at": lambda v, t: local(t.created_at, v.zone),
    "updated_at": lambda v, t: local(t.updated_at, v.zone),
    "reply_by": lambda v, t: local(answer_deadline(t), v.zone),
}  # fmt: skip


def ticket_view(
    ticket: Ticket, timezone: str, *, profile: Profile = "full", names: Mapping[str, str] | None = None
) -> TicketView:
    """What a reader may see of the ticket.

    ``profile`` says who reads: "full" our own staff, "owner" the requester, "party" a department that may know whom it
    visits, "masked" one that may not. ``names`` gives parties and roles their configured names.
    """
    return TicketView(ticket, timezone, profile, names)


def ticket_json(ticket: Ticket, history: Sequence[Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """The ticket as the contract shows it: ISO 8601 with offset, no key missing, empty values null, [] or {}."""
    shown: dict[str, Any] = {
        "number": ticket.number or None,
        "status": ticket.status,
        "round": ticket.round,
        "kind": ticket.kind,
        "class": ticket.ticket_class,
        "category": ticket.category,
        "urgency": ticket.urgency,
        "important": ticket.important,
        "origin": ticket.origin,
        "house": ticket.house,
        "subject": ticket.subject or None,
        "summary": ticket.summary or None,
        "department": ticket.department,
        "joint": list(ticket.joint),
        "handler": ticket.handler,
        "requester": {
            "name": ticket.requester.name or None,
            "phone": ticket.requester.phone or None,
            "email": ticket.requester.email or None,
            "anonymous": ticket.requester.anonymous,
        },
        "channel": ticket.channel or None,
        "arrivals": [
            {"id": a.id, "channel": a.channel, "ref": a.ref, "received_at": iso(a.received_at), "subject": a.subject or None}
            for a in ticket.arrivals
        ],
        "effects": list(ticket.effects),
        "notify": list(ticket.notify),
        "deadlines": {
            d.name: {"due": iso(d.due), "met": iso(d.met), "rule": d.rule or None} for d in _current_deadlines(ticket)
        },
        "documents": [
            {"form": d.form, "number": d.number or None, "path": d.path or None} for d in ticket.documents if not d.void
        ],
        "letters": [
            {"to": x.to, "template": x.template, "message_id": x.message_id, "status": x.status} for x in ticket.letters
        ],
        "related": list(ticket.related),
        "created_at": iso(ticket.created_at),
        "updated_at": iso(ticket.updated_at),
    }
    if history is not None:
        shown["history"] = [
            {"at": iso(h.get("at")), "who": h.get("who") or None, "what": h.get("what") or None, "why": h.get("why") or None}
            for h in history
        ]
    return shown


def notice_view(
    ticket: Ticket,
    notice: Any,
    number: str,
    *,
    site: Mapping[str, Any],
    at: datetime,
    names: Mapping[str, str] | None = None,
    masked: bool | None = None,
    view: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What a 工作联系单 says, for its letter and its form alike. ``notice`` is the decision that ordered it.

    ``masked`` overrides the decision; name and number leave the content as well as the fields (S2-5.7). ``view`` is the
    ticket's view for that reader where the caller has it already.
    """
    zone = ZoneInfo(str(site["timezone"]))
    name_of = _namer(names)
    mask = bool(notice.mask if masked is None else masked)
    profile: Profile = "masked" if mask else "party"
    view = view or ticket_view(ticket, str(site["timezone"]), profile=profile, names=names)
    clean = _cleaner(ticket, profile)
    return {
        "number": number,
        "date": local(at, zone),
        "to": notice.to, "to_name": name_of(notice.to),
        "copies": [name_of(c) for c in notice.copy_to],
        "from_name": str(site["name"]),
        "subject": clean(notice.subject) or view["subject"] or f"{view['category_zh']}{view['kind_zh']}",
        "content": clean(_told(ticket, notice.content)) or view["summary"] or view["text"],
        "request": clean(notice.request) or "请核实情况并处理，将处理结果和依据书面回复我中心。",
        "finish_by": _limit(notice.finish_by, at, zone), "reply_by": _limit(notice.reply_by, at, zone),
        "extend_to": _extended(notice.finish_by or notice.reply_by, at, zone),
        "limit_rule": notice.limit_rule,
        "urgency": view["urgency"], "urgency_zh": _hurry(notice, view),
        "house_zh": view["house_zh"], "place": view["place"], "elsewhere": view["elsewhere"],
        "incident_time": view["fields"].get("incident_time", ""),
        "demand": "" if ticket.fields.get("insults") else clean(str(ticket.fields.get("demand") or "")),
        "contact": view["contact"] or NO_CONTACT,
        "mask": mask,
        "hide_house": mask and hides_house(ticket),
        "round": ticket.round, "previous": str(ticket.fields.get("previous_form", "")),
        "ticket": ticket.number,
        "enclosures": [],
        "sign": name_of(notice.sign) if notice.sign else "",
    }  # fmt: skip


def _told(ticket: Ticket, content: str) -> str:
    """What a notice tells of a call: the customer's words and what a department must know of our agent's."""
    return customers_words(content) if ticket.medium == "call" else content


def _hurry(notice: Any, view: Mapping[str, Any]) -> str:
    """How urgent an order calls itself: one that goes out as pressing is not headed 加急 and marked 一般."""
    pressing = notice.template == "notices/urgent-work-order" and view["urgency"] == "normal"
    return "加急" if pressing else str(view["urgency_zh"])


def _extended(limit: datetime | None, at: datetime, zone: ZoneInfo) -> str:
    """An example of a later term, as a department may ask for it: two days after the one that is set."""
    day = (max(limit or at, at) + timedelta(days=2)).astimezone(zone)
    return f"{day.month}月{day.day}日17时"


def _limit(limit: datetime | None, at: datetime, zone: ZoneInfo) -> str:
    """A term as an order says it: one that had passed before we could ask is no time to finish by."""
    return f"{local(limit, zone)}（来件迟收，此时限已过，请立即办理）" if limit and limit < at else local(limit, zone)


def form_data(
    form: str,
    ticket: Ticket,
    site: Mapping[str, Any],
    timezone: str,
    extra: Mapping[str, Any] | None = None,
    *,
    names: Mapping[str, str] | None = None,
    profile: Profile = "full",
    view: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What the printed ``form`` says of ``ticket``. ``extra`` adds or overrides: number, at, signatures, pending, the rest.

    ``at`` (an aware datetime) is the date on the paper; without it the ticket's last change. Keys with no value are "".
    A notice takes its texts from `notice_view`, passed in ``extra``. ``view`` is the ticket's view for ``profile`` where the
    caller has it already.
    """
    zone = ZoneInfo(timezone)
    given = dict(extra or {})
    at = as_instant(given.pop("at", None)) or ticket.updated_at or ticket.created_at or ticket.started_at
    view = view or ticket_view(ticket, timezone, profile=profile, names=names)
    document = ticket.document(form)
    fields = {**view["fields"], **(_plain_fields(document.data, zone) if document else {})}
    data: dict[str, Any] = {
        "form": form,
        "title": FORM_TITLES.get(form, form),
        "site": dict(site),
        "document_date": at.astimezone(zone).date().isoformat() if at else "",
        "date": local_day(at.astimezone(zone).date()) if at else "",
        "printed": "",
        "number": document.number if document else "",
        "pending": False,
        "signatures": {},
        "ticket": ticket.number,
        "house_zh": view["house_zh"],
        "notice_number": view["notice_number"],
    }
    fill = _FORMS.get(form)
    if fill:
        data.update(fill(view, fields))
    data.update(_plain_fields(given, zone))
    return data


def _plain_fields(values: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    return {key: _shown(value, str, zone) for key, value in values.items()}


def _field(fields: Mapping[str, Any], key: str) -> Any:
    value = fields.get(key)
    return "" if value is None else value


def _due(view: Mapping[str, Any], name: str) -> str:
    found = view["deadlines"].get(name)
    return str(found["due"]) if found else ""


def _taken(fields: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: _field(fields, name) for name in names}


def _nature(view: Mapping[str, Any]) -> str:
    if "group_complaint" in view["effects"]:
        return "群诉"
    return "建议" if view["kind"] == "suggestion" else "有效"


def _notice_form(view: Mapping[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "to_name": view["department_zh"], "copies": [], "from_name": "客户服务中心",
        "subject": view["subject"] or view["summary"],
        "urgency": view["urgency"], "urgency_zh": view["urgency_zh"], "contact": view["contact"], "content": view["summary"],
        "request": "", "finish_by": _due(view, "resolve"), "reply_by": _due(view, "reply"), "limit_rule": "",
        "enclosures": [],
        "delivery": "电子邮件", "delivered_at": "", "round": view["round"], "previous": _field(fields, "previous_form"),
        "place": view["place"], "elsewhere": view["elsewhere"], **_taken(fields, "incident_time", "demand"),
    }  # fmt: skip


def _opinion_form(view: Mapping[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "received_at": view["received_at"], "medium_zh": view["medium_zh"], "confidential": view["masked"],
        "name": "匿名" if view["requester"]["anonymous"] else view["requester"]["name"], "phone": view["requester"]["phone"],
        "category_zh": view["category_zh"], "nature": _nature(view), "content": view["text"] or view["summary"],
        "promised_at": _field(fields, "promised_at") or view["reply_by"], "receiver": view["handler_zh"],
        "department_zh": view["department_zh"], "liability": _field(fields, "liable_unit"), "extension": view["extension_zh"],
        "visit": VISIT_ANSWERS.get(str(_field(fields, "visit")), ""), "previous": _field(fields, "previous_form"),
        "new_number": "",
        **_taken(
            fields, "incident_time", "place", "demand", "inquiry", "cause", "solution", "customer_talk", "done_by", "done_at",
            "verified_by", "verify_result", "answer", "improvement", "archive_number",
        ),
    }  # fmt: skip


def _visit_record(view: Mapping[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    attempts = fields.get("visit_attempts") or []
    return {
        "visit_at": attempts[-1] if isinstance(attempts, list) and attempts else "",
        "way": "邮件" if view["medium"] == "mail" else "电话", "appointment": _field(fields, "appointment"),
        "person": view["requester"]["name"] or ("匿名" if view["requester"]["anonymous"] else ""),
        "matter": view["summary"], "result": _field(fields, "result") or _field(fields, "answer"),
        "satisfaction": VISIT_ANSWERS.get(str(_field(fields, "visit")), ""), "attempts": attempts, "new_number": "",
        "visitor": view["handler_zh"], "signature": "", "remark": "",
        **_taken(fields, "attitude", "speed", "quality", "opinion", "reason", "follow_up"),
    }  # fmt: skip


def _approval_request(view: Mapping[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "matter": _field(fields, "approval_matter") or view["summary"], "proposal": _field(fields, "proposal"),
        "asked_by": view["handler_zh"], "asked_at": _field(fields, "asked_at") or view["updated_at"], "due": _due(view,
        "approval"),
        "reply_by": view["reply_by"], "decision": _field(fields, "decision"), "remark": "",
        "pending": not fields.get("approved_text"),
        **_taken(fields, "approved_text", "decided_by", "decided_at"),
    }  # fmt: skip


def _extension_notice(view: Mapping[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "salutation": view["salutation"], "content": view["summary"], "old_due": _due(view, "resolve") or view["reply_by"],
        "new_due": _field(fields, "extension_until"), "reason": _field(fields, "extension_reason"),
        "told_at": view["updated_at"],
        "told_how": "邮件" if view["medium"] == "mail" else "电话",
        "consent": {"agreed": "同意", "refused": "不同意"}.get(view["extension"], ""), "consent_words": "", "signature": "",
        "recorder": view["handler_zh"],
    }  # fmt: skip


def _evidence_record(view: Mapping[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "liable_unit": _field(fields, "liable_unit") or view["department_zh"], "content": view["summary"],
        "agreed_at": _field(fields, "promised_at") or _due(view, "resolve"), "last_notice": view["notice_number"],
        "works": [],
        "signature": "", "total": "",
        **_taken(
            fields, "contract", "delay", "demand", "last_notice_at", "substitute", "substitute_at", "photos_before",
            "photos_after", "remark",
        ),
    }  # fmt: skip


def _retention_claim(view: Mapping[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    return {
        **_evidence_record(view, fields), "pending": True, "enclosures": [],
        **_taken(
            fields, "invoices", "basis", "amount", "amount_words", "liable_opinion", "engineering_opinion", "finance_opinion",
            "approval",
        ),
    }  # fmt: skip


def _drawing_order(view: Mapping[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "transferred_at": view["updated_at"], "due": _due(view, "drawing"), "content": view["summary"],
        **_taken(fields, "reasonable", "reasons", "drawing_number", "given_at", "design", "builder", "finish_by", "acceptance"),
    }  # fmt: skip


def _thanks_letter(view: Mapping[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "salutation": view["salutation"], "anonymous": view["requester"]["anonymous"],
        "received_at": view["received_at"].split(" ")[0],
        "content": view["summary"], "department_zh": view["department_zh"],
        "plan": _field(fields, "plan") or _field(fields, "adoption_reason"),
        "rest": _field(fields, "adoption_reason") if fields.get("adoption") == "partly" else "",
    }  # fmt: skip


_FORMS = {
    "notice": _notice_form, "opinion_form": _opinion_form, "visit_record": _visit_record,
    "approval_request": _approval_request,
    "extension_notice": _extension_notice, "evidence_record": _evidence_record, "retention_claim": _retention_claim,
    "drawing_order": _drawing_order, "thanks_letter": _thanks_letter,
}  # fmt: skip


def answer_deadline(ticket: Ticket) -> datetime | None:
    """By when the requester hears from us: the agreed time, else the deadline that promises most (S0-4.1.3)."""
    running = [d for d in map(ticket.deadline, _ANSWERING) if d and d.round == ticket.round]
    found = next((d for d in running if d.agreed), next(iter(running), None))
    if found:
        return found.due
    if ticket.round > 1:
        return None  # what an earlier round promised is past
    for key in ("agreed_reply_at", "promised_at"):
        if instant := as_instant(ticket.fields.get(key)):
            return instant
    return None


def hides_house(ticket: Ticket) -> bool:
    """True where a masked notice must not even name the house: there it would tell who complained, and nobody has to get in."""
    return ticket.category in _HOUSE_HIDDEN or (ticket.masked and ticket.kind in _COMPLAINS and ticket.urgency != "emergency")


def place_of(ticket: Ticket) -> str:
    """Where it happens, "" where it is the requester's own flat or nobody told: who comes must find it (S1-5.4.2)."""
    if given := str(ticket.fields.get("place") or ""):
        return given
    if not _is_gone_to(ticket):
        return ""
    return next((found for words in _of_place(ticket) if (found := scene(words, ticket.house))), "")


def is_elsewhere(ticket: Ticket) -> bool:
    """Whether it happens away from the requester's flat, which then is no more than an address to ask at."""
    if not _is_gone_to(ticket) or not place_of(ticket) or (ticket.house or "").count("-") != 2:
        return False
    return not concerns_home(f"{ticket.subject}\n{ticket.summary}")


def makes_appointment(ticket: Ticket) -> bool:
    """Whether the repairer comes to the requester's flat and is told how to reach the requester, so that we may promise it."""
    contractor = ticket.department == "contractor" or bool(ticket.fields.get("contractor"))
    return ticket.origin == "owner" and not is_elsewhere(ticket) and contact_shown(ticket, "contractor" if contractor else "department")


def _is_gone_to(ticket: Ticket) -> bool:
    return ticket.urgency == "emergency" or ticket.kind == "repair"


def _of_place(ticket: Ticket) -> tuple[str, ...]:
    """The customer's words that may name it, the newest first; a note of our agent names where somebody was sent."""
    whole = "" if ticket.medium == "call" else ticket.text
    return str(ticket.fields.get("worse_words") or ""), f"{ticket.subject}\n{ticket.summary}", whole


def salutation(name: str) -> str:
    """ "钱女士" for a name that carries a title, "" where we do not know how to address the person (S1-6.4; RULES §9)."""
    name = re.sub(r"[\s\u3000]", "", name)
    folded = fold(name)
    for title, ours in _TITLES.items():
        stem = name[: -len(title)]
        if folded.endswith(title) and 1 <= len(stem) <= 12 and re.fullmatch(r"[^\W\d_]+(?:·[^\W\d_]+)*", stem):
            return _surname(stem) + ours
    return ""


def _surname(name: str) -> str:
    if not re.fullmatch(r"[\u3400-\u9fff]+", name) or len(name) == 1:
        return name
    return name[:2] if fold(name[:2]) in _COMPOUND_SURNAMES else name[:1]


def masked_phone(phone: str) -> str:
    """138****0201; a short number is hidden altogether."""
    digits = re.sub(r"\D", "", phone)
    return f"{digits[:3]}****{digits[-4:]}" if len(digits) >= 8 else "****" if digits else ""


def house_text(house: str | None) -> str:
    """ "3-2-501" as people write it: 3号楼2单元501室."""
    if not house:
        return ""
    parts = house.split("-")
    if len(parts) == 3 and all(parts):
        return f"{parts[0]}号楼{parts[1]}单元{parts[2]}室"
    if len(parts) == 2 and all(parts):
        return f"{parts[0]}号楼{parts[1]}{'室' if len(parts[1]) > 2 else '单元'}"
    return house


def local(instant: datetime | None, zone: ZoneInfo) -> str:
    """ "2025年3月6日 17:00" in the office's zone, "" for None."""
    if instant is None:
        return ""
    t = instant.astimezone(zone) if instant.tzinfo else instant
    return f"{t.year}年{t.month}月{t.day}日 {t.hour:02}:{t.minute:02}"


def local_day(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


def iso(instant: Any) -> str | None:
    """ISO 8601 with offset, None for nothing; text is passed on as it is."""
    if isinstance(instant, datetime):
        return instant.isoformat()
    return str(instant) if instant else None


def as_instant(value: Any) -> datetime | None:
    """The instant in a field: a datetime or ISO text with offset; None for anything else."""
    if isinstance(value, datetime):
        return value if value.tzinfo else None
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            return None
        return found if found.tzinfo else None
    return None


def term_text(term: str) -> str:
    """ "8 clock_hours" as staff read it: 8小时."""
    match = re.match(r"\s*(\d+)\s+(clock|service|calendar|working)_(minute|hour|day)s?", term)
    if not match:
        return term
    kind = match[2], match[3]
    unit = {
        ("clock", "minute"): "分钟", ("clock", "hour"): "小时", ("service", "minute"): "分钟（服务时间内）",
        ("service", "hour"): "小时（服务时间内）", ("calendar", "day"): "日", ("working", "day"): "个工作日",
    }.get(kind, "")  # fmt: skip
    return f"{match[1]}{unit}" if unit else term


# What may be read by whom

_PHONE = re.compile(r"(?<!\d)(?:\+?86[- ]?)?(1[3-9]\d[- ]?\d{4}[- ]?\d{4}|0\d{2,3}[- ]?\d{7,8})(?!\d)")
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,250}")
_IDENTITY = re.compile(r"(?<!\d)[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dxX](?![\dxX])")
_CARD = re.compile(r"(?<!\d)(?:\d{4}[- ]?){4}\d{0,3}(?!\d)")
_HOUSE = re.compile(
    r"[\d一二三四五六七八九十百]{1,4}(?:号楼|栋|幢|座)"
    r"[\d一二三四五六七八九十]{0,3}(?:单元)?[\d一二三四五六七八九十百零〇]{0,5}(?:室|号|房)?"
)
_HOUSE_SHORT = re.compile(r"(?<![\d-])\d{1,3}-\d{1,2}-\d{3,4}(?![\d-])")


_NUMBER_OR_AT = re.compile(r"@|(?:\d[- ]?){10}")
"""What a folded text must hold before the patterns above are worth trying; most texts hold none of it."""


def without_personal(text: str, ticket: Ticket, *, house: bool = False) -> str:
    """``text`` with the requester's name and every telephone number, address and card number hidden.

    Places in the folded text are places in the original (full-width digits are found too). ``house`` hides the house as well; where
    the matter lies elsewhere, the requester's own and no other.
    """
    if _NUMBER_OR_AT.search(fold(text)):
        for pattern, put in ((_EMAIL, "（邮箱略）"), (_IDENTITY, "（证件号略）"), (_PHONE, ""), (_CARD, "（卡号略）")):
            text = _replaced(text, pattern, put)
    if house and ticket.category not in _HOUSE_HIDDEN:
        own = [m.text for m in find_houses(text) if ticket.house and m.id == ticket.house]
        for mention in own:
            text = text.replace(mention, "（房号略）")
    elif house:
        text = _replaced(_replaced(text, _HOUSE_SHORT, "（房号略）"), _HOUSE, "（房号略）")
    for name in _name_forms(ticket.requester.name):
        text = text.replace(f"业主{name}", "业主").replace(name, "业主")
    return text


def without_numbers(text: str) -> str:
    """``text`` without identity and bank card numbers, which no department needs."""
    if not _NUMBER_OR_AT.search(fold(text)):
        return text
    return _replaced(_replaced(text, _IDENTITY, "（证件号略）"), _CARD, "（卡号略）")


def _replaced(text: str, pattern: re.Pattern[str], put: str) -> str:
    pieces, last = [], 0
    for match in pattern.finditer(fold(text)):
        pieces += [text[last : match.start()], put or masked_phone(match[1])]
        last = match.end()
    return "".join((*pieces, text[last:])) if pieces else text


def _name_forms(name: str) -> tuple[str, ...]:
    stem = re.sub(r"(?:女士|先生|小姐|太太|夫人|老师|师傅)$", "", name.strip())
    polite = salutation(name)
    surname = _surname(stem) if re.fullmatch(r"[\u3400-\u9fff]{2,}", stem) else stem if polite else ""
    spoken = [surname + title for title in ("女士", "先生", "小姐", "太太")] if surname else []
    forms = [name.strip(), stem, *spoken]
    return tuple(sorted({f for f in forms if len(f) >= 2}, key=len, reverse=True))


def _cleaner(ticket: Ticket, profile: Profile) -> Any:
    insults = ticket.fields.get("quoted_insults") or ()
    insults = (insults,) if isinstance(insults, str) else tuple(str(x) for x in insults)

    def clean(text: str) -> str:
        text = cut(str(text or ""))
        if profile == "full":
            return text
        for insult in insults:
            text = text.replace(insult, "（略）") if insult else text
        if profile == "masked":
            text = without_traces(text) if ticket.masked and hides_house(ticket) else text
            return without_personal(text, ticket, house=hides_house(ticket))
        return without_numbers(text) if profile == "party" else text

    return clean


def cut(text: str, longest: int = LONGEST) -> str:
    """``text``, or its beginning with a mark where it is longer than ``longest``."""
    return text if len(text) <= longest else f"{text[:longest]}……（以下从略，全文共{len(text)}字，见工单原件）"


def _requester(ticket: Ticket, profile: Profile) -> dict[str, Any]:
    r = ticket.requester
    if profile == "masked":
        return {"name": "", "phone": "", "email": "", "anonymous": r.anonymous}
    if profile == "party":
        return {"name": r.name, "phone": r.phone, "email": "", "anonymous": r.anonymous}
    return {"name": r.name, "phone": r.phone, "email": r.email, "anonymous": r.anonymous}


def _contact(requester: Mapping[str, Any], profile: Profile) -> str:
    if profile == "masked":
        return "由我中心掌握，请勿自行联系业主；如需核实，请经我中心转达"
    if requester["anonymous"]:
        return "匿名"
    return " ".join(x for x in (requester["name"], requester["phone"]) if x)


def _fields(ticket: Ticket, profile: Profile, clean: Any, zone: ZoneInfo) -> dict[str, Any]:
    hidden = _INTERNAL_FIELDS if profile != "full" else ()
    return {key: _shown(value, clean, zone) for key, value in ticket.fields.items() if key not in hidden}


def _shown(value: Any, clean: Any, zone: ZoneInfo) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if instant := as_instant(value):
        return local(instant, zone)
    if isinstance(value, date):
        return local_day(value)
    if isinstance(value, Mapping):
        return {str(k): _shown(v, clean, zone) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_shown(v, clean, zone) for v in value]
    return clean(str(value))


def _current_deadlines(ticket: Ticket) -> Iterable[Deadline]:
    last: dict[str, Deadline] = {}
    for deadline in ticket.deadlines:
        if not deadline.dropped:
            last[deadline.name] = deadline
    return last.values()


def _deadline_view(d: Deadline, zone: ZoneInfo) -> dict[str, str]:
    return {
        "name_zh": DEADLINE_NAMES.get(d.name, d.name),
        "due": local(d.due, zone), "met": local(d.met, zone), "rule": d.rule, "term_zh": term_text(d.term),
    }  # fmt: skip


def _namer(names: Mapping[str, str] | None) -> Any:
    known = names or {}
    return lambda id: known.get(id) or chinese(id)
