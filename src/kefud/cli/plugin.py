"""`kefud plugin`: what is loaded and from where; a new plugin with its test; the contract tests against a plugin."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from kefud import loader
from kefud.cli.check import inspect
from kefud.cli.common import as_json, config_path, loaded, show, table
from kefud.config import Loaded
from kefud.errors import KefudError, Usage
from kefud.shipped import shipped


@click.group()
def plugin() -> None:
    """Plugins."""


def _directories(found: Loaded | None) -> list[str]:
    return [*(found.plugins if found else ()), str(shipped("plugins"))]


@plugin.command("list")
@as_json
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """Every plugin found: where, whether it is enabled, what it implements, what is wrong with it."""
    found = loaded(ctx)
    enabled = _enabled(found)
    plugins = loader.find(_directories(found))
    faults: dict[str, list[str]] = {r["name"]: r["faults"] for r in inspect(found, list(plugins.values()))}
    rows: list[dict[str, Any]] = [
        {
            "name": p.name, "path": str(p.path), "origin": "shipped" if p.origin == shipped("plugins") else str(p.origin),
            "enabled": p.name in enabled, "as": enabled.get(p.name, []), "faults": faults.get(p.name, []),
        }
        for p in plugins.values()
    ]  # fmt: skip
    if as_json:
        show(rows)
        return
    lines = [
        [r["name"], "yes" if r["enabled"] else "no", ", ".join(r["as"]), r["origin"], "; ".join(r["faults"]) or "ok"]
        for r in rows
    ]
    table(lines, ["plugin", "enabled", "as", "from", "state"])


def _enabled(found: Loaded) -> dict[str, list[str]]:
    used: dict[str, list[str]] = {}
    for channel in found.config.channel:
        if channel.enabled:
            used.setdefault(channel.plugin, []).append(f"channel {channel.id}")
    for transport in found.config.transport:
        if transport.enabled:
            used.setdefault(transport.plugin, []).append(f"transport {transport.id}")
    for name in found.config.rules.order:
        used.setdefault(name, []).append("rule")
    for name in found.config.observers.enabled:
        used.setdefault(name, []).append("observer")
    return used


@plugin.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(["channel", "rule", "transport", "observer"]), default="rule", show_default=True)
@click.option("--dir", "directory", type=click.Path(file_okay=False), help="Where to put it (default: the first of "
              "service.plugins, else plugins/).")  # fmt: skip
@click.pass_context
def new(ctx: click.Context, name: str, kind: str, directory: str | None) -> None:
    """A new plugin with its README and a test, ready to run."""
    if not name.isidentifier() or name.startswith("_"):
        raise Usage(f'"{name}" is no plugin name; use letters, digits and _, e.g. my_channel')
    target = Path(directory or _first_directory(ctx)) / name
    if target.exists():
        raise Usage(f"{target} exists already")
    source = Path(__file__).parent.parent / "skeletons" / kind
    target.mkdir(parents=True)
    for file in sorted(source.iterdir()):
        if file.suffix == ".txt":
            text = file.read_text("utf-8").replace("my_plugin", name).replace("MyPlugin", _class_name(name))
            (target / file.stem.replace("my_plugin", name)).write_text(text, "utf-8")
    folder = os.path.relpath(target)
    click.echo(f"wrote {folder}")
    click.echo(f"next: kefud plugin test {name} --dir {os.path.dirname(folder) or '.'}")
    click.echo(f"then: {ENABLE[kind].format(name)} in the configuration; found is not enabled")


ENABLE = {
    "channel": 'a [[channel]] with plugin = "{}"',
    "rule": '"{}" in [rules] order, where it should be asked,',
    "transport": 'a [[transport]] with plugin = "{}"',
    "observer": '"{}" in [observers] enabled',
}


def _class_name(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _first_directory(ctx: click.Context) -> str:
    if config_path(ctx).exists():
        found = loaded(ctx)
        if found.plugins:
            return found.plugins[0]
    return "plugins"


@plugin.command()
@click.argument("name")
@click.option("--dir", "directory", type=click.Path(file_okay=False), help="Where the plugin lies.")
@click.pass_context
def test(ctx: click.Context, name: str, directory: str | None) -> None:
    """Run a plugin's own tests, among them the contract of its kind."""
    directories = [directory] if directory else _directories(loaded(ctx) if config_path(ctx).exists() else None)
    found = loader.find(directories).get(name) or loader.find(["plugins"]).get(name)
    if found is None:
        raise Usage(f'there is no plugin "{name}" below {", ".join(directories)}')
    tests = sorted(found.path.glob("test_*.py"))
    if not tests:
        raise KefudError(f"plugin {name} has no test_*.py; a plugin ships with its test")
    command = [
        sys.executable, "-m", "pytest", "-q", "--import-mode=importlib", "-p", "no:cacheprovider", f"--rootdir={found.path}",
        "-c", "/dev/null", *map(str, tests),
    ]  # fmt: skip
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise KefudError(f"plugin {name}: tests failed; pytest is in the extra \"test\" (pip install 'kefud[test]')")
