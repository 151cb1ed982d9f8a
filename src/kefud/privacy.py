"""What we hold about one person: to hand out, to take away, to account for (PIPL Art. 45, 47, 57). Pure; the store does the work."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kefud.desk.phones import find_phones, mask_phone, normalise_phone
from kefud.desk.ticket import Requester, Ticket
from kefud.desk.view import Profile, ticket_view

TOMBSTONE = "〔已删除〕"
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,255}")
_CARD = re.compile(r"(?<![0-9])(?:[1-9][0-9]{16}[0-9Xx]|[0-9]{16,19})(?![0-9])")


@dataclass(frozen=True, slots=True)
class Held:
    """A column that may speak of people: what it holds, what for, and which term of [retention] ends it."""

    column: str
    name: str
    purpose: str
    kept: str


_ANSWER, _WORK, _PROOF = "答复来件人、回访", "登记、交办和核实来件", "证明何时告知了谁、办理经过可查"
REGISTER = (
    Held("ticket.requester_name", "来件人姓名", _ANSWER, "personal"),
    Held("ticket.requester_phone", "来件人电话", _ANSWER, "personal"),
    Held("ticket.requester_email", "来件人邮箱", _ANSWER, "personal"),
    Held("ticket.house", "房号", "确定现场、合并同一事项、房屋维修档案", "personal"),
    Held("ticket.subject", "事由", _WORK, "personal"),
    Held("ticket.summary", "内容摘要", _WORK, "personal"),
    Held("ticket.text", "来件全文", _WORK, "personal"),
    Held("ticket.fields", "办理中登记的事实", _WORK, "personal"),
    Held("ticket.effects", "来件提出的新联系方式", _WORK, "personal"),
    Held("message.sender", "来信地址", _ANSWER, "personal"),
    Held("message.sender_name", "来信人署名", _ANSWER, "personal"),
    Held("message.subject", "来信主题", _WORK, "personal"),
    Held("message.text", "来信正文", _WORK, "personal"),
    Held("message.quoted", "来信所引原文", _WORK, "personal"),
    Held("message.message_id", "来信编号", "把回信归入同一工单", "personal"),
    Held("message.attachments", "附件清单", _WORK, "personal"),
    Held("letter.addresses", "发函地址", _PROOF, "personal"),
    Held("letter.subject", "函件主题", _PROOF, "personal"),
    Held("letter.text", "函件正文", _PROOF, "personal"),
    Held("letter.html", "函件版式", _PROOF, "personal"),
    Held("letter.in_reply_to", "所复来信编号", "把往来归入同一会话", "personal"),
    Held("letter.references", "往来编号", "把往来归入同一会话", "personal"),
    Held("letter.last_answer", "对方邮件服务器的答复", _PROOF, "personal"),
    Held("letter.attachments", "函件附件", _PROOF, "personal"),
    Held("attempt.answer", "每次投递的答复", _PROOF, "personal"),
    Held("task.text", "待办事项", _WORK, "personal"),
    Held("document.data", "联系单等表单内容", _PROOF, "personal"),
    Held("history.why", "经过说明", _PROOF, "personal"),
    Held("history.data", "经过数据", _PROOF, "personal"),
    Held("arrival.subject", "来件主题", _WORK, "personal"),
    Held("arrival.message_id", "来件编号", "同一来件只登记一次", "personal"),
    Held("arrival.reason", "未读懂的原因", "由人补录", "personal"),
    Held("arrival.draft", "识别草稿", "由人补录", "personal"),
    Held("arrival.transcript", "人工补录", "由人补录", "personal"),
    Held("blob.data", "来件原件", "核对登记是否属实", "originals"),
    Held("report.text", "日报、月报正文", "管理和考核", "personal"),
    Held("report.data", "日报、月报数据", "管理和考核", "personal"),
)
"""Every column that may speak of people (PIPL Art. 6, 19, 55). A test compares it with the tables."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """Somebody who gets letters: the name, the role and the profile of `kefud.desk.view` with which tickets are shown."""

    name: str
    role: str
    profile: Profile


def assessment(
    controller: str, receivers: Sequence[Receiver], hosts: Sequence[str], days: Mapping[str, int], at: datetime
) -> str:
    """The impact assessment as Markdown (PIPL Art. 55, 56): what is held and what for, how long, who sees which of it.

    ``days`` are the terms of [retention], ``hosts`` the servers of others that data goes through. What a receiver sees is tried
    out on an invented ticket, not copied from a list.
    """
    held = [f"| {x.name} | `{x.column}` | {x.purpose} | 结案后{days[x.kept]}天 |" for x in REGISTER]
    seen = [f"| {x.name} | {x.role} | {'、'.join(visible(x.profile)) or '无'} |" for x in receivers]
    return "\n".join([
        f"# 个人信息保护影响评估（{controller}）", "",
        f"生成时间：{at:%Y-%m-%d %H:%M}。本件由系统按现行配置生成，须由负责人审阅、签字，与处理情况记录一并保存不少于三年。", "",
        "## 一、处理的信息、目的和保存期限", "", "| 信息 | 位置 | 目的 | 保存 |", "|---|---|---|---|", *held, "",
        "摘要和发给他人的函件中遮盖证件号、银行卡号；不用于推销；不按个人特征决定办理先后；扫描件在本机识别。", "",
        "## 二、提供给谁、对方看得到什么", "", "| 接收方 | 身份 | 看得到 |", "|---|---|---|", *seen, "",
        "## 三、经过的外部服务器", "", *([f"- {host}" for host in hosts] or ["- 无"]), "",
        "## 四、对个人权益的影响和保护措施", "",
        "- 泄露：数据库和原件只有服务账户可读；查阅、导出留有防篡改的记录（`kefud privacy log`）；日志不含姓名、电话和正文。",
        "- 误给：交办单只给办理所需，要求保密的不写姓名、电话和房号；群发和抄送经同一关口检查。",
        "- 过期：到期自动清空（`kefud privacy retain`）；本人可要求查阅和删除（`kefud privacy export`、`erase`）。",
        "- 一旦泄露：`kefud privacy impact` 列出所涉的人、信息和接收方，以便立即告知。", "",
        "## 五、结论", "", "处理目的、方式是否合法、正当、必要；保护措施是否与风险相适应：", "",
        "评估人：　　　　　　负责人：　　　　　　日期：　　　　　　", "",
    ])  # fmt: skip


_PROBES = {
    "姓名": "司马探针", "电话": "13800000299", "邮箱": "probe@example.com", "房号": "9-9-901", "来件全文": "探针全文琉璃",
    "摘要": "探针摘要青花", "事由": "探针事由白瓷",
}  # fmt: skip


def visible(profile: Profile) -> list[str]:
    """Which personal data a receiver with ``profile`` finds in a ticket whose requester asked not to be named."""
    x = _PROBES
    at = datetime(2025, 3, 3, 1, 0, tzinfo=UTC)
    ticket = Ticket(
        number="KF20250303-0001", house=x["房号"], subject=x["事由"], summary=x["摘要"], text=x["来件全文"], masked=True,
        requester=Requester(x["姓名"], x["电话"], x["邮箱"]), started_at=at, created_at=at, updated_at=at,
    )  # fmt: skip
    view = ticket_view(ticket, "Asia/Shanghai", profile=profile)
    said = "\n".join(str(view[key]) for key in view)
    return [name for name, value in x.items() if value in said]


@dataclass(frozen=True, slots=True)
class Person:
    """Who is meant: telephone numbers and addresses identify, names only tell whose words to look at."""

    phones: frozenset[str] = frozenset()
    emails: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, given: str) -> Person:
        """A telephone number or a mail address as typed. ValueError for anything else: a name is no identity."""
        text = given.strip()
        if "@" in text:
            return cls(emails=frozenset({text.lower()}))
        phone = normalise_phone(text)
        if len(phone) < 7:
            raise ValueError(f'"{text}" is neither a telephone number nor a mail address')
        return cls(phones=frozenset({phone}))

    def joined(self, phones: Iterable[str], emails: Iterable[str], names: Iterable[str]) -> Person:
        """The same person with what else is known of him."""
        return Person(
            self.phones | {p for p in phones if p}, self.emails | {e.lower() for e in emails if e},
            self.names | {n for n in names if len(n) > 1},
        )  # fmt: skip

    @property
    def marks(self) -> tuple[str, ...]:
        """What identifies, the longest first."""
        return tuple(sorted(self.phones | self.emails, key=len, reverse=True))


def spelled(mark: str) -> re.Pattern[str]:
    """A telephone number or address however it is spaced."""
    body = r"[ \-–—.]{0,2}".join(map(re.escape, mark)) if mark.isdigit() else re.escape(mark)
    return re.compile(body, re.IGNORECASE)


def without(value: Any, words: Sequence[re.Pattern[str]]) -> Any:
    """``value`` (text, or JSON of texts) with every match of ``words`` replaced by the tombstone."""
    if isinstance(value, str):
        for word in words:
            value = word.sub(TOMBSTONE, value)
        return value
    if isinstance(value, Mapping):
        return {without(str(k), words): without(v, words) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [without(v, words) for v in value]
    return value


def for_the_eyes_of(person: Person, value: Any, others: Iterable[str] = ()) -> Any:
    """``value`` as ``person`` may see it: other people's numbers, addresses, cards and the names ``others`` masked."""
    if isinstance(value, str):
        return _masked(person, value, [n for n in others if len(n) > 1 and n not in person.names])
    if isinstance(value, Mapping):
        return {k: for_the_eyes_of(person, v, others) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [for_the_eyes_of(person, v, others) for v in value]
    return value


def _masked(person: Person, text: str, names: Sequence[str]) -> str:
    for phone in find_phones(text):
        if phone not in person.phones:
            text = spelled(phone).sub(mask_phone(phone), text) if phone.isdigit() else text.replace(phone, mask_phone(phone))
    text = _EMAIL.sub(lambda m: m[0] if m[0].lower() in person.emails else f"{m[0][0]}***@***", text)
    text = _CARD.sub(lambda m: f"{m[0][:4]}{'*' * (len(m[0]) - 8)}{m[0][-4:]}", text)
    for name in names:
        text = text.replace(name, name[0] + "*" * (len(name) - 1))
    return text


def digest(mark: str, salt: str) -> str:
    """What the list of erasures keeps of a number or address: enough to know it again, too little to read it."""
    return hashlib.scrypt(mark.encode(), salt=salt.encode(), n=2**12, r=8, p=1, dklen=16).hex()
