"""Where the files that ship with kefud lie: inside the installed package, or at the top of a checkout."""

from __future__ import annotations

from pathlib import Path


def shipped(kind: str) -> Path:
    """The directory of shipped "plugins", "templates", "config" or "systemd" files."""
    inside = Path(__file__).parent / "shipped" / kind
    return inside if inside.is_dir() else Path(__file__).parents[2] / kind
