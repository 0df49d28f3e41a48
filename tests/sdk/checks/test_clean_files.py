from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chimes.checks.catalogue import FILE_CHECKS
from chimes.checks.engine import Outcome
from chimes.checks.filecheck import FileCheck
from chimes.checks.rules import ArchiveLimits, FileRules, read_table
from chimes.checks.run import run_file_checks
from chimes.checks.subject import Subject, open_subject
from chimes.errors import ConfigError, NotFoundError, UnsupportedError
from chimes.evidence.finding import Finding
from chimes.evidence.record import Facts

WHEEL_ONLY = {"A02", "A07", "A08", "A09", "A10", "A11", "A15", "P03"}


def run(path: Path, *more: type[FileCheck[Any]], **how: Any) -> dict[str, Outcome]:
    """The outcomes of all checks of a file, by code."""
    with open_subject(path, **how) as subject:
        return {outcome.result.code: outcome for outcome in run_file_checks(subject, [*more, *FILE_CHECKS])}


def verdicts(outcomes: dict[str, Outcome]) -> dict[str, str]:
    return {code: outcome.result.verdict for code, outcome in outcomes.items()}


def findings(outcomes: dict[str, Outcome]) -> list[Finding]:
    return [finding for outcome in outcomes.values() for finding in outcome.result.findings]


def with_verdict(outcomes: dict[str, Outcome], verdict: str) -> set[str]:
    return {code for code, found in verdicts(outcomes).items() if found == verdict}


def test_a_good_plugin_has_no_finding_at_all(make_wheel: Callable[..., Path]) -> None:
    outcomes = run(make_wheel())
    assert findings(outcomes) == []
    assert with_verdict(outcomes, "not_applicable") == {"A10"}
    assert with_verdict(outcomes, "pass") == outcomes.keys() - {"A10"}


def test_a_good_sdist_has_no_finding_and_checks_of_wheels_do_not_apply(make_sdist: Callable[..., Path]) -> None:
    outcomes = run(make_sdist())
    assert findings(outcomes) == []
    assert with_verdict(outcomes, "not_applicable") == WHEEL_ONLY


def test_a_library_gets_the_checks_of_libraries(make_wheel: Callable[..., Path]) -> None:
    outcomes = run(make_wheel({"acme_model-1.0.dist-info/entry_points.txt": None}))
    assert findings(outcomes) == []
    assert verdicts(outcomes)["A09"] == "not_applicable"
    assert verdicts(outcomes)["A10"] == "pass"


def test_without_readable_members_only_checks_of_names_are_run(tmp_path: Path) -> None:
    file = tmp_path / "acme_model-1.0-py3-none-any.whl"
    file.write_bytes(b"not a zip archive")
    outcomes = run(file)
    assert verdicts(outcomes)["A01"] == "fail"
    assert with_verdict(outcomes, "not_run") == {check.code for check in FILE_CHECKS if check.needs_members}


def test_codes_are_unique_and_in_order() -> None:
    codes = [check.code for check in FILE_CHECKS]
    assert codes == sorted(set(codes))


@pytest.mark.parametrize("check", FILE_CHECKS, ids=lambda check: check.code)
def test_every_check_has_a_title_and_a_rationale(check: type[FileCheck[Any]]) -> None:
    assert check.title().endswith("?")
    assert len(check.rationale()) > 40
    assert (check.severity == "error") == (check.blocks in ("upload", "verified"))


def test_a_file_under_another_path_is_judged_by_its_given_name(make_wheel: Callable[..., Path], tmp_path: Path) -> None:
    blob = tmp_path / "3f2a"
    blob.write_bytes(make_wheel().read_bytes())
    assert findings(run(blob, filename="acme_model-1.0-py3-none-any.whl")) == []


def test_a_shallow_run_unpacks_no_member(make_wheel: Callable[..., Path]) -> None:
    outcomes = run(make_wheel(), deep=False)
    assert findings(outcomes) == []
    assert outcomes["A01"].record.facts["deep"] is False
    assert outcomes["A02"].record.facts["hashed"] is False


def test_a_file_that_is_not_a_distribution_is_refused_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(UnsupportedError, match=r"notes\.txt") as caught:
        open_subject(tmp_path / "notes.txt")
    assert caught.value.hint
    with pytest.raises(NotFoundError, match="absent"):
        open_subject(tmp_path / "absent-1.0-py3-none-any.whl")


def test_results_have_no_clock_and_are_the_same_twice(make_wheel: Callable[..., Path]) -> None:
    path = make_wheel({"tests/__init__.py": b""})
    first, second = (tuple(outcome.result for outcome in run(path).values()) for _ in range(2))
    assert first == second


class Crashing(FileCheck[Subject]):
    """Does it crash?

    It does, on purpose, to show that the run goes on.
    """

    code = "A99"

    def observe(self, subject: Subject) -> Facts:
        raise ZeroDivisionError(f"boom at {subject.filename}")

    def judge(self, facts: Facts) -> list[Finding]:
        return []


class CrashingJudge(Crashing):
    """Does its second half crash?"""

    code = "A98"

    def observe(self, subject: Subject) -> Facts:
        return {"name": subject.filename}

    def judge(self, facts: Facts) -> list[Finding]:
        raise KeyError("boom")


class StrangeFacts(Crashing):
    """Are its facts JSON?"""

    code = "A97"

    def observe(self, subject: Subject) -> Facts:
        return {"boom": object()}


@pytest.mark.parametrize(
    ("check", "error"),
    [(Crashing, "ZeroDivisionError"), (CrashingJudge, "KeyError"), (StrangeFacts, "ValidationError")],
)
def test_a_check_that_crashes_is_an_infrastructure_error_and_the_run_goes_on(
    check: type[FileCheck[Any]], error: str, make_wheel: Callable[..., Path]
) -> None:
    outcomes = run(make_wheel(), check)
    result = outcomes.pop(check.code).result
    assert (result.verdict, result.cause) == ("infra", "infra")
    (finding,) = result.findings
    assert finding.severity == "error"
    assert error in finding.message
    assert "boom" not in finding.message
    assert "boom" in (finding.said or "")
    assert set(verdicts(outcomes).values()) <= {"pass", "not_applicable"}


def test_rules_are_read_from_a_table() -> None:
    rules = FileRules.model_validate(
        {
            "limits": {"members": 10},
            "reserved_names": ["acme"],
            "reserved_prefixes": ["globex-"],
            "granted_names": ["chimes"],
            "script_owners": {"solver": "acme-solver"},
        }
    )
    assert rules.limits == ArchiveLimits(members=10)
    assert {"acme", "python"} <= rules.reserved_names
    assert rules.script_owners["solver"] == "acme-solver"
    assert rules.script_owners["pip"] == "pip"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"limit": {}}, "no key 'limit'.*known keys: granted_names, limits"),
        ({"limits": {"member": 1}}, "no key 'limits.member'.*known keys: directory_bytes, members"),
        ({"limits": {"members": 0}}, "limits.members is 0"),
        ({"limits": {"members": True}}, "limits.members is True"),
        ({"limits": []}, r"limits is \[\].*write a table"),
        ({"reserved_names": "acme"}, "reserved_names is 'acme'.*write a list of strings"),
        ({"script_owners": {"a": 1}}, "script_owners.a is 1"),
    ],
)
def test_rules_that_are_wrong_are_named(table: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_table(FileRules, table, "files")
    assert re.search(words, f"{caught.value.message}: {caught.value.hint}")
