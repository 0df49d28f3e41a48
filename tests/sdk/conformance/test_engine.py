"""The engine without a sandbox, as authors run it: strict plugins pass, broken ones fail the right check."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from chimes.conformance.catalogue import CHECKS
from chimes.conformance.gate.mutants import MUTANTS, Edit, strict_wheel
from chimes.conformance.options import Nonce, Options
from chimes.conformance.report import ComponentReport, Report
from chimes.conformance.rules import Rules
from chimes.conformance.run import check_installed, check_path
from chimes.environments.wheelfile import write_wheel
from chimes.errors import ConfigError, NotFoundError
from chimes.evidence.record import RunRecord
from chimes.evidence.verdict import RuleSet, VerdictDocument
from chimes.kinds.descriptors import KINDS, Kind
from chimes.processes import run

NONCE = Nonce(b"n" * 32)


def failed_codes(report: Report) -> set[str]:
    return {result.code for result in report.results if result.verdict in ("fail", "infra")}


@pytest.fixture(scope="module")
def strict_reports(tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, Report]:
    folder = tmp_path_factory.mktemp("strict")
    return {kind: check_path(strict_wheel(kind, folder), Options(nonce=NONCE)) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_a_strict_plugin_passes_every_check_of_its_kind(strict_reports: dict[Kind, Report], kind: Kind) -> None:
    report = strict_reports[kind]
    assert report.is_clean, [(finding.message, finding.said) for finding in report.findings]
    (component,) = report.components
    asked = {result.code for result in report.results}
    assert asked >= {check.code for check in CHECKS if getattr(check, "kind", None) == kind}
    assert component.is_complete


@pytest.mark.parametrize("code", ["M07", "M11", "D05", "D12", "B09", "S01", "S08"])
def test_a_broken_plugin_fails_the_check_of_its_rule(tmp_path: Path, code: str) -> None:
    mutant = next(mutant for mutant in MUTANTS if mutant.check == code)
    report = check_path(strict_wheel(mutant.kind, tmp_path, mutant.edits), Options(nonce=NONCE))
    assert failed_codes(report) == {code, *mutant.also_fails}
    assert all(finding.fix and finding.message for finding in report.findings)


def test_an_edit_that_does_not_fit_its_strict_plugin_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not stand once"):
        strict_wheel("model", tmp_path, (Edit("model.py", "no such text", ""),))


def test_every_check_has_a_mutant_of_its_own() -> None:
    assert {mutant.check for mutant in MUTANTS} == {check.code for check in CHECKS}
    assert len(MUTANTS) >= 24


@pytest.mark.parametrize(
    ("old", "new", "code", "cause"),
    [
        ("        x, y = batch", "        raise ValueError('secret text')\n        x, y = batch", "M07", "own"),
        ("        x, y = batch", "        import os; os._exit(3)\n        x, y = batch", "M07", "crashed"),
        ("        x, y = batch", "        import os; os._exit(42)\n        x, y = batch", "M07", "crashed"),
        ("        x, y = batch", "        while True: pass\n        x, y = batch", "M07", "time"),
        ("        x, y = batch", "        raise MemoryError\n        x, y = batch", "M07", "memory"),
        ("        return pa.RecordBatch", "        return 7\n        return pa.RecordBatch", "M07", "own"),
        ("        return ModelInfo", "        return None\n        return ModelInfo", "M02", "own"),
    ],
)
def test_a_component_whose_process_ends_fails_with_the_cause_and_the_run_continues(
    tmp_path: Path, old: str, new: str, code: str, cause: str
) -> None:
    wheel = strict_wheel("model", tmp_path, (Edit("model.py", old, new),))
    report = check_path(wheel, Options(nonce=NONCE, rules=Rules(call_s=2)))
    result = next(result for result in report.results if result.code == code)
    assert (result.verdict, result.cause) == ("fail", cause)
    assert report.components[0].is_complete
    assert b"secret text" not in report.verdict_document().to_bytes()
    assert (b"secret text" in report.run_record().to_bytes()) == ("secret" in new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return [Case(", "raise KeyError('x')\n        return [Case("),
        ("return [Case(", "return []\n        return [Case("),
        ("return [Case(", "return [Case(), Case()]\n        return [Case("),
    ],
)
def test_a_failing_harness_fails_the_checks_that_need_it(tmp_path: Path, old: str, new: str) -> None:
    report = check_path(strict_wheel("model", tmp_path, (Edit("harness.py", old, new),)), Options(nonce=NONCE))
    assert "M07" in failed_codes(report)
    assert "S05" not in failed_codes(report)
    assert any("the harness's cases" in finding.message for finding in report.findings)


def test_checks_of_rows_are_not_run_if_the_source_cannot_be_seeded(tmp_path: Path) -> None:
    wheel = strict_wheel("connector", tmp_path, (Edit("harness.py", "    def seed(", "    def sow("),))
    report = check_path(wheel, Options(nonce=NONCE))
    verdicts = {result.code: result.verdict for result in report.components[0].results}
    assert {verdicts[code] for code in ("D02", "D04", "D05", "D09", "D12")} == {"not_run"}


def test_a_plugin_that_does_not_load_fails_only_s01(tmp_path: Path) -> None:
    wheel = strict_wheel(
        "model", tmp_path, (Edit("plugin.py", "from chimes import", "import nowhere_at_all\nfrom chimes import"),)
    )
    report = check_path(wheel, Options(nonce=NONCE))
    assert failed_codes(report) == {"S01"}
    assert report.components == ()


def test_temporary_files_and_an_event_loop_are_allowed(tmp_path: Path) -> None:
    use = "        import asyncio, tempfile\n        tempfile.TemporaryFile().close()\n"
    use += "        asyncio.run(asyncio.sleep(0))\n"
    edit = Edit("model.py", "        x, y = batch", f"{use}        x, y = batch")
    report = check_path(strict_wheel("model", tmp_path, (edit,)), Options(nonce=NONCE))
    assert report.is_clean, [(finding.message, finding.said) for finding in report.findings]


def test_without_a_sandbox_only_the_file_of_a_library_is_checked(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, name="acme-shared", version="1.0", files={"acme_shared/__init__.py": b""})
    report = check_path(wheel, Options())
    assert not report.components
    assert {result.verdict for result in report.results if result.code[0] == "S"} == {"not_run"}


def test_the_gate_refuses_an_unknown_code() -> None:
    done = run([sys.executable, "-m", "chimes.conformance.gate.matrix", "--only", "Z99"])
    assert done.returncode == 2
    assert "no check has the code 'Z99'; there are B02" in done.text


def test_a_wheel_that_is_unsafe_to_unpack_is_not_run(tmp_path: Path) -> None:
    wheel = strict_wheel("model", tmp_path)
    wheel.write_bytes(wheel.read_bytes() + b"trailing bytes")
    report = check_path(wheel, Options())
    assert "A01" in failed_codes(report)
    assert {result.verdict for result in report.results if result.code.startswith("S")} == {"not_run"}


def test_the_same_nonce_gives_the_same_document_and_another_gives_other_inputs(
    tmp_path: Path, strict_reports: dict[Kind, Report]
) -> None:
    wheel = strict_wheel("model", tmp_path)
    again, other = (check_path(wheel, Options(nonce=nonce)) for nonce in (NONCE, Nonce(b"m" * 32)))
    for name, report in (("first", strict_reports["model"]), ("again", again)):
        report.write(tmp_path / name)
    written = (tmp_path / "first/verdict.json").read_bytes()
    assert written == (tmp_path / "again/verdict.json").read_bytes()
    assert VerdictDocument.model_validate_json(written).to_bytes() == written
    record = RunRecord.model_validate_json((tmp_path / "first/run.json").read_bytes())
    assert (record.check_s or 0) > 0
    before = [digest for result in again.results for digest in result.inputs]
    after = [digest for result in other.results for digest in result.inputs]
    assert before
    # A batch without rows is the same for every nonce; all other inputs differ.
    assert not set(before) & set(after)


def test_an_installed_plugin_can_be_checked_by_name() -> None:
    report = check_installed("chimes_onnx", Options(nonce=NONCE))
    assert report.is_clean, [(finding.message, finding.said) for finding in report.findings]
    with pytest.raises(NotFoundError, match="no-such-plugin"):
        check_installed("no-such-plugin")


def test_a_report_with_a_missing_result_is_not_clean() -> None:
    component = ComponentReport(kind="model", name="x", cases=("default",), planned=("M07",), outcomes=())
    rules = RuleSet(name="r", sha256="")
    report = Report(file="x", sha256=None, sandboxed=False, rules=rules, nonce_sha256="", components=(component,))
    assert not report.is_clean
