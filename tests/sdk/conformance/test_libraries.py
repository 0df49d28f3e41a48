"""Libraries: the modules that are imported, their environment, and the findings for failing imports."""

from __future__ import annotations

from pathlib import Path

import pytest
from chimes.checks.rules import FileRules
from chimes.conformance.options import Nonce, Options
from chimes.conformance.report import Report
from chimes.conformance.rules import Rules
from chimes.conformance.run import check_path
from chimes.conformance.suites.libraries import importable
from chimes.environments import sdk_wheel
from chimes.environments.wheelfile import write_wheel

NONCE = Nonce(b"n" * 32)


def library(folder: Path, files: dict[str, str], *requires: str) -> Path:
    members = {name: text.encode() for name, text in files.items()}
    return write_wheel(folder, name="acme-lib", version="1.0", files=members, requires=requires)


def check(wheel: Path, *, sandbox: bool = True, granted: tuple[str, ...] = ()) -> Report:
    rules = Rules(files=FileRules(granted_names=frozenset(granted)), call_s=20)
    return check_path(wheel, Options(sandbox=sandbox, rules=rules, nonce=NONCE))


def verdicts(report: Report) -> dict[str, str]:
    return {result.code: result.verdict for result in report.checks if not result.code.startswith("A")}


def test_a_library_without_side_effects_is_clean(tmp_path: Path) -> None:
    report = check(library(tmp_path, {"acme_lib/__init__.py": "import json\n"}))
    assert report.is_clean, report.findings
    assert {code: verdicts(report)[code] for code in ("S09", "S21", "S22")} == dict.fromkeys(
        ("S09", "S21", "S22"), "pass"
    )
    assert not {"S01", "S02", "S05", "S08"} & set(verdicts(report))
    assert report.lock == ()


def test_without_a_sandbox_a_library_is_not_imported(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    wheel = library(tmp_path, {"acme_lib.py": f"open({str(marker)!r}, 'w').close()\n"})
    report = check(wheel, sandbox=False)
    assert report.is_clean
    assert {code: verdicts(report)[code] for code in ("S09", "S21", "S22")} == dict.fromkeys(
        ("S09", "S21", "S22"), "not_run"
    )
    assert not marker.exists()


def test_an_import_of_an_undeclared_dependency_fails_s21(tmp_path: Path) -> None:
    (finding,) = check(library(tmp_path, {"acme_lib.py": "import pydantic\n"})).findings
    assert (finding.code, finding.where) == ("S21", "acme_lib")
    assert "needs a module that no declared dependency contains" in finding.message
    assert "pydantic" in (finding.said or "")


def test_declared_dependencies_are_installed_and_the_sdk_is_the_one_of_the_suite(tmp_path: Path) -> None:
    wheel = library(tmp_path, {"acme_lib.py": "import chimes\nchimes.Model\n"}, "chimes>=0.1,<1")
    report = check(wheel)
    assert report.is_clean, report.findings
    assert "chimes" in {line.split()[0] for line in report.lock}


def test_a_library_that_raises_or_exits_at_import_fails(tmp_path: Path) -> None:
    (finding,) = check(library(tmp_path / "a", {"acme_lib.py": "raise SystemExit(3)\n"})).findings
    assert (finding.code, finding.message.rpartition(": ")[2]) == ("S21", "it raises an error")
    left = check(library(tmp_path / "b", {"acme_lib.py": "import os\nos._exit(0)\n"}))
    causes = {result.code: result.cause for result in left.checks if result.verdict == "fail"}
    assert causes == {"S09": "crashed", "S22": "crashed"}


def test_dependencies_that_do_not_exist_fail_s21_and_no_module_is_imported(tmp_path: Path) -> None:
    report = check(library(tmp_path, {"acme_lib.py": ""}, "acme-nowhere-to-be-found==9"))
    assert {code: verdicts(report)[code] for code in ("S09", "S21", "S22")} == {
        "S09": "not_run",
        "S21": "fail",
        "S22": "not_run",
    }


def test_a_library_may_import_packages_that_test_ipv6_or_make_a_lock(tmp_path: Path) -> None:
    report = check(library(tmp_path, {"acme_lib.py": "import joblib\nimport requests\n"}, "joblib", "requests"))
    assert report.is_clean, [(finding.code, finding.message, finding.said) for finding in report.findings]


def test_changes_by_dependencies_are_not_attributed_to_the_library(tmp_path: Path) -> None:
    changes = "import joblib, os\nos.environ['ACME_LIB'] = '1'\n"
    report = check(library(tmp_path, {"acme_lib/__init__.py": changes}, "joblib"))
    (finding,) = report.findings
    assert (finding.code, finding.message) == ("S09", "importing the library changes the environment")


@pytest.mark.parametrize(
    "more",
    ["s.bind(('::1', 5353))", "s.connect_ex(('::1', 80))", "socket.socket()"],
)
def test_a_library_that_does_more_than_test_ipv6_opens_a_socket(tmp_path: Path, more: str) -> None:
    probe = "import socket\ns = socket.socket(socket.AF_INET6)\n"
    bind = "" if more.startswith("s.bind") else "s.bind(('::1', 0))\n"
    report = check(library(tmp_path, {"acme_lib.py": f"{probe}{bind}{more}\n"}))
    assert {"S09", "S22"} <= {finding.code for finding in report.findings}


def test_the_sdk_is_a_library_like_any_other(tmp_path: Path) -> None:
    wheel = sdk_wheel(tmp_path)
    assert "A12" in {finding.code for finding in check(wheel, sandbox=False).findings}
    report = check(wheel, granted=("chimes",))
    assert report.is_clean, report.findings
    assert "chimes" not in {line.split()[0] for line in report.lock}


@pytest.mark.parametrize(
    ("files", "modules"),
    [
        (["a/__init__.py", "a/b.py", "c.py"], ("a", "c")),
        (["a.cpython-311-x86_64-linux-gnu.so", "a.pyi"], ("a",)),
        (["space/one/__init__.py", "space/two/__init__.py", "space/two/deep/__init__.py"], ("space.one", "space.two")),
        (["_a/__init__.py", "a/__init__.py", "_b.py"], ("a",)),
        (["_a/__init__.py", "_b.py"], ("_a", "_b")),
        (["a-b.py", "data/x.csv", "data/y.py", "a.pth"], ()),
        (["a/b/c/d/e/f/__init__.py"], ()),
        ([f"m{number:03}.py" for number in range(40)], tuple(f"m{number:03}" for number in range(32))),
        (["acme_lib-1.0.data/purelib/a.py", "acme_lib-1.0.data/scripts/b.py"], ("a",)),
    ],
)
def test_the_top_level_modules_of_a_wheel_are_imported(
    tmp_path: Path, files: list[str], modules: tuple[str, ...]
) -> None:
    assert importable(library(tmp_path, dict.fromkeys(files, ""))) == modules
