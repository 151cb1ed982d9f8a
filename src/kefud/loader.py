"""Finds, checks and registers the plugin folders named in the configuration. Found is not enabled.

Plugin code is imported only where `load` is called: in child processes, never in the daemon itself.
"""

from __future__ import annotations

import importlib.util
import os
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from kefud import api
from kefud.config import Site
from kefud.errors import KefudError

HOOKS = ("register_channels", "register_rules", "register_transports", "register_observers")


class PluginFailed(KefudError):
    """A plugin cannot be used; the text names it, the reason, and what to do."""

    exit_status = 78


@dataclass(frozen=True, slots=True)
class Found:
    """A plugin folder. ``origin`` is the directory it was found in; an earlier directory hides a later one."""

    name: str
    path: Path
    origin: Path


def find(directories: Sequence[str | Path]) -> dict[str, Found]:
    """All plugin folders below ``directories``, by name; the administrator's directories come first."""
    found: dict[str, Found] = {}
    for directory in map(Path, directories):
        if not directory.is_dir():
            continue
        for entry in sorted(directory.iterdir()):
            if entry.name.isidentifier() and (entry / "__init__.py").is_file():
                found.setdefault(entry.name, Found(entry.name, entry, directory))
    return found


def load(found: Found) -> ModuleType:
    """Import a plugin folder. Raises PluginFailed whatever its code does, short of killing the process."""
    name = f"kefud_plugins.{found.name}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(
        name, found.path / "__init__.py", submodule_search_locations=[str(found.path)]
    )
    if spec is None or spec.loader is None:
        raise PluginFailed(f"plugin {found.name}: {found.path} is no Python package")
    sys.modules.setdefault("kefud_plugins", ModuleType("kefud_plugins"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        sys.modules.pop(name, None)
        raise PluginFailed(
            f"plugin {found.name} cannot be imported ({type(error).__name__}: {error}); "
            f"mend {found.path} or take it out of the configuration"
        ) from error
    return module


def collect(found: Found, hook: str, site: Site) -> list[Any]:
    """The objects a plugin registers through ``hook`` for this site, [] where it has none.

    Raises PluginFailed when the plugin raises, misspells a hook, or returns something else than a list.
    """
    manager = pluggy.PluginManager("kefud")
    manager.add_hookspecs(api)
    try:
        manager.register(load(found), name=found.name)
        manager.check_pending()
        # Called one by one: pluggy would pass over a hook that forgets to return something.
        answers = [impl.function(*([site] if impl.argnames else [])) for impl in getattr(manager.hook, hook).get_hookimpls()]
    except PluginFailed:
        raise
    except pluggy.PluginValidationError as error:
        reason = str(error).partition("\n")[0] if "unknown hook" in str(error) else " ".join(str(error).split())
        raise PluginFailed(f"plugin {found.name}: {reason}; the hooks are {', '.join(HOOKS)}, each with (site)") from error
    except BaseException as error:
        raise PluginFailed(f"plugin {found.name}: {hook} failed ({type(error).__name__}: {error})") from error
    objects = [item for answer in answers for item in _checked(found, hook, answer)]
    return objects


def _checked(found: Found, hook: str, answer: Any) -> list[Any]:
    if not isinstance(answer, (list, tuple)):
        raise PluginFailed(f"plugin {found.name}: {hook} must return a list, not {type(answer).__name__}")
    wanted = {
        "register_channels": ("id", "medium", "fetch", "acknowledge", "read", "wait", "close"),
        "register_rules": ("name", "judge"),
        "register_transports": ("id", "send", "finish"),
        "register_observers": ("name", "ticket_changed"),
    }[hook]
    for item in answer:
        missing = [w for w in wanted if not hasattr(item, w)]
        if missing:
            raise PluginFailed(f"plugin {found.name}: {type(item).__name__} from {hook} lacks {', '.join(missing)}")
    return list(answer)


def hooks_of(found: Found) -> list[str]:
    """Which hooks a plugin implements. Imports it."""
    module = load(found)
    return [h for h in HOOKS if hasattr(getattr(module, h, None), "kefud_impl")]


def unsafe(path: Path, *, strict: bool) -> str:
    """Why code below ``path`` may not be trusted, "" if it may (as sshd's StrictModes, S22).

    Nothing may be writable by group or others; with ``strict`` all must belong to root and not to who runs this.
    """
    try:
        resolved = path.resolve(strict=True)
    except OSError as error:
        return f"{path}: {error.strerror}"
    for place in (*reversed(resolved.parents), resolved, *sorted(resolved.rglob("*"))):
        reason = _unsafe_mode(place, strict, inside=place == resolved or resolved in place.parents)
        if reason:
            return reason
    return ""


def _unsafe_mode(place: Path, strict: bool, inside: bool) -> str:
    try:
        status = os.lstat(place)
    except FileNotFoundError:  # bytecode of a process that loads the plugin just now
        return ""
    if stat.S_ISLNK(status.st_mode):
        return f"{place} is a symbolic link; put the file itself there"
    sticky = status.st_mode & stat.S_ISVTX and stat.S_ISDIR(status.st_mode) and not inside
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not sticky:
        return f"{place} is writable by others; run: chmod go-w {place}"
    if strict and status.st_uid != 0:
        return f"{place} does not belong to root; run: chown root {place}"
    if not strict and status.st_uid not in (0, os.getuid()):
        return f"{place} belongs to another user (uid {status.st_uid})"
    return ""
