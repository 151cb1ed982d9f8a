"""A month with people who are late, wrong or silent, recounted by hand: each letter at its tick, once, and no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from month.people import PLOTS, Plot
from month.recount import Recount
from month.reports import Figures, Reports
from month.town import BACK, LEAP, Town, month, ticks

from kefud.store import registers
from kefud.store.invariants import violations

FEW = (
    "as it should be", "signs late", "more time, agreed", "passed on", "bounces", "not satisfied", "owner elsewhere",
    "archive answers", "finance helps", "an idea", "stuck in the lift", "leave given late", "call missed",
)  # fmt: skip


def lived(home: Path, plots: Sequence[Plot], hours: tuple[int, ...]) -> tuple[Town, Recount]:
    """The month goes by; the daemon is started anew in the middle, and after each jump of the clock."""
    matters = month(plots)
    town = Town(home, matters)
    with town.running():
        for now in ticks(matters, hours):
            town.tick(now)
            if now in (LEAP, BACK):
                town.restart()
        same_letters(town, recount := Recount([(m.index, m.plot, m.at) for m in matters], town.ticks))
        same_reports(town, recount)
        same_figures(town, recount)
        assert not violations(town.office.db, home / "var")
    return town, recount


def same_letters(town: Town, recount: Recount) -> None:
    """Every letter about a ticket: at its tick, to whom the rules say, once; none is missing and none is more."""
    by_ticket = {town.ticket(m).id: m for m in town.matters}
    place = {now: n for n, now in enumerate(town.ticks)}
    sent = Counter(
        (by_ticket[x["ticket"]].index, place[x["created_at"]], x["template"], x["recipient"])
        for x in town.all_letters()
        if x["ticket"] is not None
    )
    wanted = Counter(recount.letters)
    assert told(town, sent - wanted) == [], "letters that no rule calls for"
    assert told(town, wanted - sent) == [], "letters that are missing"
    assert {x["status"] for x in town.all_letters()} == {"sent"}


def told(town: Town, letters: Counter[tuple[int, int, str, str]]) -> list[str]:
    names = {m.index: m.plot.name for m in town.matters}
    return [f"{names[i]}: {town.ticks[n]:%m-%d %H:%M} {what} → {to} ({k})" for (i, n, what, to), k in sorted(letters.items())]


def same_reports(town: Town, recount: Recount) -> None:
    """Digests, records, packs, reminders and reports: each once per period, at its time."""
    place = {now: n for n, now in enumerate(town.ticks)}
    answers = ("reports/sign-off-result",)
    found = [x for x in town.all_letters() if x["ticket"] is None]
    sent = Counter((place[x["created_at"]], x["template"], x["recipient"]) for x in found if x["template"] not in answers)
    boxes = [m.at for m in town.matters if m.plot.way == "box"]
    wanted = Counter(Reports(recount, town.signed, boxes).letters)
    shown = lambda odd: [f"{town.ticks[n]:%m-%d %H:%M} {t} → {to} ({k})" for (n, t, to), k in sorted(odd.items())]  # noqa: E731
    assert shown(sent - wanted) == [], "reports that nobody asked for"
    assert shown(wanted - sent) == [], "reports that are missing"
    assert sum(x["template"] in answers for x in found) == town.signatures


def same_figures(town: Town, recount: Recount) -> None:
    """The report of May says what a recount by hand says."""
    with town.office.db.read() as tx:
        report = registers.made(tx, "monthly", "2026-05")
    assert report is not None
    figures = Figures(recount.files, date(2026, 5, 1), date(2026, 6, 1))
    kpis = {k["id"]: (k["part"], k["whole"]) for k in report.data["kpis"]}
    assert report.data["counts"] == figures.counts
    assert report.data["movement"]["received"]["by_kind"] == figures.kinds
    assert report.data["movement"]["received"]["by_channel"] == figures.ways
    assert {name: kpis[name] for name in figures.shares} == figures.shares


def test_a_month_of_a_dozen_matters(tmp_path: Path) -> None:
    lived(tmp_path, [p for p in PLOTS if p.name in FEW], (0, 9, 12, 17))
