"""What the demonstration shows at its end, as titled tables of text."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from kefud.demo.play import Seen
from kefud.desk.ticket import ArrivalRef, Ticket, chinese
from kefud.desk.view import DEADLINE_NAMES, MEDIUM_NAMES

WAYS = {"mail": "mail", "call": "call", "paper": "letter", "entry": "visit"}
PROMISES = ("callback", "plan", "reply", "reply_to_property", "reply_to_sales", "resolve", "drawing", "visit")
SENT = {
    "sent": "已发出 sent", "pending": "待发 pending", "leased": "发送中 leased", "held": "暂缓 held", "failed": "失败 failed",
    "superseded": "已代替 superseded",
}  # fmt: skip


REPLIES = {
    "acknowledgement": "受理告知", "acknowledgement-complaint": "受理告知并致歉", "acknowledgement-letter": "来函收悉",
    "answer": "即时答复", "holding": "暂复", "written-reply": "书面答复", "progress": "进展告知", "result": "结果答复",
}  # fmt: skip
_TICKET = re.compile(r"\[KF[\d-]+\]\s*")


@dataclass(frozen=True, slots=True)
class Section:
    """A title, a table under its heads (none where there are no heads), and remarks below it."""

    title: str
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    remarks: tuple[str, ...] = ()


class Report:
    """Tells what is to be seen. ``name`` gives the name of a party or role by id or address, "" for others."""

    def __init__(self, seen: Seen, zone: ZoneInfo, name: Callable[[str], str]) -> None:
        self.seen = seen
        self._zone = zone
        self._name = name
        self._tickets = sorted(seen.tickets, key=lambda t: t.number)

    def sections(self, directory: Path, program: str) -> Iterator[Section]:
        """In the order of the line: in, tickets, out, what waits; then where the files are and what to call next."""
        yield self._came_in()
        yield self._became()
        yield self._work_orders()
        yield self._to_owners()
        yield self._to_staff()
        yield self._waits()
        yield self._files(directory)
        yield self._further(directory, program)

    def papers(self) -> Iterator[tuple[str, Path]]:
        """Number and file of each printed work order."""
        for ticket in self._tickets:
            for document in ticket.documents:
                if document.form == "notice" and document.path:
                    yield document.number, Path(os.path.normpath(document.path))

    def _came_in(self) -> Section:
        rows: list[tuple[datetime, int, tuple[str, ...]]] = []
        for ticket in self._tickets:
            for arrival in ticket.arrivals:
                rows.append((*self._when(ticket, arrival), self._arrived(ticket, arrival)))
        for entry in self.seen.shelf:
            seen = (self._way(entry["medium"]), "", cut(entry["subject"], 44), f"搁置 shelf {entry['id']}")
            rows.append((entry["received_at"], entry["id"], seen))
        heads = ("时间 time", "方式 way", "来自 from", "内容 what", "去向 became")
        lines = tuple((f"{at.astimezone(self._zone):%H:%M:%S}", *cells) for at, _, cells in sorted(rows))
        return Section("来件 What came in", heads, lines, self._silences())

    def _when(self, ticket: Ticket, arrival: ArrivalRef) -> tuple[datetime, int]:
        opened = arrival.id == ticket.arrivals[0].id and ticket.started_at
        return opened or arrival.received_at, arrival.id

    def _arrived(self, ticket: Ticket, arrival: ArrivalRef) -> tuple[str, ...]:
        message = next((m for m in self.seen.messages if m["arrival"] == arrival.id), {"sender": "", "text": ""})
        opened = arrival.id == ticket.arrivals[0].id
        who, what = self._name(message["sender"]) or self._writer(ticket), arrival.subject
        if opened and arrival.medium != "mail":
            what = ticket.summary or arrival.subject
        elif not opened and what not in self._automatic(ticket):
            what = f"回复:{message['text']}"
        became = f"{ticket.number} {'新工单 new' if opened else '归入 added'}"
        return self._way(arrival.medium), who, cut(what, 44), became

    def _writer(self, ticket: Ticket) -> str:
        r = ticket.requester
        return r.name or r.phone or r.email or "匿名 anonymous"

    def _automatic(self, ticket: Ticket) -> list[str]:
        return [a.subject for a in ticket.arrivals if a.subject.startswith("自动回复")]

    def _silences(self) -> tuple[str, ...]:
        said = "的自动回复只作备注,没有回信 (the out-of-office was noted and not answered)"
        return tuple(f"{t.number} {said}" for t in self._tickets for _ in self._automatic(t))

    def _became(self) -> Section:
        heads = (
            "工单 ticket", "性质 kind", "类别 category", "紧急 urgency", "房号 house", "主办 department", "状态 state",
            "时限 deadline",
        )  # fmt: skip
        rows = tuple(
            (
                t.number, f"{chinese(t.kind)} {t.kind}", chinese(t.category),
                chinese(t.urgency) + ("·重要" if t.important else ""), t.house or "", self._department(t),
                chinese(t.status), self._promised(t),
            )
            for t in self._tickets
        )  # fmt: skip
        return Section("工单 Tickets", heads, rows)

    def _work_orders(self) -> Section:
        rows = []
        for ticket in self._tickets:
            for document in ticket.documents:
                if document.form == "notice" and not document.void:
                    letter = self._letter_with("notice", document.number)
                    state = SENT.get(letter["status"], letter["status"]) if letter else ""
                    to = f"{self._name(document.to)} <{letter['to']}>" if letter else self._name(document.to)
                    paper = "PDF" if document.path else "未打印 no PDF"
                    rows.append((document.number, ticket.number, to, state, paper))
        return Section("工作联系单 Work orders", ("编号 number", "工单 ticket", "发往 to", "", ""), tuple(rows))

    def _to_owners(self) -> Section:
        rows = tuple(
            (x["ticket"] or "", x["to"] or "", _kind_of_reply(x["template"]), SENT.get(x["status"], x["status"]))
            for x in self._letters() if x["template"].startswith("replies/")
        )  # fmt: skip
        return Section("答复来件人 Letters to those who wrote", ("工单 ticket", "收件人 to", "函件 letter", ""), rows)

    def _to_staff(self) -> Section:
        groups: dict[tuple[str, str], list[str]] = {}
        for x in self._letters():
            if not x["template"].startswith(("replies/", "notices/")):
                about = (x["ticket"] or "", _TICKET.sub("", x["subject"]))
                groups.setdefault(about, []).append(self._name(x["recipient"]) or self._name(x["to"] or "") or x["to"] or "")
        rows = tuple((number, cut(subject, 60), "、".join(dict.fromkeys(names))) for (number, subject), names in groups.items())
        return Section("内部通知 Reports to staff and departments", ("工单 ticket", "主题 subject", "收件 to"), rows)

    def _waits(self) -> Section:
        rows = [(f"搁置 shelf {e['id']}", "客服内勤", "", cut(f"{e['subject']}:{e['reason']}", 60)) for e in self.seen.shelf]
        for ticket in self._tickets:
            for task in ticket.tasks:
                if task.done_at is None:
                    rows.append((ticket.number, self._name(task.role), self._time(task.due), cut(task.text, 60)))
        for x in self._letters():
            if x["status"] in ("held", "failed"):
                rows.append((f"函件 letter {x['id']}", "客服经理", "", cut(x["hold"] or x["last_answer"] or x["subject"], 60)))
        return Section("等人处理 Waiting for a person", ("事项 what", "谁 who", "期限 due", "内容 to do"), tuple(rows))

    def _files(self, directory: Path) -> Section:
        rows = (
            *((f"工作联系单 {number}", str(path)) for number, path in self.papers()),
            ("来信 mail received", f"{directory}/in/mail/"),
            ("发出的函件 letters sent", f"{directory}/sent/"),
            ("数据库和原件 database, originals", f"{directory}/var/"),
            ("配置 configuration", f"{directory}/config/kefud.toml"),
            ("日志 log", f"{directory}/kefud.log"),
        )
        return Section("文件 Files", (), rows)

    def _further(self, directory: Path, program: str) -> Section:
        number = self._tickets[0].number if self._tickets else "KF…"
        shelved = self.seen.shelf[0]["id"] if self.seen.shelf else 1
        rows = (
            (f"export KEFUD_CONFIG={directory}/config/kefud.toml", ""),
            (f"{program} ticket list", "# 所有工单 every ticket"),
            (f"{program} ticket show {number}", "# 一张工单的全过程 one ticket and its history"),
            (f"{program} explain {number}", "# 为什么这样办 why it was decided so"),
            (f"{program} outbox list", "# 所有函件 every letter"),
            (f"{program} shelf show {shelved}", "# 看不清的来信 the letter that could not be read"),
            (f"{program} status", "# 总览 overview"),
            (f"rm -r {directory}", "# 清除演示 remove it all"),
        )
        return Section("继续查看 Look further", (), rows)

    def _letters(self) -> list[dict[str, Any]]:
        return sorted(self.seen.letters, key=lambda x: (x["ticket"] or "", x["id"]))

    def _letter_with(self, form: str, number: str) -> dict[str, Any] | None:
        return next((x for x in self._letters() if [form, number] in x["documents"]), None)

    def _department(self, ticket: Ticket) -> str:
        chosen = str(ticket.fields.get("contractor") or "") if ticket.department == "contractor" else ""
        lead = self._name(chosen or ticket.department or "")
        return lead + (f"(协同 {'、'.join(map(self._name, ticket.joint))})" if ticket.joint else "")

    def _promised(self, ticket: Ticket) -> str:
        """The deadline that tells most: what the requester waits for, else the next one."""
        running = {d.name: d for d in reversed(ticket.deadlines) if d.open}
        first = next((running[name] for name in PROMISES if name in running), None)
        shown = first or min(running.values(), key=lambda d: d.due, default=None)
        return f"{self._time(shown.due)} {DEADLINE_NAMES.get(shown.name, shown.name)}" if shown else ""

    def _time(self, at: datetime | None) -> str:
        return f"{at.astimezone(self._zone):%m-%d %H:%M}" if at else ""

    def _way(self, medium: str) -> str:
        return f"{MEDIUM_NAMES.get(medium, medium)} {WAYS.get(medium, '')}".strip()


def _kind_of_reply(template: str) -> str:
    name = template.rpartition("/")[2]
    return f"{REPLIES.get(name, '')} {name}".strip()


def cut(text: str, width: int) -> str:
    """``text`` on one line, at most ``width`` columns wide (汉字 count twice)."""
    line, used = "", 0
    for c in " ".join(text.split()):
        used += columns(c)
        if used > width - 1:
            return line + "…"
        line += c
    return line


def columns(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(2 if ord(c) > 0x2E7F else 1 for c in text)


def lines(section: Section) -> Iterator[str]:
    """The table of a section, its columns as wide as their widest cell."""
    table: Sequence[Sequence[str]] = (section.heads, *section.rows) if section.heads else section.rows
    if section.heads and not section.rows:
        yield "  (无 none)"
        return
    widths = [max(columns(row[i]) for row in table) for i in range(len(table[0]))] if table else []
    for row in table:
        yield "  " + "  ".join(c + " " * (w - columns(c)) for c, w in zip(row, widths, strict=True)).rstrip()
    yield from (f"  {remark}" for remark in section.remarks)
