"""The output and the exit status of ``chimes check``, for people and for scripts."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from chimes.conformance.gate.mutants import MUTANTS, Edit, strict_wheel
from chimes.environments.wheelfile import write_wheel
from chimes.processes import Completed, run

CHIMES = str(Path(sys.executable).with_name("chimes"))


def chimes(*arguments: str | Path, env: dict[str, str] | None = None) -> Completed:
    return run([CHIMES, *map(str, arguments)], env={**os.environ, "COLUMNS": "120", **(env or {})})


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return strict_wheel("model", tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    mutant = next(mutant for mutant in MUTANTS if mutant.check == "M07")
    return strict_wheel("model", tmp_path_factory.mktemp("bad"), mutant.edits)


@pytest.fixture(scope="module")
def narrow(good: Path) -> Completed:
    """The check of a clean plugin, on a screen of 60 columns."""
    return chimes("check", good, env={"COLUMNS": "60"})


def test_a_clean_plugin_exits_0_with_a_note_that_there_was_no_sandbox(narrow: Completed) -> None:
    done = narrow
    assert done.returncode == 0, done.text
    assert "clean" in done.stdout.decode()
    assert "without a sandbox" in " ".join(done.stderr.decode().split())


def test_findings_exit_1_and_are_shown_with_their_fixes(bad: Path) -> None:
    done = chimes("check", bad)
    text = done.stdout.decode()
    assert done.returncode == 1
    assert "M07" in text
    assert "M09" in text
    assert text.count("fix:") == 2


def test_findings_that_say_the_same_are_shown_once(tmp_path: Path) -> None:
    signature = "    def describe(cls, config: StrictConfig) -> ModelInfo:\n"
    raising = Edit("model.py", signature, f'{signature}        raise RuntimeError("boom")\n')
    done = chimes("check", strict_wheel("model", tmp_path, (raising,)))
    text = done.stdout.decode()
    assert done.returncode == 1, done.text
    assert text.count("boom") == 1
    assert "M02 M04 M07" in text.partition("boom")[0].partition("✗")[2]


def test_codes_stay_below_each_other_on_a_narrow_screen(narrow: Completed) -> None:
    text = narrow.stdout.decode()
    below = next(line for line in text.splitlines() if line.lstrip().startswith("A09"))
    assert below.startswith(" " * 27)
    assert max(map(len, text.splitlines())) <= 60


def test_json_has_findings_and_verdicts(bad: Path) -> None:
    done = chimes("check", bad, "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert {"code", "severity", "blocks", "message", "fix", "where"} <= set(report["findings"][0])
    verdicts = {check["code"]: check["verdict"] for check in report["components"][0]["checks"]}
    assert (verdicts["M07"], verdicts["M08"]) == ("fail", "pass")


def test_a_folder_for_the_report_gets_plan_verdict_and_run_record(good: Path, tmp_path: Path) -> None:
    nonce = tmp_path / "nonce"
    nonce.write_text("0f" * 32)
    rules = tmp_path / "rules.toml"
    rules.write_text('name = "mine"\n')
    done = chimes("check", good, "--out", tmp_path / "out", "--nonce-file", nonce, "--rules", rules)
    assert done.returncode == 0, done.text
    verdict = json.loads((tmp_path / "out/verdict.json").read_text())
    plan = json.loads((tmp_path / "out/plan.json").read_text())
    record = json.loads((tmp_path / "out/run.json").read_text())
    assert verdict["rules"]["name"] == "mine"
    assert plan["components"][0]["checks"] == [check["code"] for check in verdict["components"][0]["checks"]]
    assert record["check_s"] > 0
    assert (tmp_path / "out/logs").is_dir()


@pytest.mark.parametrize(
    ("arguments", "phrase"),
    [
        (["no-such-file.whl"], "no-such-file.whl"),
        (["{empty}"], "pyproject.toml"),
        (["{good}", "--nonce-file", "/no/such/nonce"], "/no/such/nonce"),
        (["{good}", "--rules", "/no/such/rules"], "/no/such/rules"),
        (["{good}", "--lock", "/no/such/lock"], "/no/such/lock"),
        (["{good}", "--lock", "{good}"], "--sandbox"),
        (["{good}", "--out", "{good}"], "File exists"),
        (["{good}", "--out", "/proc/none"], "/proc/none"),
        (["x" * 300], "File name too long"),
    ],
)
def test_input_that_cannot_be_checked_exits_2_with_one_sentence_and_a_fix(
    good: Path, tmp_path: Path, arguments: list[str], phrase: str
) -> None:
    done = chimes("check", *(argument.format(good=good, empty=tmp_path) for argument in arguments))
    assert done.returncode == 2
    assert phrase in done.text
    assert "fix:" in done.text
    assert "Traceback" not in done.text


def test_a_sandbox_without_bubblewrap_exits_2_with_the_fix(good: Path, tmp_path: Path) -> None:
    done = chimes("check", good, "--sandbox", env={"PATH": str(tmp_path)})
    assert done.returncode == 2
    assert "bubblewrap" in done.text
    assert "fix:" in done.text


def test_a_file_that_is_not_an_archive_is_a_finding(tmp_path: Path) -> None:
    file = tmp_path / "acme-1.0-py3-none-any.whl"
    file.write_bytes(b"not a wheel")
    done = chimes("check", file, "--json")
    assert done.returncode == 1
    assert "A01" in {finding["code"] for finding in json.loads(done.stdout)["findings"]}


@pytest.mark.parametrize("verb", ["new", "check", "publish", "cancel", "retry", "run", "list", "explain"])
def test_the_help_of_every_verb_has_an_example(verb: str) -> None:
    done = chimes(verb, "--help")
    assert done.returncode == 0
    assert f"chimes {verb}" in done.stdout.decode().partition("Examples:")[2]


def test_list_shows_plugins_as_rows_and_as_json() -> None:
    rows = chimes("list", "--kind", "connector")
    assert "chimes-files:files" in rows.stdout.decode()
    assert "chimes-onnx" not in rows.stdout.decode()
    listed = {item["distribution"] for item in json.loads(chimes("list", "--json").stdout)["plugins"]}
    assert listed >= {"chimes-files", "chimes-onnx", "chimes-local"}


@pytest.mark.parametrize("only", ["", "no-such-plugin"])
def test_list_says_that_the_rescue_switch_hides_all(only: str) -> None:
    done = chimes("list", env={"CHIMES_PLUGINS": only})
    assert done.returncode == 0
    assert f"CHIMES_PLUGINS={only!r}" in done.stdout.decode()
    assert "unset it" in done.stdout.decode()


def test_the_checks_that_a_library_skips_are_listed(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, name="acme-lib", version="1.0", files={"acme_lib.py": b""})
    done = chimes("check", wheel)
    assert done.returncode == 0, done.text
    assert "not run: S09 S21 S22" in done.stdout.decode()
    assert "a library runs in a sandbox only" in done.stdout.decode()


def test_an_unknown_verb_exits_2() -> None:
    assert chimes("frobnicate").returncode == 2
