"""Values that JSON and UTF-8 can hold: text of unknown origin has its lone surrogates escaped."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BeforeValidator, JsonValue

__all__ = ["JsonObject", "Text"]


def _plain(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode("utf-8")
        case dict():
            return {_plain(key): _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case float() if not math.isfinite(value):
            return str(value)
    return value


Text = Annotated[str, BeforeValidator(_plain)]
"""A string that UTF-8 can hold."""
JsonObject = Annotated[dict[str, JsonValue], BeforeValidator(_plain)]
"""A JSON object that UTF-8 can hold; tuples become lists, and numbers that are not finite become strings."""
