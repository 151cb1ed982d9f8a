"""The figures, recounted by hand from the thirty matters in town.py."""

import pytest
from reports.town import Town, at

from kefud.desk import decisions as d
from kefud.desk.ticket import Ticket
from kefud.reports import Case, Event, for_reader
from kefud.reports.figures import movement
from kefud.reports.ledger import LEDGER, box_rows, call_rows, documents_in, ledger_row


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    town = Town(tmp_path_factory.mktemp("town"))
    return town, town.live_two_months()


def kpi(data, id):
    return next(k for k in data["kpis"] if k["id"] == id)


def test_april_received_handled_open(lived):
    data = lived[0].data("monthly", "4-1", "5-1 09:00")
    moved = data["movement"]
    assert (moved["received"]["total"], moved["handled"]["total"], moved["open"]["total"]) == (24, 22, 2)
    assert moved["received"]["by_kind"] == {"consultation": 10, "complaint": 7, "repair": 4, "suggestion": 2, "praise": 1}
    assert moved["received"]["by_class"] == {"daily": 13, "complaint": 7, "repair": 4}
    assert moved["received"]["by_channel"] == {"mail": 18, "call": 5, "paper": 1}
    assert (moved["open_before"], moved["reopened"]) == (0, 1)


def test_what_was_open_and_came_in_went_out_or_stays(lived):
    for day, now in (("4-1", "5-1 09:00"), ("5-1", "6-1 09:00")):
        moved = lived[0].data("monthly", day, now)["movement"]
        assert moved["open_before"] + moved["received"]["total"] - moved["handled"]["total"] == moved["open"]["total"]


LIVES = (
    ("3-3", "registered 3-3", "visiting 3-7", "reopened 3-8", "triaged 3-8"),
    ("3-3", "registered 3-3", "closed 3-7", "reopened 3-8", "triaged 3-8", "closed 4-9"),
    ("3-3", "registered 3-3", "closed 3-7", "reopened 4-8", "triaged 4-8"),
    ("3-3", "registered 3-3", "closed 3-7", "reopened 4-8", "triaged 4-8", "closed 4-9", "archived 5-9"),
    ("3-3", "registered 3-3", "visiting 4-8", "reopened 4-9", "closed 4-10", "reopened 5-2", "closed 5-3", "reopened 5-4"),
    ("3-3", "closed 4-2"),
    ("3-3", "in_progress 4-2", "closed 4-9", "reopened 5-9"),
)


def life(start, *steps):
    """A matter by its states; one that does not begin registered was brought along from another system."""
    told = [Event(at(when), "program", f"status:{status}") for status, when in (s.split() for s in steps)]
    before = [] if steps[0].startswith("registered") else [Event(told[0].at, "import", "imported")]
    return Case(Ticket(started_at=at(start)), (*before, *told))


@pytest.mark.parametrize(("month", "again"), [((3, 4), 0), ((4, 5), 2), ((5, 6), 2)])
def test_what_was_opened_again_after_its_end_is_open_again(month, again):
    """Each life by itself, and all of them together."""
    lives = [life(*told) for told in LIVES]
    for cases in (*([case] for case in lives), lives):
        moved = movement(cases, *(at(f"{m}-1 00:00") for m in month))
        came = moved["open_before"] + moved["received"]["total"] + moved["opened_again"]
        assert came - moved["handled"]["total"] == moved["open"]["total"], cases
    assert moved["opened_again"] == again


def test_april_says_the_same_when_it_is_counted_again_in_june(lived):
    assert lived[0].data("monthly", "4-1", "6-20 09:00") == lived[0].data("monthly", "4-1", "5-1 09:00")


@pytest.mark.parametrize(
    ("id", "part", "whole"),
    [
        ("complaint_rate", 7, 24), ("praise_rate", 1, 24), ("first_acceptance", 8, 9), ("timely_reply", 9, 10),
        ("on_time_completion", 8, 9), ("complaint_on_time", 5, 5), ("agreed_kept", 1, 2), ("satisfaction", 8, 9),
    ],
)  # fmt: skip
def test_the_indicators_of_april(lived, id, part, whole):
    found = kpi(lived[0].data("monthly", "4-1", "5-1 09:00"), id)
    assert (found["part"], found["whole"], found["percent"]) == (part, whole, round(100 * part / whole, 1))


def test_a_second_late_is_late_and_named(lived):
    town, n = lived
    (miss,) = town.data("monthly", "4-1", "5-1 09:00")["misses"]
    assert (miss["number"], miss["late_minutes"]) == (n["c10"], 1)


def test_satisfaction_below_its_target_is_red_and_asks_for_improvement(lived):
    data = lived[0].data("monthly", "4-1", "5-1 09:00")
    assert kpi(data, "satisfaction")["red"] and data["improvements"][0]["rule"] == "S4-4.4.2"


def test_one_cause_three_times_asks_for_improvement(lived):
    data = lived[0].data("monthly", "4-1", "5-1 09:00")
    assert {r["id"] for r in data["improvements"]} == {"satisfaction", "cause:管道老化", "cause:老化"}


def test_a_notice_after_nine_hours_is_one_breach_with_both_times(lived):
    town, n = lived
    row = next(r for r in town.data("monthly", "4-1", "5-1 09:00")["breaches"] if r["rule"] == "S1-5.7.1")
    (breach,) = row["list"]
    assert (row["checks"], row["breaches"], row["open"]) == (5, 1, 0)
    assert (breach["number"], breach["due"], breach["met"]) == (n["p1"], "2025年4月14日 18:12", "2025年4月14日 19:12")


def test_four_orders_one_late_one_refused(lived):
    (score,) = lived[0].data("contractors", "4-1", "5-1 09:00")["scores"]
    assert (score["orders"], score["on_time_percent"], score["passed_percent"]) == (4, 75.0, 75.0)


def test_three_matters_at_one_place_are_a_hot_spot(lived):
    hot = lived[0].data("monthly", "4-1", "5-1 09:00")["hot_spots"]
    assert [(h["name"], h["count"]) for h in hot] == [("3号楼地下车库 · 设施维护", 3)]


def test_visits_by_department_with_the_reason(lived):
    visits = lived[0].data("visit-analysis", "4-1", "5-1 09:00")
    assert (visits["satisfied"], visits["of"]) == (8, 9)
    assert [(d["department"], d["percent"]) for d in visits["departments"]] == [
        ("contractor", 100.0),
        ("property_company", 80.0),
    ]
    assert visits["reasons"][0]["name"] == "垃圾还在"


def test_a_tenth_of_what_was_closed_is_drawn_again_the_same(lived):
    first, second = (lived[0].data("spot-check", "4-1", "5-1 09:00") for _ in range(2))
    assert (first["closed"], len(first["numbers"])) == (21, 3) and first == second


def test_the_year_has_twelve_months_and_marks_the_missing(lived):
    data = lived[0].data("yearly", "12-1", "12-20 09:00")
    assert [m["name"] for m in data["months"]] == [f"2025-{m:02}" for m in range(1, 13)]
    assert [m["name"] for m in data["months"] if not m["missing"]] == ["2025-04", "2025-05"]
    assert data["total"]["complaints"] == 6


def test_an_owners_committee_ends_the_supervision(tmp_path):
    town = Town(tmp_path, more='[plugin.reports]\nowners_committee = "2025-03-01"\n')
    data = town.data("contractors", "4-1", "5-1 09:00")
    assert data["scores"] == [] and "业主委员会" in data["off"]


def test_the_meeting_pack_names_every_unanswered_notice(tmp_path):
    town = Town(tmp_path)
    number = town.open("4-10 10:00", "complaint", department="property_company", category="safety")
    town.work(number, "4-10 11:00", "property_company")
    assert [r["number"] for r in town.data("meeting", "4-1", "4-22 09:00")["notices"]] == [number]


def test_the_ledger_has_every_column_and_its_remark(lived):
    town, n = lived
    case = next(c for c in town.cases("4-1 00:00", "5-1 00:00") if c.number == n["p1"])
    row = ledger_row(case, 1, at("5-1 09:00"), town.reporter.desk)
    assert len(LEDGER) == 30 and {key for key, _ in LEDGER} <= set(row)
    assert row["remark"].startswith("转样例物业服务有限公司 客联〔2025〕005号 2025年4月14日 11:00")
    assert (row["visit"], row["satisfaction"], row["on_time"]) == ("2025年4月19日 10:00", "满意", "是")


def test_a_matter_opened_again_is_not_answered_by_the_answer_before(tmp_path):
    """S3-2.5.4: the second round has its own time, and was never answered."""
    town = Town(tmp_path)
    number = town.open("3-3 10:00", "repair", clocks=[("reply", "3-5 17:00", "S3-3.3.1"), ("resolve", "3-7 17:00", "S3-3.3.2")])
    town.do(number, "3-4 10:00", d.StopClock("reply", at("3-4 10:00")))
    town.work(number, "3-4 11:00", "contractor-a")
    town.handle(number, "3-6 10:00")
    town.answer(number, "3-6 11:00")
    town.visit(number, "3-7 10:00", "unsatisfied")
    town.do(number, "3-7 10:00", d.StartClock("resolve", at("3-7 10:00"), at("3-14 17:00"), rule="S3-3.3.2"))

    def row(now):
        (case,) = town.cases("3-1", "4-1")
        found = ledger_row(case, 1, at(now), town.reporter.desk)
        return found["agreed_at"], found["answered_at"], found["on_time"]

    assert row("3-10 09:00") == ("2025年3月14日 17:00", "", "")
    assert row("4-1 09:00") == ("2025年3月14日 17:00", "", "否(逾期未答)")
    town.work(number, "4-1 10:00", "contractor-a")
    town.handle(number, "4-1 11:00")
    town.answer(number, "4-1 17:00")
    assert row("4-2 09:00") == ("2025年3月14日 17:00", "2025年4月1日 17:00", "否(迟18天)")


def test_an_outside_party_sees_no_name_and_no_number(lived):
    town, n = lived
    case = next(c for c in town.cases("4-1 00:00", "5-1 00:00") if c.number == n["open"])
    shown = for_reader(ledger_row(case, 1, at("5-1 09:00"), town.reporter.desk), masked=True)
    assert (shown["name"], shown["phone"], shown["house"]) == ("业主", "138****0201", "")


def test_what_people_wrote_names_nobody_to_an_outside_party(tmp_path):
    """Rule 35: causes, titles of letters and results of calls, too."""
    town, words = Town(tmp_path), "何样板13800000201反映的保洁员脱岗"
    for day in (3, 4, 5):
        number = town.open(f"4-{day} 10:00", "complaint")
        town.do(number, f"4-{day} 10:01", d.Draw("doc_in_register", {"title": f"关于{words}的函"}))
        town.work(number, f"4-{day} 10:30", "property_company")
        town.handle(number, f"4-{day} 11:00", cause=words)
        town.answer(number, f"4-{day} 12:00")
        town.visit(number, f"4-{day} 13:00", "satisfied")
    month, desk = (at("4-1 00:00"), at("5-1 00:00")), town.reporter.desk
    call = {"ref": "C1", "at": at("4-3"), "data": {"result": f"已告知{words}", "house": "3-2-501", "customer": "何样板"}}
    shown = {
        "monthly": town.data("monthly", "4-1", "5-1 09:00"), "record": town.data("record", "4-3", "4-3 17:00"),
        "calls": list(call_rows([call], desk)), "incoming": documents_in(town.cases("4-1", "5-1"), *month, desk),
    }  # fmt: skip
    for name, data in shown.items():
        assert "何样板" in str(for_reader(data, masked=False)), name
        masked = str(for_reader(data, masked=True))
        assert "何样板" not in masked and "13800000201" not in masked, name
    (cause,) = for_reader(shown["monthly"], masked=True)["causes"]
    assert (cause["name"], cause["count"]) == ("业主138****0201反映的保洁员脱岗", 3)
    assert "3-2-501" not in str(for_reader(shown["calls"], masked=True))


def test_half_a_telephone_number_is_hidden_where_words_are_cut(tmp_path):
    town = Town(tmp_path)
    number = town.open("4-3 10:00", "complaint", summary=f"{'垃' * 112}13800000201")
    row = town.data("record", "4-3", "4-3 17:00")["received"][0]
    assert row["number"] == number and "1380000" not in str(for_reader(row, masked=True))


def letter(when, ref, **told):
    """A paper of the east gate's box as the store tells of it."""
    data = {"box": "东门意见箱", **told} if told else {}
    return {"ref": ref, "at": at(when), "channel": "east-gate", "box": data.get("box", ""), "ticket": ref, "data": data}


def test_an_opening_is_what_was_registered_or_scanned_together(lived):
    """S1-5.4.3: two registered openings of one day are two, the scans of a day without a register one."""
    told = {"registered": True, "opener": "甲", "witness": "乙", "lock": "完好"}
    letters = [
        letter("4-3 08:30", "a", **told, pages=2), letter("4-3 08:30", "b"), letter("4-3 16:00", "c", **told | {"lock": "异常"}),
        letter("4-4 08:30", "d"), letter("4-4 08:31", "e", opener="丙"), letter("4-4 08:32", "f", opener="丙"),
        letter("4-5 08:30", "g"),
    ]  # fmt: skip
    rows = box_rows(letters, [], lived[0].reporter.desk, {"east-gate": "东门意见箱"})
    assert {r["box"] for r in rows} == {"东门意见箱"}
    shown = [(r["opened_at"][5:], r["opener"], r["witness"], r["lock"], r["count"], r["serial"], r["file"]) for r in rows]
    assert shown == [
        ("4月3日 08:30", "甲", "乙", "完好", 2, 1, "a"), ("4月3日 08:30", "甲", "乙", "完好", 2, 2, "b"),
        ("4月3日 16:00", "甲", "乙", "异常", 1, 1, "c"), ("4月4日 08:30", "丙", "", "", 3, 1, "d"),
        ("4月4日 08:30", "丙", "", "", 3, 2, "e"), ("4月4日 08:30", "丙", "", "", 3, 3, "f"),
        ("4月5日 08:30", "", "", "", 1, 1, "g"),
    ]  # fmt: skip


def test_the_daily_digest(lived):
    town, n = lived
    data = town.data("daily", "4-10", "4-10 16:00")
    assert [r["number"] for r in data["received"]] == [n["c10"]]
    assert [r["number"] for r in data["due_soon"]] == [n["r3"], n["c10"]]
    assert data["counts"] == {"新收": 1, "办结": 0, "未办结": 5, "今明到期": 2, "逾期": 0}


def test_overdue_is_what_was_overdue_then(lived):
    town, n = lived
    overdue = town.data("daily", "5-28", "5-28 16:00")["overdue"]
    assert [(r["number"], r["late"]) for r in overdue] == [(n["late"], "23小时")]


def test_an_empty_day_still_has_a_record(tmp_path):
    data = Town(tmp_path).data("record", "4-2", "4-2 17:00")
    assert data["counts"]["受理"] == 0 and data["weekday"] == "星期三"


def test_falling_twice_by_more_than_five_points_asks_for_improvement():
    from kefud.reports.summaries import improvements

    low = {"percent": 90.0, "red": False, "text": "90.0%"}
    assert [r["id"] for r in improvements({"causes": []}, low, (93.0, 96.0), 80)] == ["trend"]
    assert improvements({"causes": []}, low, (93.0, 94.0), 80) == []


def test_a_house_is_called_on_a_month_after_its_hand_over(tmp_path):
    """Handed over on the first of April: on the plan from the first of May until somebody was there (S4-3.4.2)."""
    town = Town(tmp_path, more='[[house]]\nid = "9-1-101"\nhanded_over = 2025-04-01\n')

    def listed(day):
        with town.office.db.read() as tx:
            return "9-1-101" in [h["house"] for h in town.reporter.visit_plan(tx, at(day), "")["houses"]]

    assert [listed(day) for day in ("4-10 09:00", "4-30 09:00", "5-1 09:00", "5-20 09:00")] == [False, False, True, True]
    town.office.signing.called_on("9-1-101", "cs_specialist", at("5-21 10:00"), "已走访")
    assert not listed("5-22 09:00")


def test_the_plan_lists_houses_nobody_was_in_touch_with(tmp_path):
    town = Town(tmp_path, more='[plugin.reports]\nopt_out = ["5-1-201"]\n')
    number = town.open("4-1 09:00", "consultation")
    town.finish(number, "4-1 09:30")

    def listed(day):
        with town.office.db.read() as tx:
            return [h["house"] for h in town.reporter.visit_plan(tx, at(day), "")["houses"]]

    assert (listed("6-1"), listed("7-1 10:00")) == ([], ["3-2-501"])
    town.office.signing.called_on("3-2-501", "cs_specialist", at("7-2 10:00"), "已走访")
    assert listed("7-3") == []
