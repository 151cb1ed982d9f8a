"""A store with a long past: tickets, messages, history and letters of years, made by the database itself in under a minute."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

_FACTS = json.dumps({"reply_to": "", "place": "样例花园"}, ensure_ascii=False)

_PAST = """
pragma journal_mode=off; pragma synchronous=off; pragma foreign_keys=off;
create temp table n as with recursive c(i) as (select 1 union all select i + 1 from c where i < :messages) select i from c;
insert into arrival (id, channel, ref, medium, status, received_at, taken_at, blob, size, subject, message_id, digest, reason,
    draft, transcript, effects, disposition, attempts, owner)
  select i, 'past', 'past/1/' || i, 'mail', 'filed', datetime('2020-01-01', i || ' minutes') || '.000000',
    datetime('2020-01-01', i || ' minutes') || '.000000', printf('%064x', i), 2000, '样例来件', '<past.' || i || '@example.com>',
    printf('%064x', i), '', '', '', '[]', 'new', 0, '' from n;
insert into ticket (id, number, status, round, kind, category, urgency, important, origin, house, subject, summary, text,
    department, joint, handler, requester_name, requester_phone, requester_email, anonymous, masked, dispute, channel, medium,
    started_at, created_at, updated_at, effects, notify, related, locked, fields, transfers, rung, extension)
  select i, printf('KF2020%04d-%04d', 101 + i / 9000, 1 + i % 9000),
    case when i % 100 = 0 then 'assigned' else 'archived' end, 1, 'repair', 'facility', 'normal', 0, 'owner',
    (1 + i % 12) || '-1-' || (101 + i % 800), '样例事项', '往年来件的摘要', '往年来件的正文，已经办结归档。', 'property_company',
    '[]', 'cs_specialist', '样例业主', '1380000' || printf('%04d', i % 10000), 'past' || (i % 20000) || '@example.com', 0, 0, 0,
    'past', 'mail', datetime('2020-01-01', (i * 10) || ' minutes') || '.000000', datetime('2020-01-01', (i * 10) || ' minutes') || '.000000',
    datetime('2020-01-01', (i * 10) || ' minutes') || '.000000', '[]', '[]', '[]', '[]', :facts, 0, 0, '' from n where i <= :tickets;
insert into arrival_ticket (arrival, ticket) select i, 1 + (i - 1) % :tickets from n;
insert into message (ticket, arrival, medium, sender, sender_name, author, verified, subject, text, quoted, message_id, received_at,
    attachments)
  select 1 + (i - 1) % :tickets, i, 'mail', 'past' || (i % 20000) || '@example.com', '样例业主', 'requester', 0, '样例来件',
    '往年来件的正文，已经办结归档。', '', '<past.' || i || '@example.com>', datetime('2020-01-01', i || ' minutes') || '.000000', '[]'
  from n;
insert into history (ticket, seq, at, who, what, why, data, hash)
  select 1 + (i - 1) % :tickets, 1 + (i - 1) / :tickets, datetime('2020-01-01', i || ' minutes') || '.000000', 'program', 'heard',
    '', '{}', printf('%064x', i) from n;
insert into letter (ticket, recipient, addresses, template, message_id, in_reply_to, "references", subject, text, html, automatic,
    documents, attachments, transport, status, hold, key, meets, priority, attempts, next_attempt, owner, epoch, last_answer,
    created_at, sent_at, told)
  select i, 'requester', '["past@example.com"]', 'past', '<letter.' || i || '@example.cn>', '', '[]', '回复', '往年的回复。', '',
    'auto-replied', '[]', '[]', 'mail', 'sent', '', '', '', 5, 1, null, '', 1, '250 ok',
    datetime('2020-01-01', (i * 10) || ' minutes') || '.000000', datetime('2020-01-01', (i * 10) || ' minutes') || '.000000', 1
  from n where i <= :tickets;
insert into deadline (ticket, name, round, rule, term, start, due, met, dropped, agreed, steps, next_at, pauses)
  select i, 'resolve', 1, '', '', datetime('2020-01-01', (i * 10) || ' minutes') || '.000000',
    datetime('2020-01-03', (i * 10) || ' minutes') || '.000000',
    case when i % 100 = 0 then null else datetime('2020-01-02', (i * 10) || ' minutes') || '.000000' end, '', 0, 0, null, '[]'
  from n where i <= :tickets;
drop table n;
analyze;
"""


def grow(database: Path, tickets: int = 100_000, messages: int = 1_000_000) -> None:
    """Fill an empty store of the current schema. One ticket in a hundred is open."""
    words = _PAST.replace(":messages", str(messages)).replace(":tickets", str(tickets)).replace(":facts", f"'{_FACTS}'")
    connection = sqlite3.connect(database)
    connection.executescript(words)
    connection.execute("pragma journal_mode=wal")
    connection.commit()
    connection.close()
