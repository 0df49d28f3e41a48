"""The plugin ``acme-lab`` as an installed distribution, and pipelines made of its parts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chimes.errors import CompositionError, Problem
from chimes.pipelines.composer import compose
from chimes.pipelines.composition import Composition
from chimes.pipelines.launcher import RetryPolicy, RunReport, run
from chimes.pipelines.spec import Pipeline
from chimes.registry import Registry

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def lab_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the installed distributions acme-lab and acme-broken."""
    site = tmp_path_factory.mktemp("site")
    shutil.copytree(HERE / "acme_lab", site / "acme_lab", ignore=shutil.ignore_patterns("__pycache__"))
    (site / "acme_broken.py").write_text("import a_driver_that_is_not_there\n", "utf-8")
    for name, module in (("acme_lab", "acme_lab.plugin"), ("acme_broken", "acme_broken")):
        info = site / f"{name}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n", "utf-8")
        (info / "entry_points.txt").write_text(f"[chimes]\nit = {module}\n", "utf-8")
    return site


@pytest.fixture
def lab(lab_site: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The registry that sees acme-lab, as do processes that are started from here."""
    monkeypatch.syspath_prepend(str(lab_site))
    monkeypatch.setenv("PYTHONPATH", str(lab_site))
    monkeypatch.setenv("CHIMES_PLUGINS", "acme-lab,acme-broken")
    return Registry.discover()


Make = Callable[..., Pipeline]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make a pipeline that composes; arguments like ``model={"device": "npu"}`` change a section's keys.

    Keys of ``source_config``, ``model_config`` and ``backend_config`` go into the configurations.
    """

    def make(**changes: Any) -> Pipeline:
        sections: dict[str, Any] = {
            "pipeline": {"name": "scores"},
            "source": {"component": "acme-lab:numbers", "stream": "numbers", "config": {}},
            "model": {
                "component": "acme-lab:score",
                "params": {"factor": 2.0},
                "columns": {"a": {"column": "a", "cast": "float32"}},
                "config": {"folder": str(tmp_path)},
            },
            "output": {"path": str(tmp_path / "scores.parquet")},
            "backend": {"component": "acme-lab:bench", "config": {}},
        }
        for name, values in changes.items():
            section, _, part = name.partition("_")
            if part:
                sections[section]["config"] |= values
            else:
                sections[section] = {**sections.get(section, {}), **values}
        return Pipeline.model_validate(sections)

    return make


@pytest.fixture
def composed(lab: Registry, make: Make) -> Callable[..., Composition]:
    """Compose a changed pipeline."""
    return lambda **changes: compose(make(**changes), lab)


@pytest.fixture
def problems(lab: Registry, make: Make) -> Callable[..., tuple[Problem, ...]]:
    """The problems of a changed pipeline; fails if it composes."""

    def problems(**changes: Any) -> tuple[Problem, ...]:
        with pytest.raises(CompositionError) as caught:
            compose(make(**changes), lab)
        return caught.value.problems

    return problems


@pytest.fixture
def ran(lab: Registry, composed: Callable[..., Composition]) -> Callable[..., RunReport]:
    """Compose a changed pipeline and run it to its end, with short pauses between attempts."""
    policy = RetryPolicy(attempts=3, backoff_s=0.01, longest_s=5.0)
    return lambda **changes: run(composed(**changes), registry=lab, policy=policy)
