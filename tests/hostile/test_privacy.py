"""P1–P11: hand out, take away, account for; and canaries: what is personal or secret stands nowhere it should not."""

from __future__ import annotations

import base64
import json
import re
import shutil
import signal
import subprocess
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hostile.station import Station, environment, kefud, station, vouched
from line.office import MONDAY, mail
from torture.crash import with_attachment

from kefud.cli import kefud as command
from kefud.desk.decisions import Classify
from kefud.desk.ticket import Requester, chinese
from kefud.privacy import REGISTER, TOMBSTONE, Person, for_the_eyes_of, spelled, visible
from kefud.store import personal

PHONE, EMAIL, NAME = "13912345671", "lihua.zhang@mail.example.com", "张丽华"
OTHER_PHONE, OTHER_NAME = "13800000207", "魏占空"
RUDE = (
    f"我是12号楼2单元303的业主{NAME},电话{PHONE}。西门保安态度恶劣,骂人,我要投诉。隔壁{OTHER_NAME}电话{OTHER_PHONE}也看见了。"
)


def seeded(office: Station) -> None:
    """A person in many places: tickets, a large original, a paper with her number, an answer, another's words about her."""
    office.put(mail(RUDE, subject=f"{NAME}投诉", sender=EMAIL, name=NAME, headers=(vouched(EMAIL),)))
    office.put(with_attachment(mail(f"12号楼2单元303{NAME},厨房漏水,电话139-1234-5671。", sender=EMAIL, name=NAME), 7))
    office.put(
        mail(
            f"8号楼2单元1201{OTHER_NAME},电话{OTHER_PHONE}。楼上{PHONE}漏水到我家。",
            sender="wei@mail.example.com",
            name=OTHER_NAME,
        )
    )
    office.work()
    [first, *_] = office.delivered(EMAIL)
    office.put(mail(f"补充:我的电话是{PHONE}。", sender=EMAIL, name=NAME, answers=first, headers=(vouched(EMAIL),)))
    office.work()
    assert len(office.tickets) == 3


def run(office: Station, *arguments: str, status: int = 0) -> Result:
    done = CliRunner().invoke(command, ["-c", str(office.path), *arguments], catch_exceptions=False)
    assert done.exit_code == status, done.output
    return done


def traces(office: Station, *marks: str) -> list[str]:
    """Files of the store in which a mark stands, in any spelling a program might have kept."""
    words = [w for mark in marks for w in (mark.encode(), base64.b64encode(mark.encode()), json.dumps(mark)[1:-1].encode())]
    files = [f for f in [*Path(office.loaded.spool).rglob("*"), *office.home.glob("kefud.db*")] if f.is_file()]
    return [f"{f.name}: {w!r}" for f in files for w in words if w in f.read_bytes()]


@pytest.fixture
def office(tmp_path: Path):
    with station(tmp_path) as made:
        seeded(made)
        yield made


def test_what_is_handed_out_is_about_one_person_only(office: Station) -> None:
    target = office.home / "out.zip"
    run(office, "privacy", "export", EMAIL, "-o", str(target), "--reason", "asked in writing")
    assert target.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(target) as archive:
        data, text = archive.read("data.json").decode(), archive.read("data.txt").decode()
    assert len(json.loads(data)) == 2
    for part in (data, text):
        assert NAME in part and PHONE in part and EMAIL in part
        assert OTHER_PHONE not in part and "wei@" not in part and OTHER_NAME not in part
    assert "138****0207" in text


def test_erased_from_everywhere_and_the_store_is_whole(office: Station) -> None:
    before = [(t.number, t.kind, t.category, t.created_at, t.status) for t in office.tickets]
    assert traces(office, PHONE), "else this test could not fail"
    backup = office.home / "backup"
    run(office, "db", "backup", str(backup))
    run(office, "privacy", "erase", PHONE, "--yes", "--reason", "asked in writing")
    assert traces(office, PHONE, "139-1234-5671", EMAIL, NAME) == []
    assert [(t.number, t.kind, t.category, t.created_at, t.status) for t in office.tickets] == before
    assert office.broken() == []
    kept = office.tickets[2]
    assert OTHER_PHONE in kept.text and OTHER_NAME in kept.requester.name, "other people's matters stay"
    run(office, "privacy", "erase", PHONE, "--yes", "--reason", "again")
    assert office.broken() == []
    office.work()
    assert len(office.tickets) == 3, "what lies in the mailbox still is not taken in anew"
    restored(office, backup)


def restored(office: Station, backup: Path) -> None:
    """A backup brings the person back; the list of erasures, which stayed, takes her away again."""
    restored_from(office, backup)
    assert traces(office, PHONE)
    erasures = (Path(office.loaded.spool) / "erasures.json").read_text()
    assert PHONE not in erasures and EMAIL not in erasures
    run(office, "privacy", "replay")
    assert traces(office, PHONE, EMAIL) == []
    assert office.broken() == []


def test_what_is_known_of_a_person_leads_on(tmp_path: Path) -> None:
    """Once the address is gone from the first ticket nobody could find the second; an office's own address leads nowhere."""
    with station(tmp_path) as office:
        office.put(mail(RUDE, sender=EMAIL, name=NAME))
        office.put(mail(f"{OTHER_NAME},我是8号楼2单元1201的,同一个邮箱借用一下。墙面渗水。", sender=EMAIL, name=OTHER_NAME))
        office.work()
        office.pass_time(days=10)
        office.put(mail(f"12号楼2单元303{NAME},我家厨房水管漏水,请派人来修。", sender=EMAIL, name=NAME))
        office.work()
        run(office, "privacy", "erase", PHONE, "--yes", "--reason", "asked in writing")
        assert [t.requester.name for t in office.tickets] == ["", OTHER_NAME, ""], "who only shares her mailbox keeps his matter"
        assert traces(office, PHONE, EMAIL) == []


GUEST, GUEST_PHONE, GUEST_NAME = "li@other.example.com", "13655557788", "李建国"


def test_who_was_merged_into_anothers_ticket_is_found_told_and_erased(tmp_path: Path) -> None:
    span = ["--since", MONDAY.isoformat(), "--until", "2099-01-01", "--reason", "x", "--plain", "--json"]
    with station(tmp_path) as office:
        office.put(mail(RUDE, sender=EMAIL, name=NAME))
        office.work()
        backup = office.home / "backup"
        office.pass_time(hours=1)
        said = f"我是12号楼2单元303的{GUEST_NAME},电话{GUEST_PHONE}。西门保安态度恶劣,骂人,我要投诉。"
        office.put(mail(said, sender=GUEST, name=GUEST_NAME))
        office.work()
        [ticket] = office.tickets
        run(office, "db", "backup", str(backup))
        assert {r["email"] for r in json.loads(run(office, "privacy", "impact", *span).output)} == {EMAIL, GUEST}
        target = office.home / "out.zip"
        run(office, "privacy", "export", GUEST, "-o", str(target), "--reason", "asked in writing")
        with zipfile.ZipFile(target) as archive:
            data = archive.read("data.json").decode()
        assert ticket.number in data and GUEST in data and "骂人" in data
        assert PHONE not in data and EMAIL not in data and NAME not in data
        run(office, "privacy", "erase", GUEST, "--yes", "--reason", "asked in writing")
        assert traces(office, GUEST, GUEST_NAME) == [f for f in traces(office, GUEST, GUEST_NAME) if "backup" in f]
        order = next(x["text"] for x in office.letters if x["documents"])
        assert "骂人" in order and TOMBSTONE not in order, "what both have said is hers, too"
        assert PHONE in office.tickets[0].text and office.tickets[0].status == ticket.status, "the other's matter goes on"
        shutil.move(Path(office.loaded.spool) / "erasures.json", office.home / "set-aside.json")
        assert "name the list with --list" in run(office, "privacy", "replay").output
        restored_from(office, backup)
        assert traces(office, GUEST)
        run(office, "privacy", "replay", "--list", str(office.home / "set-aside.json"))
        assert traces(office, GUEST) == [] and (Path(office.loaded.spool) / "erasures.json").exists()


def restored_from(office: Station, backup: Path) -> None:
    office.office.db.close()
    for file in office.home.glob("kefud.db*"):
        file.unlink()
    shutil.copy(backup / "kefud.db", office.home / "kefud.db")
    shutil.copytree(backup / "blobs", Path(office.loaded.spool) / "blobs", dirs_exist_ok=True)


def test_whose_data_moved_and_to_whom(office: Station) -> None:
    span = ["--since", (MONDAY - timedelta(hours=1)).isoformat(), "--until", "2099-01-01", "--reason", "a laptop was lost"]
    rows = json.loads(run(office, "privacy", "impact", *span, "--plain", "--json").output)
    assert {r["phone"] for r in rows} == {PHONE, OTHER_PHONE}
    assert "property_company" in next(r for r in rows if r["phone"] == PHONE)["recipients"]
    assert PHONE not in run(office, "privacy", "impact", *span).output
    none = ["--since", "2001-01-01", "--until", "2001-01-02", "--reason", "x"]
    assert json.loads(run(office, "privacy", "impact", *none, "--json").output) == []


def test_who_looked_stands_in_a_log_that_cannot_be_changed_unseen(office: Station) -> None:
    run(office, "ticket", "show", office.tickets[0].number, "--reason", "call of the owner")
    run(office, "privacy", "impact", "--since", "2025-01-01", "--until", "2025-12-31", "--reason", "yearly look")
    rows = json.loads(run(office, "privacy", "log", "--json").output)
    assert [(r["what"], r["why"]) for r in rows] == [("show", "call of the owner"), ("impact", "yearly look")]
    assert PHONE not in json.dumps(rows)
    assert office.broken() == []
    from sqlalchemy import text

    with office.office.db.write() as tx:
        tx.execute(text("update access set why = 'nothing special' where id = 1"))
    assert any("access log" in b for b in office.broken())
    with office.office.db.write() as tx:
        tx.execute(text("update access set why = 'call of the owner' where id = 1"))


def test_what_was_kept_long_enough_goes_and_what_is_held_stays(office: Station) -> None:
    from sqlalchemy import text

    with office.office.db.write() as tx:
        tx.execute(text("update ticket set updated_at = :at"), {"at": "2025-03-03 01:00:00.000000"})
    run(office, "privacy", "retain")
    assert traces(office, PHONE), "open tickets stay as they are"
    first, second, third = office.tickets
    for number in (first.number, second.number, third.number):
        with office.office.db.write() as tx:
            tx.execute(
                text("update ticket set status = 'closed', effects = :e where number = :n"),
                {"n": number, "e": '["legal_hold"]' if number == third.number else "[]"},
            )
            id = office.ticket(number).id
            from kefud.store.tickets import Ledger

            ledger = Ledger(tx, MONDAY)
            ledger.history(id, "test", "status:closed")
            ledger.flush()
            tx.execute(text("update ticket set updated_at = :at"), {"at": "2020-03-03 01:00:00.000000"})
    assert "2 tickets would be emptied" in run(office, "privacy", "retain", "--dry-run").output
    run(office, "privacy", "retain")
    assert office.tickets[0].text == "〔已删除〕" and OTHER_PHONE in office.tickets[2].text
    assert traces(office, EMAIL) == []


@pytest.mark.parametrize("text", ["13912345671", "139 1234 5671", "139-1234-5671", "139 12345671"])
def test_a_number_is_found_however_it_is_spaced(text: str) -> None:
    assert spelled(PHONE).search(f"电话{text}。")
    assert Person.of(text).phones == {PHONE}


def test_a_name_alone_identifies_nobody() -> None:
    with pytest.raises(ValueError, match="neither"):
        Person.of(NAME)
    assert (
        for_the_eyes_of(Person.of(PHONE), f"{PHONE} {OTHER_PHONE} 330106199001011234")
        == f"{PHONE} 138****0207 3301**********1234"
    )


SECRET = "c4n4ry-Pa55w0rd-7f3e"


def test_canaries_stand_in_no_log_no_argument_no_environment(tmp_path: Path) -> None:
    """S17, S21: numbers, names, words and passwords of a run with failures; subjects that want to be log lines."""
    from servers.scripted_smtp import ScriptedSmtp

    refuse = {"AUTH": f"535 5.7.8 no {SECRET}"}
    with ScriptedSmtp(password="other", can=("AUTH PLAIN LOGIN", "8BITMIME"), **refuse) as smtp:  # type: ignore[arg-type]
        office = Station(tmp_path, smtp=smtp)
        (tmp_path / "secret").write_text(SECRET)
        (tmp_path / "secret").chmod(0o600)
        text = office.path.read_text("utf-8").replace(
            'plugin = "smtp"', 'plugin = "smtp"\nusername = "kefu"\npassword = { file = "secret" }'
        )
        office.path.write_text(text.replace("[service]", '[service]\nlog = "json"'), "utf-8")
        phones = [f"139{n:08d}" for n in range(12)]
        for n, phone in enumerate(phones):
            words = base64.b64encode(f"ok{n}\n<0>kernel: root login\x1b[2J {phone}".encode()).decode()
            raw = mail(
                f"{n + 1}号楼1单元101{NAME},电话{phone},身份证33010619900101{n:04d}。厨房漏水。",
                sender=f"p{n}@mail.example.com",
                name=NAME,
                subject="PLACE",
            )
            office.put(raw.replace(b"Subject: PLACE", f"Subject: =?utf-8?b?{words}?=".encode()))
        office.put(b"\xff" * 900 + phones[0].encode())
        done = subprocess.run(kefud(office.path, "-v", "run", "--once"), env=environment(), capture_output=True, timeout=120)
    log = done.stdout + done.stderr
    assert b"not-sent" in log or b"transport" in log, "the failure was logged"
    for canary in (
        SECRET,
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(f"\0kefu\0{SECRET}".encode()).decode(),
        NAME,
        "kernel",
        *phones,
    ):
        assert canary.encode() not in log, canary
    assert not re.search(rb"33010619900101\d{4}", log) and b"\x1b" not in log
    for line in log.splitlines():
        assert line.startswith(b"left undone") or json.loads(line)
    office.office.db.close()


def test_no_process_shows_a_secret_or_leaves_one_when_it_crashes(tmp_path: Path) -> None:
    """S21: arguments, environments and files of every process while logging in fails; then the interpreter crashes."""
    import psutil
    from hostile.test_children import end, eventually
    from servers.scripted_smtp import ScriptedSmtp

    with ScriptedSmtp(password="other", can=("AUTH PLAIN LOGIN",)) as smtp:
        office = Station(tmp_path, smtp=smtp)
        (tmp_path / "secret").write_text(SECRET)
        (tmp_path / "secret").chmod(0o600)
        text = office.path.read_text("utf-8")
        text = text.replace('plugin = "smtp"', 'plugin = "smtp"\nusername = "kefu"\npassword = { file = "secret" }')
        office.path.write_text(text, "utf-8")
        office.put(mail("5号楼1单元201,厨房漏水。", sender=EMAIL, name=NAME))
        log = (tmp_path / "log").open("wb")
        daemon = psutil.Popen(kefud(office.path, "run"), env=environment(), stderr=log, cwd=tmp_path)
        try:
            eventually(lambda: smtp.connections >= 1 and b"not-sent" in (tmp_path / "log").read_bytes(), 40)
            family = [daemon, *daemon.children(recursive=True)]
            shown = [Path(f"/proc/{p.pid}/{name}").read_bytes() for p in family for name in ("environ", "cmdline")]
            assert len(shown) >= 6 and not any(SECRET.encode() in data for data in shown)
            limits = [Path(f"/proc/{p.pid}/limits").read_text() for p in family[2:]]
            assert all(re.search(r"Max core file size\s+0\s+0", text) for text in limits), "a crash leaves no memory behind"
            family[-1].send_signal(signal.SIGSEGV)
            daemon.terminate()
            daemon.wait(40)
        finally:
            end(daemon)
            log.close()
        kept = [f for f in tmp_path.rglob("*") if f.is_file() and f.name != "secret"]
        coded = base64.b64encode(f"\0kefu\0{SECRET}".encode())
        assert [f.name for f in kept if SECRET.encode() in f.read_bytes() or coded in f.read_bytes()] == []
        assert not [f for f in kept if "core" in f.name]
        office.office.db.close()


def test_daemon_code_never_sleeps_and_asks_no_clock_in_rules() -> None:
    """R22 note (c): a sleep answers no signal. Only `Event.wait` and the like."""
    source = Path(__file__).parents[2]
    files = [f for top in ("src/kefud", "plugins") for f in (source / top).rglob("*.py") if not f.name.startswith("test_")]
    assert len(files) > 100
    asleep = [
        str(f.relative_to(source))
        for f in files
        if re.search(r"\btime\.sleep\(|from time import .*\bsleep\b", f.read_text("utf-8"))
    ]
    assert [f for f in asleep if "/demo/" not in f and "skeletons" not in f] == []


def test_the_assessment_names_every_field_and_every_receiver(tmp_path: Path) -> None:
    """P1, P8: the register is what erasure sweeps, and what a receiver sees is tried out."""
    swept = {f"{t.__tablename__}.{c}" for t, names in personal.SWEPT.items() for c in names}  # type: ignore[attr-defined]
    columns = {x.column for x in REGISTER}
    assert columns == swept | {"ticket.house", "blob.data"} and all(x.name and x.purpose for x in REGISTER)
    assert visible("masked") == [x for x in visible("party") if x not in ("姓名", "电话")] and "邮箱" not in visible("party")
    with station(tmp_path) as office:
        ran = CliRunner().invoke(command, ["-c", str(office.path), "privacy", "assessment"])
        site = office.office.site
    assert ran.exit_code == 0, ran.output
    for column in columns:
        assert f"`{column}`" in ran.output
    for name in [x.name or chinese(x.id) for x in (*site.parties, *site.roles)]:
        assert f"| {name} |" in ran.output
    assert "结案后1095天" in ran.output and "结案后180天" in ran.output


def test_every_column_that_may_hold_words_about_people_is_searched_by_erasure() -> None:
    """P1: a new column of text fails here until somebody decides whether it is personal."""
    from sqlalchemy import JSON, Text

    from kefud.store.tables import Base

    harmless = {
        "arrival.effects", "blob.path", "ticket.joint", "ticket.effects", "ticket.notify", "ticket.related", "ticket.locked", "deadline.dropped",
        "deadline.pauses", "letter.documents", "letter.hold", "document.path", "document.void", "channel_note.value", "plugin_state.reason",
        "setting.value", "access.why",
    }  # fmt: skip
    swept = {f"{t.__tablename__}.{c}" for t, names in personal.SWEPT.items() for c in names}  # type: ignore[attr-defined]
    words = {f"{t.name}.{c.name}" for t in Base.metadata.tables.values() for c in t.columns if isinstance(c.type, (JSON, Text))}
    assert words - swept - harmless == set()


def test_who_was_merged_by_hand_is_erased_from_the_ticket_that_goes_on(tmp_path: Path) -> None:
    """A caller: nothing but the ticket he came with tells that the words on the other one are his."""
    with station(tmp_path) as office:
        office.put(mail("我是5号楼1单元201的业主何样板,电话13800000201。厨房水龙头坏了,一直滴水,请派人来修。", sender=EMAIL, name="何样板"))
        office.work()
        [target] = office.tickets
        caller = [Classify(house="5-1-201", requester=Requester("何伯", GUEST_PHONE), origin="owner", category="house_quality")]
        called = office.office.enter(f"我是何伯,客厅墙面有一道裂缝,请派人来看,电话{GUEST_PHONE}。", {"by": "receptionist"}, caller)
        office.office.casework.order(called.number, "merge", "cs_specialist", {"target": target.number})
        office.work()
        assert all(traces(office, mark) for mark in (GUEST_PHONE, "何伯", "一道裂缝"))
        run(office, "privacy", "erase", GUEST_PHONE, "--yes", "--reason", "asked in writing")
        assert traces(office, GUEST_PHONE, "何伯", "一道裂缝") == []
        one = office.ticket(target.number)
        assert "一直滴水" in one.text and one.is_open and [t for t in one.tasks if called.number in t.text]
