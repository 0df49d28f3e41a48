"""Files of real build tools pass: a project built here, and released files of several tools."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from chimes.checks.run import run_file_checks
from chimes.checks.subject import open_subject
from chimes.evidence.finding import Finding
from chimes.processes import run

PROJECT = """\
[build-system]
requires = ["{requirement}"]
build-backend = "{backend}"

[project]
name = "acme-model"
version = "1.0"
description = "Answers."
readme = "README.md"
requires-python = ">=3.11"
license = "Apache-2.0"
license-files = ["LICENSE"]
classifiers = ["Programming Language :: Python :: 3"]
dependencies = ["numpy>=2"]

[project.optional-dependencies]
gpu-extra = ["cupy"]

[project.entry-points.chimes]
acme = "acme_model.plugin"

[project.scripts]
acme = "acme_model.plugin:main"
"""


def write_project(folder: Path, backend: str, requirement: str) -> None:
    (folder / "src/acme_model/data").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PROJECT.format(backend=backend, requirement=requirement))
    (folder / "README.md").write_text("# Acme\n\nIt answers, in ä language.\n", "utf-8")
    (folder / "LICENSE").write_text("Do as you like.\n")
    (folder / "src/acme_model/__init__.py").write_text("")
    (folder / "src/acme_model/CHANGELOG.md").write_text("# Changes\n\n## 1.0\n\n- First.\n")
    (folder / "src/acme_model/plugin.py").write_text("def main() -> None: ...\n")
    (folder / "src/acme_model/data/weights.bin").write_bytes(bytes(300_000))


def findings(path: Path) -> list[Finding]:
    with open_subject(path) as subject:
        return [finding for outcome in run_file_checks(subject) for finding in outcome.result.findings]


@pytest.mark.parametrize(
    ("backend", "requirement", "command"),
    [
        ("hatchling.build", "hatchling", (sys.executable, "-m", "hatchling", "build", "-d", "dist")),
        ("uv_build", "uv_build>=0.8", (str(Path(sys.executable).parent / "uv"), "build", "--offline", "-o", "dist")),
    ],
)
def test_a_project_that_is_built_here_is_clean(
    backend: str, requirement: str, command: tuple[str, ...], tmp_path: Path
) -> None:
    write_project(tmp_path, backend, requirement)
    built = run(command, cwd=tmp_path)
    assert built.returncode == 0, built.text
    files = sorted(path for path in (tmp_path / "dist").iterdir() if path.suffix in (".whl", ".gz"))
    assert len(files) == 2
    for path in files:
        assert findings(path) == []
