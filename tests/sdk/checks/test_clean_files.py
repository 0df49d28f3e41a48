from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chimes.checks.catalogue import FILE_CHECKS, find_check
from chimes.checks.check import Facts, Finding
from chimes.checks.filecheck import FileCheck
from chimes.checks.rules import ArchiveLimits, FileRules
from chimes.checks.run import judge_again, run_checks
from chimes.checks.subject import Subject, open_subject
from chimes.errors import ConfigError, NotFoundError, UnsupportedError

WHEEL_ONLY = {"A02", "A07", "A08", "A09", "A10", "A11", "A15", "P03"}


def test_a_good_plugin_has_no_finding_at_all(make_wheel: Callable[..., Path]) -> None:
    with open_subject(make_wheel()) as subject:
        report = run_checks(subject)
    assert report.findings == ()
    assert report.clean
    assert (report.form, report.type, report.name, report.version) == ("wheel", "plugin", "acme-model", "1.0")
    verdicts = {result.code: result.verdict for result in report.results}
    assert {code for code, verdict in verdicts.items() if verdict == "not_applicable"} == {"A10"}


def test_a_good_sdist_has_no_finding_and_is_not_asked_about_wheels(make_sdist: Callable[..., Path]) -> None:
    with open_subject(make_sdist()) as subject:
        report = run_checks(subject)
    assert report.findings == ()
    assert report.type is None
    assert {result.code for result in report.results if result.verdict == "not_applicable"} == WHEEL_ONLY


def test_a_library_is_asked_the_library_questions(make_wheel: Callable[..., Path]) -> None:
    with open_subject(make_wheel({"acme_model-1.0.dist-info/entry_points.txt": None})) as subject:
        report = run_checks(subject)
    assert report.findings == ()
    assert report.type == "library"
    assert report.result("A09").verdict == "not_applicable"
    assert report.result("A10").verdict == "pass"


def test_codes_are_unique_in_order_and_found() -> None:
    codes = [check.code for check in FILE_CHECKS]
    assert codes == sorted(set(codes))
    assert all(find_check(code.lower()) is check for code, check in zip(codes, FILE_CHECKS, strict=True))
    assert find_check("A13") is None


@pytest.mark.parametrize("check", FILE_CHECKS, ids=lambda check: check.code)
def test_every_check_asks_a_question_and_says_why(check: type[FileCheck[Any]]) -> None:
    assert check.title().endswith("?")
    assert len(check.rationale()) > 40
    assert (check.severity == "error") == (check.blocks in ("upload", "verified"))


def test_a_file_under_another_path_is_judged_by_its_given_name(make_wheel: Callable[..., Path], tmp_path: Path) -> None:
    blob = tmp_path / "3f2a"
    blob.write_bytes(make_wheel().read_bytes())
    with open_subject(blob, filename="acme_model-1.0-py3-none-any.whl") as subject:
        assert run_checks(subject).findings == ()


def test_a_shallow_run_unpacks_no_member(make_wheel: Callable[..., Path]) -> None:
    path = make_wheel()
    with open_subject(path, deep=False) as subject:
        report = run_checks(subject)
    assert report.clean
    assert report.result("A01").facts["deep"] is False
    assert report.result("A02").facts["hashed"] is False


def test_a_file_that_is_no_distribution_is_refused_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(UnsupportedError, match=r"notes\.txt") as caught:
        open_subject(tmp_path / "notes.txt")
    assert caught.value.hint
    with pytest.raises(NotFoundError, match="absent"):
        open_subject(tmp_path / "absent-1.0-py3-none-any.whl")


def test_the_report_has_no_clock_and_is_the_same_twice(make_wheel: Callable[..., Path]) -> None:
    path = make_wheel({"tests/__init__.py": b""})
    texts = []
    for _ in range(2):
        with open_subject(path) as subject:
            report = run_checks(subject)
        texts.append(json.dumps([result.to_json() for result in report.results], sort_keys=True))
    assert texts[0] == texts[1]
    assert '"said": null' in texts[0]


class Crashing(FileCheck[Subject]):
    """Does it crash?

    It does, on purpose, to show that the run goes on.
    """

    code = "A99"

    def observe(self, subject: Subject) -> Facts:
        raise ZeroDivisionError(f"boom at {subject.filename}")

    def judge(self, facts: Facts) -> list[Finding]:
        return []


def test_a_check_that_crashes_is_our_fault_and_the_run_goes_on(make_wheel: Callable[..., Path]) -> None:
    with open_subject(make_wheel()) as subject:
        report = run_checks(subject, [Crashing, *FILE_CHECKS])
    crashed = report.result("A99")
    assert crashed.verdict == "infra"
    (finding,) = crashed.findings
    assert "ZeroDivisionError" in finding.message
    assert "boom" not in finding.message
    assert "boom" in (finding.said or "")
    assert crashed.to_json()["findings"][0]["said"] is None
    assert all(result.verdict in ("pass", "not_applicable") for result in report.results[1:])
    with pytest.raises(NotFoundError, match="A99"):
        judge_again(crashed)
    with pytest.raises(NotFoundError, match="A77"):
        report.result("A77")


def test_results_that_were_not_judged_stay_as_they_are(make_sdist: Callable[..., Path]) -> None:
    with open_subject(make_sdist()) as subject:
        result = run_checks(subject).result("A02")
    assert judge_again(result) is result


def test_rules_are_read_from_a_table() -> None:
    rules = FileRules.from_mapping(
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
        ({"limit": {}}, "no setting 'limit'"),
        ({"limits": {"member": 1}}, "no setting 'member'"),
        ({"limits": {"members": 0}}, "files.limits.members is 0"),
        ({"limits": {"members": True}}, "files.limits.members is True"),
        ({"limits": []}, r"files.limits is \[\]"),
        ({"reserved_names": "acme"}, "files.reserved_names is 'acme'"),
        ({"script_owners": {"a": 1}}, "files.script_owners"),
    ],
)
def test_rules_that_are_wrong_are_named(table: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        FileRules.from_mapping(table)
    assert caught.value.hint
