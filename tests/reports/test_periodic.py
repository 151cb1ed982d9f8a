"""Everything once per period, at its time, however often the daemon starts and however the clock jumps."""

from datetime import timedelta

import pytest
from reports.town import CHINA, Town, at

from kefud.desk import decisions as d
from kefud.reports import SignOff, read_settings


def times(town, kind):
    """When each report of a kind was made: period → local time."""
    return {m.period: f"{m.made_at.astimezone(CHINA):%m-%d %H:%M}" for m in town.made(kind)}


LOOKS = ("08:00", "08:30", "09:00", "10:30", "12:00", "14:30", "15:00", "15:30", "16:00", "17:00", "17:30")


def walk(town, until):
    """Let time pass, with some looks a day; the daemon starts anew before each."""
    last, day = at(until), town.now.astimezone(CHINA).date()
    while day <= last.date():
        for look in LOOKS:
            moment = at(f"{day.isoformat()} {look}")
            if town.now < moment <= last:
                town.now = moment
                town.periodic().step()
        day += timedelta(days=1)


@pytest.fixture(scope="module")
def april(tmp_path_factory):
    """A month with a holiday (4–6 April) and a make-up working day (27 April), begun on 31 March."""
    town = Town(tmp_path_factory.mktemp("april"))
    town.now = at("3-31 20:00")
    town.periodic().step()
    town.open("4-1 08:00", "repair", clocks=[("resolve", "4-2 17:00", "S3-3.3.2")])
    town.now = at("3-31 20:00")
    walk(town, "5-1 10:00")
    return town


def test_a_digest_each_day_at_four_and_a_record_at_closing(april):
    days = [f"{n:02}" for n in range(1, 31)]
    assert times(april, "daily") == {f"2025-04-{n}": f"04-{n} 16:00" for n in days}
    assert times(april, "record") == {f"2025-04-{n}": f"04-{n} 17:00" for n in days}


def test_a_digest_each_friday_and_its_summary(april):
    fridays = {"2025-W14": "04-04 15:00", "2025-W15": "04-11 15:00", "2025-W16": "04-18 15:00", "2025-W17": "04-25 15:00"}
    assert times(april, "weekly") == times(april, "effect") == fridays


def test_packs_on_monday_morning(april):
    mondays = {"2025-W14": "04-07 08:30", "2025-W15": "04-14 08:30", "2025-W16": "04-21 08:30", "2025-W17": "04-28 08:30"}
    assert times(april, "internal") == times(april, "briefing") == times(april, "visits") == mondays


def test_the_month_is_reported_on_the_first_service_day(april):
    for kind in ("monthly", "visit-analysis", "contractors", "spot-check"):
        assert times(april, kind) == {"2025-03": "04-01 09:00", "2025-04": "05-01 09:00"}


def test_the_meeting_pack_comes_three_days_before_the_twenty_fifth(april):
    assert times(april, "meeting") == {"2025-04": "04-22 08:30"}


def test_an_unsigned_digest_goes_to_the_property_manager_the_next_morning(april):
    found = times(april, "daily-missing")
    assert found["2025-04-01"] == "04-02 08:30" and found["2025-04-04"] == "04-05 09:00" and len(found) == 30


def test_an_unsigned_week_goes_to_the_department_manager(april):
    assert times(april, "weekly-missing")["2025-W14"] == "04-07 08:30"
    assert {x["recipient"] for x in april.letters("reports/sign-off-missing")} == {"property_manager", "pm_dept_manager"}


def test_a_week_without_sign_off_is_a_breach_of_the_month(april):
    (report,) = [m for m in april.made("monthly") if m.period == "2025-04"]
    row = next(r for r in report.data["breaches"] if r["rule"] == "S0-4.2.5a")
    assert (row["checks"], row["breaches"], row["open"]) == (4, 4, 4)


def test_a_box_nobody_opened_is_a_reminder_and_a_breach(april):
    assert len(april.letters("reports/box-reminder")) == len(april.made("box-due")) == 13
    (report,) = [m for m in april.made("monthly") if m.period == "2025-04"]
    row = next(r for r in report.data["breaches"] if r["rule"] == "S1-5.4.3")
    assert (row["checks"], row["breaches"]) == (13, 13)


def test_knowledge_that_ends_is_told_its_owner_before_and_after(april):
    told = [(x["created_at"].astimezone(CHINA).strftime("%m-%d"), x["recipient"]) for x in april.letters("reports/knowledge")]
    assert told == [("04-06", "cs_clerk"), ("04-21", "cs_clerk")]


def test_a_breach_reaches_the_inspector_within_one_cycle(april):
    (letter,) = april.letters("reports/breaches")
    assert letter["recipient"] == "service_inspector" and letter["created_at"].astimezone(CHINA) == at("4-2 17:30")


def test_a_breach_that_was_made_good_before_anybody_looked_is_told_all_the_same(tmp_path):
    """A promise of nine o'clock, kept at nine thirty, while the daemon was away (S3-5.1.1)."""
    town = Town(tmp_path)
    town.now = at("4-2 08:00")
    town.periodic().step()
    number = town.open("4-2 08:30", "consultation", clocks=[("reply", "4-2 09:00", "S0-4.1.3")])
    town.do(number, "4-2 09:30", d.StopClock("reply", at("4-2 09:30"), rule="S0-4.1.3"))
    town.now = at("4-2 10:00")
    town.periodic().step()
    assert len(town.letters("reports/breaches")) == 1


def test_each_letter_is_written_once(april):
    keys = [(x["recipient"], x["key"]) for x in april.letters() if x["key"]]
    assert len(keys) == len(set(keys))


def test_nothing_older_than_the_store_is_made_up_for(tmp_path):
    town = Town(tmp_path)
    town.now = at("4-9 18:00")
    assert not town.periodic().step() and town.letters() == []


def test_after_a_long_silence_only_the_last_is_made(tmp_path):
    town = Town(tmp_path)
    town.periodic().step()
    town.now = at("4-20 18:00")
    town.periodic().step()
    assert [m.period for m in town.made("daily")] == ["2025-04-20"]
    assert [m.period for m in town.made("weekly")] == ["2025-W16"]


def test_nobody_is_invited_to_a_meeting_that_is_over(tmp_path):
    town = Town(tmp_path)
    town.periodic().step()
    town.now = at("4-28 09:00")
    town.periodic().step()
    assert len(town.made("meeting")) == 1 and town.letters("reports/meeting") == []


def test_a_clock_that_jumps_back_makes_nothing_twice(tmp_path):
    town = Town(tmp_path)
    town.periodic().step()
    for now in ("4-2 16:00", "4-1 16:00", "4-2 15:59", "4-2 16:01", "4-1 17:00"):
        town.now = at(now)
        town.periodic().step()
    assert sorted(times(town, "daily")) == ["2025-04-01", "2025-04-02"]
    assert len(town.letters("reports/daily")) == 2


def test_a_late_digest_is_to_be_signed_the_next_day(tmp_path):
    town = Town(tmp_path)
    town.periodic().step()
    town.now = at("4-2 08:00")
    town.periodic().step()
    assert town.made("daily")[0].data["sign_by"] == "2025年4月2日 17:00"
    walk(town, "4-2 12:00")
    assert town.made("daily-missing") == []


def test_a_signed_digest_is_not_missing(tmp_path):
    town = Town(tmp_path)
    town.periodic().step()
    town.now = at("4-1 16:00")
    town.periodic().step()
    town.office.signing.sign("daily", None, "property_supervisor", SignOff(True))
    town.now = at("4-2 08:30")
    town.periodic().step()
    assert town.made("daily-missing") == []


def test_twenty_one_open_are_too_many_for_one(tmp_path):
    town = Town(tmp_path)
    town.periodic().step()
    for _ in range(21):
        town.open("4-1 10:00", "repair")
    walk(town, "4-1 12:00")
    (letter,) = town.letters("reports/backlog")
    assert letter["recipient"] == "cs_manager" and "21" in letter["text"]


def test_an_empty_box_that_was_opened_needs_no_reminder(tmp_path):
    town = Town(tmp_path)
    town.periodic().step()
    town.office.signing.opened("east-gate", "cs_clerk", at("4-1 10:05"), "无来信")
    town.now = at("4-1 12:30")
    town.periodic().step()
    assert town.letters("reports/box-reminder") == []


def test_what_is_switched_off_is_not_made(tmp_path):
    town = Town(tmp_path, more='[plugin.reports]\noff = ["daily", "missing"]\ndaily_at = "15:00"\n')
    town.periodic().step()
    town.now = at("4-1 18:00")
    town.periodic().step()
    assert town.made("daily") == [] and len(town.made("record")) == 1


def test_a_role_nobody_holds_gets_nothing(tmp_path):
    town = Town(tmp_path, roles=("cs_manager",))
    town.periodic().step()
    town.now = at("4-1 18:00")
    town.periodic().step()
    assert [x for x in town.letters() if x["recipient"] != "cs_manager"] == []


def test_a_report_that_fails_keeps_no_other_waiting(tmp_path, monkeypatch):
    town = Town(tmp_path)
    town.periodic().step()
    town.now = at("4-1 18:00")
    stage = town.periodic()
    stage.reporter._daily = lambda tx, slot: 1 / 0
    stage.step()
    assert town.made("daily") == [] and len(town.made("record")) == 1


def test_the_month_encloses_its_workbook_and_its_form(april):
    letter = next(x for x in april.letters("reports/monthly") if x["key"] == "report.monthly.2025-04")
    kinds = [x[0] for x in letter["attachments"]]
    assert kinds == ["blob", "form"]


@pytest.mark.parametrize(
    ("key", "value"),
    [("daily_at", "25:00"), ("weekly_at", "someday 15:00"), ("sample_rate", 7), ("roles", {"gossip": "x"}), ("colour", "red")],
)
def test_a_wrong_setting_is_named(key, value):
    with pytest.raises(Exception, match=f"plugin.reports.{key}"):
        read_settings({key: value})


def test_the_same_on_either_engine(tmp_path, database_url):
    town = Town(tmp_path / "x", database_url)
    town.periodic().step()
    n = town.live_two_months()
    town.now = at("5-1 09:00")
    town.periodic().step()
    (report,) = town.made("monthly")
    assert report.data["movement"]["received"]["total"] == 24 and n
