"""The registers, row by row: 客服前台工作台帐 with every column of RULES §7, calls, box openings, documents. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from kefud.desk.cases import Case, Paper
from kefud.desk.ticket import chinese
from kefud.desk.view import DEADLINE_NAMES, MEDIUM_NAMES, VISIT_ANSWERS, as_instant, hides_house, without_personal
from kefud.reports.reader import Desk, Row, span_text

LEDGER: tuple[tuple[str, str], ...] = (
    ("serial", "序号"), ("number", "工单号"), ("day", "日期"), ("time", "时间"), ("source", "来源"), ("name", "业主姓名"),
    ("house", "房号"), ("phone", "电话"), ("class", "类别"), ("kind", "性质"), ("category", "问题类别"),
    ("urgent_important", "紧急/重要"), ("content", "内容"),
    ("demand", "顾客要求"), ("instant", "即时答复"), ("agreed_at", "约定答复时间"),
    ("answer", "答复内容"), ("answered_at", "实际答复时间"), ("on_time", "是否按时"), ("receiver", "接待人"),
    ("handler", "经办人"), ("department", "转办部门"), ("notice", "联系单号"), ("follow_up", "跟进情况"), ("result", "结果"),
    ("visit", "回访"), ("satisfaction", "满意度"), ("supervisor", "主管查阅(人/时/安排)"),
    ("manager", "经理查阅(人/时/指导意见)"), ("remark", "备注"),
)  # fmt: skip
"""Key and heading of each column (S0-4.1.4, S0-5.1)."""

CALLS: tuple[tuple[str, str], ...] = (
    ("call_id", "呼叫编号"), ("time", "时间"), ("direction", "方向"), ("caller", "主叫"), ("callee", "被叫"),
    ("agent", "分机/坐席"),
    ("ring", "振铃秒数"), ("talk", "通话秒数"), ("status", "状态"), ("customer", "来电人"), ("house", "房号"),
    ("content", "内容"),
    ("result", "处理结果"), ("agreed_at", "约定时间"), ("recording", "录音"), ("ticket", "工单号"),
)  # fmt: skip
BOXES: tuple[tuple[str, str], ...] = (
    ("box", "意见箱"), ("planned_at", "计划开箱时间"), ("opened_at", "实际开箱时间"), ("opener", "开箱人"),
    ("witness", "见证人"),
    ("lock", "箱锁情况"), ("count", "件数"), ("serial", "件序"), ("pages", "页数"), ("signed", "署名"),
    ("letter_date", "信件日期"), ("file", "扫描文件"), ("ticket", "工单号"), ("remark", "备注"),
)  # fmt: skip
DOCUMENTS_IN: tuple[tuple[str, str], ...] = (
    ("serial", "序号"), ("day", "日期"), ("from", "来文单位"), ("number", "文号"), ("title", "标题"), ("copies", "份数"),
    ("enclosures", "附件"), ("secrecy", "密级/紧急"), ("readers", "传阅人/时间"), ("department", "承办"), ("due", "期限"),
    ("chased", "催办"), ("done", "办结/复文号"), ("archive", "归档号"), ("ticket", "工单号"),
)  # fmt: skip
DOCUMENTS_OUT: tuple[tuple[str, str], ...] = (
    ("serial", "序号"), ("day", "日期"), ("to", "主送单位"), ("number", "文号"), ("title", "标题"), ("copies", "份数"),
    ("enclosures", "附件"), ("secrecy", "密级/紧急"), ("way", "送达方式"), ("delivered", "送达/签收时间"), ("ticket", "工单号"),
    ("archive", "归档号"),
)  # fmt: skip

DIRECTIONS = {"in": "呼入", "out": "呼出", "internal": "内部"}
CALL_STATES = {"answered": "已接听", "missed": "未接", "voicemail": "语音留言"}
OUTGOING = (
    "notice", "doc_out_register", "extension_notice", "thanks_letter", "retention_claim", "drawing_order", "approval_request",
)  # fmt: skip
WRITTEN = ("content", "demand", "answer", "follow_up", "result", "supervisor", "manager", "remark")
"""Columns of the ledger with words that people wrote, who may have named somebody."""
Checked = Mapping[str, Sequence[Mapping[str, str]]]
"""Ticket number → what managers wrote about it: role ("supervisor", "manager"), by, at, text."""


def ledger_row(case: Case, serial: int, at: datetime, desk: Desk, checked: Checked | None = None) -> Row:
    """The row of one matter in the front-desk ledger (RULES §7), as it stands at ``at``."""
    t, fields = case.ticket, case.ticket.fields
    local = case.started.astimezone(desk.zone)
    person = desk.person(case)
    promised = _promised(case)
    answered = _answered(case)
    content = t.text or t.summary or t.subject
    row: Row = {
        "serial": serial, "number": t.number, "day": f"{local:%Y-%m-%d}", "time": f"{local:%H:%M}",
        "source": MEDIUM_NAMES.get(t.medium, t.medium), "name": person["name"], "house": person["house"],
        "phone": person["phone"], "class": {"daily": "日常类", "complaint": "投诉类", "repair": "维修类"}[t.ticket_class],
        "kind": chinese(t.kind), "category": chinese(t.category), "urgent": chinese(t.urgency),
        "important": "重要" if t.important else "", "urgent_important": _urgency(case), "content": _text(content),
        "demand": _text(str(fields.get("demand") or "")),
        "instant": "是" if t.has("instant_answer") else "否", "agreed_at": desk.text(promised),
        "answer": _text(_answer(case)), "answered_at": desk.text(answered), "on_time": _on_time(promised, answered, at),
        "receiver": _receiver(case, desk), "handler": desk.name(t.handler),
        "department": "、".join(dict.fromkeys(desk.name(p.to) for p in case.notices() if not p.void)),
        "notice": "、".join(p.number for p in case.notices() if p.number and not p.void),
        "follow_up": _follow_up(case, at), "result": _text(str(fields.get("result") or "")) or chinese(case.status_at(at)),
        "visit": _visit(case, desk), "satisfaction": VISIT_ANSWERS.get(_last_visit(case), ""),
        "supervisor": _checks(checked, t.number, "supervisor"), "manager": _checks(checked, t.number, "manager"),
        "remark": _remark(case, desk),
    }  # fmt: skip
    hidden = hides_house(t) or t.masked
    row["masked"] = {
        **person["masked"],
        **{key: without_personal(row[key], t, house=hidden) for key in WRITTEN},
    }
    return row


def _read(mark: Any, desk: Desk) -> str:
    when = as_instant(mark)
    return f"阅{desk.text(when)}" if when else "未阅"


def _text(text: str) -> str:
    return "\n".join(line.strip() for line in text.replace("\r\n", "\n").split("\n") if line.strip())


def _urgency(case: Case) -> str:
    t = case.ticket
    return (
        "/".join(x for x in (chinese(t.urgency) if t.urgency != "normal" else "", "重要" if t.important else "") if x) or "一般"
    )


def _promised(case: Case) -> datetime | None:
    """The reply time the owner was told: as agreed, else the deadline of the answer (S0-4.1.3)."""
    for key in ("agreed_reply_at", "promised_at"):
        if found := as_instant(case.ticket.fields.get(key)):
            return found
    due = _answer_deadline(case)
    return due.due if due else None


def _answer_deadline(case: Case) -> Any:
    """The clock of the answer in the running round."""
    again = any(status == "reopened" for _, status in case.statuses())
    clocks = [d for d in case.ticket.deadlines if d.round == case.ticket.round or not again]
    for name in ("reply", "reply_to_property", "reply_to_sales", "resolve"):
        found = [d for d in clocks if d.name == name]
        if found:
            return found[-1]
    return None


def _answered(case: Case) -> datetime | None:
    """When the running round was answered: what an earlier one said did not content the owner."""
    running = _answer_deadline(case)
    if running is not None and running.met:
        met: datetime = running.met
        return met
    last = next((step for step in reversed(case.statuses()) if step[1] in ("answered", "reopened")), None)
    return last[0] if last and last[1] == "answered" else None


def _answer(case: Case) -> str:
    fields = case.ticket.fields
    if fields.get("no_answer_reason"):
        return f"不答复：{fields['no_answer_reason']}"
    if fields.get("decline_reason"):
        return f"不予受理：{fields['decline_reason']};{fields.get('decline_alternative') or ''}".rstrip(";")
    return str(fields.get("answer") or "")


def _on_time(promised: datetime | None, answered: datetime | None, at: datetime) -> str:
    if promised is None:
        return ""
    if answered is None:
        return "否(逾期未答)" if promised < at else ""
    return "是" if answered <= promised else f"否(迟{span_text(answered - promised)})"


def _receiver(case: Case, desk: Desk) -> str:
    call = next((p for p in case.papers if p.form == "call_register"), None)
    if call and call.data.get("agent"):
        return str(call.data["agent"])
    box = next((p for p in case.papers if p.form == "box_register"), None)
    if box and box.data.get("opener"):
        return str(box.data["opener"])
    return "系统登记" if case.ticket.medium == "mail" else desk.name("receptionist")


def _follow_up(case: Case, at: datetime) -> str:
    said = []
    chased = sum(w.template == "reports/chaser" for w in case.letters)
    if chased:
        said.append(f"催办{chased}次")
    if case.ticket.extension:
        said.append(
            {"asked": "已申请延期，待业主同意", "agreed": "业主同意延期", "refused": "业主未同意延期"}.get(
                case.ticket.extension, ""
            )
        )
    if case.ticket.rung:
        said.append(f"已升级{case.ticket.rung}级")
    note = case.ticket.fields.get("progress_note")
    if note:
        said.append(_text(str(note))[:120])
    late = case.overdue_at(at) if case.open_at(at) else []
    if late:
        said.append(f"逾期:{DEADLINE_NAMES.get(late[0].name, late[0].name)}")
    return ";".join(x for x in [chinese(case.status_at(at)), *said] if x)


def _last_visit(case: Case) -> str:
    found = [e.visit for e in case.events if e.visit]
    return found[-1] if found else str(case.ticket.fields.get("visit") or "")


def _visit(case: Case, desk: Desk) -> str:
    found = [e for e in case.events if e.visit]
    if found:
        return desk.text(found[-1].at)
    if case.ticket.origin == "anonymous":
        return "匿名，免回访"
    return ""


def _checks(checked: Checked | None, number: str, role: str) -> str:
    rows = [r for r in (checked or {}).get(number, ()) if r["role"] == role]
    return "\n".join(f"{r['by']} {r['at']} {r['text']}".strip() for r in rows)


def _remark(case: Case, desk: Desk) -> str:
    """备注: each transfer as 转<部门> <单号> <时间> (S0-4.2.1d), then what else must be known."""
    t = case.ticket
    said = [
        f"转{desk.name(p.to)} {p.number} {desk.text(p.at)}" + (f"(作废：{p.void})" if p.void else "") for p in case.notices()
    ]
    if t.round > 1:
        said.append(f"第{t.round}轮重新处理")
    if t.status == "merged" and t.related:
        said.append(f"并入{t.related[-1]}")
    elif t.related:
        said.append(f"关联{'、'.join(t.related)}")
    if t.requester.anonymous or t.origin == "anonymous":
        said.append("匿名")
    if t.masked:
        said.append("要求保密")
    if t.fields.get("withdrawal"):
        said.append(f"撤回:{_text(str(t.fields['withdrawal']))[:80]}")
    return ";".join(said)


def call_rows(calls: Iterable[Mapping[str, Any]], desk: Desk) -> Iterator[Row]:
    """来电登记表: every call the telephone system told us of, whether it became a ticket or not (S2-5.2)."""
    for c in calls:
        data = c.get("data") or {}
        row: Row = {
            "call_id": str(data.get("call_id") or c["ref"]), "time": desk.text(c["at"]),
            "direction": DIRECTIONS.get(str(data.get("direction") or ""), ""),
            "caller": str(data.get("caller") or c.get("phone") or ""),
            "callee": str(data.get("callee") or ""), "agent": str(data.get("agent") or ""), "ring": data.get("ring_seconds"),
            "talk": data.get("talk_seconds"), "status": CALL_STATES.get(str(data.get("status") or ""), ""),
            "customer": str(data.get("customer") or c.get("name") or ""),
            "house": str(data.get("house") or c.get("house") or ""),
            "content": _text(str(data.get("content") or c.get("text") or c.get("subject") or "")),
            "result": _text(str(data.get("result") or "")) or str(c.get("outcome") or ""),
            "agreed_at": desk.text(as_instant(c.get("agreed_at"))), "recording": str(data.get("recording") or ""),
            "ticket": c.get("ticket") or "",
        }  # fmt: skip
        row["masked"] = {
            "caller": _hidden(row["caller"]),
            "callee": _hidden(row["callee"]),
            "customer": "",
            "house": "",
            "recording": "",
            "content": "",
            "result": "",
        }
        yield row


def _hidden(phone: str) -> str:
    return f"{phone[:3]}****{phone[-4:]}" if len(phone) >= 8 else phone


def box_rows(
    letters: Sequence[Mapping[str, Any]], empty: Iterable[Mapping[str, Any]], desk: Desk, boxes: Mapping[str, str] | None = None
) -> list[Row]:
    """意见箱开箱登记表: each letter of each opening, and the openings that found the box empty (S1-5.4.3).

    ``boxes`` are the names of the channels' boxes, for letters nobody has read yet.
    """
    rows: list[tuple[datetime, Row]] = []
    for box, found in _openings(letters, desk, boxes or {}):
        at = found[0]["at"]
        known = [letter.get("data") or {} for letter in found]
        told = {key: next((str(x[key]) for x in known if x.get(key)), "") for key in ("opener", "witness", "lock")}
        for serial, (letter, data) in enumerate(zip(found, known, strict=True), 1):
            rows.append((at, {
                "box": box, "planned_at": str(letter.get("planned_at") or ""), "opened_at": desk.text(at), **told,
                "count": len(found), "serial": serial, "pages": data.get("pages"),
                "signed": letter.get("signed") or "未署名", "letter_date": str(data.get("letter_date") or ""),
                "file": letter["ref"],
                "ticket": letter.get("ticket") or "", "remark": letter.get("remark") or "",
                "masked": {"signed": "已署名" if letter.get("signed") else "未署名"},
            }))  # fmt: skip
    for opening in empty:
        rows.append((opening["at"], {
            **{key: "" for key, _ in BOXES}, "box": opening["box"], "opened_at": desk.text(opening["at"]),
            "opener": opening["by"],
            "count": 0, "serial": None, "pages": None, "remark": opening["text"] or "本次开箱无来信",
        }))  # fmt: skip
    return [row for _, row in sorted(rows, key=lambda r: (r[0], r[1]["box"], r[1]["serial"] or 0))]


def _openings(
    letters: Sequence[Mapping[str, Any]], desk: Desk, boxes: Mapping[str, str]
) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Box and letters of each opening: by the time a person wrote down, else all that was scanned in one day."""
    registered = {(x["channel"], x["at"]): str(x["box"]) for x in letters if (x.get("data") or {}).get("registered")}
    found: dict[tuple[str, Any], list[Mapping[str, Any]]] = {}
    for letter in letters:
        channel, at = letter["channel"], letter["at"]
        written = registered.get((channel, at))
        box = str(letter["box"] or written or boxes.get(channel) or channel)
        found.setdefault((box, at if written else at.astimezone(desk.zone).date()), []).append(letter)
    return [(box, together) for (box, _), together in found.items()]


def documents_in(cases: Sequence[Case], start: datetime, end: datetime, desk: Desk) -> list[Row]:
    """收文登记簿 (S1-4.3.6)."""
    rows: list[Row] = []
    for case, paper in _papers(cases, ("doc_in_register",), start, end):
        t, data = case.ticket, paper.data
        incoming = next((e.partition(":")[2] for e in t.effects if e.startswith("incoming_notice_no:")), "")
        due = min(
            (d.due for d in t.deadlines if d.name in ("reply", "reply_to_property", "reply_to_sales", "resolve")), default=None
        )
        marks = t.fields.get("read_marks") or {}
        readers = [
            f"{desk.name(w.recipient)} 送{desk.text(w.sent_at or w.at)} {_read(marks.get(w.recipient), desk)}"
            for w in case.letters
            if w.template == "reports/circulation"
        ]
        done = next((at for at, status in reversed(case.statuses()) if status == "closed"), None)
        reply = next((p.number for p in case.papers if p.form == "doc_out_register" and p.number), "")
        title = str(data.get("title") or t.subject)
        rows.append({
            "serial": len(rows) + 1, "day": f"{paper.at.astimezone(desk.zone):%Y-%m-%d}",
            "from": str(data.get("sender") or "") or desk.name(t.origin),
            "number": str(t.fields.get("incoming_number") or incoming or paper.number),
            "title": title,
            "copies": 1, "enclosures": f"{data['attachments']}份" if data.get("attachments") else "",
            "secrecy": chinese(t.urgency) if t.urgency != "normal" else "普通", "readers": "\n".join(readers),
            "department": desk.name(t.department or "cs_center"), "due": desk.text(due),
            "chased": str(sum(w.template == "reports/chaser" for w in case.letters) or ""),
            "done": " ".join(x for x in (desk.text(done), reply) if x), "archive": str(t.fields.get("archive_number") or ""),
            "ticket": t.number, "masked": {"title": without_personal(title, t, house=hides_house(t))},
        })  # fmt: skip
    return rows


def documents_out(cases: Sequence[Case], start: datetime, end: datetime, desk: Desk) -> list[Row]:
    """发文登记簿 (S1-4.3.6): every numbered paper that left, a void one with its reason."""
    rows: list[Row] = []
    for case, paper in _papers(cases, OUTGOING, start, end):
        if not paper.number:
            continue
        t = case.ticket
        letter = next((w for w in case.letters if w.recipient == paper.to and w.at >= paper.at), None)
        title = str(paper.data.get("subject") or t.subject or t.summary)
        handed: Row = next((x for x in t.fields.get("deliveries") or () if x.get("paper") == paper.number), {})
        way = " ".join(filter(None, (handed.get("name") or paper.data.get("way"), handed.get("proof"))))
        left = as_instant(handed.get("at")) or (letter.sent_at if letter else None)
        rows.append({
            "serial": len(rows) + 1, "day": f"{paper.at.astimezone(desk.zone):%Y-%m-%d}",
            "to": desk.name(paper.to) or ("业主" if paper.form != "approval_request" else desk.name("pm_dept_manager")),
            "number": paper.number, "title": title, "copies": 1, "enclosures": "、".join(handed.get("enclosed") or ()),
            "secrecy": chinese(t.urgency) if t.urgency != "normal" else "普通", "way": way or ("电子邮件" if letter else ""),
            "delivered": f"作废：{paper.void}" if paper.void else desk.text(left),
            "ticket": t.number, "archive": str(t.fields.get("archive_number") or ""),
            "masked": {"title": without_personal(title, t, house=hides_house(t))},
        })  # fmt: skip
    return rows


def _papers(cases: Sequence[Case], forms: Sequence[str], start: datetime, end: datetime) -> list[tuple[Case, Paper]]:
    found = [(c, p) for c in cases for p in c.papers if p.form in forms and start <= p.at < end]
    return sorted(found, key=lambda x: (x[1].at, x[1].form, x[1].number, x[0].number))
