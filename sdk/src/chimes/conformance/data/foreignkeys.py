"""Configurations with one key too many: one that nobody could foresee, one that resembles a real one, one further down.

The schema is what the component says of its configuration, and not trusted: what it does not say well is not tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

__all__ = ["NEAR", "NESTED", "UNKNOWN", "with_foreign_key"]

UNKNOWN = "an unknown key"
NEAR = "a key that differs from a known one by letter case or an underscore"
NESTED = "an unknown key in a nested mapping"
NEAREST, MOST_NESTED, DEEPEST = 4, 8, 4


def with_foreign_key(config: Mapping[str, Any], schema: Any, word: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What sort of key it is, and ``config`` with it; ``word`` is the one that nobody could foresee.

    Mappings whose keys the schema does not fix get none, nor do alternatives of which more than one may hold.
    """
    yield UNKNOWN, {**config, word: 1}
    known = _properties(schema)
    values = {**{name: part["default"] for name, part in known.items() if "default" in part}, **config}
    for name, value in islice(((n, v) for n, v in values.items() if isinstance(n, str)), NEAREST):
        for near in (name.swapcase(), f"{name}_"):
            if near not in known and near not in config:
                yield NEAR, {**config, near: value}
    for changed in islice(_below(known, values, word, schema, 0), MOST_NESTED):
        yield NESTED, {**config, **changed}


def _below(
    known: Mapping[str, Any], values: Mapping[str, Any], word: str, root: Any, depth: int
) -> Iterator[dict[str, Any]]:
    """Parts of ``values`` that have ``word`` in one of the mappings below them."""
    for name, part in known.items():
        for value in _changed(part, values.get(name), word, root, depth + 1):
            yield {name: value}


def _changed(part: Any, value: Any, word: str, root: Any, depth: int) -> Iterator[Any]:
    part = _resolved(part, root)
    if depth > DEEPEST or part is None:
        return
    if isinstance(value, list):
        for item in value[:1]:
            yield from ([new, *value[1:]] for new in _changed(part.get("items"), item, word, root, depth + 1))
        return
    known = _properties(part)
    if value is None and not part.get("required"):
        value = {}
    if not known or not isinstance(value, dict) or part.get("additionalProperties"):
        return
    yield {**value, word: 1}
    yield from ({**value, **changed} for changed in _below(known, value, word, root, depth))


def _properties(schema: Any) -> dict[str, dict[str, Any]]:
    found = _mapping(_mapping(schema).get("properties"))
    return {name: part for name, part in found.items() if isinstance(part, dict)}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _resolved(part: Any, root: Any) -> dict[str, Any] | None:
    """What a part of the schema stands for, None where that may be several things."""
    for _ in range(DEEPEST):
        if not isinstance(part, dict):
            return None
        choices = part.get("anyOf") or part.get("allOf")
        if isinstance(choices, list):
            choices = [choice for choice in choices if choice != {"type": "null"}]
            part = choices[0] if len(choices) == 1 else None
        elif "$ref" in part:
            part = _mapping(_mapping(root).get("$defs")).get(str(part["$ref"]).removeprefix("#/$defs/"))
        else:
            return part if "oneOf" not in part else None
    return None
