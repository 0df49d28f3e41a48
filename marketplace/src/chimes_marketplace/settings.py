"""The settings of a marketplace: one frozen object, read from the environment once."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from chimes.errors import ConfigError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chimes_marketplace.errors import MarketplaceError

if TYPE_CHECKING:
    from chimes.conformance.rules import Rules

__all__ = ["PREFIX", "Settings"]

PREFIX = "CHIMES_MARKETPLACE_"
YEAR_S = 366 * 86_400
Count = Annotated[int, Field(gt=0, le=1 << 50)]
Seconds = Annotated[float, Field(gt=0, le=YEAR_S, allow_inf_nan=False)]


class Settings(BaseModel):
    """All settings. Each field but ``data`` may be set as ``CHIMES_MARKETPLACE_<FIELD>``; empty means the default.

    ``upload_bytes``: the largest accepted file. ``silence_s``: an upload that receives no byte for this time is
    aborted. ``quiet_s``: a submission that receives no file for this time closes. ``slots``: how many validations run
    at the same time, over all workers. ``run_s``: the longest time of one validation. ``control_s``: how long a clean
    control run makes its lane trusted. ``lease_s``: a worker or upload without a heartbeat for this time counts as
    ended. ``name``: the site's title. ``public_url``: the address that people use if the server is behind a proxy; by
    default that of the request. ``rules``: the path of a rules file, as for ``chimes check --rules``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path
    database_url: str = ""
    name: str = "Chimes"
    public_url: Annotated[str, Field(pattern=r"^(https?://\S+)?$")] = ""
    upload_bytes: Count = 1 << 30
    quiet_s: Seconds = 5.0
    silence_s: Seconds = 60.0
    slots: Count = 1
    run_s: Seconds = 1800.0
    control_s: Seconds = 600.0
    lease_s: Seconds = 15.0
    rules: Path | None = None

    @classmethod
    def read(cls, data: Path, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the environment. Raises MarketplaceError ``bad-setting``, with variable, value and fix."""
        environ = os.environ if environ is None else environ
        given: dict[str, Any] = {
            name.removeprefix(PREFIX).lower(): value for name, value in environ.items() if name.startswith(PREFIX)
        }
        given = {name: value for name, value in given.items() if value}
        _check_names(given)
        try:
            settings = cls(**given, data=data.absolute())
        except ValidationError as error:
            raise _refusal(error) from error
        if settings.rules is not None:
            # Report a mistake in the file now, not with the first upload.
            _ = settings.chosen_rules
        return settings

    @property
    def database(self) -> str:
        """The address of the database: SQLite in the data folder unless another address is set."""
        return self.database_url or f"sqlite:///{self.data / 'marketplace.db'}"

    @cached_property
    def chosen_rules(self) -> Rules:
        """The rules for files and runs: those of the rules file, or the built-in ones. Raises ``bad-setting``."""
        # Importing the rules takes a tenth of a second, and commands of operators do not need them.
        from chimes.conformance.rules import Rules  # noqa: PLC0415

        try:
            rules = Rules() if self.rules is None else Rules.read(self.rules)
        except ConfigError as error:
            fix = error.hint or "see the rules of chimes check --rules"
            raise MarketplaceError("bad-setting", f"{PREFIX}RULES: {error.message}", fix=fix) from error
        return rules if "name" in rules.model_fields_set else rules.model_copy(update={"name": "marketplace"})


def _check_names(given: Mapping[str, str]) -> None:
    known = sorted(set(Settings.model_fields) - {"data"})
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            fix = f"did you mean {PREFIX}{near[0].upper()}?" if near else f"known: {', '.join(known)}, in upper case"
            raise MarketplaceError("bad-setting", f"there is no setting {PREFIX}{name.upper()}", fix=fix)


def _refusal(error: ValidationError) -> MarketplaceError:
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])
    default = Settings.model_fields[name].default
    shown = f" {default}" if default else ""
    if name == "public_url":
        fix = "set it to an address that begins with http:// or https://, or unset it"
    else:
        fix = f"set it to a number above zero, or unset it for the default{shown}"
    message = f"{PREFIX}{name.upper()} is {first['input']!r}: {first['msg'].lower()}"
    return MarketplaceError("bad-setting", message, fix=fix)
