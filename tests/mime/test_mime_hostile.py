"""No bytes, however made, stop the reader: a message comes out, or one sentence that says why not."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kefud.desk.message import Message
from kefud.errors import Unreadable
from kefud.mime import Limits, attachment_bytes, authenticated, forwarded, html_to_text, read_mail
from kefud.mime.reader import _Reading

NOW = datetime(2025, 3, 3, 12, 0, tzinfo=UTC)


def read(raw: bytes) -> Message:
    """Read without the safety net, so that a surprise shows."""
    seen = _Reading(raw, Limits()).message(NOW, ())
    assert seen == read_mail(raw, received_at=NOW)
    return seen


def nested(depth: int) -> bytes:
    head = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(depth))
    return f"Subject: deep\n{head}Content-Type: text/plain\n\nbottom\n".encode() + b"".join(
        b"--b%d--\n" % n for n in range(depth)[::-1]
    )


@pytest.mark.parametrize("depth", [900, 3000])
def test_deep_nesting_is_cut_and_its_text_saved(depth: int) -> None:
    seen = read(nested(depth))
    assert (seen.subject, seen.text) == ("deep", "bottom")
    assert "nested more than 20 levels deep, cut" in seen.remarks


def test_twenty_levels_are_read() -> None:
    assert not [remark for remark in read(nested(20)).remarks if "cut" in remark]


@pytest.mark.parametrize("depth", [30, 1000])
def test_mails_in_mails(depth: int) -> None:
    seen = read(b"Content-Type: message/rfc822\n\n" * depth + b"Subject: x\n\nbottom")
    assert any("cut" in remark for remark in seen.remarks)


def test_fifty_thousand_parts_are_cut_at_five_hundred() -> None:
    seen = read(
        b"Subject: many\nContent-Type: multipart/mixed; boundary=b\n\nfirst\n--b\n\nhello\n"
        + b"--b\n\n\n" * 50_000
        + b"--b--\n"
    )
    assert (seen.subject, seen.text) == ("many", "hello")
    assert "more than 500 boundary lines, cut" in seen.remarks


def test_fifty_thousand_semicolons() -> None:
    seen = read(b"Subject: x\nContent-Type: text/plain" + b";" * 50_000 + b"\n\nhello")
    assert (seen.subject, seen.text) == ("x", "hello") and "header cut" in seen.remarks


def test_sixteen_thousand_addresses_become_a_hundred() -> None:
    seen = read(b"From: a@example.cn\nTo: " + b"a@b," * 16_000 + b"\n\nhello")
    assert (len(seen.to), seen.text, seen.identity) == (100, "hello", True)


@pytest.mark.parametrize(
    "piece", [b"(", b")", b"<", b'"', b"\\", b"(\\", b"[", b":;", b"=?", b"a@", b"=?a?q?", b"=?a?b?a?", b"\xc2", b","]
)
@pytest.mark.parametrize(
    "field",
    [
        b"From",
        b"To",
        b"Subject",
        b"Date",
        b"Received",
        b"Content-Type",
        b"Message-ID",
        b"Content-Disposition",
        b"Authentication-Results",
    ],
)
def test_headers_of_one_thing_repeated(field: bytes, piece: bytes) -> None:
    assert read(field + b": " + piece * 900 + b"\n\nhello").text == "hello" or field.startswith(b"Content-")
    read(field + b": " + piece * 16_000 + b"\n\nhello")


def test_eighteen_thousand_encoded_words() -> None:
    seen = read(b"Subject:" + b" =?utf-8?q?a?=\n" * 18_000 + b"From: a@example.cn\n\nhello")
    assert seen.subject.startswith("aaa") and "header block cut" in seen.remarks and seen.text == "hello"


@pytest.mark.parametrize(
    "raw", [b"Message-ID: <[\n\nx", b"From: =?utf-8?q?a?=@[::1\n\nx", b"Message-ID:\n\nx", b"References: <<<>>>\n\nx"]
)
def test_what_broke_the_standard_parser(raw: bytes) -> None:
    seen = read(raw)
    assert (seen.text, seen.message_id, seen.identity) == ("x", "", False)


def test_no_headers_at_all() -> None:
    seen = read("漏水了，快来。\n\n3号楼".encode())
    assert (seen.text, seen.identity, seen.subject) == ("漏水了，快来。\n\n3号楼", False, "")


@pytest.mark.parametrize("raw", [b"", b"\n", b" \r\n\t"])
def test_nothing_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable, match="empty"):
        read_mail(raw, received_at=NOW)


def test_more_than_the_limit_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="more than"):
        read_mail(b"x" * 101, received_at=NOW, limits=Limits(message=100))


def test_nul_bytes_disappear() -> None:
    seen = read(b"Subject: a\0b\nFrom: a\0 <a@example.cn>\n\nhel\0lo\0")
    assert (seen.subject, seen.text) == ("ab", "hello")


def test_old_line_ends() -> None:
    assert read(b"Subject: x\rFrom: a@example.cn\r\rone\rtwo\r").text == "one\ntwo"


def test_a_header_block_without_end_and_a_huge_header() -> None:
    assert "header block cut" in read(b"Subject: x\n" + b"X: y\n" * 50_000).remarks
    assert len(read(b"Subject: " + b"x" * 100_000 + b"\n\nhello").subject) == 1000


@pytest.mark.parametrize(
    "piece",
    ["<", "<!--", "<blockquote>", "&", "&#", "<a href='", '<a b="', "<style>", "</", "<pre>", "<td>", "<![", "\x0e", "<head>"],
)
def test_html_of_one_thing_repeated(piece: str) -> None:
    own, quoted = html_to_text("one" + piece * 100_000 + "two")
    assert (own + quoted).startswith("one")


@pytest.mark.parametrize(
    "hit",
    [
        b"--b",
        b"\n--b",
        b"\n--bx",
        b"--",
        b"\n--",
        b"\n--b--",
        b"\n--b \n",
        b"\n--b\nContent-Type: multipart/mixed; boundary=b\n\n",
        b"\n-",
    ],
)
def test_bodies_full_of_what_looks_like_boundaries(hit: bytes) -> None:
    read(b"Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n" + hit * 50_000)


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
@pytest.mark.parametrize(
    "data", [b"=" * 300_000, b"A=" * 150_000, b"A" * 299_999, b"\n" * 300_000, b"\xff" * 300_000, b"M\n" * 150_000]
)
def test_encodings_of_nonsense(encoding: str, data: bytes) -> None:
    read(b"Content-Transfer-Encoding: " + encoding.encode() + b"\n\n" + data)


def test_an_authentication_field_of_brackets_is_not_believed() -> None:
    seen = read(b"From: a@example.cn\nAuthentication-Results: mx; dmarc=pass" + b"(" * 16_000 + b"\n\nx")
    assert not authenticated(seen, "mx")


_FRAGMENTS = [
    b"From: a@example.cn\n",
    b"Subject: =?gbk?B?wqnLrg==?=\n",
    b"Content-Type: multipart/mixed; boundary=b\n",
    b"\n",
    b"\r\n",
    b"--b\n",
    b"--b--\n",
    b"Content-Type: text/html; charset=utf-8\n",
    b"Content-Transfer-Encoding: base64\n",
    b"5ryP5rC0\n",
    b"=E6=BC=8F=\n",
    b"\xc2\xa9\xcb\xae",
    b"Content-Type: message/rfc822\n",
    b"<p>",
    b"<blockquote>",
    b"> ",
    b"\x00",
    b"\xff\xfe",
    b"Received: by x; Mon, 3 Mar 2025 09:05:00 +0800\n",
    b"Content-Type: message/delivery-status\n",
    b"Action: failed\n",
    b"Return-Path: <>\n",
    b"Subject: Undeliverable\n",
    b"Date: x\n",
    b"Content-Disposition: attachment; filename*0*=gbk''%C2; filename*1*=%A9\n",
    b"Authentication-Results: mx; dmarc=pass\n",
    b"a" * 80,
    b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n",
    b"Content-Type: text/plain; format=flowed\n",
    b" \n",
    b"\t;\n",
    "发件人: a <b@example.cn>\n发送时间: 1\n主题: x\n".encode(),
    b"On 2025-01-01 a@b.c wrote:\n",
    b"\x1b$B",
    b"Content-Type: text/plain; charset=iso-2022-jp\n",
]


def check(raw: bytes) -> None:
    seen = read(raw)
    everything = (
        f"{seen.subject}{seen.sender.name}{seen.text}{seen.quoted}{seen.remarks}{[item.name for item in seen.attachments]}"
    )
    everything.encode("utf-8")
    assert not set(everything) & set(map(chr, (*range(9), *range(11, 32), *range(127, 160))))
    assert "\n" not in seen.subject + seen.sender.name and not any(
        "\n" in item.name or "/" in item.name for item in seen.attachments
    )
    for item in seen.attachments:
        assert len(attachment_bytes(raw, item.part)[2]) == item.size
    forwarded(seen.text)


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=1, max_size=400).filter(bytes.strip))
def test_arbitrary_bytes_are_read(raw: bytes) -> None:
    check(raw)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(_FRAGMENTS), min_size=1, max_size=40))
def test_any_mixture_of_mail_fragments_is_read(pieces: list[bytes]) -> None:
    raw = b"".join(pieces)
    if raw.strip():
        check(raw)


def test_a_seeded_heap_of_broken_mails_is_read() -> None:
    chance = random.Random(20250303)
    for _ in range(800):
        raw = bytearray(b"".join(chance.choices(_FRAGMENTS, k=chance.randrange(1, 60))))
        for _ in range(chance.randrange(6)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        if raw.strip():
            check(bytes(raw))
