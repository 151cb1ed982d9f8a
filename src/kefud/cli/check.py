"""`kefud check`: every problem at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from kefud import hosts, loader
from kefud.cli.common import as_json, config_path, loaded, show
from kefud.compose import Composer, Press
from kefud.config import ChannelConfig, Loaded, Place, Secret, TransportConfig, unknown
from kefud.desk.lint import lint
from kefud.errors import ConfigError, KefudError, Problem
from kefud.periodic import LOOKS, settings_of
from kefud.reports import RHYTHM, ROLES
from kefud.shipped import shipped
from kefud.wiring import inspected
from kefud.workers import Nursery, Worker


@click.command()
@click.option("--connect", is_flag=True, help="Also log in to each mailbox and transport.")
@click.option("--strict", is_flag=True, help="Demand that plugin directories belong to root alone.")
@as_json
@click.pass_context
def check(ctx: click.Context, connect: bool, strict: bool, as_json: bool) -> None:
    """Configuration, plugins, templates, calendars, file modes: every problem at once with file, line and key."""
    problems: list[Problem] = []
    warnings: list[Problem] = []
    try:
        found = loaded(ctx)
        warnings += found.warnings
        warnings += unheld_roles(found)
        warnings += rude_answers(found)
        warnings += unread_tables(found)
        problems += everything(found, connect=connect, strict=strict or under_systemd())
    except ConfigError as error:
        problems += error.problems
    if as_json:
        show({"problems": [_json(p) for p in problems], "warnings": [_json(p) for p in warnings]})
    else:
        for problem in problems:
            click.echo(str(problem))
        for problem in warnings:
            click.echo(f"warning: {problem}", err=True)
        if not problems:
            click.echo(f"{config_path(ctx)}: no problems", err=True)
    sys.exit(78 if problems else 0)


def under_systemd() -> bool:
    return bool(os.environ.get("INVOCATION_ID")) and os.getuid() != 0


def _json(problem: Problem) -> dict[str, Any]:
    return {"file": problem.file, "line": problem.line, "key": problem.key, "message": problem.message}


def everything(found: Loaded, *, connect: bool, strict: bool) -> list[Problem]:
    """All problems beyond the file itself."""
    problems = plugin_problems(found, strict=strict)
    templates = [*found.templates, str(shipped("templates"))]
    problems += [p for d in found.templates for p in _directory(found, d, "service.templates")]
    problems += Composer(templates).check()
    problems += Press(templates).check()
    problems += secret_problems(found)
    problems += report_problems(found)
    problems += knowledge_problems(found)
    if connect and not problems:
        problems += connection_problems(found)
    return problems


NEEDED = {
    "cs_clerk": "S1-4.3.2, S1-4.3.6", "cs_specialist": "S3-2.5.2, S1-2.2", "cs_supervisor": "S0-4.2.1, S0-5.2",
    "cs_manager": "S1-4.1.1, S3-2.5.4, S1-5.6.2", "leader_in_charge": "S1-4.1.1", "leadership": "S0-4.2.5, S1-9.3",
    "property_supervisor": "S0-4.2.4", "property_manager": "S0-4.2.2, S0-4.2.5, S0-4.3.2", "pm_dept_manager": "S0-4.2.3",
    "director": "S0-3.1", "duty_officer": "S1-5.4.2, S2-1.B4", "service_inspector": "S3-5.1.1, S0-P5",
}  # fmt: skip
"""Roles that rules count on, and which rules."""


def unheld_roles(found: Loaded) -> list[Problem]:
    """A warning for each role that nobody holds: its letters are written for nobody, its rung is passed over (S0-K2)."""
    unheld = [role for role in NEEDED if found.site.role(role) is None]
    return [
        Problem(found.path, 0, "role", f'nobody holds "{role}", which {NEEDED[role]} count on; bind it in [[role]]')
        for role in unheld
    ]


def report_problems(found: Loaded) -> list[Problem]:
    """What is wrong with [plugin.reports]."""
    try:
        settings = settings_of(found.site, found.config.deadlines)
    except KefudError as error:
        key, _, message = str(error).partition(": ")
        return [found.places.problem(tuple(key.split(".")), message)]
    made = {*RHYTHM, *LOOKS}
    kinds = [k for k in settings.off if k not in made and k not in MADE_WHEN_ASKED]
    problems = [found.places.problem(("plugin", "reports", "off"), unknown(k, "report", sorted(made))) for k in kinds]
    known = {*NEEDED, *(r.id for r in found.site.roles), *(name for names in ROLES.values() for name in names)}
    readers = [name for _, names in settings.roles for name in names if name not in known and found.site.party(name) is None]
    return problems + [
        found.places.problem(("plugin", "reports", "roles"), f"{unknown(name, 'role', sorted(known))}; bind it in [[role]]")
        for name in dict.fromkeys(readers)
    ]


MADE_WHEN_ASKED = ("ledger", "calls", "documents", "kpi", "tasks")
"""Reports of `kefud report` that nothing makes by the clock: to switch them off is needless and harmless."""


def knowledge_problems(found: Loaded) -> list[Problem]:
    """Answers that would never be given."""
    problems = []
    for index, entry in enumerate(found.site.knowledge):
        since = entry.valid_from or entry.verified_on
        if since and entry.valid_until and entry.valid_until < since:
            told = f"{entry.valid_until} lies before {since}: the answer is valid on no day; correct one of them or take it out"
            problems.append(found.places.problem(("knowledge", index, "valid_until"), told))
    return problems


def rude_answers(found: Loaded) -> list[Problem]:
    """A warning for each answer that the language check would keep back (S1-5.3)."""
    warnings = []
    for index, entry in enumerate(found.site.knowledge):
        blocks = [f.message_zh for f in lint(entry.answer, allowed_personal=True, approved_promises=True) if f.severity == "block"]
        if blocks:
            told = f"the language check will keep letters with it back ({'; '.join(dict.fromkeys(blocks))}); word it anew"
            warnings.append(found.places.problem(("knowledge", index, "answer"), told))
    return warnings


def _directory(found: Loaded, path: str, key: str) -> list[Problem]:
    if not Path(path).is_dir():
        return [found.places.problem(tuple(key.split(".")), f"{path} is no directory; create it or take it out")]
    return []


def plugin_problems(found: Loaded, *, strict: bool) -> list[Problem]:
    """Plugins that are named but nowhere, unsafe, or broken. Their code runs in a child only."""
    problems = [p for directory in found.plugins for p in _directory(found, directory, "service.plugins")]
    problems += unsafe_places(found, strict=strict)
    if problems:
        return problems
    plugins = loader.find([*found.plugins, shipped("plugins")])
    config = found.config
    wanted: list[tuple[str, Place]] = [(n, ("rules", "order")) for n in config.rules.order]
    wanted += [(n, ("observers", "enabled")) for n in config.observers.enabled]
    wanted += [(c.plugin, ("channel", i, "plugin")) for i, c in enumerate(config.channel) if c.enabled]
    wanted += [(t.plugin, ("transport", i, "plugin")) for i, t in enumerate(config.transport) if t.enabled]
    for name, place in dict.fromkeys(wanted):
        if name not in plugins:
            known = ", ".join(sorted(plugins))
            problems.append(found.places.problem(place, f'there is no plugin "{name}"; found are {known}'))
    names = dict.fromkeys(name for name, _ in wanted if name in plugins)
    reports = inspect(found, [plugins[n] for n in names])
    return problems + [problem for report in reports for problem in _faults(found, report)]


def unread_tables(found: Loaded) -> list[Problem]:
    """A warning for each [plugin.NAME] that belongs to nothing."""
    plugins = sorted({*loader.find([*found.plugins, shipped("plugins")]), "reports"})
    return [
        found.places.problem(("plugin", name), unknown(name, "plugin", plugins)) for name in found.config.plugin if name not in plugins
    ]


def unsafe_places(found: Loaded, *, strict: bool) -> list[Problem]:
    """Directories of plugins that somebody else could put code into (S22)."""
    places = [Path(d) for d in found.plugins if Path(d).is_dir()]
    reasons = [reason for place in places if (reason := loader.unsafe(place, strict=strict))]
    return [found.places.problem(("service", "plugins"), reason) for reason in reasons]


def inspect(found: Loaded, plugins: list[loader.Found]) -> list[dict[str, Any]]:
    """What plugins implement and what is wrong with them and their settings, found out in a child that may die of them."""
    nursery = Nursery(("kefud.hosts",))
    worker = Worker(nursery, "inspector", f"{hosts.__name__}:inspector", (found.site,))
    try:
        return inspected(worker, plugins)
    finally:
        worker.stop()
        nursery.close()


def _faults(found: Loaded, report: dict[str, Any]) -> Iterator[Problem]:
    """What is wrong with a plugin; where it is a setting of a channel or transport, at the place of that setting."""
    placed = {fault: (_place_of(found, owner), faults) for fault, owner, faults in report.get("settings", ())}
    for fault in report["faults"]:
        place, faults = placed.get(fault, ((), ()))
        if not place:
            yield Problem(found.path, 0, f"plugin {report['name']}", fault)
        for key, sentence in faults if place else ():
            yield found.places.problem((*place, key) if key else place, sentence)
    for key in report.get("unknown", ()):
        told = "unknown key; remove it or correct its spelling; the plugin's README tells which there are"
        yield found.places.problem(("plugin", report["name"], key), told)


def _place_of(found: Loaded, owner: str) -> Place:
    """Where the table stands that a plugin calls 'channel "kefu"'; () where it is none of ours."""
    table, _, id = owner.partition(" ")
    items = getattr(found.config, table, ()) if table in ("channel", "transport") else ()
    return next(((table, index) for index, item in enumerate(items) if f'"{item.id}"' == id), ())


def secret_problems(found: Loaded) -> list[Problem]:
    """Secrets that cannot be read, or that others may read."""
    problems = []
    if urlsplit(found.database).password and Path(found.path).stat().st_mode & 0o007:
        told = f"holds a password and others may open the file; run: chmod 640 {found.path}"
        problems.append(found.places.problem(("service", "database"), told))
    for table in ("channel", "transport"):
        for index, item in enumerate(getattr(found.config, table)):
            if not item.enabled:
                continue
            for key, value in item.settings.items():
                if isinstance(value, Secret):
                    problems += _secret(found, (table, index, key), value)
    return problems


def _secret(found: Loaded, place: Place, secret: Secret) -> list[Problem]:
    try:
        secret.reveal()
    except KefudError as error:
        return [found.places.problem(place, str(error))]
    if secret.kind == "file" and Path(secret.where).stat().st_mode & 0o077:
        return [found.places.problem(place, f"{secret.where} may be read by others; run: chmod 600 {secret.where}")]
    return []


def connection_problems(found: Loaded) -> list[Problem]:
    """Log in to each mailbox and transport, in children."""
    nursery = Nursery(("kefud.hosts",))
    plugins = loader.find([*found.plugins, shipped("plugins")])
    problems = []
    try:
        entries: dict[str, Sequence[ChannelConfig | TransportConfig]]
        entries = {"channel": found.config.channel, "transport": found.config.transport}
        for kind, items in entries.items():
            for index, item in enumerate(items):
                if item.enabled:
                    worker = Worker(nursery, item.id, "kefud.hosts:prober", (found.site,))
                    try:
                        worker.call("probe", plugins[item.plugin], kind, item.id, timeout=90)
                    except KefudError as error:
                        problems.append(found.places.problem((kind, index), f"{item.id}: {error}"))
                    finally:
                        worker.stop()
    finally:
        nursery.close()
    return problems
