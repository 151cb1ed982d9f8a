"""A plugin that fails at start-up is named with the reason and what to do, and costs no ticket."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from estate import Estate

from kefud.cli import kefud

HOOK = "from kefud.api import hookimpl\n@hookimpl\n"

BROKEN = {
    "broken_import": ("import no_such_module\n", "No module named 'no_such_module'"),
    "broken_syntax": ("def (:\n", "SyntaxError"),
    "misspelt_hook": (f"{HOOK}def register_rule(site):\n    return []\n", "unknown hook 'register_rule'"),
    "wrong_argument": (f"{HOOK}def register_rules(facts):\n    return []\n", "each with (site)"),
    "missing_attribute": (
        f"class R:\n    name = 'r'\n{HOOK}def register_rules(site):\n    return [R()]\n", "R from register_rules lacks judge",
    ),
    "exits": ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
    "ends_the_process": ("import os\nos._exit(3)\n", "ends the process that loads it (exited with status 3)"),
    "returns_nothing": (f"{HOOK}def register_rules(site):\n    []\n", "register_rules must return a list, not NoneType"),
    "error_in_hook": (f"{HOOK}def register_rules(site):\n    return site.nothing\n", "register_rules failed (AttributeError"),
    "no_hook": ("def register_rules(site):\n    return []\n", "implements no hook"),
}  # fmt: skip
SOUND = ["sorting", "routing", "deadlines", "notices", "acknowledge"]


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    """All of them enabled as rules, besides some that are sound; and a channel of a broken plugin."""
    order = json.dumps([*SOUND, *BROKEN])
    odd = '[[channel]]\nid = "odd"\nplugin = "broken_import"\n'
    made = Estate(tmp_path_factory.mktemp("estate"), f"[rules]\norder = {order}\n{odd}")
    for name, (code, _) in BROKEN.items():
        made.plugin(name, code)
    return made


def told(estate: Estate, *command: str) -> tuple[int, str]:
    done = CliRunner().invoke(kefud, ["-c", str(estate.file), *command])
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def checked(estate: Estate) -> str:
    status, said = told(estate, "check")
    assert status == 78 and "Traceback" not in said
    return said


@pytest.fixture(scope="module")
def listed(estate: Estate) -> str:
    status, said = told(estate, "plugin", "list")
    assert status == 0 and "Traceback" not in said
    return said


@pytest.fixture(scope="module")
def report(estate: Estate) -> dict[str, object]:
    """`kefud status` after a mail came and the daemon worked."""
    estate.put("5号楼1单元201厨房水龙头坏了,请派人来修。")
    estate.work()
    report: dict[str, object] = json.loads(told(estate, "status", "--json")[1])
    return report


@pytest.mark.parametrize("name", BROKEN)
def test_the_check_names_it_with_the_reason_and_what_to_do(name: str, checked: str) -> None:
    [line] = [x for x in checked.splitlines() if f"plugin {name}" in x]
    assert BROKEN[name][1] in line
    if name in ("broken_import", "exits", "ends_the_process"):
        assert "take it out of the configuration" in line


@pytest.mark.parametrize("name", BROKEN)
def test_the_list_names_it(name: str, listed: str) -> None:
    [line] = [x for x in listed.splitlines() if x.startswith(f"{name} ")]
    assert line.split()[1] == "yes" and BROKEN[name][1] in line


@pytest.mark.parametrize("name", BROKEN)
def test_the_status_of_the_daemon_names_it(name: str, report: dict[str, list[dict[str, str]]]) -> None:
    [found] = [x for x in report["plugins_broken"] if x["plugin"] == name]
    assert BROKEN[name][1] in found["reason"]


def test_sound_plugins_are_not_named(report: dict[str, list[dict[str, str]]], listed: str) -> None:
    assert {x["plugin"] for x in report["plugins_broken"]} == set(BROKEN)
    assert all(line.endswith(" ok") for line in listed.splitlines()[1:] if line.split()[0] not in BROKEN)


def test_tickets_are_made_all_the_same(report: object, estate: Estate) -> None:
    [ticket] = estate.tickets
    assert (ticket.kind, ticket.handler, ticket.department) == ("repair", "cs_specialist", "contractor")


def test_a_channel_that_cannot_be_made_says_why(report: dict[str, list[dict[str, str]]]) -> None:
    [odd] = [c for c in report["channels"] if c["id"] == "odd"]
    assert "no_such_module" in odd["failure"]


def test_a_plugin_that_is_named_but_nowhere_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    status, said = told(Estate(tmp_path, '[rules]\norder = ["sortin"]\n'), "check")
    assert status == 78 and 'rules.order: there is no plugin "sortin"' in said
