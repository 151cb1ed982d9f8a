"""The keys of a [[transport]] with plugin = "smtp"."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, model_validator

from kefud.api import Secret, Site, TransportConfig, loopback, seconds, validated

_PORTS = {"implicit": 465, "starttls": 587, "none": 25}


def _one_word(text: str) -> str:
    if any(ord(letter) <= 32 or ord(letter) == 127 for letter in text):
        raise ValueError("must not contain spaces, line breaks or control characters")
    if not text.isascii():
        raise ValueError("must be written in ASCII (a Chinese domain in its xn-- form)")
    return text


def _duration(value: object) -> object:
    return seconds(value) if isinstance(value, str) else value


Word = Annotated[str, AfterValidator(_one_word)]
Duration = Annotated[float, BeforeValidator(_duration)]
SecretValue = Annotated[Any, BeforeValidator(Secret.parse)]


class Settings(BaseModel):
    """What an administrator may say about the way to a mail server. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    host: Word
    port: int = 0
    tls: Literal["implicit", "starttls", "none"] = "implicit"
    ca_file: str = ""
    username: str = ""
    password: SecretValue = None

    local_name: Word = ""
    null_return_path: bool = False
    pipelining: bool = True

    connect_timeout: Duration = 30.0
    timeout: Duration = 300.0
    final_timeout: Duration = 600.0
    letters_per_connection: int = 100

    @classmethod
    def of(cls, config: TransportConfig, site: Site) -> Settings:
        """The settings of one transport; relative file names count from the configuration."""
        values = dict(config.settings)
        if values.get("ca_file"):
            values["ca_file"] = str(Path(site.base) / str(values["ca_file"]))
        if site.own_hosts:
            values.setdefault("local_name", site.own_hosts[0])
        return validated(cls, values, f'transport "{config.id}"')

    @model_validator(mode="after")
    def _fits_together(self) -> Settings:
        if self.tls == "none" and not loopback(self.host):
            raise ValueError('tls = "none" is accepted for loopback addresses only')
        if bool(self.username) != (self.password is not None):
            raise ValueError("username and password belong together; give both or neither")
        return self

    @property
    def port_used(self) -> int:
        return self.port or _PORTS[self.tls]
