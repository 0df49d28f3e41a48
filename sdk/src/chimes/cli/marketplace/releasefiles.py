"""The files of one release: found, or built from a project, and checked before they are sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename
from packaging.version import Version

from chimes.checks.run import run_file_checks
from chimes.checks.subject import open_subject
from chimes.environments.build import build_release
from chimes.errors import ConfigError, NotFoundError
from chimes.evidence.finding import Finding, sort_findings

__all__ = ["check_files", "collect_files"]

FORMS = (".whl", ".tar.gz")


def collect_files(paths: Sequence[Path], scratch: Path, progress: Callable[[str], None]) -> list[Path]:
    """Wheels, then sdists, of one release; a project folder is built into ``scratch``.

    Raises NotFoundError, BuildError; ConfigError for other files, or those of more than one release.
    """
    found: list[Path] = []
    for number, path in enumerate(paths):
        found += _files(path, scratch / str(number), progress)
    files = sorted({path.name: path for path in found}.values(), key=lambda path: (path.suffix != ".whl", path.name))
    if len(files) < len({path.resolve() for path in found}):
        raise ConfigError("two of the files have the same name", hint="name the files to publish, one of each")
    releases = sorted({release for path in files if (release := _release(path))})
    if len(releases) > 1:
        names = ", ".join(f"{name} {version}" for name, version in releases)
        raise ConfigError(f"these are files of several releases: {names}", hint="name the files of one release")
    return files


def check_files(files: Sequence[Path]) -> list[Finding]:
    """The findings of the file checks on each file, errors first."""
    found: list[Finding] = []
    for path in files:
        with open_subject(path) as subject:
            found += [finding for outcome in run_file_checks(subject) for finding in outcome.result.findings]
    return sort_findings(found)


def _files(path: Path, scratch: Path, progress: Callable[[str], None]) -> list[Path]:
    if path.is_file():
        if not path.name.endswith(FORMS):
            raise ConfigError(
                f"{path} is neither a wheel nor an sdist", hint="name .whl and .tar.gz files, or a folder"
            )
        return [path]
    if not path.is_dir():
        raise NotFoundError(
            f"there is nothing at {path}", hint="name wheels, sdists, a dist folder or a project folder"
        )
    if (path / "pyproject.toml").exists():
        progress(f"building {path.resolve().name}")
        return build_release(path, scratch)
    found = sorted(file for file in path.iterdir() if file.name.endswith(FORMS) and file.is_file())
    if not found:
        raise NotFoundError(
            f"{path} holds neither distributions nor a pyproject.toml", hint="build first: python -m build"
        )
    return found


def _release(path: Path) -> tuple[str, Version] | None:
    """Name and version by the file's name; None where they cannot be read (a finding says so)."""
    try:
        if path.suffix == ".whl":
            name, version, _, _ = parse_wheel_filename(path.name)
        else:
            name, version = parse_sdist_filename(path.name)
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None
    return name, version
