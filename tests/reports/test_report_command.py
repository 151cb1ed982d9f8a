"""`kefud report` and `kefud sign` as an administrator calls them."""

import json

import pytest
from click.testing import CliRunner
from reports.town import Town, at

from kefud.cli import kefud
from kefud.cli.report import FORMATS, NAMES
from kefud.errors import Usage


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    town = Town(tmp_path_factory.mktemp("town"))
    town.periodic().step()
    town.numbers = town.live_two_months()
    for now in ("5-1 09:00", "5-22 08:30"):
        town.now = at(now)
        town.periodic().step()
    return town


def run(town, *arguments):
    return CliRunner().invoke(kefud, ["-c", str(town.path), *arguments])


PERIODS = {"daily": "2025-04-10", "daily-record": "2025-04-10", "weekly": "2025-W16", "effect": "2025-W16",
    "internal": "2025-W16",
           "briefing": "2025-W16", "visits": "2025-W22", "yearly": "2025"}  # fmt: skip


@pytest.mark.parametrize("kind", NAMES)
def test_every_report_in_every_format(town, kind, tmp_path):
    for ending in FORMATS:
        made = run(town, "report", kind, "--date", PERIODS.get(kind, "2025-04"), "-o", str(tmp_path / f"x.{ending}"))
        assert made.exit_code == 0, made.output + str(made.exception)
        assert (tmp_path / f"x.{ending}").stat().st_size > 30
    assert json.loads((tmp_path / "x.json").read_bytes())
    assert (tmp_path / "x.pdf").read_bytes().startswith(b"%PDF")


def test_the_ledger_has_consecutive_serials_for_every_matter(town):
    rows = json.loads(run(town, "report", "ledger", "--json").stdout)["rows"]
    assert [r["serial"] for r in rows] == list(range(1, 31))


def test_the_same_report_is_the_same_file(town, tmp_path):
    for ending in ("xlsx", "pdf", "html", "json"):
        files = [tmp_path / f"{n}.{ending}" for n in (1, 2)]
        for file in files:
            run(town, "report", "monthly", "--date", "2025-04", "-o", str(file))
        assert files[0].read_bytes() == files[1].read_bytes()


def test_what_was_sent_is_what_is_shown_and_what_is_counted_again(town):
    sent, fresh = (
        json.loads(run(town, "report", "monthly", "--date", "2025-04", "--json", *more).stdout) for more in ((), ("--fresh",))
    )
    assert sent["movement"] == fresh["movement"] and sent["kpis"] == fresh["kpis"]


def test_an_outside_party_gets_no_telephone_number(town):
    assert "13800000201" in run(town, "report", "ledger", "--json").stdout
    assert "13800000201" not in run(town, "report", "ledger", "--json", "--as", "property_company").stdout


def test_a_terminal_gets_text(town):
    shown = run(town, "report", "kpi", "--date", "2025-04")
    assert "满意率" in shown.stdout and "88.9%" in shown.stdout


@pytest.mark.parametrize(
    "arguments", [("daily", "--date", "tomorrow"), ("monthly", "--date", "2025"), ("ledger", "-o", "x.doc")]
)
def test_a_wrong_period_or_ending_is_one_sentence(town, arguments):
    assert isinstance(run(town, "report", *arguments).exception, Usage)


def test_a_meeting_decides_by_command(town):
    number = town.numbers["late"]
    signed = run(
        town, "sign", "meeting", "--date", "2025-05", "--text", "下月换灯", "--order", f"{number}=周五前完成", "--json"
    )
    assert signed.exit_code == 0, signed.output + str(signed.exception)
    assert json.loads(signed.stdout)["orders"] == {number: "周五前完成"}
    assert [t.kind for t in town.ticket(number).tasks] == ["order"]


def test_a_bare_read_mark_does_not_sign_the_week(town):
    refused = run(town, "sign", "weekly", "--date", "2025-W18", "--text", "已阅")
    assert refused.exit_code and "指导意见" in str(refused.exception)
