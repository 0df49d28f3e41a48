"""Checks a model's parameters against the JSON Schema of its signature."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import JsonValue

from chimes.errors import ConfigError, PluginCrashedError, Problem

__all__ = ["check_params"]

# Keywords that limit which names a parameter may have.
_NAMES = ("additionalProperties", "unevaluatedProperties")


def check_params(schema: Mapping[str, Any], params: Mapping[str, JsonValue]) -> tuple[Problem, ...]:
    """One problem for each parameter that is unknown, missing or invalid, or one for an invalid schema.

    Unless the schema says otherwise, only the parameters that it names are allowed.
    """
    # Imported here, because it is slow to import.
    from jsonschema import Draft202012Validator, SchemaError  # noqa: PLC0415
    from referencing import Registry  # noqa: PLC0415
    from referencing.exceptions import Unresolvable  # noqa: PLC0415

    closed = dict(schema) if any(name in schema for name in _NAMES) else {**schema, "unevaluatedProperties": False}
    try:
        Draft202012Validator.check_schema(closed)
        # An empty registry: a reference to another document is an error, and nothing is fetched.
        validator = Draft202012Validator(closed, registry=Registry())
        found = [problem for error in validator.iter_errors(dict(params)) for problem in _problems(error, validator)]
    except SchemaError as error:
        return (_bad_schema(error.message),)
    except (Unresolvable, RecursionError) as error:
        return (_bad_schema(str(error) or "it refers to itself endlessly"),)
    except Exception as error:
        # The validator trusts what a reference leads to, and computes with numbers of any size.
        why = (str(error).splitlines() or [""])[0]
        return (_bad_schema(f"it cannot be applied to these parameters ({type(error).__name__}: {why:.200})"),)
    return tuple(dict.fromkeys(found))


def _bad_schema(why: str) -> Problem:
    return Problem(
        code=PluginCrashedError.code,
        message=f"the schema of the model's parameters is not valid JSON Schema: {why}",
        fix="report it to the plugin's author",
        where="model.params",
    )


def _problem(message: str, fix: str, *path: object) -> Problem:
    return Problem(code=ConfigError.code, message=message, fix=fix, where=".".join(map(str, ("model.params", *path))))


def _problems(error: Any, validator: Any) -> Iterator[Problem]:
    path = tuple(error.absolute_path)
    name, value, rule = ".".join(map(str, path)), error.instance, error.validator_value
    shown = f"parameter {name} = {value!r:.80}" if path else "the set of parameters"
    match error.validator:
        case "additionalProperties" | "unevaluatedProperties" if not path:
            yield from _unknown(value, validator)
        case "required":
            for key in rule:
                if key not in value:
                    full = ".".join(map(str, (*path, key)))
                    yield _problem(f"parameter {full!r} is missing", f"set {full} under [model.params]", *path, key)
        case "type":
            names = [rule] if isinstance(rule, str) else rule
            yield _problem(f"{shown} is not of type {' or '.join(names)}", "correct it", *path)
        case "enum":
            yield _problem(f"{shown} is not one of {', '.join(map(repr, rule))}", "choose one of these", *path)
        case "allOf" | "anyOf" | "oneOf" | "not" | "if" | "$ref" | "$dynamicRef":
            yield _problem(f"{shown} is not allowed: {error.message}", "correct it", *path)
        case keyword:
            yield _problem(f"{shown} is not allowed: its {keyword} is {rule!r}", "correct it", *path)


def _unknown(params: Mapping[str, Any], validator: Any) -> Iterator[Problem]:
    properties = validator.schema.get("properties", {})
    for name, value in params.items():
        alone = list(validator.iter_errors({name: value}))
        # A known parameter that breaks its own rule counts as unevaluated, too.
        if any(not error.path and error.validator in _NAMES for error in alone) and not any(e.path for e in alone):
            near = difflib.get_close_matches(name, properties, n=1)
            fix = f"did you mean {near[0]}? " if near else ""
            known = ", ".join(properties) or "none"
            yield _problem(f"the model has no parameter {name!r}", f"{fix}its parameters: {known}", name)
