"""Checks a path or an installed distribution.

The modules of the checks import pyarrow and jsonschema, which takes as long as the build of a project. Therefore they
are imported in a thread while a project is built, and not at the top of this file.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from chimes.conformance.build import Built, build_in_sandbox
from chimes.conformance.options import Options
from chimes.environments.build import build_wheel
from chimes.errors import NotFoundError
from chimes.processes import scratch_folder
from chimes.registry import normalize, scan
from chimes.sandbox import preflight

if TYPE_CHECKING:
    from chimes.conformance.report import Report

__all__ = ["check_installed", "check_path"]

CHECKS = "chimes.conformance.distributions"


def check_path(path: Path, options: Options) -> Report:
    """Check a project folder, a wheel or an sdist. Raises NotFoundError, BuildError, InfrastructureError."""
    started = time.monotonic()
    if not path.exists():
        raise NotFoundError(f"{path} does not exist", hint="give a project folder, a wheel or an sdist")
    if options.sandbox:
        preflight()
    with scratch_folder("chimes-") as scratch:
        built = _build(path, scratch / "dist", options) if path.is_dir() else None
        from chimes.conformance.distributions import FileRun  # noqa: PLC0415 - loads pyarrow

        file = path if built is None else built.wheel
        run = FileRun(options=options, name=file.name, started=started, file=file, scratch=scratch)
        run.check_file(built)
        return run.report()


def check_installed(distribution: str, options: Options | None = None) -> Report:
    """Run the conformance checks of an installed plugin, without a sandbox. Raises NotFoundError."""
    from chimes.conformance.distributions import DistributionRun  # noqa: PLC0415 - loads pyarrow

    found = next((d for d in scan(sys.path) if d.name == normalize(distribution)), None)
    if found is None:
        raise NotFoundError(f"no plugin {distribution!r} is installed", hint="install it: pip install -e .")
    run = DistributionRun(options=options or Options(), name=found.name)
    run.check_plugin(found)
    return run.report()


def _build(folder: Path, out: Path, options: Options) -> Built:
    """A project's wheel; the modules of the checks are imported meanwhile."""
    threading.Thread(target=_import_checks, name="import of the checks").start()
    options.progress(f"building {folder.name}")
    out.mkdir()
    if options.sandbox:
        return build_in_sandbox(folder, out, limits=options.rules.limits)
    return Built(build_wheel(folder, out))


def _import_checks() -> None:
    # The main thread imports them again, and raises the error.
    with contextlib.suppress(ImportError):
        importlib.import_module(CHECKS)
