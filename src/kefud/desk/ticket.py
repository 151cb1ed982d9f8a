"""A matter and all that hangs on it, as frozen values; a change is a changed copy.

The words of kinds, categories, states and roles are those of the service rules and appear with the same spelling in the
configuration, in JSON and in the store.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

Kind = Literal["consultation", "suggestion", "praise", "liaison", "document", "complaint", "repair"]
Urgency = Literal["normal", "urgent", "emergency"]

CLASS_OF_KIND: dict[str, str] = {
    "consultation": "daily", "suggestion": "daily", "praise": "daily", "liaison": "daily", "document": "daily",
    "complaint": "complaint", "repair": "repair",
}  # fmt: skip
KINDS = tuple(CLASS_OF_KIND)
CATEGORIES = (
    "environment", "facility", "safety", "attitude", "house_quality", "design", "personalisation", "vacant_house",
    "handover", "sales_service", "sales_policy", "certificate", "utility_fee", "fees", "leasing", "activity", "general",
)  # fmt: skip
ORIGINS = (
    "owner", "anonymous", "property_company", "sales", "design", "engineering", "contractor", "government", "internal",
    "legal", "finance", "leasing", "clubhouse", "concierge", "owners_committee",
)  # fmt: skip

CHINESE: dict[str, str] = {
    "daily": "日常类", "complaint": "投诉", "repair": "报修", "consultation": "咨询", "suggestion": "建议", "praise": "表扬",
    "liaison": "部门来联", "document": "来文来函",
    "environment": "环境卫生", "facility": "设施维护", "safety": "安全", "attitude": "服务态度", "house_quality": "房屋质量",
    "design": "设计", "personalisation": "个性化要求", "vacant_house": "空置房", "handover": "交房/协议条款",
    "sales_service": "案场服务", "sales_policy": "销售政策/活动", "certificate": "产权证照", "utility_fee": "管线等外部费用",
    "fees": "物业费用", "leasing": "租赁", "activity": "咨询/社区活动", "general": "其他",
    "normal": "一般", "urgent": "紧急", "emergency": "紧急事件",
    "owner": "业主", "anonymous": "匿名", "property_company": "物业公司", "sales": "销售部", "engineering": "工程部",
    "contractor": "维修单位", "government": "政府部门", "internal": "内部", "legal": "法务", "finance": "财务",
    "clubhouse": "会所", "concierge": "礼宾部", "owners_committee": "业主委员会", "cs_center": "客户服务中心",
    "leadership": "公司领导",
    "registered": "已登记", "triaged": "已分类", "assigned": "已派单", "acknowledged": "已签收", "in_progress": "处理中",
    "handled": "已处理", "verified": "已验证", "answered": "已答复", "visiting": "待回访", "closed": "已办结",
    "archived": "已归档", "need_info": "待补充", "need_approval": "待请示", "reopened": "重新处理", "declined": "不予受理",
    "merged": "已并案", "withdrawn": "已撤回",
    "mail": "邮件", "call": "来电", "paper": "意见箱", "entry": "来访",
    "receptionist": "接待人员", "cs_clerk": "客服内勤", "cs_specialist": "客服专员", "cs_supervisor": "客服主任",
    "cs_manager": "客服经理", "leader_in_charge": "分管领导", "property_supervisor": "物业主管",
    "property_manager": "物业经理", "pm_dept_manager": "物管部经理", "director": "物管公司总监", "duty_officer": "值班人员",
    "service_inspector": "服务监督岗", "issue_coordinator": "问题协调员", "adviser": "专属服务顾问",
    "replies/acknowledgement": "受理回执", "replies/acknowledgement-complaint": "投诉受理回执",
    "replies/acknowledgement-letter": "来函回执", "replies/answer": "答复函", "replies/calm": "受理回执",
    "replies/closed": "办结致谢", "replies/declined": "不予受理答复", "replies/extension-consent": "延期征询函",
    "replies/holding": "请示期间告知", "replies/merged": "并案告知", "replies/need-info": "补充资料通知",
    "replies/not-adopted": "建议未采纳答复", "replies/progress": "进展告知", "replies/reopened": "重新处理告知",
    "replies/result": "办理结果答复", "replies/survey": "满意度调查", "replies/thanks": "答谢函", "replies/visit": "回访函",
    "replies/written-reply": "书面复函", "notices/work-order": "工作联系单", "notices/urgent-work-order": "紧急工作联系单",
    "replies/stays-open": "撤回答复", "replies/withdrawn": "撤回确认",
    "replies/resumed": "恢复办理告知", "notices/joint": "协办联系单", "notices/copy": "联系单抄送件",
}  # fmt: skip
"""What staff and owners read for each word of the program (SERVICE words, RULES §1, §2, §6)."""

POSTS = (
    "receptionist", "cs_clerk", "cs_specialist", "cs_supervisor", "cs_manager", "leader_in_charge", "leadership",
    "property_supervisor", "property_manager", "pm_dept_manager", "director", "duty_officer", "service_inspector",
    "issue_coordinator", "adviser", "cs_center",
)  # fmt: skip
"""Who acts in the rules, whether or not the configuration names somebody (RULES §1)."""


VOCABULARY: dict[str, tuple[str, ...]] = {
    "kind": KINDS, "category": CATEGORIES, "urgency": ("normal", "urgent", "emergency"), "origin": ORIGINS,
}  # fmt: skip
"""What a ticket may be, by the name of its field."""


def chinese(word: str) -> str:
    """The Chinese term for a word of the domain; an unknown word (an extended list) is returned as it is."""
    return CHINESE.get(word, word)


def word_meant(field: str, text: str) -> str:
    """The word of the domain that a person gives for ``field``, in English or Chinese; "" where there is none."""
    said = text.strip()
    return next((word for word in VOCABULARY[field] if said in (word, chinese(word))), "")


@dataclass(frozen=True, slots=True)
class Requester:
    """Who brought the matter. "" means not known; ``anonymous`` is true only where the writer stays unnamed (S1-5.4.4)."""

    name: str = ""
    phone: str = ""
    email: str = ""
    anonymous: bool = False


@dataclass(frozen=True, slots=True)
class ArrivalRef:
    """One arrival that belongs to the ticket. ``ref`` is the channel's own stable reference."""

    id: int
    channel: str
    ref: str
    received_at: datetime
    subject: str = ""
    medium: str = "mail"


@dataclass(frozen=True, slots=True)
class Deadline:
    """时限: a point in time with a rule behind it. ``term`` is the text of the setting, "" for an agreed instant.

    ``steps`` counts the reminders already given, ``next_at`` is when the deadline wants attention again (None: never).
    """

    name: str
    start: datetime
    due: datetime
    rule: str
    term: str = ""
    met: datetime | None = None
    dropped: str = ""
    agreed: bool = False
    round: int = 1
    steps: int = 0
    next_at: datetime | None = None
    pauses: tuple[tuple[datetime, datetime | None, str], ...] = ()

    @property
    def open(self) -> bool:
        return self.met is None and not self.dropped


@dataclass(frozen=True, slots=True)
class Document:
    """A form of RULES §7 that the ticket has. ``number`` is "" where the form carries none or has not got it yet."""

    form: str
    number: str = ""
    path: str = ""
    to: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    void: str = ""
    id: int = 0


@dataclass(frozen=True, slots=True)
class LetterRef:
    """A letter of the ticket, as the ticket knows it; ``hold`` is why it waits or is not sent. The outbox holds the rest."""

    id: int
    to: str
    template: str
    message_id: str
    status: str
    recipient: str = ""
    key: str = ""
    meets: str = ""
    hold: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """Something a person has to do: call back, pay a return visit, transcribe a scan, phone after a silent notice."""

    kind: str
    role: str
    due: datetime | None
    text: str
    id: int = 0
    done_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """工单. ``number`` is "" until the store gives it one. All instants are aware; the store keeps them in UTC.

    ``fields`` hold what the forms ask beyond the columns (cause, solution, customer_talk, result, opinion, location …).
    ``locked`` names fields a person set: no rule changes them again (S1-4.3.5).
    """

    number: str = ""
    status: str = "registered"
    round: int = 1
    kind: str = "consultation"
    category: str = "general"
    urgency: str = "normal"
    important: bool = False
    origin: str = "owner"
    house: str | None = None
    subject: str = ""
    summary: str = ""
    text: str = ""
    department: str | None = None
    joint: tuple[str, ...] = ()
    handler: str | None = None
    requester: Requester = Requester()
    masked: bool = False
    dispute: bool = False
    channel: str = ""
    medium: str = "mail"
    started_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    arrivals: tuple[ArrivalRef, ...] = ()
    effects: tuple[str, ...] = ()
    notify: tuple[str, ...] = ()
    deadlines: tuple[Deadline, ...] = ()
    documents: tuple[Document, ...] = ()
    letters: tuple[LetterRef, ...] = ()
    tasks: tuple[Task, ...] = ()
    related: tuple[str, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict)
    locked: tuple[str, ...] = ()
    transfers: int = 0
    rung: int = 0
    extension: str = ""
    id: int = 0

    @property
    def ticket_class(self) -> str:
        """日常类 / 投诉类 / 维修类 (S1-4.3.5); JSON calls it ``class``."""
        return CLASS_OF_KIND.get(self.kind, "daily")

    @property
    def reply_address(self) -> str:
        """Where a letter to the requester goes: the address the matter came from, else the known one; "" where neither."""
        return str(self.fields.get("reply_to") or self.requester.email)

    @property
    def is_open(self) -> bool:
        return self.status not in ("closed", "archived", "declined", "merged", "withdrawn")

    def deadline(self, name: str) -> Deadline | None:
        """The running or last deadline of that name in this round, None where there is none."""
        found = [d for d in self.deadlines if d.name == name and not d.dropped]
        return found[-1] if found else None

    @property
    def has_unanswered_joint(self) -> bool:
        """True while a department asked to contribute has not answered (S0-4.2.2)."""
        given = self.fields.get("contributions", {})
        return any(department not in given for department in self.joint)

    def has(self, effect: str) -> bool:
        return effect in self.effects

    def document(self, form: str) -> Document | None:
        """The last document of that form that is not void."""
        found = [d for d in self.documents if d.form == form and not d.void]
        return found[-1] if found else None

    def changed(self, **changes: Any) -> Ticket:
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Related:
    """What a rule may know of another ticket: enough to see that it is the same matter, nothing personal beyond that."""

    number: str
    status: str
    kind: str
    category: str
    house: str | None
    started_at: datetime
    summary: str
    phone: str = ""
    email: str = ""
    department: str | None = None
    round: int = 1
    urgency: str = "normal"
