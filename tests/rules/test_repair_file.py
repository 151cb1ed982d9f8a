"""The repair file of a house: every repair in the order it came, with acceptance, cost and warranty (S1-4.2.7)."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from estate import Estate
from line.office import PARTIES, ROLES

from kefud.cli import kefud

OWNER = "5-1-201 何样板 13800000201:"
NOW = datetime.fromisoformat("2025-03-05T10:00:00+08:00")


def run(estate: Estate, *arguments: str) -> Result:
    return CliRunner().invoke(kefud, ["-c", str(estate.file), "ticket", *arguments])


def file_of(estate: Estate, house: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(run(estate, "house", house, "--json").stdout)
    return rows


def test_the_repairs_of_a_house_with_cost_and_warranty(tmp_path: Path) -> None:
    estate = Estate(tmp_path, f"{PARTIES}{ROLES}", now=NOW)
    for text in (f"{OWNER}厨房水龙头坏了,一直滴水。", f"{OWNER}卧室墙面空鼓开裂,请维修。",
                 "8-2-1201 魏占空 13800000207:阳台灯不亮了,请修理。"):  # fmt: skip
        estate.put(text)
        estate.work(days=1)
    first = estate.tickets[0].number
    done = ("--text", "更换阀芯", "--cost", "380元", "--done-by", "contractor-a", "--as", "cs_specialist")
    assert run(estate, "handle", first, *done, "--warranty", "2027年3月5日").exit_code == 0
    assert run(estate, "verify", first, "--as", "cs_clerk").exit_code == 0
    repaired, waiting = file_of(estate, "5号楼1单元201")
    assert (repaired["by"], repaired["result"], repaired["acceptance"]) == ("示例防水维修队", "更换阀芯", "合格")
    assert (repaired["cost"], repaired["warranty"]) == ("380.00", "2027-03-05")
    assert (waiting["acceptance"], waiting["cost"], waiting["photos"]) == ("", "", "") and repaired["received"] < waiting["received"]
    assert "更换阀芯" in run(estate, "house", "5-1-201").stdout
