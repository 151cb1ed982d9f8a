"""`kefud init`: a configuration to start from."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from kefud.errors import Usage
from kefud.shipped import shipped


@click.command()
@click.argument("directory", type=click.Path(file_okay=False))
def init(directory: str) -> None:
    """Write a complete commented configuration tree to start from; it runs unedited and sends nothing anywhere."""
    target = Path(directory)
    config = target / "config"
    if config.exists() and any(config.iterdir()):
        raise Usage(f"{config} is not empty; name another directory")
    config.mkdir(parents=True, exist_ok=True)
    for source in sorted(shipped("config").rglob("*")):
        if source.is_file() and source.suffix in (".toml", ".csv"):
            copy = config / source.relative_to(shipped("config"))
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
    for name in ("drop/calls", "drop/east-gate"):
        (target / name).mkdir(parents=True, exist_ok=True)
    (config / "credentials").mkdir(exist_ok=True, mode=0o700)
    click.echo(f"wrote {config}/kefud.toml and the files it includes")
    click.echo(f"next: edit it, then  kefud -c {config}/kefud.toml check  and  kefud -c {config}/kefud.toml run")
