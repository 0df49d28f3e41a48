from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from chimes.environments.build import build_wheel, reason_in
from chimes.environments.buildsystem import read_build_system
from chimes.errors import BuildError, InfrastructureError

Project = Callable[..., Path]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Write a project folder: ``project(pyproject, **{"pkg/__init__.py": text})``."""

    def make(pyproject: str | None, files: dict[str, str] | None = None) -> Path:
        folder = tmp_path / "acme"
        for name, text in {"acme_rain/__init__.py": "", **(files or {})}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        if pyproject is not None:
            (folder / "pyproject.toml").write_text(pyproject)
        return folder

    return make


HATCHLING = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "acme-rain"
version = "1.0"
"""
IN_TREE = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["tools"]
"""


def test_a_project_is_built_with_the_installed_backend_without_a_network(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    wheel = build_wheel(project(HATCHLING), tmp_path / "out")
    assert wheel.parent == tmp_path / "out"
    assert wheel.name.startswith("acme_rain-1.0-")
    assert "acme_rain/__init__.py" in zipfile.ZipFile(wheel).namelist()
    assert list((tmp_path / "out").iterdir()) == [wheel]


def test_a_backend_that_is_not_installed_is_fetched(
    add_wheel: Callable[..., Path], project: Project, tmp_path: Path
) -> None:
    copying = "import shutil\n\ndef build_wheel(out, settings=None, metadata=None):\n    return 'no'\n"
    add_wheel("rain-builder", files={"rain_builder.py": copying.encode()})
    pyproject = '[build-system]\nrequires = ["rain-builder"]\nbuild-backend = "rain_builder"\n'
    with pytest.raises(BuildError, match="no wheel"):
        build_wheel(project(pyproject), tmp_path / "out")


def test_build_requirements_that_cannot_be_fetched_are_an_infrastructure_error(
    caches: Path, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple/")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(InfrastructureError, match="build requirements of acme cannot be fetched"):
        build_wheel(project(HATCHLING.replace('"hatchling"', '"rain-builder"')), tmp_path / "out")


def test_an_error_of_the_backend_is_the_reason(project: Project, tmp_path: Path) -> None:
    backend = "def build_wheel(*args):\n    print('working')\n    raise ValueError('no rain today')\n"
    with pytest.raises(BuildError, match="acme cannot be built: ValueError: no rain today") as caught:
        build_wheel(project(IN_TREE, {"tools/backend.py": backend}), tmp_path / "out")
    assert (caught.value.code, caught.value.fault) == ("build", "plugin")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="absent is not a folder"):
        build_wheel(tmp_path / "absent", tmp_path / "out")


@pytest.mark.parametrize(
    ("pyproject", "message"),
    [
        (None, r"no pyproject\.toml"),
        ("[project]\nname = 'acme'\n", r"no table \[build-system\]"),
        ("build-system = 3\n", r"no table \[build-system\]"),
        ("[build-system\n", "is not valid TOML"),
        ("[build-system]\n", "requires"),
        ("[build-system]\nrequires = 'hatchling'\n", "not a list of strings"),
        ("[build-system]\nrequires = [1]\n", "not a list of strings"),
        ("[build-system]\nrequires = []\nbuild-backend = 'os; boom'\n", "'os; boom' is not a module"),
        ("# " + "x" * (1 << 20), "larger than"),
    ],
)
def test_a_project_without_a_build_system_gets_an_error_with_a_fix(
    project: Project, pyproject: str | None, message: str
) -> None:
    with pytest.raises(BuildError, match=message) as caught:
        read_build_system(project(pyproject))
    assert caught.value.hint


def test_a_pyproject_that_is_not_a_file_is_refused(project: Project) -> None:
    folder = project(None)
    (folder / "pyproject.toml").mkdir()
    with pytest.raises(BuildError, match="not a regular file"):
        read_build_system(folder)


def test_a_project_that_names_no_backend_has_the_standard_one(project: Project) -> None:
    system = read_build_system(project('[build-system]\nrequires = ["setuptools"]\n'))
    assert system.backend == "setuptools.build_meta:__legacy__"


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (
            "* Building\nTraceback (most recent call last):\n  File x\nKeyError: 'a'\nERROR Backend subprocess exited",
            "KeyError: 'a'",
        ),
        ("Traceback (most recent call last):\n  File x\nKeyError: 'a'\n\nTIP pass --env-dir\n", "KeyError: 'a'"),
        ("\x1b[2J\x1b[1;1H\x1b]0;title\x07clean\x9bm\n", "clean\\x9bm"),
        ("one\n\ntwo\n\x1b[91mthree\x1b[0m\nfour\n", "two three four"),
        ("", "it printed nothing"),
        ("Traceback (most recent call last):\n  File x\n", "Traceback (most recent call last): File x"),
    ],
)
def test_the_reason_is_the_last_exception_or_the_last_lines(output: str, reason: str) -> None:
    assert reason_in(output) == reason


def test_a_long_reason_is_cut() -> None:
    assert len(reason_in("x" * 10_000)) == 600
