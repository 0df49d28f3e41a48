"""``chimes explain``: known codes of checks and errors are explained, for unknown codes similar ones are suggested."""

from __future__ import annotations

import json
import sys

import pytest
from chimes import errors
from chimes.checks.catalogue import FILE_CHECKS
from chimes.cli.explain import ExplainedCheck, ExplainedError, explain
from chimes.conformance.catalogue import CHECKS
from chimes.errors import NotFoundError
from chimes.processes import Completed, run

CODES = [check.code for check in (*FILE_CHECKS, *CHECKS)]


def run_explain(*arguments: str) -> Completed:
    return run([sys.executable, "-c", "from chimes.cli import main; main()", "explain", *arguments])


def test_a_check_is_explained_by_its_docstring() -> None:
    completed = run_explain("m11")
    assert completed.returncode == 0, completed.text
    lines = completed.stdout.decode().splitlines()
    assert lines[0].startswith("M11  Is a row's output independent of the other rows in its batch")
    assert "severity: error" in lines
    assert "blocks:   verified" in lines
    assert any(line.startswith("source:   ") for line in lines)


def test_an_error_is_explained_with_its_fault() -> None:
    completed = run_explain("device-unavailable")
    lines = completed.stdout.decode().splitlines()
    assert lines[0] == "device-unavailable  DeviceUnavailableError"
    assert "no other device was tried" in completed.text
    assert "retryable: no" in lines


def test_a_program_gets_one_json_object() -> None:
    found = json.loads(run_explain("rate-limited", "--json").stdout)
    assert (found["type"], found["fault"], found["retryable"]) == ("error", "infrastructure", True)


@pytest.mark.parametrize(("code", "near"), [("M1", "M11"), ("device-unavailible", "device-unavailable")])
def test_an_unknown_code_is_refused_with_near_ones(code: str, near: str) -> None:
    completed = run_explain(code)
    assert completed.returncode == 2
    assert f"not-found: there is no check and no error with the code {code!r}" in completed.text
    assert near in completed.text


def test_a_code_without_a_similar_one_gets_the_list() -> None:
    with pytest.raises(NotFoundError) as caught:
        explain("?")
    assert "codes: " in str(caught.value.hint)
    assert all(code in str(caught.value.hint) for code in CODES)


@pytest.mark.parametrize("code", CODES)
def test_every_title_of_a_check_is_a_question(code: str) -> None:
    found = explain(code)
    assert isinstance(found, ExplainedCheck)
    assert found.code == code
    assert found.title.endswith("?")


@pytest.mark.parametrize("name", [name for name in errors.__all__ if name.endswith("Error")])
def test_every_error_has_a_meaning(name: str) -> None:
    found = explain(getattr(errors, name).code)
    assert isinstance(found, ExplainedError)
    assert found.name == name
    assert found.meaning
