"""The office of the demonstration: a directory with a complete configuration, and folders for what comes in."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from kefud.demo.mailbox import PASSWORD, Mailbox
from kefud.shipped import shipped

HERE = Path(__file__).parent

_KNOWLEDGE = """\
# Verified answers (信息档案). An entry answers a consultation at once while it is valid.

[[knowledge]]
topic = "客服中心工作时间"
answer = "周一至周五 8:30–12:00、13:00–17:00;周六、周日 9:00–17:00"
keywords = ["上班时间", "几点上班", "几点下班", "营业时间"]
verified_on = {verified}
valid_until = {until}
"""


def furnish(directory: Path, mailbox: Mailbox, smtp_port: int, houses: Sequence[dict[str, str]], today: date) -> Path:
    """Write everything the daemon needs below ``directory``; returns the path of kefud.toml."""
    config = directory / "config"
    for folder in (config / "credentials", directory / "in" / "mail", directory / "in" / "calls", directory / "in" / "scans"):
        folder.mkdir(parents=True)
    shutil.copyfile(shipped("config") / "departments.toml", config / "departments.toml")
    until = today + timedelta(days=365)
    _write(config / "knowledge.toml", _KNOWLEDGE.format(verified=today, until=until))
    _write(config / "houses.toml", "\n".join(_house(house) for house in houses))
    _write(config / "credentials" / "imap.password", PASSWORD, mode=0o600)
    text = (HERE / "kefud.toml").read_text("utf-8")
    path = config / "kefud.toml"
    _write(path, text.replace("@mailbox@", mailbox.channel).replace("@smtp_port@", str(smtp_port)))
    return path


def _house(house: dict[str, str]) -> str:
    return "[[house]]\n" + "".join(f'{key} = "{value}"\n' for key, value in house.items())


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.write_text(text, "utf-8")
    path.chmod(mode)
