"""A seeded heap of ordinary mail, made in every usual way, is read back word for word."""

from __future__ import annotations

import base64
import hashlib
import quopri
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote_from_bytes

from kefud.mime import attachment_bytes, read_mail

NOW = datetime(2025, 3, 3, 12, 0, tzinfo=UTC)
CHARSETS = [
    ("utf-8", "utf-8"),
    ("gb2312", "gbk"),
    ("GBK", "gbk"),
    ("gb18030", "gb18030"),
    ("big5", "big5"),
    ("", "utf-8"),
    ("", "gbk"),
]
SIMPLIFIED = [
    "三号楼电梯坏了",
    "厨房水管漏水严重",
    "楼道灯不亮",
    "请尽快安排师傅上门",
    "业主群里大家都在问",
    "谢谢客服",
    "地下车库很脏",
]
TRADITIONAL = ["電梯門壞了", "廚房水管漏水很嚴重", "樓道燈不亮", "請儘快安排師傅", "謝謝客服", "我們等了三天"]


@dataclass(frozen=True)
class Expected:
    """One mail, and what must be read from it."""

    raw: bytes
    subject: str
    text: str
    files: tuple[tuple[str, str], ...]


def word(chance: random.Random, text: str, label: str, codec: str) -> bytes:
    """An encoded word, sometimes cut in two in the middle of a character, sometimes raw bytes."""
    data = text.encode(codec)
    if not label:
        return data
    at = chance.randrange(1, len(data))
    pieces = [data] if chance.random() < 0.5 else [data[:at], data[at:]]
    if chance.random() < 0.5:
        return b"\r\n ".join(b"=?%s?B?%s?=" % (label.encode(), base64.b64encode(piece)) for piece in pieces)
    return b" ".join(b"=?%s?Q?%s?=" % (label.encode(), b"".join(b"=%02X" % byte for byte in piece)) for piece in pieces)


def text_part(chance: random.Random, kind: str, text: str, label: str, codec: str) -> bytes:
    data = text.replace("\n", "\r\n").encode(codec)
    encoding, body = chance.choice(
        [
            ("base64", base64.encodebytes(data).replace(b"\n", b"\r\n")),
            ("quoted-printable", quopri.encodestring(data.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")),
            ("8bit", data),
        ]
    )
    charset = f'; charset="{label}"' if label else ""
    return f"Content-Type: text/{kind}{charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body


def file_part(chance: random.Random, name: str, data: bytes) -> bytes:
    parameter = chance.choice(
        [
            b"filename*=utf-8''" + quote_from_bytes(name.encode()).encode(),
            b'filename="' + word(chance, name, "gb2312", "gbk") + b'"',
            b'filename="' + name.encode("gbk") + b'"',
        ]
    )
    head = b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; "
    return head + parameter + b"\r\n\r\n" + base64.encodebytes(data)


def multipart(kind: str, boundary: str, parts: list[bytes]) -> bytes:
    head = f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\npreamble\r\n'.encode()
    return head + b"".join(b"--%s\r\n%s\r\n" % (boundary.encode(), part) for part in parts) + b"--%s--\r\n" % boundary.encode()


def corpus(count: int, seed: int) -> Iterator[Expected]:
    chance = random.Random(seed)
    for number in range(count):
        label, codec = chance.choice(CHARSETS)
        phrases = TRADITIONAL if codec == "big5" else SIMPLIFIED
        lines = ["，".join(chance.choices(phrases, k=chance.randrange(1, 4))) + "。" for _ in range(chance.randrange(1, 12))]
        text, subject = "\n".join(lines), f"{chance.choice(phrases)} {number}"
        page = f'<meta charset="{label or codec}"><div>' + "</div><div>".join(lines) + "</div>"
        body = text_part(chance, "plain", text, label, codec)
        form = chance.choice(["plain", "html", "alternative"])
        if form == "html":
            body = text_part(chance, "html", page, label, codec)
        elif form == "alternative":
            body = multipart("alternative", "b1", [body, text_part(chance, "html", page, label, codec)])
        files = [(f"现场照片{n}.pdf", chance.randbytes(chance.randrange(1, 9000))) for n in range(chance.choice([0, 0, 1, 3]))]
        if files:
            body = multipart("mixed", "b1-outer", [body, *(file_part(chance, *file) for file in files)])
        head = b"From: a@example.cn\r\nSubject: " + word(chance, subject, label, codec) + b"\r\n"
        raw = head + body
        yield Expected(
            raw if chance.random() < 0.5 else raw.replace(b"\r\n", b"\n"),
            subject,
            text,
            tuple((name, hashlib.sha256(data).hexdigest()) for name, data in files),
        )


def test_ordinary_mail_is_read_word_for_word() -> None:
    for mail in corpus(600, seed=1):
        seen = read_mail(mail.raw, received_at=NOW)
        assert (seen.subject, seen.text, seen.quoted) == (mail.subject, mail.text, "")
        assert tuple((item.name, item.sha256) for item in seen.attachments) == mail.files
        for item in seen.attachments:
            assert hashlib.sha256(attachment_bytes(mail.raw, item.part)[2]).hexdigest() == item.sha256
        assert (seen.automatic, seen.bounce) == ("", None)


def test_the_same_mail_with_other_line_ends_has_the_same_digest() -> None:
    for mail in corpus(100, seed=2):
        unix = mail.raw.replace(b"\r\n", b"\n")
        dos = b"Received: by x; nowhere\r\n" + unix.replace(b"\n", b"\r\n")
        assert read_mail(unix, received_at=NOW).digest == read_mail(dos, received_at=NOW).digest
