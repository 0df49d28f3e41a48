"""The base of all kinds: a frozen configuration, a cheap constructor, an idempotent close."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from pydantic_core import ErrorDetails

from chimes.context import Context
from chimes.errors import ConfigError

__all__ = ["Component", "Config", "Value", "parse_config"]


class Value(BaseModel):
    """A frozen value that crosses process borders as JSON; unknown fields are errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, ser_json_bytes="base64", val_json_bytes="base64"
    )


class Config(BaseModel):
    """Base of every component's configuration: frozen, no unknown keys, every field described."""

    model_config = ConfigDict(frozen=True, extra="forbid")


C = TypeVar("C", bound=Config)


class Component(Generic[C]):
    """Base of the three kinds. The constructor is cheap and pure: no IO, no device, no thread."""

    Config: ClassVar[type[Any]] = Config

    def __init__(self, config: C, context: Context) -> None:
        self.config = config
        self.context = context

    def close(self) -> None:
        """Release all resources. May be called more than once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def parse_config(target: type[Component[Any]], values: Mapping[str, JsonValue]) -> Config:
    """Validate ``values`` against the component's ``Config``; raises ConfigError naming every bad field."""
    try:
        config: Config = target.Config.model_validate(dict(values))
    except ValidationError as error:
        problems = [_problem(details) for details in error.errors()]
        known = ", ".join(field.alias or name for name, field in target.Config.model_fields.items()) or "none"
        raise ConfigError(
            f"configuration of {target.__name__} does not validate: {'; '.join(problems)}",
            hint=f"fields of {target.__name__}: {known}",
        ) from error
    return config


def _problem(details: ErrorDetails) -> str:
    where = ".".join(map(str, details["loc"])) or "configuration"
    if details["type"] == "extra_forbidden":
        return f"{where}: there is no such field"
    value = details["input"]
    # Text is shown only where a number or one of a set of words was expected; any other text may be a secret.
    is_shown = isinstance(value, (bool, int, float)) or (
        isinstance(value, str) and details["type"].endswith(("_parsing", "literal_error", "enum"))
    )
    return f"{where}: {details['msg']}" + (f", not {value!r:.60}" if is_shown else "")
