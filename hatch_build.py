"""Ships plugins/, templates/, config/ and systemd/ inside the wheel, where `kefud.shipped` finds them.

An editable installation gets none of them: there kefud.shipped finds the directories of the checkout.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHIPPED = ("plugins", "templates", "config", "systemd")


class Shipped(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "standard":
            build_data["force_include"].update({kind: f"kefud/shipped/{kind}" for kind in SHIPPED})
