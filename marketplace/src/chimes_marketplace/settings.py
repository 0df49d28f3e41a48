"""What differs between two marketplaces: one frozen object, read from the environment once."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from chimes.conformance.rules import Rules
from chimes.errors import ConfigError

from chimes_marketplace.errors import MarketplaceError

__all__ = ["Settings"]

PREFIX = "CHIMES_MARKETPLACE_"
MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings. Every field but ``data`` may be set as ``CHIMES_MARKETPLACE_<FIELD>``.

    ``upload_bytes``: the largest file that is taken. ``silence_s``: an upload of which nothing comes for so long is
    broken off. ``quiet_s``: a submission closes when no file of it came for so long. ``slots``: validations that run
    at once. ``run_s``: the most that one may take. ``control_s``: how long a lane that passed its control run is
    trusted. ``name``: what the site is called. ``public_url``: the address that people use, where a proxy stands
    before the server; else the request's. ``rules``: the content of a file of rules, as for ``chimes check --rules``;
    the setting names the file.
    """

    data: Path
    database_url: str = ""
    name: str = "Chimes"
    public_url: str = ""
    upload_bytes: int = 1024 * MIB
    quiet_s: float = 5.0
    silence_s: float = 60.0
    slots: int = 1
    run_s: float = 1800.0
    control_s: float = 600.0
    rules: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def read(cls, data: Path, environ: Mapping[str, str] | None = None) -> Settings:
        """From the environment. Raises MarketplaceError ``bad-setting`` for a value that is none."""
        environ = os.environ if environ is None else environ
        seconds = ("quiet_s", "silence_s", "run_s", "control_s")
        types = {"upload_bytes": int, "slots": int, **dict.fromkeys(seconds, float)}
        found: dict[str, object] = {}
        for name in ("database_url", "name", "public_url", *types):
            text = environ.get(PREFIX + name.upper(), "")
            if text:
                found[name] = _number(name, text, types[name]) if name in types else text
        if path := environ.get(f"{PREFIX}RULES", ""):
            found["rules"] = _rules(Path(path))
        return cls(data=data.absolute(), **found)  # type: ignore[arg-type]

    @property
    def database(self) -> str:
        """The address of the database: SQLite in the data folder unless another one is set."""
        return self.database_url or f"sqlite:///{self.data / 'marketplace.db'}"


def _number(name: str, text: str, kind: type) -> object:
    try:
        value = kind(text)
    except ValueError:
        value = 0
    if not value > 0:
        raise MarketplaceError(
            "bad-setting",
            f"{PREFIX}{name.upper()} is {text!r}",
            fix=f"set it to a number above zero, or unset it for the default {getattr(Settings, name)}",
        )
    return value


def _rules(path: Path) -> Mapping[str, Any]:
    try:
        Rules.read(path)
    except ConfigError as error:
        fix = error.hint or "see the rules of chimes check --rules"
        raise MarketplaceError("bad-setting", f"{PREFIX}RULES: {error.message}", fix=fix) from error
    return MappingProxyType(tomllib.loads(path.read_text("utf-8")))
