"""S25: what the machine's Python lets through is found by trying, for distributions mend without changing numbers."""

from __future__ import annotations

import email.errors
import json
from email.utils import parseaddr
from pathlib import Path

import pytest
from click.testing import CliRunner

from kefud.cli import kefud


def told(file: Path) -> tuple[int, dict[str, str]]:
    """Exit status, and level by probe."""
    done = CliRunner().invoke(kefud, ["-c", str(file), "doctor", "--json"])
    return done.exit_code, {x["probe"]: x["level"] for x in json.loads(done.stdout)}


@pytest.fixture(scope="module")
def levels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    file = tmp_path_factory.mktemp("doctor") / "kefud.toml"
    file.write_text('[service]\nhotline = "400-000-0000"\n', "utf-8")
    file.chmod(0o666)
    status, found = told(file)
    assert status == 1, "a file that everybody may write to is bad"
    return found


def test_every_probe_comes_to_an_end(levels: dict[str, str]) -> None:
    assert {"python", "header injection", "address parser", "imap literal", "fonts", "calendar", "disk", "modes"} <= set(levels)
    assert [probe for probe, level in levels.items() if level == "bad"] == ["modes"]


def test_a_python_without_the_mending_is_reported(levels: dict[str, str]) -> None:
    mended = hasattr(email.errors, "HeaderWriteError")  # came with CVE-2024-6923; bytes followed with CVE-2026-1299
    assert levels["header injection"] == "warn" or mended
    strict = parseaddr("alice@corp.example)<evil@example.com>") == ("", "")
    assert levels["address parser"] == ("ok" if strict else "warn")


def test_a_configuration_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "kefud.toml").write_text("[service\n", "utf-8")
    status, found = told(tmp_path / "kefud.toml")
    assert status == 1 and found["configuration"] == "bad"
