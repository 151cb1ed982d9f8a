"""The systemd unit: how exposed it is, that every supported systemd understands it, that what it starts exists."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest

from kefud.cli import kefud

UNITS = Path(__file__).parents[2] / "systemd"
UNIT = UNITS / "kefud.service"
COMMAND = "/opt/kefud/bin/kefud"


def analyze(*arguments):
    return subprocess.run(
        ["systemd-analyze", *map(str, arguments)], env={**os.environ, "LC_ALL": "C.UTF-8", "SYSTEMD_PAGER": "cat"},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_the_daemon_is_exposed_no_more_than_it_must_be():
    done = analyze("security", "--offline=true", "--threshold=11", UNIT)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


def test_systemd_understands_every_line(tmp_path):
    present = tmp_path / UNIT.name
    present.write_text(UNIT.read_text("utf-8").replace(COMMAND, "/bin/true"), "utf-8")
    done = analyze("verify", present)
    complaints = [line for line in done.stderr.splitlines() if re.search(r"Unknown|Failed to parse|kefud", line)]
    assert complaints == []


def test_the_check_for_unknown_lines_would_see_one(tmp_path):
    bad = tmp_path / UNIT.name
    bad.write_text(UNIT.read_text("utf-8").replace("[Service]", "[Service]\nRestartSlowly=yes"), "utf-8")
    assert "Unknown" in analyze("verify", bad).stderr


def settings(name):
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text("utf-8"), re.M)


EXEC_LINES = settings("Exec(?:Start|StartPre|StartPost|Reload|Stop|StopPost)")


def test_the_unit_starts_and_reloads_something():
    assert any(line.split()[0] == COMMAND for line in EXEC_LINES)


@pytest.mark.parametrize("line", EXEC_LINES)
def test_what_the_unit_calls_exists(line):
    program, *arguments = shlex.split(line.lstrip("-+!:@"))
    if program == COMMAND:
        resolve(arguments)
    else:
        assert os.access(program, os.X_OK)


def resolve(arguments):
    """Parse a command line as kefud would, down to the last subcommand, without running it."""
    command, name = kefud, "kefud"
    context = None
    while True:
        context = command.make_context(name, list(arguments), parent=context)
        rest = [*getattr(context, "_protected_args", ()), *context.args]
        if not isinstance(command, click.Group):
            assert rest == []
            return
        name, command, arguments = command.resolve_command(context, rest)
        context.obj = context.obj or {}


def test_the_service_can_run_what_it_installs_and_write_where_it_stores():
    executable = " ".join(settings("ExecPaths"))
    assert "/opt/kefud" in executable and "/usr" in executable
    assert settings("StateDirectory") == ["kefud"]
    assert settings("WorkingDirectory") == ["/var/lib/kefud"]


def test_slower_restarts_are_for_systemd_that_knows_them():
    extra = (UNITS / "restart-steps.conf").read_text("utf-8")
    for key in ("RestartSteps", "RestartMaxDelaySec"):
        assert key in extra
        assert not settings(key)


def test_the_start_limit_lets_every_pause_pass():
    """20 restarts with the pauses growing from 5 s to 10 min in 8 steps must fit into the limit's interval."""
    extra = (UNITS / "restart-steps.conf").read_text("utf-8")
    hours = int(re.search(r"StartLimitIntervalSec=(\d+)h", extra)[1])
    burst = int(settings("StartLimitBurst")[0])
    pauses = [5 * (600 / 5) ** (min(n, 8) / 8) for n in range(burst)]
    assert sum(pauses) < hours * 3600


KEPT = {
    "SyslogLevelPrefix": ("no", "else a subject with <0> in it is an emergency in the journal (S17)"),
    "LimitCORE": ("0", "a crash leaves no secrets behind (S21)"),
    "UMask": ("0077", "nobody else reads what is written"),
    "StateDirectoryMode": ("0700", "nor the store"),
    "LoadCredential": ("kefud:/etc/kefud/credentials", "secrets come from systemd, not from the environment"),
    "User": ("kefud", "drop folders and PostgreSQL need a name that stays (U1)"),
    "Type": ("notify", "ready is when the store is verified and held (U5)"),
    "WatchdogSec": ("120", "a stage that hangs ends the daemon"),
    "Restart": ("on-failure", "and it begins anew"),
    "RestartPreventExitStatus": ("78", "but not for a wrong configuration"),
    "OOMPolicy": ("continue", "a scan that takes too much ends its own process only (U8)"),
    "KillMode": ("mixed", "the daemon ends its children itself, systemd what they forked"),
    "TasksMax": ("128", "what forks without end is stopped"),
    "MemoryMax": ("2G", "and what grows"),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_the_promises_count_on_stands_in_the_unit(name):
    value, why = KEPT[name]
    assert settings(name) == [value], why


def test_no_code_comes_from_the_working_directory_or_from_kept_bytecode():
    """S22: PYTHONSAFEPATH, and nothing that a process of ours wrote is run by the next."""
    [environment] = settings("Environment")
    assert {"PYTHONSAFEPATH=1", "PYTHONDONTWRITEBYTECODE=1"} <= set(environment.split())
