"""A large original is read where it lies, with the answers that its bytes would give; and nothing is left of what nobody took."""

from __future__ import annotations

import base64
import os
import pickle
import random
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from mime.test_mime_corpus import corpus

from kefud.large import INCOMING, LARGE, WINDOW, Large, Spilled, tidy
from kefud.mime import attachment_bytes, read_mail
from kefud.store import blobs

NOW = datetime(2025, 3, 3, 12, 0, tzinfo=UTC)
TOP = b"From: =?UTF-8?B?546L5aWz5aOr?= <wang@mail.example.com>\r\nSubject: photo\r\nDate: Mon, 3 Mar 2025 10:00:00 +0800\r\nMIME-Version: 1.0\r\n"
MIXED = b'Content-Type: multipart/mixed; boundary="cut"\r\n\r\n'
WORDS = b"--cut\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + "三号楼电梯坏了,请派人来修。".encode() + b"\r\n"
PHOTO = b"--cut\r\nContent-Type: image/jpeg\r\nContent-Disposition: attachment; filename=photo.jpg\r\n"
CODED = PHOTO + b"Content-Transfer-Encoding: base64\r\n\r\n"
NOISE = random.Random(5).randbytes(2_500_000)
BASE64 = base64.encodebytes(NOISE).replace(b"\n", b"\r\n")

SHAPES = {
    "photograph": TOP + MIXED + WORDS + CODED + BASE64 + b"--cut--\r\n",
    "photograph first": TOP + MIXED + CODED + BASE64 + WORDS + b"--cut--\r\n",
    "last boundary missing": TOP + MIXED + WORDS + CODED + BASE64,
    "no such boundary": TOP + MIXED.replace(b"cut", b"other") + WORDS + CODED + BASE64 + b"--cut--\r\n",
    "padding in the middle": TOP + MIXED + WORDS + CODED + BASE64[:1_500_000] + b"QQ==\r\n" + BASE64[1_500_000:] + b"--cut--\r\n",
    "characters lost": TOP + MIXED + WORDS + CODED + BASE64[:70] + BASE64[71:2_000_000] + BASE64[2_000_003:] + b"--cut--\r\n",
    "eight bits": TOP + MIXED + WORDS + PHOTO + b"Content-Transfer-Encoding: binary\r\n\r\n" + NOISE + b"\r\n--cut--\r\n",
    "carriage returns only": (TOP + MIXED + WORDS + CODED + BASE64 + b"--cut--\r\n").replace(b"\r\n", b"\r"),
    "a mail in a mail": TOP + MIXED + WORDS + b"--cut\r\nContent-Type: message/rfc822\r\n\r\n" + TOP
    + MIXED.replace(b"cut", b"in") + WORDS.replace(b"--cut", b"--in") + CODED.replace(b"--cut", b"--in") + BASE64 + b"--in--\r\n--cut--\r\n",
    "text without end": TOP + b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + "漏水了。\r\n".encode() * 150_000,
    "blanks without end": TOP + b"\r\nleak\r\n" + b" \r\n" * 600_000,
    "no line at all": b"x" * 2_000_000,
}  # fmt: skip


@pytest.fixture
def lying(tmp_path: Path) -> Callable[[bytes], Large]:
    def lay(content: bytes) -> Large:
        path = tmp_path / f"original-{len(list(tmp_path.iterdir()))}"
        path.write_bytes(content)
        return Large(path)

    return lay


def test_it_answers_as_its_bytes_would(lying: Callable[[bytes], Large]) -> None:
    chance = random.Random(7)
    content = bytearray(chance.choices(b"ab\n=", k=3 * WINDOW + 77))
    for at in (0, WINDOW - 3, WINDOW - 1, WINDOW, 2 * WINDOW - 2, len(content) - 5):
        content[at : at + 5] = b"<#-#>"
    whole = bytes(content)
    large = lying(whole)
    assert len(large) == len(whole) and large[:] == whole
    for what in (b"<#-#>", b"#-", b">", b"\n", b"not there"):
        for _ in range(40):
            start = chance.choice((0, 1, WINDOW - 4, WINDOW - 2, WINDOW, chance.randrange(len(whole))))
            end = chance.choice((None, len(whole) + 9, WINDOW + 1, WINDOW + 4, chance.randrange(len(whole))))
            assert large.find(what, start, end) == whole.find(what, start, end), (what, start, end)
            assert large.rfind(what, start, end) == whole.rfind(what, start, end), (what, start, end)
            assert large.startswith(what, start, end) == whole.startswith(what, start, end)
            assert large[start:end] == whole[start:end]
    assert large.count(b"<#-#>") == whole.count(b"<#-#>") > 3
    assert large.index(b"-#", 5) == whole.index(b"-#", 5)
    with pytest.raises(ValueError):
        large.index(b"not there")
    found, wanted = (x.search(re.compile(b"#-#>"), 10, len(whole)) for x in (large, _Bytes(whole)))
    assert found and wanted and found.span() == wanted.span() and found[0] == wanted[0]
    assert pickle.loads(pickle.dumps(large)) == large


class _Bytes:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def search(self, pattern: re.Pattern[bytes], start: int, end: int) -> re.Match[bytes] | None:
        return pattern.search(self.content, start, end)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_large_mail_is_read_where_it_lies(shape: str, lying: Callable[[bytes], Large]) -> None:
    raw = SHAPES[shape]
    message = read_mail(raw, received_at=NOW)
    large = lying(raw)
    assert read_mail(large, received_at=NOW) == message
    for file in message.attachments:
        assert attachment_bytes(large, file.part) == attachment_bytes(raw, file.part)


def test_any_mail_is_read_where_it_lies(lying: Callable[[bytes], Large]) -> None:
    for expected in corpus(60, seed=3):
        assert read_mail(lying(expected.raw), received_at=NOW) == read_mail(expected.raw, received_at=NOW)


def test_what_came_in_is_taken_over_without_a_copy(tmp_path: Path) -> None:
    file = Spilled.of(NOISE, tmp_path / INCOMING)
    inode = file.path.stat().st_ino
    passed = pickle.loads(pickle.dumps(file))
    [stored] = blobs.keep([passed], tmp_path / "blobs")
    kept = tmp_path / "blobs" / (stored.path or "")
    assert kept.read_bytes() == NOISE and kept.stat().st_ino == inode and not file.path.exists()
    again = Spilled.of(NOISE, tmp_path / INCOMING)
    assert blobs.keep([again], tmp_path / "blobs") == [stored], "the same once more: it is there"
    del file, again
    assert list((tmp_path / INCOMING).iterdir()) == [], "what was not needed goes with whoever had it"


def test_a_damaged_file_of_the_name_is_replaced(tmp_path: Path) -> None:
    [stored] = blobs.keep([NOISE], tmp_path / "blobs")
    kept = tmp_path / "blobs" / (stored.path or "")
    kept.write_bytes(NOISE[::-1])
    blobs.keep([Spilled.of(NOISE, tmp_path / INCOMING)], tmp_path / "blobs")
    assert kept.read_bytes() == NOISE


def test_only_a_plain_file_of_the_room_is_taken_over(tmp_path: Path) -> None:
    elsewhere = tmp_path / "secret"
    elsewhere.write_bytes(NOISE)
    (tmp_path / INCOMING).mkdir()
    (tmp_path / INCOMING / "link").symlink_to(elsewhere)
    for path in (elsewhere, tmp_path / INCOMING / "link", tmp_path / INCOMING / ".." / "secret"):
        with pytest.raises(OSError):
            blobs.keep([Large(path)], tmp_path / "blobs")
    with pytest.raises(FileNotFoundError):
        blobs.keep([Large(tmp_path / INCOMING / "gone")], tmp_path / "blobs")
    assert elsewhere.read_bytes() == NOISE


def test_leavings_of_earlier_runs_go_at_the_start(tmp_path: Path) -> None:
    room = tmp_path / INCOMING
    room.mkdir()
    (room / "old").write_bytes(b"x" * LARGE)
    os.utime(room / "old", (time.time() - 90_000,) * 2)
    (room / "new").write_bytes(b"x" * LARGE)
    tidy(tmp_path, time.time() - 86_400)
    assert [p.name for p in room.iterdir()] == ["new"]
    tidy(tmp_path, float("inf"))
    assert list(room.iterdir()) == []
    tidy(tmp_path / "no spool yet", float("inf"))
