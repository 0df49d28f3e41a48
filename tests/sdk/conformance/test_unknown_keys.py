"""Configurations with an unknown key: every sort of key, and schemas that are invalid or recursive."""

from __future__ import annotations

from typing import Any

import pytest
from chimes.conformance.testdata.unknown_keys import NEAR, NESTED, UNKNOWN, with_unknown_key
from chimes.kinds.component import Config
from pydantic import Field


class Inner(Config):
    depth: int = 1


class Part(Config):
    inner: Inner = Inner()


class Rain(Config):
    size: int = 3
    SIZE: int = 4
    part: Part | None = None
    parts: list[Part] = Field(default_factory=list)
    names: dict[str, int] = Field(default_factory=dict)
    either: Part | Inner = Part()


def test_every_sort_of_unknown_key_is_tried_where_keys_are_fixed() -> None:
    found = list(with_unknown_key({"parts": [{}]}, Rain.model_json_schema(), "x"))
    assert (UNKNOWN, {"parts": [{}], "x": 1}) in found
    assert (NEAR, {"parts": [{}], "size_": 3}) in found
    assert [config for sort, config in found if sort == NESTED] == [
        {"parts": [{}], "part": {"x": 1}},
        {"parts": [{}], "part": {"inner": {"x": 1}}},
        {"parts": [{"x": 1}]},
        {"parts": [{"inner": {"x": 1}}]},
    ]
    assert not any("SIZE" in config for _, config in found)


@pytest.mark.parametrize(
    "schema",
    [
        None,
        7,
        {"properties": 5},
        {"properties": {"a": 5, "b": {"$ref": 5}, "c": {"$ref": "#/$defs/c"}}, "$defs": [1]},
        {"properties": {"a": {"anyOf": 5}, "b": {"anyOf": []}, "c": {"items": 5, "default": [1]}}},
        {"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"$ref": "#/$defs/a"}}},
        {"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"properties": {"a": {"$ref": "#/$defs/a"}}}}},
    ],
)
def test_an_invalid_or_recursive_schema_is_skipped(schema: Any) -> None:
    found: list[Any] = list(with_unknown_key({"a": {}}, schema, "x"))
    assert found[0] == (UNKNOWN, {"a": {}, "x": 1})
    assert len(found) < 20
