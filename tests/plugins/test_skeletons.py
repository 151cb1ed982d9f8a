"""What `kefud plugin new` writes passes its own tests and `kefud check` at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ENABLED = {
    "channel": '[[channel]]\nid = "fresh"\nplugin = "fresh"\nfolder = "drop"\n',
    "rule": '[rules]\norder = ["fresh"]\n',
    "transport": '[[transport]]\nid = "fresh"\nplugin = "fresh"\nfolder = "letters"\n',
    "observer": '[observers]\nenabled = ["fresh"]\n',
}


def kefud(home: Path, *arguments: str, status: int = 0) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "KEFUD_CONFIG"} | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-m", "kefud", *arguments], cwd=home, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def configured(home: Path, text: str) -> Path:
    (home / "plugins").mkdir(exist_ok=True)
    file = home / "kefud.toml"
    file.write_text(f'[service]\nhotline = "400-000-0000"\nspool = "var"\nplugins = ["plugins"]\n{text}', "utf-8")
    return file


@pytest.mark.parametrize("kind", ENABLED)
def test_a_new_plugin_passes_its_tests_and_the_check(kind: str, tmp_path: Path) -> None:
    config = str(configured(tmp_path, ""))
    told = kefud(tmp_path, "-c", config, "plugin", "new", "fresh", "--kind", kind)
    assert "kefud plugin test fresh" in told
    files = sorted(p.name for p in (tmp_path / "plugins" / "fresh").iterdir())
    assert files == ["README.md", "__init__.py", "test_fresh.py"]
    assert "passed" in kefud(tmp_path, "-c", config, "plugin", "test", "fresh")
    configured(tmp_path, ENABLED[kind])
    assert "no problems" in kefud(tmp_path, "-c", config, "check")


def test_a_found_plugin_is_not_enabled(tmp_path: Path) -> None:
    config = str(configured(tmp_path, ""))
    kefud(tmp_path, "-c", config, "plugin", "new", "fresh", "--kind", "observer")
    [row] = [line for line in kefud(tmp_path, "-c", config, "plugin", "list").splitlines() if line.startswith("fresh")]
    assert row.split()[1] == "no"


@pytest.mark.parametrize("name", ["2fast", "with-dash", "_hidden"])
def test_a_name_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    assert "is no plugin name" in kefud(tmp_path, "plugin", "new", name, status=64)
