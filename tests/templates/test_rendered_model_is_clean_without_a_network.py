"""The first steps of a new user without a network: scaffold, install, lint, type-check, test and check a plugin."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml  # type: ignore[import-untyped]
from chimes.processes import run

if TYPE_CHECKING:
    from templates.conftest import Environment

NO_NETWORK = ("unshare", "--net") if os.geteuid() == 0 else ("unshare", "--map-root-user", "--net")
ODD = 'It\'s "25 °C" \\ 温度 & <b>pressure</b>, {{ cookiecutter.name }} 🔔'

CASES = {
    "my-model": [],
    "acme.rain_2": ["ci=gitlab", f"summary={ODD}", 'author=王 "Dr. Rain" O\'Neil & Söhne', "component=rain-2h"],
}


def test_the_namespace_has_no_network() -> None:
    probe = "import socket; socket.create_connection(('1.1.1.1', 53), 2)"
    tried = run([*NO_NETWORK, "python3", "-c", probe])
    assert tried.returncode == 1
    assert "Network is unreachable" in tried.text


@pytest.mark.parametrize("name", CASES)
def test_rendered_model_is_clean_without_a_network(author_environment: Environment, tmp_path: Path, name: str) -> None:
    def offline(*argv: str, cwd: Path) -> str:
        return author_environment.run(*NO_NETWORK, *argv, cwd=cwd)

    answers = [part for answer in CASES[name] for part in ("--answer", answer)]
    offline("chimes", "new", "model", name, "--no-input", *answers, cwd=tmp_path)
    project = tmp_path / name
    assert list(author_environment.folder.rglob("templates/**/*.pyc"))
    assert not list(project.rglob("__pycache__"))
    offline("uv", "pip", "install", "--no-build-isolation", "--no-deps", "--offline", ".", cwd=project)
    install, *steps = ci_steps(project)
    assert install == "python -m pip install -e '.[dev]'"
    assert [step.split()[0] for step in steps] == ["ruff", "ruff", "mypy", "pytest", "chimes"]
    for step in steps:
        offline("sh", "-c", step, cwd=project)
    assert list(author_environment.home.glob(".cookiecutter*")) == []


def ci_steps(project: Path) -> list[str]:
    """The commands of the project's CI file, in order."""
    gitlab = project / ".gitlab-ci.yml"
    if gitlab.exists():
        return list(yaml.safe_load(gitlab.read_text("utf-8"))["check"]["script"])
    github = yaml.safe_load((project / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    return [step["run"] for step in github["jobs"]["check"]["steps"] if "run" in step]
