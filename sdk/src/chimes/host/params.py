"""Checks a model's parameters against its signature's JSON Schema, as far as one can without a validator.

Names, presence, ``type`` and ``enum`` of the top level are checked; the model itself refuses the rest.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import JsonValue

from chimes.errors import ConfigError, Problem

__all__ = ["check_params"]

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list, tuple),
    "object": (dict,),
    "null": (type(None),),
}


def check_params(schema: Mapping[str, Any], params: Mapping[str, JsonValue]) -> tuple[Problem, ...]:
    """One problem for each parameter that is unknown, missing, or of another type than the schema's."""
    properties = schema.get("properties", {})
    return (*_unknown(schema, properties, params), *_missing(schema, params), *_wrong(properties, params))


def _problem(message: str, fix: str, name: str) -> Problem:
    return Problem(code=ConfigError.code, message=message, fix=fix, where=f"model.params.{name}")


def _unknown(schema: Mapping[str, Any], properties: Mapping[str, Any], params: Mapping[str, Any]) -> Iterator[Problem]:
    if schema.get("additionalProperties", False) is not False:
        return
    for name in params:
        if name not in properties:
            near = difflib.get_close_matches(name, properties, n=1)
            fix = f"did you mean {near[0]}? " if near else ""
            known = ", ".join(properties) or "none"
            yield _problem(f"the model has no parameter {name!r}", f"{fix}its parameters: {known}", name)


def _missing(schema: Mapping[str, Any], params: Mapping[str, Any]) -> Iterator[Problem]:
    for name in schema.get("required", ()):
        if name not in params:
            yield _problem(f"parameter {name!r} is missing", f"set {name} under [model.params]", name)


def _wrong(properties: Mapping[str, Any], params: Mapping[str, Any]) -> Iterator[Problem]:
    for name, value in params.items():
        rule = properties.get(name)
        if not isinstance(rule, Mapping):
            continue
        wanted = rule.get("type")
        names = [wanted] if isinstance(wanted, str) else list(wanted or ())
        if names and not any(_is(value, each) for each in names):
            yield _problem(f"parameter {name} = {value!r} is not of type {' or '.join(names)}", "correct it", name)
        elif "enum" in rule and value not in rule["enum"]:
            allowed = ", ".join(map(repr, rule["enum"]))
            yield _problem(f"parameter {name} = {value!r} is not one of {allowed}", "choose one of these", name)


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES.get(name, (object,)))
