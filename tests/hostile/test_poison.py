"""S07–S15 and what the standard library does with hostile mail: each thing ends with a person, and the others go on."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from hostile import poison
from hostile.station import Station, everything_sent, station
from line.office import mail

from kefud.store import settings

HARMED = "厨房水龙头坏了,一直滴水,请派人来修。"
MOST_MEMORY = 1 << 30


def good(n: int) -> bytes:
    return mail(f"{n + 1}号楼1单元{n % 9 + 1}01,{HARMED}", sender=f"good{n}@mail.example.com", name=f"业主{n}")


def work_through(office: Station, mails: Sequence[tuple[str, bytes]], good_ones: int) -> None:
    """Poison with good mails before, between and after: all are ticked off, the good ones are answered."""
    step = max(1, len(mails) // good_ones)
    made = 0
    for index, (_, content) in enumerate(mails):
        if index % step == 0 and made < good_ones:
            office.put(good(made))
            made += 1
        office.put(content)
    office.put(good(made))
    office.work()
    for _ in range(4):  # what was put off is looked at again after minutes
        office.pass_time(minutes=5)
        office.work()
    assert office.arrivals["received"] == 0
    assert sum(office.arrivals.values()) == len(mails) + made + 1
    assert all(entry.reason for entry in office.shelf)
    for n in range(made + 1):
        assert len(office.delivered(f"good{n}@mail.example.com")) == 1, f"good mail {n}"
    assert not outside(office)


def outside(office: Station) -> list[Path]:
    """Files that lie where none should, or that somebody could run or read."""
    root = Path(office.loaded.spool)
    return [
        f for f in root.rglob("*") if f.is_file() and (f.stat().st_mode & 0o133 or f.is_symlink()) and "papers" not in f.parts
    ]


def seen_by_a_person(office: Station, expected: int) -> None:
    counts = office.arrivals
    assert counts["filed"] + counts["shelved"] + counts["ignored"] == expected, counts
    assert counts["ignored"] <= 2, "only what is automatic, or the same as another"


def test_poison_among_good_mails(tmp_path: Path) -> None:
    mails = list(poison.mails())
    assert len(mails) >= 150
    chosen = [m for m in mails if not m[0].startswith(("charset", "word", "file", "subject"))][::4] + mails[40:120:13]
    with station(tmp_path) as office:
        began = time.monotonic()
        work_through(office, chosen, 4)
        seen_by_a_person(office, len(chosen) + 5)
        assert time.monotonic() - began < 60
        sent = everything_sent(office.smtp)
        assert "Bcc:" not in sent and "root:" not in sent
        assert [w.pid for w in office.office.workers if w.pid], "the readers live, or came back"


def test_every_attachment_name_is_only_text(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        for _, content in poison.mails():
            if b"file" in content[:400] and b"filename" in content:
                office.put(content)
        before = {p for p in tmp_path.parent.iterdir()}
        office.work()
        assert office.arrivals["filed"] + office.arrivals["shelved"] >= len(poison.NAMES)
        assert {p for p in tmp_path.parent.iterdir()} == before
        with office.office.db.read() as tx:
            from kefud.store.tables import MessageRow

            names = [
                a["name"]
                for (found,) in tx.execute(MessageRow.__table__.select().with_only_columns(MessageRow.attachments))
                for a in found
            ]
        assert len(names) >= 2 * len(poison.NAMES)
        for name in names:
            assert len(name) <= 200 and name.isprintable() and not set(name) & set("/\\") and name not in (".", ".."), name


def test_scans_and_logs_that_want_to_harm(tmp_path: Path) -> None:
    with station(tmp_path, folders=("calls", "box")) as office:
        box, calls = tmp_path / "box", tmp_path / "calls"
        scans = dict(list(poison.papers())[::3])
        for name, content in {**scans, "good.pdf": poison.GOOD_PAPER}.items():
            (box / name).write_bytes(content)
        for name, content in [
            *poison.logs(),
            ("good.csv", (poison.HEADS + poison.ROW.format("GOOD", 200, "楼道灯不亮了请修理")).encode()),
        ]:
            (calls / name).write_bytes(content)
        (box / "shadow.pdf").symlink_to("/etc/shadow")
        os.mkfifo(box / "pipe.pdf")
        (box / "folder.pdf").mkdir()
        (calls / "link.csv").symlink_to("/etc/passwd")
        os.link(office.path, calls / "hard.csv")
        for _ in range(2):
            office.work()
            office.pass_time(minutes=20)
        assert office.arrivals["received"] == 0
        texts = [t.text for t in office.tickets]
        assert any("hall of house 5" in t for t in texts), "the good paper"
        assert any("楼道灯不亮" in t for t in texts), "the good call"
        known = " ".join(texts) + " ".join(e.draft + e.reason for e in office.shelf)
        assert "root:" not in known and "spool" not in known, "nothing of other people's files"
        scanned = [e for e in office.shelf if e.channel == "box"]
        assert len(scanned) + sum(t.medium == "paper" for t in office.tickets) == len(scans) + 1 - unreadable(office, scans)
        assert (box / "shadow.pdf").is_symlink() and (calls / "hard.csv").exists(), "left where they lie, and reported"
        with office.office.db.read() as tx:
            told = {channel: text for channel, (text, _) in settings.notes(tx, "report").items()}
        assert told.get("box") and told.get("calls")
        assert len([t for t in office.tickets if t.text.count("重复") and t.medium == "call"]) <= 1, (
            "a call twice in a log is one call"
        )


def unreadable(office: Station, scans: dict[str, bytes]) -> int:
    """Files in the box that are no scans stay there, reported."""
    return sum((office.home / "box" / name).exists() for name in scans)
