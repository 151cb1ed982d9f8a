"""S09–S11, S15, S17, S19: what a mail made up reaches headers, workbooks, papers and logs as harmless text, through the line."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import pypdfium2
from click.testing import CliRunner
from hostile.station import Station, station, vouched
from line.office import mail

from kefud.cli import kefud

HARM = (
    "=cmd|'/c calc'!A1", "-2+3", "\t=1", "＝1+1", "@SUM(1)", "{{7*7}}", "{%for i in range(10**9)%}", "#eval(\"1\")", "#set page(width: 1pt)",
    "<img src=\"file:///etc/passwd\">", "\r\n.\r\nMAIL FROM:<v@evil.example>\r\nRCPT TO:<w@evil.example>", "$x$ *y* _z_ @ref <lab>", "\u202eevil",
)  # fmt: skip
WUYE = "wuye@property.example.com"


def harmed(office: Station) -> None:
    for n, text in enumerate(HARM):
        sender = f"h{n}@mail.example.com"
        body = f"{n + 1}号楼1单元101业主,电话1390000{n:04d}。西门保安态度恶劣,骂人,我要投诉。{text}"
        office.put(
            mail(
                body,
                subject=f"投诉 {text.replace(chr(13), ' ').replace(chr(10), ' ')}",
                name="业主",
                sender=sender,
                headers=(vouched(sender),),
            )
        )
    raw = mail(
        f"20号楼1单元101业主。西门保安骂人,我要投诉。{HARM[0]}", sender="PLACE@mail.example.com", name="", subject="PLACE"
    )
    raw = raw.replace(
        b"From: PLACE@mail.example.com", b"From: =?utf-8?q?=3Dcmd=0D=0ABcc=3A_v=40evil=2Eexample?= <inject@mail.example.com>"
    )
    office.put(raw.replace(b"Subject: PLACE", b"Subject: =?utf-8?q?x=0D=0ABcc:_v@evil.example=0D=0A=0D=0Abody?="))
    office.put(
        mail("21号楼1单元101业主。漏水。", sender="id@mail.example.com", message_id="<a@b>").replace(
            b"<a@b>", b"<a@b>\r\n X1 STORE 1:* +FLAGS (\\Deleted)"
        )
    )
    office.work()
    assert len(office.tickets) == len(HARM) + 2


def test_no_made_up_header_recipient_or_command_leaves(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        harmed(office)
        assert len(office.smtp.letters) > len(HARM)
        for letter in office.smtp.letters:
            assert not any("evil" in r for r in letter.recipients)
            head = letter.content.partition(b"\r\n\r\n")[0]
            assert not re.search(rb"(?im)^(bcc|cc|reply-to):", head)
            assert b"\n" not in letter.content.replace(b"\r\n", b"") and b"\r" not in letter.content.replace(b"\r\n", b"")
        assert office.delivered("inject@mail.example.com")
        papers = office.delivered(WUYE)
        assert len(papers) >= len(HARM)
        texts = [
            printed(a.get_content()) for m in papers for a in m.iter_attachments() if a.get_content_type() == "application/pdf"
        ]
        everything = "".join(texts).replace(" ", "").replace("\r\n", "").replace("\n", "")
        for literal in ("{{7*7}}", "#eval(", "#setpage", "file:///etc/passwd", "10**9", "*y*"):
            assert literal in everything, literal
        assert "root:" not in everything
        workbook(office)


def printed(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    return "".join(page.get_textpage().get_text_range() for page in document)


def workbook(office: Station) -> None:
    """The ledger as a workbook and as CSV: no formula, and every dangerous start is disarmed."""
    target = office.home / "ledger.xlsx"
    done = CliRunner().invoke(
        kefud, ["-c", str(office.path), "report", "ledger", "--date", "2025-03-03", "--format", "xlsx", "-o", str(target)]
    )
    assert done.exit_code == 0, done.output
    with zipfile.ZipFile(io.BytesIO(target.read_bytes())) as archive:
        parts = [archive.read(n) for n in archive.namelist() if n.startswith(("xl/worksheets/", "xl/sharedStrings"))]
    assert not any(b"<f>" in p or b"<f " in p for p in parts)
    assert any("西门保安".encode() in p for p in parts), "else the words are elsewhere and this shows nothing"
