"""A letter is a folder: subject.txt, body.txt and perhaps body.html under one name. Data are values, never templates (S11)."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from jinja2 import FileSystemLoader, StrictUndefined, Template, TemplateNotFound, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from kefud.desk.lint import lint
from kefud.desk.ticket import ArrivalRef, Deadline, Document, Requester, Ticket
from kefud.desk.view import LONGEST, cut, local, local_day, ticket_view
from kefud.errors import KefudError, Problem

LONGEST_LETTER = 65_536
"""Bytes of a rendered text. A value is cut long before; only a template that runs wild gets here."""

DEEPEST = 8

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_PARTS = ("subject.txt", "body.txt", "body.html")


class TemplateFault(KefudError):
    """A letter template is missing, wrong, or asks for something it was not given."""

    def __init__(self, template: str, file: str, line: int, reason: str) -> None:
        place = f"{file}:{line}" if line else file
        super().__init__(f"letter {template}: {place}: {reason}" if file else f"letter {template}: {reason}")
        self.template = template
        self.file = file
        self.line = line
        self.reason = reason


@dataclasses.dataclass(frozen=True)
class Draft:
    """A letter in words, not yet addressed."""

    subject: str
    text: str
    html: str = ""


class Plain(dict[str, Any]):
    """Values that went through `plain` once: one ticket's view serves all letters written of it."""


class PlainView(Mapping[str, Any]):
    """A view whose values go through `plain` when a template asks for them."""

    def __init__(self, view: Mapping[str, Any], timezone: str) -> None:
        self._view = view
        self._plainer = _Plainer("", ZoneInfo(timezone))
        self._known: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        if key not in self._known:
            self._known[key] = self._plainer.value(key, self._view[key], 0)
        return self._known[key]

    def __contains__(self, key: object) -> bool:
        return key in self._view

    def __iter__(self) -> Iterator[str]:
        return iter(self._view)

    def __len__(self) -> int:
        return len(self._view)


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox, quick at what letters do most: reading a key of a plain dict.

    ``a.b`` first asks for an attribute and learns from an exception that there is none; here the key is tried first, except
    for the names of the dict's own methods. What may be reached stays the same.
    """

    def getattr(self, obj: Any, attribute: str) -> Any:
        if type(obj) in _DICTS and attribute not in _DICT_METHODS and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


_DICTS = (dict, Plain, PlainView)
_AS_THEY_ARE = frozenset({Plain, PlainView, type(None), bool, int, float})
_DICT_METHODS = frozenset(dir(dict))


class Composer:
    """Writes letters from the templates below ``directories``; the first directory that has a file wins."""

    def __init__(self, directories: Sequence[str | Path]) -> None:
        self.directories = [Path(d) for d in directories]
        self._templates: dict[str, Template | None] = {}
        self.environment = _Environment(
            loader=FileSystemLoader([str(d) for d in self.directories]),
            undefined=StrictUndefined,
            autoescape=lambda name: bool(name and name.endswith(".html")),
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )

    def write(self, template: str, context: Mapping[str, Any]) -> Draft:
        """The letter ``template`` says in ``context``. Raises TemplateFault naming template, file and line."""
        values = plain(template, context)
        subject = self._rendered(template, "subject.txt", values)
        text = self._rendered(template, "body.txt", values)
        html = self._rendered(template, "body.html", values, required=False)
        return Draft(" ".join(subject.split()), _tidy(text), html)

    def names(self) -> tuple[str, ...]:
        """Every letter there is, as "replies/answer"."""
        found = {
            body.parent.relative_to(directory).as_posix()
            for directory in self.directories
            for body in directory.glob("*/*/body.txt")
        }
        return tuple(sorted(found))

    def check(self) -> list[Problem]:
        """What is wrong with the templates: each is compiled, written once with invented data, and its wording read."""
        problems: list[Problem] = []
        for name in self.names():
            try:
                draft = self.write(name, sample_context())
            except TemplateFault as fault:
                problems.append(Problem(fault.file or name, fault.line, name, fault.reason))
                continue
            file = str(self._file(f"{name}/body.txt"))
            problems += [Problem(file, 0, name, remark) for remark in _remarks(name, draft.text)]
        return problems

    def _rendered(self, template: str, part: str, values: Mapping[str, Any], required: bool = True) -> str:
        name = f"{template}/{part}"
        if name not in self._templates:
            self._templates[name] = self._compiled(template, name, required)
        found = self._templates[name]
        return self._within_limits(template, found, values) if found else ""

    def _compiled(self, template: str, name: str, required: bool) -> Template | None:
        try:
            return self.environment.get_template(name)
        except TemplateNotFound as error:
            if not required and error.name == name:
                return None
            raise TemplateFault(template, name, 0, f"there is no template {error.name}") from None
        except TemplateSyntaxError as error:
            raise TemplateFault(template, error.filename or name, error.lineno, error.message or "syntax error") from None

    def _within_limits(self, template: str, found: Template, values: Mapping[str, Any]) -> str:
        pieces: list[str] = []
        size = 0
        try:
            for piece in found.root_render_func(found.new_context(dict(values))):
                pieces.append(piece)
                size += len(piece)
                if size > LONGEST_LETTER:
                    break
        except Exception:
            self._blame(template, found)
        text = "".join(pieces)
        if size > LONGEST_LETTER or len(text.encode("utf-8")) > LONGEST_LETTER:
            raise TemplateFault(template, str(found.filename), 0, f"the letter grows beyond {LONGEST_LETTER} bytes")
        return text

    def _blame(self, template: str, found: Template) -> NoReturn:
        try:
            self.environment.handle_exception()
        except TemplateSyntaxError as error:
            raise TemplateFault(template, error.filename or "", error.lineno, error.message or "syntax error") from None
        except Exception as error:
            file, line, trace = str(found.filename), 0, error.__traceback__
            while trace is not None:
                if Path(trace.tb_frame.f_code.co_filename).suffix in (".txt", ".html"):
                    file, line = trace.tb_frame.f_code.co_filename, trace.tb_lineno
                trace = trace.tb_next
            raise TemplateFault(template, file, line, f"{type(error).__name__}: {error}") from None

    def _file(self, name: str) -> Path:
        return next((d / name for d in self.directories if (d / name).is_file()), Path(name))


def plain(template: str, context: Mapping[str, Any]) -> dict[str, Any]:
    """The context as plain dicts, lists, numbers and clean text; instants become local text, long text is cut."""
    site = context.get("site")
    zone = str(site.get("timezone") or "Asia/Shanghai") if isinstance(site, Mapping) else "Asia/Shanghai"
    plainer = _Plainer(template, ZoneInfo(zone))
    return {k: plainer.value(k, v, 0) for k, v in context.items()}


class _Plainer:
    """Makes values plain for one template, in one time zone."""

    def __init__(self, template: str, zone: ZoneInfo) -> None:
        self.template = template
        self.zone = zone

    def value(self, key: str, x: Any, depth: int) -> Any:
        kind = type(x)
        if kind is str:
            return clean_text(x)
        if kind in _AS_THEY_ARE or isinstance(x, (bool, int, float)):
            return x
        if isinstance(x, str):
            return clean_text("".join(x))
        if isinstance(x, datetime):
            return local(x, self.zone)
        if isinstance(x, date):
            return local_day(x)
        if depth > DEEPEST:
            raise TemplateFault(self.template, "", 0, f"{key} is nested too deeply")
        if isinstance(x, Mapping):
            return {clean_text(str(k)): self.value(str(k), v, depth + 1) for k, v in x.items()}
        if isinstance(x, (list, tuple, set, frozenset)):
            return [self.value(key, v, depth + 1) for v in x]
        raise TemplateFault(self.template, "", 0, f"{key} is a {type(x).__name__}; letters get plain data only")


def clean_text(text: str) -> str:
    """``text`` without control, bidirectional override and half characters, line ends as \\n, cut where it is too long."""
    if not text.isprintable():
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        text = _SURROGATES.sub("\ufffd", _CONTROLS.sub("", text))
    return text if len(text) <= LONGEST else cut(text)


def _remarks(name: str, text: str) -> list[str]:
    """What the reading of our own wording finds in a letter written with invented data (S1-6.4, S4-3.5.1)."""
    found = lint(
        text,
        audience="owner" if name.startswith("replies/") else "staff",
        complaint="complaint" in name,
        allowed_personal=True,
        approved_promises=True,
    )
    return [f"{f.message_zh}“{text[slice(*f.span)][:20]}”" for f in found if f.severity != "hint"]


def _tidy(text: str) -> str:
    """No trailing blanks, never more than one empty line, one line end at the end."""
    lines = "\n".join(line.rstrip() for line in text.strip("\n").split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines) + "\n"


def sample_context() -> dict[str, Any]:
    """Invented data in which every letter can be written: for `kefud check`, tests, and authors of templates."""
    zone = "Asia/Shanghai"
    at = datetime(2025, 3, 3, 9, 12, tzinfo=ZoneInfo(zone))
    due = at + timedelta(days=3)
    ticket = Ticket(
        number="KF20250303-0001", status="assigned", kind="complaint", category="attitude", house="3-2-501",
        subject="西门岗服务态度", summary="业主反映西门岗当班保安言语生硬，要求核实并说明。",
        text="来件全文", department="property_company",
        handler="cs_specialist", requester=Requester("钱样例女士", "13800000201", "qian@example.com"), channel="mail",
        started_at=at, created_at=at, updated_at=at, arrivals=(ArrivalRef(1, "mail", "INBOX/1/1", at, "西门岗服务态度"),),
        deadlines=(
            Deadline("resolve", at, due, "S3-3.3.3", "3 calendar_days"),
            Deadline("approval", at, at + timedelta(hours=4), "S0-4.2.3", "4 service_hours"),
            Deadline("plan", at, at + timedelta(hours=4), "S4-4.1.2", "4 clock_hours"),
        ),
        documents=(Document("notice", "客联〔2025〕001号", to="property_company"),),
        fields={
            "inquiry": "已调取监控并询问当班人员", "cause": "交接班时人手较紧", "solution": "更换当班人员并培训",
            "result": "已当面说明并整改",
            "answer": "已当面向您说明情况，当班人员已调整并接受培训。", "adoption": "declined",
            "adoption_reason": "消防通道宽度有限，暂时无法增设",
            "decline_reason": "该事项由户籍所在地办理", "decline_alternative": "请携身份证到街道办事处窗口办理",
            "missing": ["房号", "发生的时间和地点"],
            "extension_reason": "配件须从外地调运", "extension_until": due.isoformat(), "previous_form": "意见〔2025〕001号",
            "visit": "satisfied",
            "approval_matter": "产权证办理进度", "incoming_number": "街发〔2025〕7号", "emergency_plan": "water_leak",
            "plan": "更换配件",
        },
    )  # fmt: skip
    return {
        "ticket": ticket_view(ticket, zone, profile="owner"),
        "site": {
            "name": "客户服务中心", "estate": "样例花园", "developer": "示范地产有限公司",
            "property_company": "样例物业服务有限公司",
            "hotline": "0571-0000 0000", "hours_text": "周一至周五 8:30–12:00、13:00–17:00", "address": "样例花园1号楼首层",
            "timezone": zone,
        },
        "data": {"verified": True, "text": "请回电", "answer": "办理时间为周一至周五，请携带身份证。"},
        "now": at, "past": [],
        "notice": {
            "number": "客联〔2025〕001号", "date": at, "to": "property_company", "to_name": "样例物业服务有限公司",
            "copies": ["销售部"],
            "subject": "西门岗服务态度", "content": "业主反映西门岗当班保安言语生硬。\n要求核实并说明。",
            "request": "请核实并书面回复。", "finish_by": due,
            "reply_by": due, "limit_rule": "S1-5.7.1", "mask": True, "contact": "由我中心联系业主", "place": "西门岗",
            "incident_time": at,
            "enclosures": [], "previous": "", "hide_house": True,
        },
    }  # fmt: skip
