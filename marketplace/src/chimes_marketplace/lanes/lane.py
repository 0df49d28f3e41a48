"""The lane ``cpu-local``: runs ``chimes check`` as jobs of the local compute backend, reached through the registry."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from chimes.context import Context
from chimes.kinds.backend import ComputeBackend, JobHandle, JobSpec, JobStatus
from chimes.kinds.component import parse_config
from chimes.registry import Registry
from chimes.resources import Resources

from chimes_marketplace.lanes.runfolder import RunFolder
from chimes_marketplace.settings import Settings

__all__ = ["BACKEND", "Lane"]

BACKEND = "chimes-local:local"
CHECK = (sys.executable, "-P", "-c", "from chimes.cli import main; main()", "check", "--sandbox")
PASSED_ON = frozenset(
    {
        "ALL_PROXY",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NO_PROXY",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "UV_DEFAULT_INDEX",
        "UV_EXCLUDE_NEWER",
        "UV_HTTP_RETRIES",
        "UV_HTTP_TIMEOUT",
        "UV_INSECURE_HOST",
        "UV_NATIVE_TLS",
        "UV_OFFLINE",
        "UV_SYSTEM_CERTS",
    }
)
"""The variables of the server's environment that a job gets, besides PATH: those of the outer index, no secrets."""
GRACE_S = 5.0
OUTPUT_BYTES = 1 << 16


class Lane:
    """One lane: makes a job from a run folder, and follows jobs by their handles."""

    name = "cpu-local"

    def __init__(self, settings: Settings, *, index_url: str, environ: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        self._index_url = index_url
        self._environ = os.environ if environ is None else environ
        self._backend = _backend(settings)

    def spec(self, folder: RunFolder) -> JobSpec:
        """The job of a prepared run: the command, its whole environment, its resources."""
        argv = ("--rules", folder.rules, "--nonce-file", folder.nonce, "--out", folder.out, folder.file)
        return JobSpec(
            command=(*CHECK, *map(str, argv)),
            env=self._env(folder),
            workdir=str(folder.work),
            resources=Resources(walltime_s=self._settings.run_s),
        )

    def submit(self, spec: JobSpec, *, key: str) -> JobHandle:
        """Start the job, unless a job with that key was started before. Raises ChimesError."""
        return self._backend.submit(spec, key=key)

    def status(self, handles: Sequence[JobHandle]) -> list[JobStatus]:
        """The status of each job, in order."""
        return self._backend.status(handles)

    def cancel(self, handle: JobHandle) -> None:
        """Request the end of the job and its processes; does nothing if it has ended."""
        self._backend.cancel(handle, grace_s=GRACE_S)

    def output(self, handle: JobHandle, stream: Literal["stdout", "stderr"]) -> bytes:
        """The beginning of the job's output on that stream."""
        return self._backend.logs(handle, stream=stream, limit_bytes=OUTPUT_BYTES).data

    def close(self) -> None:
        """Close the backend; jobs keep running."""
        self._backend.close()

    def _env(self, folder: RunFolder) -> dict[str, str]:
        cache = self._settings.data / "cache"
        passed = {name: value for name, value in self._environ.items() if name.upper() in PASSED_ON}
        outer = self._environ.get("UV_INDEX_URL") or self._environ.get("PIP_INDEX_URL")
        if outer and "UV_DEFAULT_INDEX" not in passed:
            passed["UV_DEFAULT_INDEX"] = outer
        return {
            **_beside_proxies(passed, self._index_url),
            "PATH": self._environ.get("PATH", os.defpath),
            "HOME": str(folder.work),
            "TMPDIR": str(folder.tmp),
            "LANG": "C.UTF-8",
            "UV_CACHE_DIR": self._environ.get("UV_CACHE_DIR") or str(cache / "uv"),
            "CHIMES_CACHE_DIR": self._environ.get("CHIMES_CACHE_DIR") or str(cache / "chimes"),
            "UV_INDEX": self._index_url,
        }


def _backend(settings: Settings) -> ComputeBackend[Any]:
    target = Registry.discover(only=[BACKEND.partition(":")[0]]).get_class("backend", BACKEND)
    config = parse_config(target, {"root": str(settings.data / "jobs"), "slots": settings.slots})
    backend: ComputeBackend[Any] = target(config, Context.under(_folder(settings.data / "lane")))
    return backend


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def _beside_proxies(passed: dict[str, str], url: str) -> dict[str, str]:
    # The marketplace's own index is never reached through the proxy that the outer index needs.
    host = urlsplit(url).hostname
    if host is None or not any(name.upper().endswith("_PROXY") for name in passed):
        return passed
    names = [name for name in passed if name.upper() == "NO_PROXY"] or ["NO_PROXY"]
    return {**passed, **{name: ",".join(filter(None, [passed.get(name), host])) for name in names}}
