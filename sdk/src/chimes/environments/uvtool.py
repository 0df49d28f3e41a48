"""Runs uv with the caller's index settings, without configuration files, with the base interpreter only."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence

from chimes.errors import InfrastructureError
from chimes.processes import Completed, run, scratch_folder
from chimes.text import shorten

__all__ = ["find_uv", "run_uv", "uv_environment", "uv_reason"]

PASSED_ON = frozenset(
    {
        *(
            "ALL_PROXY",
            "HOME",
            "HTTPS_PROXY",
            "HTTP_PROXY",
            "NO_PROXY",
            "PATH",
            "SSL_CERT_DIR",
            "SSL_CERT_FILE",
            "TMPDIR",
        ),
        *("UV_CACHE_DIR", "UV_DEFAULT_INDEX", "UV_EXCLUDE_NEWER", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"),
        *("UV_HTTP_RETRIES", "UV_HTTP_TIMEOUT", "UV_INSECURE_HOST", "UV_NATIVE_TLS", "UV_NO_INDEX", "UV_OFFLINE"),
        *("UV_SYSTEM_CERTS", "XDG_CACHE_HOME"),
    }
)
"""Variables that are passed on to uv, besides the indexes (``UV_INDEX*``) and their credentials.

Only these, because others (``UV_COMPILE_BYTECODE``) would start interpreters.
"""
ALWAYS = {"UV_NO_CONFIG": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1", "LC_ALL": "C"}
TIMEOUT_S = 600.0
REASON_CHARACTERS = 600


def find_uv() -> str:
    """Path of the uv executable. Raises InfrastructureError if uv is not installed."""
    try:
        from uv import find_uv_bin  # noqa: PLC0415 - optional: comes with the extra `check`

        return os.fspath(find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        raise InfrastructureError("uv is not installed", hint="pip install 'chimes[check]'")
    return found


def uv_environment(caller: Mapping[str, str]) -> dict[str, str]:
    """The environment variables of uv, taken from the caller's. pip's index is used if none is set for uv."""
    passed = {
        key: value
        for key, value in caller.items()
        if key in PASSED_ON or key.upper() in PASSED_ON or key.startswith("UV_INDEX")
    }
    if not {"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & passed.keys() and "PIP_INDEX_URL" in caller:
        passed["UV_DEFAULT_INDEX"] = caller["PIP_INDEX_URL"]
    return {"UV_HTTP_RETRIES": "1", **passed, **ALWAYS}


def run_uv(arguments: Sequence[str], *, stdin: str | None = None) -> Completed:
    """Run uv in an empty folder; if the index did not answer, run it again with its cache only.

    The result may be a failure; of two failures the first is returned. Raises InfrastructureError if uv is missing
    or exceeds the time limit.
    """
    command = [find_uv(), *arguments]
    first = _run(command, stdin)
    if first.returncode == 0 or is_about_requirements(first):
        return first
    second = _run([*command, "--offline"], stdin)
    return second if second.returncode == 0 else first


def is_about_requirements(failed: Completed) -> bool:
    """Whether uv failed because the requirements have no solution, not because of the index."""
    text = failed.text
    return "No solution found" in text and "network was disabled" not in text


def uv_reason(failed: Completed) -> str:
    """Why uv failed, in one line of bounded length: its error, then each cause after a colon."""
    text = failed.stderr.decode("utf-8", "replace").partition("\nhint:")[0]
    causes = text.rpartition("error:")[2].split("cause:")
    reason = ": ".join(" ".join(cause.split()) for cause in causes)
    return shorten(re.sub(r" \(from file://[^)]*\)", "", reason), REASON_CHARACTERS)


def _run(command: list[str], stdin: str | None) -> Completed:
    with scratch_folder("chimes-uv-") as folder:
        done = run(
            command,
            timeout_s=TIMEOUT_S,
            env={**uv_environment(os.environ), "TMPDIR": str(folder)},
            cwd=folder,
            guarded=True,
            stdin=None if stdin is None else stdin.encode("utf-8"),
        )
    if done.timed_out:
        raise InfrastructureError(f"uv did not finish in {TIMEOUT_S:.0f} s", hint="is the package index reachable?")
    return done
