"""A plugin that fails at start-up is named with the reason and what to do, and costs no ticket."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from estate import Estate

from kefud.cli import kefud

BROKEN = {
    "broken import": ("import no_such_module\n", "No module named 'no_such_module'"),
    "syntax": ("def (:\n", "SyntaxError"),
    "misspelt hook": (
        "from kefud.api import hookimpl\n@hookimpl\ndef register_rule(site):\n    return []\n",
        "unknown hook 'register_rule'",
    ),
    "wrong argument": (
        "from kefud.api import hookimpl\n@hookimpl\ndef register_rules(facts):\n    return []\n",
        "each with (site)",
    ),
    "missing attribute": (
        "from kefud.api import hookimpl\nclass R:\n    name = 'r'\n@hookimpl\ndef register_rules(site):\n    return [R()]\n",
        "R from register_rules lacks judge",
    ),
    "exit at import": ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
    "end of the process": ("import os\nos._exit(3)\n", "ends the process that loads it (exited with status 3)"),
    "wrong return type": (
        "from kefud.api import hookimpl\n@hookimpl\ndef register_rules(site):\n    return None\n",
        "register_rules must return a list",
    ),
    "error in the hook": (
        "from kefud.api import hookimpl\n@hookimpl\ndef register_rules(site):\n    return site.nothing\n",
        "register_rules failed (AttributeError",
    ),
    "no hook": ("def register_rules(site):\n    return []\n", "implements no hook"),
}


FEW = '[rules]\norder = ["sorting", "routing", "deadlines", "notices", "acknowledge"{}]\n'


def broken(home: Path, code: str, more: str = FEW.format(', "mine"')) -> Estate:
    estate = Estate(home, more)
    estate.plugin("mine", code)
    return estate


def named(file: Path, *command: str) -> tuple[int, str]:
    done = CliRunner().invoke(kefud, ["-c", str(file), *command])
    return done.exit_code, done.output


@pytest.mark.parametrize(("code", "reason"), BROKEN.values(), ids=BROKEN)
def test_it_is_named_with_the_reason_and_what_to_do(code: str, reason: str, tmp_path: Path) -> None:
    status, said = named(broken(tmp_path, code).file, "check")
    [line] = [x for x in said.splitlines() if "plugin mine" in x and reason in x]
    assert status == 78 and "Traceback" not in said
    if reason.startswith(("No module", "ends the process")):
        assert "take it out of the configuration" in line


@pytest.mark.parametrize("kind", ["broken import", "end of the process"])
def test_the_list_names_it_too(kind: str, tmp_path: Path) -> None:
    code, reason = BROKEN[kind]
    status, said = named(broken(tmp_path, code).file, "plugin", "list")
    [line] = [x for x in said.splitlines() if x.startswith("mine ")]
    assert status == 0 and reason in line and line.split()[1] == "yes"


@pytest.mark.parametrize("kind", ["broken import", "end of the process", "wrong return type"])
def test_tickets_are_made_all_the_same_and_status_tells(kind: str, tmp_path: Path) -> None:
    code, reason = BROKEN[kind]
    estate = broken(tmp_path, code)
    estate.put("5号楼1单元201厨房水龙头坏了,请派人来修。")
    estate.work()
    [ticket] = estate.tickets
    assert (ticket.kind, ticket.handler) == ("repair", "cs_specialist")
    report = json.loads(named(estate.file, "status", "--json")[1])
    assert [(x["plugin"], reason in x["reason"]) for x in report["plugins_broken"]] == [("mine", True)]
    assert reason in named(estate.file, "status")[1]


def test_a_plugin_that_is_named_but_nowhere_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    status, said = named(Estate(tmp_path, FEW.format(', "mein"')).file, "check")
    assert status == 78 and 'rules.order: there is no plugin "mein"' in said


def test_a_channel_that_cannot_be_made_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    estate = broken(tmp_path, BROKEN["broken import"][0], FEW.format("") + '[[channel]]\nid = "odd"\nplugin = "mine"\n')
    estate.put("路灯不亮")
    estate.work()
    assert len(estate.tickets) == 1
    odd = json.loads(named(estate.file, "status", "--json")[1])["channels"][1]
    assert odd["id"] == "odd" and "no_such_module" in odd["failure"]
