"""What a customer wants by post stands in the register of what goes out, with the number of its posting (S3-2.4.1)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from estate import Estate
from line.office import PARTIES, ROLES

from kefud.cli import kefud


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    made = Estate(tmp_path, f"{PARTIES}{ROLES}", now=datetime.now(UTC))
    made.put("5-1-201 何样板 13800000201:建议小区多设几个垃圾桶。采纳与否,结果请邮寄给我。")
    made.work()
    return made


def run(estate: Estate, command: str, *options: str) -> Result:
    number = estate.tickets[0].number
    return CliRunner().invoke(kefud, ["-c", str(estate.file), "ticket", command, number, *options, "--as", "cs_clerk"])


def outgoing(estate: Estate) -> dict[str, Any]:
    done = CliRunner().invoke(kefud, ["-c", str(estate.file), "report", "documents", "--json"])
    rows = json.loads(done.stdout)["outgoing"]
    row: dict[str, Any] = next(r for r in rows if "客发" in r["number"])
    return row


def test_a_result_by_post_is_registered_with_its_number(estate: Estate) -> None:
    assert estate.tickets[0].fields["delivery"] == "post"
    assert run(estate, "deliver", "--proof", "EX000000001CN").exit_code != 0
    assert run(estate, "adopt", "--reason", "合理").exit_code == 0
    assert outgoing(estate)["way"] == "邮寄" and "deliver" in [t.kind for t in estate.tickets[0].tasks if not t.done_at]
    assert run(estate, "deliver").exit_code != 0
    assert run(estate, "deliver", "--proof", "EX000000001CN").exit_code != 0
    assert run(estate, "deliver", "--proof", "EX000000001CN", "--enclosed", "书面答复").exit_code == 0
    row = outgoing(estate)
    assert row["way"] == "邮寄 EX000000001CN" and row["delivered"] and row["enclosures"] == "书面答复"
    assert "deliver" not in [t.kind for t in estate.tickets[0].tasks if not t.done_at]
