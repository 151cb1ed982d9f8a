"""A small estate with two months of matters, made through the store, and the clock in the test's hand."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from kefud.config import load
from kefud.desk import decisions as d
from kefud.desk.cases import Case
from kefud.desk.ticket import Deadline, Requester, Ticket
from kefud.store import numbers, registers, schema, tickets
from kefud.store.tickets import Ledger
from kefud.wiring import Office

CHINA = timezone(timedelta(hours=8))
ROLES = (
    "receptionist", "cs_clerk", "cs_specialist", "cs_supervisor", "cs_manager", "leader_in_charge", "leadership",
    "property_supervisor", "property_manager", "pm_dept_manager", "director", "service_inspector", "duty_officer",
)  # fmt: skip
CONFIG = """
[service]
name = "客户服务中心"
estate = "样例花园"
hotline = "400-000-0000"
spool = "var"
database = "{database}"
trust_internal_mail = true
outgoing = {{ name = "客户服务中心", address = "kefu@estate.example.com" }}
[[channel]]
id = "east-gate"
plugin = "complaint_box"
folder = "box"
box = "东门意见箱"
[[party]]
id = "property_company"
name = "样例物业服务有限公司"
kind = "property_company"
addresses = ["wuye@property.example.com"]
[[party]]
id = "contractor-a"
name = "示例防水维修队"
kind = "contractor"
addresses = ["a@repair.example.com"]
[[house]]
id = "3-2-501"
owner = "何样板"
[[house]]
id = "5-1-201"
owner = "吕例句"
[[house]]
id = "9-9-909"
owner = "孔草图"
status = "vacant"
[[knowledge]]
topic = "泳池开放时间"
answer = "每日 9:00–21:00"
verified_on = 2025-03-01
valid_until = 2025-04-20
{more}
"""


def at(text: str) -> datetime:
    """ "4-24 16:00" of 2025, or with a year before it."""
    day, _, clock = text.partition(" ")
    date = day if day.count("-") == 2 else f"2025-{day}"
    year, month, number = map(int, date.split("-"))
    parts = [int(p) for p in (clock or "09:00").split(":")]
    return datetime(year, month, number, *parts, tzinfo=CHINA)


class Town:
    """The office of one test; ``now`` is its clock."""

    def __init__(self, home: Path, database: str = "", more: str = "", roles: tuple[str, ...] = ROLES) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.path = home / "kefud.toml"
        staff = "".join(f'[[role]]\nid = "{r}"\naddress = "{r.replace("_", "-")}@estate.example.com"\n' for r in roles)
        self.path.write_text(CONFIG.format(database=database, more=more + staff), "utf-8")
        self.now = at("4-1 08:00")
        self.office = Office(load(self.path), clock=lambda: self.now, exclusive=False)
        schema.ensure(self.office.db)
        self.reporter = self.office.reporter

    def periodic(self) -> Any:
        """A freshly started stage: what it knows it knows from the store."""
        return self.office.periodic(lambda: None, lambda: True)

    def open(self, when: str, kind: str, **given: Any) -> str:
        """A matter reaches us; its number."""
        start = at(when)
        self.now = start
        values: dict[str, Any] = {
            "kind": kind, "category": "general", "house": "3-2-501", "subject": "事项", "summary": "事项内容",
            "text": "事项内容",
            "department": "cs_center", "handler": "cs_specialist" if kind in ("complaint", "repair") else "cs_clerk",
            "requester": Requester("何样板", "13800000201", "he@example.com"), "medium": "mail", "channel": "kefu",
        } | given  # fmt: skip
        clocks = [self.clock(start, *c) for c in values.pop("clocks", ())]
        with self.office.db.write() as tx:
            ledger = Ledger(tx, start)
            number = numbers.ticket_number(tx, start.date())
            made = ledger.create(Ticket(number=number, status="triaged", started_at=start, deadlines=tuple(clocks), **values))
            ledger.history(made.id, "program", "opened", "来自邮件")
            ledger.history(made.id, "program", "status:triaged", "")
            ledger.flush()
        return number

    @staticmethod
    def clock(start: datetime, name: str, due: str, rule: str, agreed: bool = False) -> Deadline:
        return Deadline(name, start, at(due), rule, agreed=agreed)

    def do(self, number: str, when: str, *given: d.Decision) -> Ticket:
        """What happens to a ticket at a time; a step the state machine refuses is a fault of the test."""
        self.now = at(when)
        before = self.ticket(number)
        self.office.casework.carry_out({number: given}, "cs_specialist", "test", "", lambda tx, now: None)
        after = self.ticket(number)
        wanted = [x.to for x in given if isinstance(x, d.Move)]
        assert not wanted or after.status == wanted[-1], f"{number}: {before.status} → {wanted}, got {after.status}"
        return after

    def finish(self, number: str, when: str) -> None:
        """Answered and closed at once: consultations, suggestions, praise."""
        self.do(
            number,
            when,
            d.SetFields({"answer": "已答复"}),
            d.StopClock("reply", at(when)),
            d.Move("answered"),
            d.Move("closed"),
        )

    def work(self, number: str, when: str, to: str) -> None:
        """Passed on by a notice, signed for, in work."""
        self.do(number, when, d.Notice(to), d.Move("assigned"), d.Move("acknowledged"), d.Move("in_progress"))

    def handle(self, number: str, when: str, cause: str = "老化", accepted: bool = True) -> None:
        fields = {
            "result": "已处理",
            "inquiry": "已调查",
            "cause": cause,
            "solution": "已更换",
            "customer_talk": "已沟通",
            "done_by": "x",
        }
        self.do(number, when, d.SetFields(fields), d.Move("handled"), d.Move("verified" if accepted else "in_progress"))

    def answer(self, number: str, when: str) -> None:
        stop = d.StopClock("resolve", at(when))
        self.do(number, when, d.SetFields({"answer": "已办结"}), stop, d.Move("answered"), d.Move("visiting"))

    def visit(self, number: str, when: str, said: str) -> None:
        """The answer of a return visit: closed, or opened again."""
        if said == "unsatisfied":
            again = (d.Move("reopened"), d.NewRound(), d.Move("triaged"))
            self.do(number, when, d.SetFields({"visit": said, "visit_reason": "垃圾还在"}), *again)
        else:
            self.do(number, when, d.SetFields({"visit": said}), d.Move("closed"))

    def ticket(self, number: str) -> Ticket:
        with self.office.db.read() as tx:
            found = tickets.by_number(tx, number)
        assert found is not None
        return found

    def cases(self, start: str, end: str) -> list[Case]:
        with self.office.db.read() as tx:
            return registers.cases(tx, at(start), at(end))

    def data(self, kind: str, day: str, now: str) -> dict[str, Any]:
        """The data of the report of ``kind`` for the period of ``day``, counted at ``now``."""
        slot = self.reporter.slot(kind, at(day).date())
        assert slot is not None
        with self.office.db.read() as tx:
            return self.reporter.data(tx, slot, at(now))

    def made(self, *kinds: str) -> list[registers.Made]:
        with self.office.db.read() as tx:
            return registers.listed(tx, kinds)

    def letters(self, template: str = "") -> list[dict[str, Any]]:
        """Letters written, oldest first."""
        from kefud.store import letters

        with self.office.db.read() as tx:
            return [x for x in reversed(letters.listed(tx, most=10_000)) if not template or x["template"] == template]

    def live_two_months(self) -> dict[str, str]:
        """Thirty matters of April and May; the figures in the tests are counted from this page by hand."""
        n: dict[str, str] = {}
        for i in range(1, 11):  # ten consultations: nine in time, the tenth a second late; the last two by agreed time
            due, agreed = f"4-{i + 1} 17:00", i >= 9
            clock = ("reply", due, "S0-4.1.3" if agreed else "S3-3.3.1", agreed)
            n[f"c{i}"] = self.open(f"4-{i} 10:00", "consultation", medium="call" if i % 2 else "mail", clocks=[clock])
            self.finish(n[f"c{i}"], "4-11 17:00:01" if i == 10 else f"4-{i} 15:00")
        for i, category in enumerate(("facility", "facility", "facility", "house_quality"), 1):  # four orders of the contractor
            number = n[f"r{i}"] = self.open(
                f"4-{i + 1} 09:30", "repair", category=category, department="contractor", house="5-1-201",
                fields={"contractor": "contractor-a", "place": "3号楼地下车库"},
                clocks=[("resolve", f"4-{i + 8} 17:00", "S3-3.3.2")],
            )  # fmt: skip
            self.work(number, f"4-{i + 1} 10:00", "contractor-a")
            if i == 2:  # the first acceptance fails
                self.handle(number, "4-6 10:00", accepted=False)
            self.handle(number, "4-15 10:00" if i == 3 else f"4-{i + 4} 15:00", cause="管道老化")
            self.answer(number, "4-15 11:00" if i == 3 else f"4-{i + 4} 16:00")
            self.visit(number, f"4-{i + 15} 10:00", "satisfied")
        for i, said in enumerate(("satisfied", "satisfied", "satisfied", "mostly", "unsatisfied"), 1):  # five complaints
            number = n[f"p{i}"] = self.open(
                f"4-{i + 13} 10:12", "complaint", category="environment", department="property_company", house=f"{i}-1-101",
                clocks=[("notice_property", f"4-{i + 13} 18:12", "S1-5.7.1"), ("resolve", f"4-{i + 16} 17:00", "S3-3.3.3")],
            )  # fmt: skip
            self.work(number, f"4-{i + 13} 11:00", "property_company")
            sent = f"4-{i + 13} 19:12" if i == 1 else f"4-{i + 13} 11:01"  # the first notice leaves after nine hours
            self.do(number, sent, d.StopClock("notice_property", at(sent)))
            self.do(number, f"4-{i + 14} 09:00", d.Draw("opinion_form"))
            self.handle(number, f"4-{i + 15} 10:00")
            self.answer(number, f"4-{i + 15} 11:00")
            self.visit(number, f"4-{i + 18} 10:00", said)
        n["s1"] = self.open("4-20 10:00", "suggestion", house=None)
        self.finish(n["s1"], "4-21 10:00")
        n["praise"] = self.open("4-21 10:00", "praise")
        self.finish(n["praise"], "4-21 11:00")
        n["merged"] = self.open("4-22 10:00", "complaint", category="environment", house="1-1-101")
        self.do(n["merged"], "4-22 10:01", d.Merge(n["p1"]), d.Move("merged"))
        n["anonymous"] = self.open(
            "4-22 10:00", "suggestion", origin="anonymous", medium="paper", requester=Requester(anonymous=True), house=None
        )
        self.do(n["anonymous"], "4-23 10:00", d.SetFields({"no_answer_reason": "匿名"}), d.Move("answered"), d.Move("closed"))
        late = ("resolve", "5-3 17:00", "S3-3.3.3")
        n["open"] = self.open("4-30 16:20", "complaint", category="attitude", clocks=[late], department="property_company")
        self.work(n["open"], "5-1 09:00", "property_company")  # May
        self.do(n["open"], "5-1 09:05", d.Draw("opinion_form"))
        self.handle(n["open"], "5-2 10:00")
        self.answer(n["open"], "5-2 11:00")
        self.visit(n["open"], "5-4 10:00", "satisfied")
        self.work(n["p5"], "5-5 09:00", "property_company")
        self.handle(n["p5"], "5-6 10:00", cause="清运不及时")
        self.answer(n["p5"], "5-6 11:00")
        self.visit(n["p5"], "5-8 10:00", "satisfied")
        for i in range(1, 6):
            n[f"m{i}"] = self.open(f"5-{i + 9} 10:00", "consultation", clocks=[("reply", f"5-{i + 10} 17:00", "S3-3.3.1")])
            self.finish(n[f"m{i}"], f"5-{i + 9} 14:00")
        n["late"] = self.open("5-20 10:00", "repair", category="facility", clocks=[("resolve", "5-27 17:00", "S3-3.3.2")])
        return n
