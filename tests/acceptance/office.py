"""The configuration that a samples folder's `context` describes, and its papers and calls as they really arrive."""

from __future__ import annotations

import csv
import email
import io
import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from kefud.config import DEFAULT_DEADLINES

ROLES = (
    "receptionist", "cs_clerk", "cs_specialist", "cs_supervisor", "cs_manager", "leader_in_charge", "leadership",
    "property_supervisor", "property_manager", "pm_dept_manager", "director", "duty_officer", "service_inspector",
    "issue_coordinator", "adviser",
)  # fmt: skip
HOUSE = ("id", "owner", "phone", "email", "status")
NAMES = {
    "sales": "销售部", "design": "设计部门", "engineering": "工程部", "legal": "法务", "finance": "财务", "leasing": "租赁",
    "clubhouse": "会所", "concierge": "礼宾部", "government": "政府部门", "owners_committee": "业主委员会",
}  # fmt: skip
KINDS = {"property_company": "property_company", "contractor": "contractor", "government": "government",
         "owners_committee": "owners_committee", "leadership": "leadership"}  # fmt: skip


def configuration(context: dict[str, Any], work: Path, imap_port: int, user: str, smtp_port: int) -> str:
    """kefud.toml for the office of ``context``, on loopback servers."""
    for name in ("calls", "box"):
        (work / name).mkdir()
    (work / "password").write_text("pw")
    (work / "password").chmod(0o600)
    centre = [d["address"] for d in context.get("directory", []) if "is" in d]
    complaints = [d["address"] for d in context.get("directory", []) if "complaint" in str(d.get("is", ""))]
    parts = [
        _table("service", {
            "name": f"{context.get('developer', '示范地产')}客户服务中心", "estate": context.get("estate", ""),
            "developer": context.get("developer", ""), "property_company": context.get("property_company", ""),
            "profile": context.get("profile", "developer"), "hotline": "400-000-0000", "spool": "spool",
            "timezone": context.get("calendar", {}).get("timezone", "Asia/Shanghai"), "own_addresses": centre,
            "complaint_addresses": complaints, "trust_internal_mail": True,
        }),
        f'outgoing = {{ name = "客户服务中心", address = {_value(centre[0] if centre else "kefu@estate.example.com")} }}',
        _table("[channel]", {"id": "kefu", "plugin": "imap_mailbox", "host": "127.0.0.1", "port": imap_port, "tls": "none",
                             "username": user, "folder": "INBOX", "processed_folder": "done"}),
        'password = { file = "password" }',
        _table("[channel]", {"id": "calls", "plugin": "phone_log", "folder": "calls", "settle": "100ms"}),
        _table("[channel]", {"id": "box", "plugin": "complaint_box", "folder": "box", "box": "意见箱", "settle": "100ms"}),
        _table("[transport]", {"id": "mail", "plugin": "smtp", "host": "127.0.0.1", "port": smtp_port, "tls": "none"}),
        *_parties(context),
        *(_table("[role]", {"id": role, "address": f"{role.replace('_', '-')}@roles.example.com"}) for role in ROLES),
        _table("calendar", context.get("calendar", {})),
        _table("deadlines", {k: v for k, v in context.get("defaults", {}).items() if k in DEFAULT_DEADLINES}),
        *(_table("[house]", {k: h[k] for k in HOUSE if h.get(k)}) for h in context.get("houses", [])),
        *(_table("[knowledge]", k, dates=("verified_on", "valid_until", "valid_from")) for k in context.get("knowledge", [])),
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


def _parties(context: dict[str, Any]) -> list[str]:
    """One party for each origin, one for each contracting firm; an address noted as fallback is the party's second."""
    groups: dict[str, dict[str, Any]] = {}
    for entry in context.get("directory", []):
        origin = entry.get("origin")
        if not origin:
            continue
        id = origin if origin != "contractor" else f"contractor-{len([g for g in groups if g.startswith('contractor')]) + 1}"
        own = context.get("property_company") if origin == "property_company" else NAMES.get(origin, origin)
        name = entry.get("unit") or own
        group = groups.setdefault(id, {"id": id, "name": name, "kind": KINDS.get(origin, "department"), "addresses": []})
        if "fallback" in str(entry.get("note", "")).lower():
            group["fallback"] = entry["address"]
        else:
            group["addresses"].append(entry["address"])
    return [_table("[party]", group) for group in groups.values()]


def _table(name: str, values: dict[str, Any], dates: tuple[str, ...] = ()) -> str:
    lines = [f"[{name}]"]
    for key, value in values.items():
        if value is not None:
            lines.append(f"{_key(key)} = {value if key in dates else _value(value)}")
    return "\n".join(lines)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def phone_pieces(content: bytes) -> list[bytes]:
    """A CSV file cut into its header and its rows, each as the very bytes of the file."""
    encoding = _encoding(content)
    text = content.decode(encoding)
    starts = [0]
    quoted = False
    for index, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif char == "\n" and not quoted:
            starts.append(index + 1)
    rows = [text[a:b] for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]
    rows = [r for r in rows if r.strip()]
    head = next((i for i, r in enumerate(rows) if _cells(r) > 2), 0)
    first = "".join(rows[: head + 1])
    bom = content[: len(content) - len(text.encode(encoding))]
    ending = "" if rows[-1].endswith("\n") else "\r\n"
    pieces = [r.encode(encoding) for r in rows[head + 1 : -1]] + [(rows[-1] + ending).encode(encoding)]
    return [bom + first.encode(encoding), *pieces]


def _cells(row: str) -> int:
    """How many cells a row has with the separator that gives most."""
    return max(len(next(csv.reader(io.StringIO(row), delimiter=mark), [])) for mark in ",;\t|")


def _encoding(content: bytes) -> str:
    for mark, name in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if content.startswith(mark):
            return name
    for encoding in ("utf-8", "gb18030"):
        try:
            content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    return "gb18030"


def sidecar(transcript: str) -> tuple[dict[str, str], str]:
    """The head of a transcript (box, opener) and what the writer wrote."""
    head, _, body = transcript.partition("----")
    about = dict(re.findall(r"^\s*([^:\n:]+)[::]\s*(.+?)\s*$", head, re.MULTILINE))
    found = {"box": about.get("意见箱", ""), "opener": about.get("开箱人", "")}
    return {k: v for k, v in found.items() if v}, body.lstrip("-").strip("\n") + "\n"


def moment(file: Path, row: int) -> str:
    """When a matter arrived as its own file tells: our server's Received line, the start of the call, the box's opening."""
    content = file.read_bytes()
    if file.suffix.lower() == ".eml":
        received = email.message_from_bytes(content).get("Received", "").rpartition(";")[2]
        return parsedate_to_datetime(received.strip()).isoformat()
    if file.suffix.lower() == ".csv":
        text = phone_pieces(content)[row].decode(_encoding(content))
    else:
        text = content.decode("utf-8-sig", "replace") if file.suffix.lower() == ".txt" else ""
    found = re.search(r"(\d{4})[-/年](\d{1,2})[-/月](\d{1,2})日?[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?", text)
    if found is None:
        return datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat()
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}"
