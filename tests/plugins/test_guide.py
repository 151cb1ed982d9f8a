"""docs/plugins.md does what it says: its files are written, its commands run, its examples keep the contracts.

A block with a path (```python office/plugins/…) is a file; a ```console block holds commands after "$ " and below each what it
prints, "…" standing for anything; a ```python block without a path is a plugin of its own.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

from kefud import api, loader, testing
from kefud.desk import decisions, occasions

GUIDE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+) ?(\S*)\n(.*?)^```$", GUIDE, re.M | re.S)
PLUGINS = [text for language, path, text in BLOCKS if language == "python" and not path]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A directory with `kefud` on the path, as after an installation."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "kefud"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m kefud "$@"\n')
    program.chmod(0o755)
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def run(command: str, here: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "KEFUD_CONFIG"}
    environment |= {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": f"{here.parent}/bin:{os.environ['PATH']}"}
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(["bash", "-ec", command], cwd=here, env=environment, **both, text=True, timeout=180)
    assert done.returncode == 0, f"$ {command}\n{done.stdout}"
    return done.stdout


def promised(expected: list[str], printed: str) -> list[str]:
    """The expected lines that the output does not have, in order."""
    rest = printed.splitlines()
    missing = []
    for line in expected:
        pattern = ".*".join(map(re.escape, line.split("…")))
        found = next((i for i, x in enumerate(rest) if re.fullmatch(pattern, x.rstrip())), None)
        if found is None:
            missing.append(line)
        else:
            rest = rest[found + 1 :]
    return missing


def commands(block: str) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.startswith(">"):
            found[-1] = (f"{found[-1][0]}\n{line[2:]}", [])
        else:
            found[-1][1].append(line)
    return found


def test_from_nothing_to_a_working_channel(here: Path) -> None:
    for language, path, text in BLOCKS:
        if path:
            (here / path).write_text(text, "utf-8")
        elif language == "console":
            for command, expected in commands(text):
                printed = run(command, here)
                assert promised(expected, printed) == [], f"$ {command}\n{printed}"


def plugin(text: str) -> types.ModuleType:
    module = types.ModuleType("example")
    exec(compile(text, "docs/plugins.md", "exec"), module.__dict__)
    return module


@pytest.mark.parametrize("text", PLUGINS, ids=lambda t: t.splitlines()[0].strip('"'))
def test_an_example_keeps_the_contract_of_its_kind(text: str, tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    facts = testing.site(tmp_path, '[[transport]]\nid = "pile"\nplugin = "pile"\nfolder = "letters"\n')
    found = testing.registered(plugin(text), facts)
    for rule in found.rules:
        testing.rule_contract(rule, testing.ticket(house="5-1-201"))
        assert testing.judged(rule, testing.ticket(house="5-1-201"), testing.opened())
    for transport in found.transports:
        testing.transport_contract(lambda transport=transport: transport, lambda: received(tmp_path / "letters"))
    for observer in found.observers:
        testing.observer_contract(observer)
    assert found != testing.Registered()


def received(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.iterdir(), key=lambda path: int(path.stem))]


REFERENCE = GUIDE.partition("# Reference")[2]
PROSE = re.sub(r"^```.*?^```$", "", REFERENCE, flags=re.M | re.S)
NAMED = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", PROSE))))


@pytest.mark.parametrize("name", sorted(api.__all__))
def test_every_public_name_is_documented(name: str) -> None:
    assert name in NAMED


@pytest.mark.parametrize("hook", loader.HOOKS)
def test_every_hook_has_its_row_and_an_example(hook: str) -> None:
    assert f"| `{hook}(site)` |" in REFERENCE
    assert f"def {hook}(site" in GUIDE


def test_the_loader_knows_every_hook_of_the_api() -> None:
    specified = {name for name in vars(api) if getattr(getattr(api, name), "kefud_spec", None)}
    assert specified == set(loader.HOOKS)


def fields(kind: type) -> set[str]:
    return set(getattr(kind, "__dataclass_fields__", {})) - {"rule", "why", "at"}


DECISIONS = {kind.__name__: kind for kind in decisions.Decision.__subclasses__()}  # slots make some classes stand there twice


@pytest.mark.parametrize("kind", DECISIONS.values(), ids=DECISIONS)
def test_every_decision_has_its_row_with_its_fields(kind: type) -> None:
    row = re.search(rf"^\| `{kind.__name__}\(([^)]*)\)`", REFERENCE, re.M)
    assert row, f"{kind.__name__} has no row"
    assert set(re.findall(r"\w+", row[1])) - {"at"} == fields(kind)
    assert kind.__name__ in api.__all__


@pytest.mark.parametrize("kind", occasions.Occasion.__args__, ids=lambda k: k.__name__)
def test_every_occasion_has_its_row(kind: type) -> None:
    row = re.search(rf"^\| `{kind.__name__}` \|(.*)$", REFERENCE, re.M)
    assert row, f"{kind.__name__} has no row"
    if kind is not occasions.Returned:
        assert fields(kind) <= set(re.findall(r"\w+", row[1]))
    assert kind.__name__ in api.__all__


@pytest.mark.parametrize("protocol", [api.Channel, api.Transport, api.Observer, api.Ledger], ids=lambda p: p.__name__)
def test_every_method_of_a_protocol_is_documented(protocol: type) -> None:
    methods = {name for name in vars(protocol) if not name.startswith("_") and callable(getattr(protocol, name))}
    assert methods and methods <= NAMED


@pytest.mark.parametrize(
    "name", [n for n, x in vars(testing).items() if not n.startswith("_") and getattr(x, "__module__", "") == "kefud.testing"]
)
def test_every_help_for_tests_is_documented(name: str) -> None:
    assert name in NAMED or name in ("Registered", "watching")
