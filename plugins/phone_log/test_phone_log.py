"""Every call of every export becomes one arrival, whatever the exchange calls its columns and however often it exports."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kefud.api import Arrival, Message, Site, SourceFailed, Unreadable
from kefud.testing import ManualClock, MemoryLedger, channel_contract, site, take_in

from .channel import PhoneLog
from .settings import Settings
from .values import Unclear, number, seconds, started, status

SHANGHAI = ZoneInfo("Asia/Shanghai")
HEAD = "呼叫编号,呼叫时间,呼叫类型,主叫号码,被叫号码,通话时长,通话状态,来电内容\n"
ROW = "A20250310101500,2025-03-10 10:15:00,呼入,13800000204,80000000,102,已接听,咨询\n"
TOML = '[service]\nhotline = "80000000"\n[[channel]]\nid = "calls"\nplugin = "phone_log"\nfolder = "calls"\n'


class Desk:
    """A folder of telephone logs, the channel that reads it, and a ledger."""

    def __init__(self, folder: Path, more: str = "") -> None:
        (folder / "calls").mkdir(exist_ok=True)
        self.folder = folder / "calls"
        self.site: Site = site(folder, TOML + more)
        self.clock = ManualClock(datetime(2025, 3, 12, 18, 0, tzinfo=SHANGHAI))
        self.ledger = MemoryLedger()
        self.channel = self.make()

    def make(self) -> PhoneLog:
        config = self.site.channels_of("phone_log")[0]
        return PhoneLog(config.id, Settings.of(config, self.site), self.site)

    def drop(self, text: str | bytes, name: str = "log.csv", encoding: str = "utf-8") -> None:
        (self.folder / name).write_bytes(text if isinstance(text, bytes) else text.encode(encoding))

    def look(self) -> list[Arrival]:
        return take_in(self.channel, self.ledger, self.clock)

    def calls(self, after: float = 6) -> list[Message]:
        """The new calls after a file has had time to settle."""
        arrivals = self.look()
        self.clock.advance(after)
        return [self.channel.read(a.content, a, self.site) for a in arrivals + self.look()]

    def taken(self, text: str | bytes, name: str = "log.csv", encoding: str = "utf-8") -> list[Message]:
        self.drop(text, name, encoding)
        return self.calls()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def told(message: Message) -> tuple[Any, ...]:
    call = message.call
    assert call is not None
    return (f"{call.started_at:%Y-%m-%d %H:%M:%S}", call.direction, call.status, call.caller, call.callee)


def test_keeps_the_contract_of_channels(desk: Desk) -> None:
    def put(n: int) -> None:
        desk.drop(HEAD + ROW.replace("A2025", f"B{n}"), f"{n}.csv")
        desk.drop("", f"{n}.csv.ok")

    channel_contract(desk.make, put, facts=desk.site, garbage=b"{}", now=desk.clock)


def test_reads_a_call_centre_export(desk: Desk) -> None:
    text = (
        "呼叫编号,呼叫时间,呼叫类型,主叫号码,被叫号码,座席工号,座席姓名,振铃时长(秒),通话时长(秒),通话状态,客户姓名,房号,来电内容,处理结果,录音文件\r\n"
        "A1,2025-03-10 10:15:00,呼入,13800000204,80000000,802,前台甲,6,102,已接听,张模拟,7-2-404,"
        '"咨询办卡,""家庭卡""能带几个人","约定今天16:00前回电",A1.wav\r\n'
    )
    (message,) = desk.taken(text, encoding="utf-8-sig")
    assert message.received_at == datetime(2025, 3, 10, 10, 15, tzinfo=SHANGHAI)
    assert message.text == '咨询办卡,"家庭卡"能带几个人\n约定今天16:00前回电'
    assert message.subject.startswith("来电：咨询办卡")
    call = message.call
    assert call and (call.agent, call.ring_seconds, call.talk_seconds, call.house) == ("802", 6, 102, "7-2-404")


def test_reads_a_quoted_gbk_export_with_tabs_before_numbers(desk: Desk) -> None:
    text = (
        '"时间","主叫号码","被叫号码","通话类型","通话状态","振铃时长","通话时长","呼叫ID","备注"\r\n'
        '"2025/3/12 15:05:00","802","\t13800000207","呼出","已接","9","00:01:05","PBX-1","回访:不满意"\r\n'
        '"2025/3/12 16:48:00","\t13800000204","80000000","呼入","未接","34","00:00:00","PBX-2",""\r\n'
    )
    out, missed = desk.taken(text, encoding="gbk")
    assert told(out) == ("2025-03-12 15:05:00", "out", "answered", "802", "13800000207")
    assert out.call and out.call.talk_seconds == 65 and out.text == "回访:不满意"
    assert told(missed)[1:3] == ("in", "missed") and missed.text == ""


@pytest.mark.parametrize(
    "text",
    [
        "Call Time,Call ID,From,To,Direction,Status,Ringing,Talking\n"
        "2025-03-05T09:05:00+08:00,00001D7B_1,Zhang (13800000204),Ext. 801 (前台),Inbound,Answered,00:00:04,00:01:21\n",
        "calldate;clid;src;dst;lastapp;duration;billsec;disposition;uniqueid\n"
        '2025-03-05 09:05:00;"""Z"" <13800000204>";13800000204;801;Dial;85;81;ANSWERED;1741136700.12\n',
        '"","13800000204","801","from-trunk","""Z"" <13800000204>","SIP/t","SIP/801","Dial","SIP/801","2025-03-05 09:05:00",'
        '"2025-03-05 09:05:04","2025-03-05 09:06:25","85","81","ANSWERED","DOCUMENTATION","1741136700.12",""\n',
        "callid\ttimestart\ttype\tcallfrom\tcallto\talerting_seconds\ttalkduraction\tstatus\n"
        "c-100000001\t1741136700\t0\t+86 138 0000 0204\t801\t4\t1分21秒\t1\n",
        "通话记录导出\n导出人：值班员\n\n呼叫ID，日期，时间，来电号码，被叫号码，振铃时长，通话时长，通话状态\n"
        'x-100000001，2025年3月5日，上午9:05，="13800000204"，801，4，81秒，接听\n合计，1，，，，，，\n',
    ],
    ids=["3cx", "freepbx", "asterisk without header", "epoch and tabs", "titles, full-width commas, summary"],
)
def test_knows_the_dialects_of_exchanges(desk: Desk, text: str) -> None:
    (message,) = desk.taken(text)
    assert told(message) == ("2025-03-05 09:05:00", "in", "answered", "13800000204", "801")
    assert message.call and (message.call.ring_seconds, message.call.talk_seconds) == (4, 81)
    assert not desk.ledger.problems


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16", "utf-16-le", "utf-16-be"])
def test_finds_the_encoding_over_the_whole_file(desk: Desk, encoding: str) -> None:
    text = HEAD + ROW.replace("咨询", "x") * 3 + ROW.replace("101500", "101600")
    assert [m.text for m in desk.taken(text, encoding=encoding)] == ["x", "咨询"]


def test_columns_of_the_setting_come_first(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 'columns = { caller = "对方", content = ["事由", "缘由"] }\n')
    (message,) = desk.taken("时间,主叫号码,对方,状态,缘由\n2025-3-5 9:05,801,13800000204,已接,漏水\n")
    assert message.call and message.call.caller == "13800000204" and message.text == "漏水"


def test_an_unknown_column_in_the_settings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="columns.farbe: unknown"):
        Desk(tmp_path, 'columns = { farbe = "颜色" }\n')


@pytest.mark.parametrize(
    ("cell", "order", "instant"),
    [
        ("2025/3/5 9:05", None, "2025-03-05 09:05:00"),
        ("２０２５－０３－０５　０９：０５：０７", None, "2025-03-05 09:05:07"),
        ("20250305090500", None, "2025-03-05 09:05:00"),
        ("1741136700", None, "2025-03-05 09:05:00"),
        ("1741136700000", None, "2025-03-05 09:05:00"),
        ("2025-03-05T01:05:00Z", None, "2025-03-05 09:05:00"),
        ("2025年3月5日 星期三 下午3:05:10", None, "2025-03-05 15:05:10"),
        ("2025-03-05 上午12:05", None, "2025-03-05 00:05:00"),
        ("3/5/2025 9:05:00 PM", "mdy", "2025-03-05 21:05:00"),
        ("05.03.2025 09:05", "dmy", "2025-03-05 09:05:00"),
        ("13/3/2025 9:05", None, "2025-03-13 09:05:00"),
        ("45721.378472222", None, "2025-03-05 09:05:00"),
    ],
)
def test_reads_instants_as_exchanges_write_them(cell: str, order: Any, instant: str) -> None:
    assert f"{started(cell, order, SHANGHAI):%Y-%m-%d %H:%M:%S}" == instant


@pytest.mark.parametrize("cell", ["", "昨天", "2025-13-05 09:05", "2025-03-05", "03/05/2025 9:05", "9" * 40])
def test_an_instant_nobody_can_tell_is_unclear(cell: str) -> None:
    with pytest.raises(Unclear):
        started(cell, None, SHANGHAI)


@pytest.mark.parametrize(
    ("cell", "length"),
    [
        ("81", 81),
        ("00:01:21", 81),
        ("1:21", 81),
        ("1分21秒", 81),
        ("1小时0分2秒", 3602),
        ("81s", 81),
        ("", None),
        ("81000ms", 81),
    ],
)
def test_reads_durations(cell: str, length: int | None) -> None:
    assert seconds(cell) == length


@pytest.mark.parametrize(
    ("cell", "canonical"),
    [
        ("\t138 0000 0204", "13800000204"), ("+86-13800000204", "13800000204"), ("013800000204", "13800000204"),
        ("１３８００００２０４１", "13800002041"), ("匿名", ""), ("<unknown>", ""), ("1.38E+10", ""), ("801", "801"),
        ("1.3800000204E+10", "13800000204"),
    ],
)  # fmt: skip
def test_reads_numbers(cell: str, canonical: str) -> None:
    assert number(cell.strip()) == canonical


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("NO ANSWER", "missed"), ("排队放弃", "missed"), ("未接听（超时）", "missed"), ("Busy", "missed"),
        ("已接听", "answered"), ("Answered", "answered"), ("已留言", "voicemail"),
        ("IVR放弃", "skipped"), ("黑名单", "skipped"),
    ],
)  # fmt: skip
def test_knows_the_words_for_states(word: str, state: str) -> None:
    assert status(word, None)[0] == state


def test_month_and_day_are_told_apart_over_the_whole_file(desk: Desk) -> None:
    rows = "".join(
        f"id-10000000{n},{day} 9:05,呼入,13800000204,801,9,已接,\n" for n, day in enumerate(["03/05/2025", "03/13/2025"])
    )
    assert [told(m)[0][:10] for m in desk.taken(HEAD + rows)] == ["2025-03-05", "2025-03-13"]


def test_no_call_lies_in_the_future(desk: Desk) -> None:
    (message,) = desk.taken(HEAD + "id-100000001,11/03/2025 9:05,呼入,13800000204,801,9,已接,\n")
    assert told(message)[0] == "2025-03-11 09:05:00"


def test_the_same_export_again_under_any_name_adds_nothing(desk: Desk) -> None:
    unnumbered = ROW.replace("A20250310101500", "")
    assert len(desk.taken(HEAD + ROW + unnumbered + unnumbered)) == 3
    assert desk.taken(HEAD + unnumbered + unnumbered + ROW, "again.csv") == []
    assert desk.taken(HEAD + ROW + ROW.replace("101500", "101600"), "overlap.csv")[0].call is not None


def test_a_growing_file_gives_only_its_new_rows(desk: Desk) -> None:
    assert len(desk.taken(HEAD + ROW)) == 1
    assert [m.received_at.minute for m in desk.taken(HEAD + ROW + ROW.replace("10:15", "10:16").replace("1015", "1016"))] == [
        16
    ]
    assert (desk.folder / "log.csv").exists()


def test_counted_ids_that_start_anew_are_different_calls(desk: Desk) -> None:
    first, second = (
        "7,2024-03-10 10:15:00,呼入,13800000204,801,9,已接,\n",
        "7,2025-03-10 10:15:00,呼入,13800000209,801,9,已接,\n",
    )
    assert len(desk.taken(HEAD + first)) == len(desk.taken(HEAD + second, "next.csv")) == 1


LONG = "T0001,2025-03-0{},呼入,{},80000000,90,已接,{}\n"
FIRST = LONG.format("1 10:00:00", "13800000501", "漏水")
SECOND = LONG.format("2 10:00:00", "13800000777", "投诉保安")
THIRD = LONG.format("3 10:00:00", "13800000501", "停车费")


@pytest.mark.parametrize("files", [(FIRST, SECOND, THIRD), (FIRST, SECOND + FIRST, THIRD + SECOND + FIRST), (THIRD, SECOND, FIRST)])
def test_ids_that_start_anew_each_day_are_different_calls_in_whatever_file(desk: Desk, files: tuple[str, ...]) -> None:
    told = [desk.taken(HEAD + text, f"{n}.csv") for n, text in enumerate(files)]
    assert [[m.text for m in messages] for messages in told] == [[text[:-1].rpartition(",")[2]] for text in map(_first_line, files)]
    assert desk.taken(HEAD + THIRD + SECOND + FIRST, "all.csv") == desk.taken(HEAD + FIRST + SECOND + THIRD, "again.csv") == []
    assert sorted(desk.ledger.arrivals)[0] == "call:T0001"


def _first_line(text: str) -> str:
    return text.splitlines(keepends=True)[0]


def test_what_an_earlier_version_stored_is_not_taken_in_again(desk: Desk) -> None:
    desk.taken(HEAD + SECOND + FIRST)
    plain, dated = desk.ledger.arrivals["call:T0001"], desk.ledger.arrivals["call:T0001@2025-03-02T10:00:00+08:00"]
    desk.ledger.arrivals = {  # newest first: the later call had the id alone
        "call:T0001": dated,
        "call:T0001@2025-03-01T10:00:00+08:00": plain,
    }
    assert desk.taken(HEAD + FIRST + SECOND, "again.csv") == []
    desk.ledger.arrivals = {"call:T0001": replace(plain, content=b"", received_at=datetime(2025, 3, 1, 11, tzinfo=SHANGHAI))}
    assert [m.text for m in desk.taken(HEAD + SECOND + FIRST, "erased.csv")] == ["投诉保安"]


def test_a_leg_in_the_next_file_belongs_to_the_call_that_is_known(desk: Desk) -> None:
    legs = [
        "Q-100000001,2025-03-10 10:15:00,呼入,13800000204,801,0,未接,\n",
        "Q-100000001,2025-03-10 10:15:20,呼入,13800000204,802,60,已接,\n",
    ]
    assert len(desk.taken(HEAD + legs[0])) == 1
    assert desk.taken(HEAD + legs[1], "next.csv") == desk.taken(HEAD + legs[1] + legs[0], "newest.csv") == []


def test_the_legs_of_one_call_are_one_call_that_was_answered(desk: Desk) -> None:
    legs = [
        "Q-100000001,2025-03-10 10:15:00,呼入,13800000204,801,0,未接,\n",
        "Q-100000001,2025-03-10 10:15:20,呼入,13800000204,802,60,已接,\n",
    ]
    (message,) = desk.taken(HEAD + "".join(legs))
    assert told(message) == ("2025-03-10 10:15:00", "in", "answered", "13800000204", "802")


def test_the_two_records_of_an_internal_call_are_one(desk: Desk) -> None:
    text = HEAD + "i-100000001,2025-03-10 10:15:00,内部,801,802,9,已接,\ni-100000002,2025-03-10 10:15:01,内部,801,802,9,已接,\n"
    assert [told(m)[1] for m in desk.taken(text)] == ["internal"]


def test_newest_first_exports_are_told_oldest_first(desk: Desk) -> None:
    rows = [ROW.replace("10:15", f"10:{n}").replace("1015", f"10{n}") for n in (17, 16, 15)]
    assert [m.received_at.minute for m in desk.taken(HEAD + "".join(rows))] == [15, 16, 17]


def test_a_half_written_file_waits_until_it_is_quiet_and_closed(desk: Desk) -> None:
    desk.drop(HEAD + ROW + "A20250310101")
    assert desk.look() == []
    desk.clock.advance(20)
    assert len(desk.look()) == 1
    desk.drop(HEAD + ROW + ROW.replace("101500", "101600"))
    assert len(desk.calls()) == 1
    assert not desk.ledger.problems


def test_a_last_line_without_line_break_is_taken_after_a_minute(desk: Desk) -> None:
    assert len(desk.taken(HEAD + ROW + ROW.replace("101500", "101600").rstrip("\n"))) == 1
    desk.clock.advance(60)
    assert len(desk.look()) == 1


def test_an_ok_file_or_a_rename_says_that_a_file_is_whole(desk: Desk) -> None:
    desk.drop(HEAD + ROW.rstrip("\n"))
    desk.drop("", "log.csv.ok")
    assert len(desk.look()) == 1
    desk.drop(HEAD + ROW.replace("101500", "101600"), "new.csv.part")
    assert desk.look() == []
    os.rename(desk.folder / "new.csv.part", desk.folder / "new.csv")
    assert len(desk.look()) == 1


def test_an_empty_file_is_reported_after_a_quarter_of_an_hour_and_never_dropped(desk: Desk) -> None:
    desk.drop("")
    assert desk.calls() == []
    desk.clock.advance(minutes=15)
    desk.look()
    assert ["没有写完" in problem for problem in desk.ledger.problems] == [True]
    assert len(desk.taken(HEAD + ROW)) == 1


def test_links_pipes_and_folders_are_not_read(desk: Desk, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text(HEAD + ROW)
    os.symlink(secret, desk.folder / "link.csv")
    os.link(secret, desk.folder / "hard.csv")
    os.mkfifo(desk.folder / "pipe.csv")
    (desk.folder / "folder.csv").mkdir()
    assert desk.calls() == []
    assert len(desk.ledger.problems) == 3


def test_a_missing_folder_is_a_failing_source(desk: Desk) -> None:
    desk.folder.rmdir()
    with pytest.raises(SourceFailed):
        desk.look()


def test_bad_rows_are_set_aside_once_with_line_and_reason(desk: Desk) -> None:
    bad = 'B,昨天,呼入,=cmd,801,9,已接,\n"C,2025-03-10 10:15:00,呼入\n' + "D,2025-03-10 10:15:00,呼入,1,2,3,已接,一,二,三\n"
    assert len(desk.taken(HEAD + bad + ROW)) == 1
    rejected = desk.folder / "rejected" / "log.csv.rejected.csv"
    first = rejected.read_text("utf-8-sig")
    assert [line[0] for line in first.splitlines()] == ["行", "2", "3", "4"] and "引号没有配对" in first
    desk.taken(HEAD + bad + ROW + ROW.replace("101500", "101600"))
    assert rejected.read_text("utf-8-sig") == first
    assert len([p for p in desk.ledger.problems if "3 行读不懂" in p]) == 1


def test_what_is_no_conversation_is_left_out_with_a_report(desk: Desk) -> None:
    assert desk.taken(HEAD + ROW.replace("已接听", "IVR") + ROW.replace("已接听", "黑名单")) == []
    assert sum("跳过 1 行" in problem for problem in desk.ledger.problems) == 2


def test_a_file_that_is_no_log_is_reported_once(desk: Desk) -> None:
    desk.drop("今天天气不错\n", "note.txt")
    desk.drop(b"MZ\x90", "tool.exe")
    assert desk.calls() == [] and desk.look() == []
    assert len(desk.ledger.problems) == 2


def test_a_done_file_moves_when_all_its_calls_are_stored(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 'done_folder = "done"\n')
    desk.drop(HEAD + ROW)
    desk.look()
    desk.clock.advance(6)
    (batch,) = desk.channel.fetch(desk.ledger, desk.clock)
    assert (desk.folder / "log.csv").exists()
    desk.ledger.store(batch)
    desk.channel.acknowledge([a.ref for a in batch])
    desk.look()
    assert (tmp_path / "done" / "log.csv").exists() and not (desk.folder / "log.csv").exists()


def test_the_row_is_kept_word_for_word(desk: Desk) -> None:
    desk.drop(HEAD + ROW)
    desk.calls()
    (arrival,) = desk.ledger.arrivals.values()
    kept = json.loads(arrival.content)
    assert arrival.ref == "call:A20250310101500"
    assert (kept["raw"], kept["row"], kept["file"]) == (ROW, 1, "log.csv")


def test_an_unchanged_file_is_not_parsed_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.taken(HEAD + ROW)
    monkeypatch.setattr(desk.channel, "_file", lambda *_: pytest.fail("parsed again"))
    assert desk.look() == []


def test_waiting_ends_when_a_file_may_have_settled(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 'settle = "200ms"\n')
    assert desk.channel.wait(0.0) is False
    desk.drop(HEAD + ROW)
    desk.look()
    assert 0 < desk.channel.again_in() <= 0.2
    assert desk.channel.wait(8.0) is True
    desk.clock.advance(1)
    assert len(desk.look()) == 1 and desk.channel.again_in() == 0


def test_a_spoilt_record_is_unreadable(desk: Desk) -> None:
    arrival = Arrival("call:x", desk.clock.now, b"", "call")
    with pytest.raises(Unreadable):
        desk.channel.read(b'{"call": {}}', arrival, desk.site)


def test_a_long_log_streams_in_order_and_without_growing(desk: Desk) -> None:
    rows = "".join(
        f"N{n:012d},{datetime(2025, 1, 1) + timedelta(seconds=n):%Y-%m-%d %H:%M:%S},呼入,13800000204,801,9,已接,\n"  # noqa: DTZ001
        for n in range(25_000)
    )
    desk.drop(HEAD + rows)
    desk.look()
    desk.clock.advance(6)
    refs = [a.ref for a in desk.look()]
    assert len(refs) == len(set(refs)) == 25_000
    assert refs == sorted(refs)
