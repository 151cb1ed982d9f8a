"""The keys of a [[transport]] with plugin = "print_folder"."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from kefud.api import Site, TransportConfig, validated


class Settings(BaseModel):
    """What an administrator may say about the folder. Unknown keys are refused; the path counts from the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path
    content: Literal["both", "papers", "mail"] = "both"

    @classmethod
    def of(cls, config: TransportConfig, site: Site) -> Settings:
        values = dict(config.settings)
        if isinstance(values.get("path"), str):
            values["path"] = Path(site.base) / values["path"]
        return validated(cls, values, f'transport "{config.id}"')
