"""A backup made while the daemon runs is carried on with elsewhere: whole, nothing lost, and nothing sent again."""

from __future__ import annotations

import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from hostile.station import Station, environment, kefud, station
from hostile.test_children import end, eventually
from line.office import mail
from servers.scripted_smtp import ScriptedSmtp
from torture.crash import message_id, with_attachment

from kefud.cli import kefud as command
from kefud.store import letters, tickets

RUDE = "西门保安态度恶劣,骂人,我要投诉,请给我一个说法。"


def write(office: Station, first: int, count: int) -> None:
    for n in range(first, first + count):
        raw = mail(f"{n + 1}号楼1单元101业主。{RUDE}第{n}件", sender=f"o{n}@mail.example.com", name=f"业主{n}")
        office.put(with_attachment(raw, n) if n % 2 else raw)


def run(office: Station, *arguments: str) -> str:
    done = CliRunner().invoke(command, ["-c", str(office.path), *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def restored(home: Path, backup: Path, smtp: ScriptedSmtp) -> Station:
    """Another machine with the same configuration and a copy of the store."""
    home.mkdir()
    office = Station(home, smtp=smtp)
    office._mails = 1000
    spool = Path(office.loaded.spool)
    spool.mkdir(exist_ok=True)
    shutil.copy(backup / "kefud.db", home / "kefud.db")
    shutil.copytree(backup / "blobs", spool / "blobs", dirs_exist_ok=True)
    return office


def test_a_backup_under_load_is_whole_and_sends_nothing_again(tmp_path: Path) -> None:
    """The daemon that was backed up sends on; what it had still to send then waits in the copy for a person's word."""
    import psutil

    (tmp_path / "here").mkdir()
    with ScriptedSmtp() as smtp, ScriptedSmtp() as elsewhere:
        here = Station(tmp_path / "here", smtp=smtp)
        write(here, 0, 20)
        daemon = psutil.Popen(kefud(here.path, "run"), env=environment(), stderr=subprocess.DEVNULL)
        try:
            eventually(lambda: len(smtp.letters) >= 3, 60)
            run(here, "db", "backup", str(tmp_path / "backup"))
            eventually(lambda: all(here.delivered(f"o{n}@mail.example.com") for n in range(20)), 60)
        finally:
            daemon.terminate()
            daemon.wait(40)
            end(daemon)
        went = {message_id(x.content) for x in smtp.letters}
        there = restored(tmp_path / "there", tmp_path / "backup", elsewhere)
        with there.office:
            waiting = [x for x in there.letters if x["status"] == "held"]
            assert all("备份" in x["hold"] for x in waiting)
            assert not [x for x in there.letters if x["status"] in ("pending", "leased")]
            write(there, 100, 2)
            there.work()
            assert went.isdisjoint(message_id(x.content) for x in elsewhere.letters)
            assert there.delivered("o100@mail.example.com") and there.delivered("o101@mail.example.com")
            assert there.broken() == []
            for letter in waiting:
                run(there, "outbox", "release", str(letter["id"]))
            there.work()
            known = {x["message_id"] for x in there.letters}
            assert {message_id(x.content) for x in elsewhere.letters} <= known
        here.office.db.close()


def test_what_waited_when_the_backup_was_made_is_held_in_the_copy_only(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        write(office, 0, 1)
        office.office.outboxes = lambda *_: []  # type: ignore[method-assign]
        office.work()
        waiting = [x for x in office.letters if x["status"] == "pending"]
        assert waiting
        run(office, "db", "backup", str(tmp_path / "backup"))
        assert [x["status"] for x in office.letters if x["id"] == waiting[0]["id"]] == ["pending"]
        with ScriptedSmtp() as smtp:
            copy = restored(tmp_path / "there", tmp_path / "backup", smtp)
            with copy.office:
                assert {x["status"] for x in copy.letters} == {"held"}
                copy.work()
                assert smtp.letters == []
        with office.office.db.write() as tx:
            assert letters.hold_all(tx, "备份") == len(waiting)


def test_who_carries_on_with_a_copy_gives_no_number_again_and_mistakes_nobody(tmp_path: Path) -> None:
    """What came after the backup is lost; its numbers and letters are in people's hands all the same."""
    leak = "电话{}。我家厨房漏水,请来修。"
    (tmp_path / "here").mkdir()
    with ScriptedSmtp() as smtp, ScriptedSmtp() as elsewhere:
        here = Station(tmp_path / "here", smtp=smtp)
        with here.office:
            here.put(mail(f"1号楼1单元101张一,{leak.format('13612345678')}", sender="zhang@mail.example.com", name="张一"))
            here.work()
            run(here, "db", "backup", str(tmp_path / "backup"))
            here.put(mail(f"12号楼2单元303李建国,{leak.format('13655557788')}", sender="li@mail.example.com", name="李建国"))
            here.work()
            [receipt] = here.delivered("li@mail.example.com")
            given = {n for t in here.tickets for n in (t.number, *(d.number for d in t.documents))}
        there = restored(tmp_path / "there", tmp_path / "backup", elsewhere)
        there.now = here.now + timedelta(hours=2)
        with there.office:
            there.put(mail(f"8号楼2单元1201王小明,{leak.format('13777776666')}", sender="wang@mail.example.com", name="王小明"))
            there.work()
            new = there.tickets[-1]
            assert new.id == 2 and given.isdisjoint({new.number, *(d.number for d in new.documents)} - {""})
            there.put(mail("补充:家中老人住院,下午四点后有人。", sender="li@mail.example.com", name="李建国", answers=receipt))
            there.work()
            assert [m["sender"] for m in messages(there, new.id)] == ["wang@mail.example.com"], "an answer to a lost letter is nobody's"
            assert there.broken() == []
        later = Station(tmp_path / "there", smtp=elsewhere)
        later.now, later._mails = there.now, 2000
        with later.office:
            later.put(mail(f"9号楼2单元1201陈样,{leak.format('13777775555')}", sender="chen@mail.example.com", name="陈样"))
            later.work()
            assert int(later.tickets[-1].number[-4:]) - int(new.number[-4:]) <= 2, "numbers are left out once"


def messages(office: Station, ticket: int) -> list[dict[str, Any]]:
    with office.office.db.read() as tx:
        return tickets.messages_of(tx, ticket)
