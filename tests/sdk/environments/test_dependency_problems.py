from __future__ import annotations

import platform
from pathlib import Path

import pytest
from chimes.environments import dependency_problems, site_packages


def put(environment: Path, name: str, version: str, *fields: str) -> None:
    folder = site_packages(environment) / f"{name}-{version}.dist-info"
    folder.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *fields]
    (folder / "METADATA").write_text("\n".join(lines) + "\n")


def test_a_consistent_environment_has_no_problems(tmp_path: Path) -> None:
    put(tmp_path, "Rain_Units", "1.0rc1", "Requires-Python: >=3.11")
    put(tmp_path, "acme", "1.0", "Requires-Dist: rain-units>=0.9", "Requires-Dist: maps; extra == 'maps'")
    assert dependency_problems(tmp_path) == []


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        ("Requires-Dist: rain-units>=2", "acme 1.0 requires rain-units>=2, installed is 1.0"),
        ("Requires-Dist: maps", "acme 1.0 requires maps, which is not installed"),
        ("Requires-Dist: rain units", "acme 1.0 has the requirement 'rain units', which is not valid"),
        ("Requires-Python: >=3.99", f"acme 1.0 requires Python >=3.99, this is Python {platform.python_version()}"),
        ("Requires-Python: banana", "acme 1.0 has the Python range 'banana', which is not valid"),
    ],
)
def test_a_problem_is_one_sentence(tmp_path: Path, field: str, problem: str) -> None:
    put(tmp_path, "rain-units", "1.0")
    put(tmp_path, "acme", "1.0", field)
    assert dependency_problems(tmp_path) == [problem]


def test_folders_without_metadata_do_not_count(tmp_path: Path) -> None:
    (site_packages(tmp_path) / "odd-1.0.dist-info").mkdir(parents=True)
    assert dependency_problems(tmp_path) == []


def test_an_invalid_installed_version_is_a_problem(tmp_path: Path) -> None:
    put(tmp_path, "rain-units", "banana")
    put(tmp_path, "acme", "1.0", "Requires-Dist: rain-units>=1")
    (problem,) = dependency_problems(tmp_path)
    assert problem.startswith("acme 1.0 ")
    assert "rain-units>=1" in problem
