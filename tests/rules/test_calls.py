"""What the calls of a telephone log become: matters, call-backs, lines of the call register (S2-5.2)."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hostile.station import Station, station

from kefud.cli.report import _register

HEAD = "呼叫编号,呼叫时间,呼叫类型,主叫号码,被叫号码,座席工号,振铃时长,通话时长,通话状态,来电内容,处理结果\n"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """Seven days of calls: ids that start anew each day, calls of ours, a hidden number, a call-back."""
    with station(tmp_path_factory.mktemp("calls"), folders=("calls",)) as made:
        drop(made, "0301.csv", "T1,2025-02-28 10:00:00,呼入,13800000501,80000000,802,3,90,已接,3号楼2单元101家里水管漏水请来修,")
        drop(made, "0302.csv", "T1,2025-03-01 10:00:00,呼入,13800000777,80000000,802,3,80,已接,7号楼1单元301投诉保安态度恶劣,")
        drop(
            made, "0303.csv",
            "M1,2025-03-03 08:40:00,呼入,13800000301,80000000,,20,0,未接,,",
            "M2,2025-03-03 08:45:00,呼入,匿名,80000000,,22,0,未接,,",
            "O1,2025-03-03 08:46:00,呼出,802,13800008801,802,3,90,已接,催缴物业费,",
            "O2,2025-03-03 08:47:00,呼出,802,13800008802,802,30,0,未接,,",
            "O3,2025-03-03 08:48:00,呼出,802,13800008803,802,3,60,已接,业主反映3号楼1单元602阳台窗户关不严要求维修,",
            "I1,2025-03-03 08:49:00,内部,802,803,802,3,20,已接,转工程部张工,",
        )  # fmt: skip
        made.pass_time(minutes=10)
        drop(made, "back.csv", "D1,2025-03-03 09:05:00,呼出,802,13800000301,802,4,91,已接,回电，业主问门禁卡如何补办,已告知带身份证到前台")
        for _ in range(7):
            made.pass_time(days=1)
            made.work()
        yield made


def drop(office: Station, name: str, *rows: str) -> None:
    (office.home / "calls" / name).write_text(HEAD + "".join(f"{row}\n" for row in rows), "utf-8")
    (office.home / "calls" / f"{name}.ok").touch()
    office.work()
    time.sleep(0.05)
    office.work()


def test_each_call_that_tells_of_something_is_a_matter_and_the_others_are_not(office: Station) -> None:
    assert [t.summary[:6] for t in office.tickets] == ["3号楼2单元", "7号楼1单元", "未接来电,待", "未接来电,号", "业主反映3号"]
    assert office.arrivals == {"filed": 6, "ignored": 3}


def test_a_call_we_made_and_that_was_answered_is_a_first_response(office: Station) -> None:
    ticket = office.tickets[-1]
    response = ticket.deadline("first_response")
    assert ticket.kind == "repair" and response and response.met == ticket.started_at


def test_nobody_is_chased_for_a_number_that_is_hidden(office: Station) -> None:
    ticket = office.tickets[3]
    assert not ticket.deadlines and [task.kind for task in ticket.tasks] == ["callback"]
    assert not [x for x in office.letters if x["ticket"] == ticket.id]
    assert any("号码隐藏,无法回拨" in str(line["what"]) + str(line["why"]) for line in office.history(ticket))


@pytest.mark.parametrize(("period", "ids"), [("2025-02", ["T1"]), ("2025-03", ["T1", "M1", "M2", "O1", "O2", "O3", "I1", "D1"])])
def test_the_register_tells_of_every_call_when_it_was_made(office: Station, period: str, ids: list[str]) -> None:
    with office.office.db.read() as tx:
        rows = _register(office.office, tx, "calls", period)["rows"]
    assert [row["call_id"] for row in rows] == ids


def test_the_register_has_all_the_telephone_system_told_of_each_call(office: Station) -> None:
    with office.office.db.read() as tx:
        rows = {row["call_id"]: row for row in _register(office.office, tx, "calls", "2025-03")["rows"]}
    back, inside = rows["D1"], rows["I1"]
    told = [back[x] for x in ("direction", "caller", "callee", "agent", "ring", "talk", "status", "ticket")]
    assert told == ["呼出", "802", "13800000301", "802", 4, 91, "已接听", rows["M1"]["ticket"]]
    assert (back["content"], back["result"]) == ("回电，业主问门禁卡如何补办", "已告知带身份证到前台")
    assert "9:05" in back["time"] and (inside["direction"], inside["content"]) == ("内部", "转工程部张工")
    assert inside["ticket"] == "" and "不另立事项" in inside["result"]
