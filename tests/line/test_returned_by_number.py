"""A returned notice of which the report tells only the number, as Chinese web mail does."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile.station import station
from line.office import mail

WUYE = "wuye@property.example.com"
OWNER = "owner@mail.example.com"
REPORT = """Return-Path: <>\r
From: PostMaster@property.example.com\r
To: kefu@estate.example.com\r
Subject: =?utf-8?B?57O757uf6YCA5L+h?=\r
Message-ID: <back1@property.example.com>\r
MIME-Version: 1.0\r
Content-Type: text/plain; charset="utf-8"\r
Content-Transfer-Encoding: 8bit\r
\r
抱歉,您的邮件被退回来了。主题:工作联系单 {number}\r
收件人:wuye@property.example.com\r
退信原因:550 Mailbox not found\r
"""


@pytest.mark.parametrize("internal", [True, False])
def test_the_number_of_a_notice_is_enough_only_where_no_stranger_can_write(tmp_path: Path, internal: bool) -> None:
    with station(tmp_path, service="trust_internal_mail = true" if internal else "") as office:
        office.put(mail("5号楼1单元201何样板,电话13800000201。投诉保安态度恶劣,骂人。", sender=OWNER))
        office.work()
        [ticket] = office.tickets
        [notice] = [x for x in ticket.documents if x.form == "notice"]
        office.put(REPORT.format(number=notice.number).encode())
        office.work()
        [after] = office.tickets
        assert (f"notice_undelivered:{notice.number}" in after.effects) is internal
        office.put(REPORT.format(number="客联〔2020〕999号").replace("back1", "back2").encode())
        office.work()
        assert len(office.tickets) == 1
