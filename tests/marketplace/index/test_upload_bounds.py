"""Uploads with text that is slow to parse or breaks a parser: each is refused quickly, naming the field."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient
from market_factories import make_wheel
from uploads import send

DEEP = "a; " + "(" * 900 + "os_name=='x'" + ")" * 900


def digests_of(path: Path) -> dict[str, str | None]:
    """The digest fields for a file other than the one from which the other fields were made."""
    return {"sha256_digest": hashlib.sha256(path.read_bytes()).hexdigest(), "blake2_256_digest": None}


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ([("version", "1" * 5000)], "version"),
        ([("requires_dist", "a" + ">=1," * 5000 + "<2")], "requires_dist"),
        ([("requires_python", ">=3," * 5000 + "<4")], "requires_python"),
        ([("classifiers", "x" * 5000)], "classifiers"),
        ([("sha256_digest", "0" * 64)], "sha256_digest"),
    ],
)
def test_an_invalid_field_of_the_form_is_refused_by_name(
    client: TestClient[Any], token: str, tmp_path: Path, more: list[tuple[str, str]], word: str
) -> None:
    answer = send(client, token, make_wheel(tmp_path), more=more)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-form")
    assert word in answer.json()["message"]


def test_a_deep_requirement_is_compared_as_text(client: TestClient[Any], token: str, tmp_path: Path) -> None:
    answer = send(client, token, make_wheel(tmp_path), more=[("requires_dist", DEEP)])
    assert (answer.status_code, answer.json()["code"]) == (400, "form-differs")


@pytest.mark.parametrize(
    "lines",
    [
        [f"Requires-Dist: {DEEP}"],
        ["Requires-Dist: a" + ">=1," * 200_000 + "<2"],
        ["Requires-Dist: b"] * 15_000,
        ["Classifier: x"] * 200_000,
        ["Requires-Dist: foo; os_name ~= 'posix'"],
    ],
    ids=["deep", "long", "many", "very many", "without order"],
)
def test_unreadable_metadata_is_refused_with_a_finding(
    client: TestClient[Any], token: str, tmp_path: Path, lines: list[str]
) -> None:
    wheel = make_wheel(tmp_path, metadata=lines)
    answer = send(
        client,
        token,
        make_wheel(tmp_path / "form"),
        filename=wheel.name,
        data=wheel.read_bytes(),
        change=digests_of(wheel),
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "checks-failed")
    assert "A04" in {each["code"] for each in answer.json()["findings"]}
