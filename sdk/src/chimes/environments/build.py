"""Builds a project folder to a wheel on this machine, with the rights of the user and without a sandbox."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from chimes.environments.buildsystem import read_build_system
from chimes.errors import BuildError, InfrastructureError
from chimes.processes import run, scratch_folder
from chimes.text import escape, shorten

__all__ = ["build_release", "build_wheel", "reason_in"]

TIMEOUT_S = 600.0
REASON_CHARACTERS = 600
# Control sequences of terminals: colours (ESC [ ...) and titles (ESC ] ... BEL).
CONTROL_SEQUENCES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
NO_NETWORK = ("Failed to fetch", "Request failed", "NewConnectionError", "Temporary failure in name resolution")


def build_wheel(folder: Path, out: Path) -> Path:
    """Build the project in ``folder`` to a wheel in ``out`` (made if missing); the path of the wheel.

    It uses the running interpreter's packages if they meet the project's build requirements, so that it works without a
    network; else an isolated environment. Raises BuildError; InfrastructureError if that environment cannot be
    made, or if the package ``build`` is missing.
    """
    return _built(folder, out, ["--wheel"])[0]


def build_release(folder: Path, out: Path) -> list[Path]:
    """Build an sdist of the project, and a wheel from it; both paths, the wheel first. Raises as ``build_wheel``."""
    return _built(folder, out, [])


def _built(folder: Path, out: Path, forms: list[str]) -> list[Path]:
    system = read_build_system(folder)
    if not _importable("build"):
        raise InfrastructureError("the package 'build' is not installed", hint="pip install 'chimes[author]'")
    out.mkdir(parents=True, exist_ok=True)
    with scratch_folder(".build-", parent=out) as scratch:
        _build(folder, scratch, forms, isolated=not all(_is_installed(text) for text in system.requires))
        made = [path for pattern in ("*.whl", "*.tar.gz") for path in sorted(scratch.glob(pattern))]
        if not made or made[0].suffix != ".whl":
            raise BuildError("the build made no wheel", hint="does the build backend support wheels?")
        return [path.replace(out / path.name) for path in made]


def reason_in(output: str) -> str:
    """Why a build failed: the last exception in its output, else the last lines; one line of bounded length."""
    text = CONTROL_SEQUENCES.sub("", output)
    lines = [line.rstrip() for line in text.splitlines() if line.strip() and not _is_progress(line)]
    traces = [number for number, line in enumerate(lines) if line.lstrip().startswith("Traceback (most recent")]
    if traces:
        raised = [line for line in lines[traces[-1] + 1 :] if not line.startswith(" ")]
        lines = raised[:3] or lines
    reason = escape(" ".join(line.strip() for line in lines[-3:])) or "it printed nothing"
    return shorten(reason, REASON_CHARACTERS)


def _build(folder: Path, out: Path, forms: list[str], *, isolated: bool) -> None:
    options = [*forms, "--outdir", str(out.absolute()), *([] if isolated else ["--no-isolation"])]
    if isolated and _importable("uv"):
        options += ["--installer", "uv"]
    # -P, because a folder called build in the working directory is not the package.
    command = [sys.executable, "-P", "-m", "build", *options, str(folder.absolute())]
    with scratch_folder("chimes-build-") as temporary:
        env = {**os.environ, "TMPDIR": str(temporary)}
        done = run(command, env=env, timeout_s=TIMEOUT_S, guarded=True)
    if done.timed_out:
        raise BuildError(
            f"the build did not finish in {TIMEOUT_S:.0f} s", hint="does the build backend wait for input?"
        )
    if done.returncode == 0:
        return
    if isolated and any(sign in done.text for sign in NO_NETWORK):
        raise InfrastructureError(
            f"the build requirements of {folder.name} cannot be fetched",
            hint="install what [build-system] requires into this environment, or make the package index reachable",
        )
    raise BuildError(
        f"{folder.name} cannot be built: {reason_in(done.text)}",
        hint=f"fix pyproject.toml, and try it alone: python -m build --wheel {folder}",
    )


def _is_installed(text: str) -> bool:
    try:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate():
            return True
        return requirement.specifier.contains(metadata.version(requirement.name), prereleases=True)
    except (ValueError, KeyError, RecursionError, metadata.PackageNotFoundError):
        return False


def _importable(package: str) -> bool:
    spec = importlib.util.find_spec(package)
    return spec is not None and spec.origin is not None


def _is_progress(line: str) -> bool:
    return line.startswith(("* ", "TIP ", "ERROR Backend subprocess exited"))
