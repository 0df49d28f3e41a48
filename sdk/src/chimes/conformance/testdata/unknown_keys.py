"""Configurations with an unknown key: a random one, one that resembles a known key, one in a nested mapping.

The schema comes from the component and is not trusted: parts of it that are invalid are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

__all__ = ["NEAR", "NESTED", "UNKNOWN", "with_unknown_key"]

UNKNOWN = "an unknown key"
NEAR = "a key that differs from a known one by letter case or an underscore"
NESTED = "an unknown key in a nested mapping"
NEAREST, MOST_NESTED, DEEPEST = 4, 8, 4


def with_unknown_key(config: Mapping[str, Any], schema: Any, key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Configurations made from ``config`` with one unknown key each, as pairs of the sort of key and configuration.

    ``key`` is the random key. Mappings with free keys are skipped, and so are schemas with several alternatives.
    """
    yield UNKNOWN, {**config, key: 1}
    known = _properties(schema)
    values = {**{name: part["default"] for name, part in known.items() if "default" in part}, **config}
    for name, value in islice(((n, v) for n, v in values.items() if isinstance(n, str)), NEAREST):
        for near in (name.swapcase(), f"{name}_"):
            if near not in known and near not in config:
                yield NEAR, {**config, near: value}
    for changed in islice(_below(known, values, key, schema, 0), MOST_NESTED):
        yield NESTED, {**config, **changed}


def _below(
    known: Mapping[str, Any], values: Mapping[str, Any], key: str, root: Any, depth: int
) -> Iterator[dict[str, Any]]:
    """Changed entries of ``values``: each with ``key`` added to one mapping inside it."""
    for name, part in known.items():
        for value in _changed(part, values.get(name), key, root, depth + 1):
            yield {name: value}


def _changed(part: Any, value: Any, key: str, root: Any, depth: int) -> Iterator[Any]:
    part = _resolved(part, root)
    if depth > DEEPEST or part is None:
        return
    if isinstance(value, list):
        for item in value[:1]:
            yield from ([new, *value[1:]] for new in _changed(part.get("items"), item, key, root, depth + 1))
        return
    known = _properties(part)
    if value is None and not part.get("required"):
        value = {}
    if not known or not isinstance(value, dict) or part.get("additionalProperties"):
        return
    yield {**value, key: 1}
    yield from ({**value, **changed} for changed in _below(known, value, key, root, depth))


def _properties(schema: Any) -> dict[str, dict[str, Any]]:
    found = _mapping(_mapping(schema).get("properties"))
    return {name: part for name, part in found.items() if isinstance(part, dict)}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _resolved(part: Any, root: Any) -> dict[str, Any] | None:
    """The schema that a part refers to; None where there are several alternatives."""
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
