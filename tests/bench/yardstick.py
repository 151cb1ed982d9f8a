"""The yardstick: the shortest importer that keeps its word, without charset guessing, rules, templates or isolation.

Fetch fifty, parse and decode with the standard library, store attachments as fsynced files, commit each mail (SQLite, WAL,
FULL) with its ticket and the acknowledgement to be sent, send that over one connection, flag the mails as seen.
`python yardstick.py DIR IMAP_PORT USER SMTP_PORT` prints mails and acknowledgements.
"""

from __future__ import annotations

import hashlib
import json
import os
import smtplib
import sqlite3
import sys
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path

import imapclient

SCHEMA = """
pragma journal_mode=wal; pragma synchronous=full;
create table ticket (id integer primary key, subject text, sender text);
create table message (id integer primary key, ticket integer, message_id text unique, text text);
create table attachment (message integer, name text, sha text, size integer);
create table letter (id integer primary key, ticket integer, answers text, sent integer default 0);
"""


def main(directory: str, imap_port: int, user: str, smtp_port: int) -> None:
    place = Path(directory)
    place.mkdir(parents=True, exist_ok=True)
    store = sqlite3.connect(place / "store.db", isolation_level=None)
    store.executescript(SCHEMA)
    box = imapclient.IMAPClient("127.0.0.1", imap_port, ssl=False)
    box._imap.debug = 0
    box.login(user, "pw")
    box.select_folder("INBOX")
    server = smtplib.SMTP("127.0.0.1", smtp_port, local_hostname="yardstick.example")
    uids, answered = box.search("UNSEEN"), 0
    for start in range(0, len(uids), 50):
        wave = uids[start : start + 50]
        for _, found in sorted(box.fetch(wave, ["BODY.PEEK[]"]).items()):
            answered += _one(store, server, place, found[b"BODY[]"])
        box.add_flags(wave, [b"\\Seen"], silent=True)
    server.quit()
    box.logout()
    print(json.dumps({"mails": len(uids), "acknowledgements": answered}))


def _one(store: sqlite3.Connection, server: smtplib.SMTP, place: Path, raw: bytes) -> bool:
    mail = message_from_bytes(raw)
    message_id = str(mail["Message-ID"] or hashlib.sha256(raw).hexdigest()).strip()
    text, files = _content(mail)
    kept = [(name, _keep(place, data), len(data)) for name, data in files]
    store.execute("begin immediate")
    if store.execute("select 1 from message where message_id = ?", (message_id,)).fetchone():
        store.execute("commit")
        return False
    parent = store.execute(
        "select ticket from message where message_id = ?", (str(mail["In-Reply-To"] or "").strip(),)
    ).fetchone()
    sender = str(mail["From"] or "")
    values = (_words(mail["Subject"]), sender)
    ticket = parent[0] if parent else store.execute("insert into ticket (subject, sender) values (?, ?)", values).lastrowid
    row = store.execute("insert into message (ticket, message_id, text) values (?, ?, ?)", (ticket, message_id, text)).lastrowid
    store.executemany("insert into attachment values (?, ?, ?, ?)", [(row, *one) for one in kept])
    answer = not parent and not mail["Auto-Submitted"]
    letter = (
        store.execute("insert into letter (ticket, answers) values (?, ?)", (ticket, message_id)).lastrowid if answer else 0
    )
    store.execute("commit")
    if answer:
        head = "From: service@example.cn\r\nTo: owner@example.com\r\n"
        head += f"Subject: [{ticket}] received\r\nIn-Reply-To: {message_id}\r\n"
        server.sendmail("service@example.cn", ["owner@example.com"], head + "Auto-Submitted: auto-replied\r\n\r\nreceived\r\n")
        store.execute("update letter set sent = 1 where id = ?", (letter,))
    return answer


def _content(mail: Message) -> tuple[str, list[tuple[str, bytes]]]:
    text, files = "", []
    for part in mail.walk():
        if part.is_multipart():
            continue
        data = part.get_payload(decode=True) or b""
        if part.get_content_maintype() == "text" and not part.get_filename():
            try:
                text += data.decode(part.get_content_charset() or "utf-8", "replace")
            except LookupError:
                text += data.decode("utf-8", "replace")
        else:
            files.append((part.get_filename() or "", data))
    return text, files


def _words(header: object) -> str:
    try:
        return str(make_header(decode_header(str(header or ""))))
    except (ValueError, LookupError):
        return str(header)


def _keep(place: Path, data: bytes) -> str:
    name = hashlib.sha256(data).hexdigest()
    if not (place / name).exists():
        with open(place / f"{name}.new", "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(place / f"{name}.new", place / name)
    return name


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
