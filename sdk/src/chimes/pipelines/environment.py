"""The environment variables of a worker: what every process needs, its own devices, and no secrets.

Secrets that a configuration names (``env:NAME``) and proxies, which may hold a password, travel in a
file that only the user can read, never in the job's specification.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from chimes.resources import Device

__all__ = ["private_environment", "worker_environment"]

PASSED = frozenset(
    [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "LANG",
        "LANGUAGE",
        "TZ",
        "TMPDIR",
        "XDG_CACHE_HOME",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "LD_LIBRARY_PATH",
        "PYTHONPATH",
        "PYTHONHOME",
        "VIRTUAL_ENV",
        "CHIMES_PLUGINS",
        "OMP_NUM_THREADS",
    ]
)
PROXIES = frozenset(["http_proxy", "https_proxy", "all_proxy", "no_proxy"])
VISIBLE = {"cuda": "CUDA_VISIBLE_DEVICES", "npu": "ASCEND_RT_VISIBLE_DEVICES"}
TOOLKITS = {"cuda": "CUDA_", "npu": "ASCEND_"}
_SECRET = re.compile(r"env:([A-Za-z_]\w*)")


def worker_environment(device: Device, host: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a worker for ``device``, chosen from the host's.

    The worker sees one accelerator kind at most: the variables of the others are empty, which hides them.
    """
    env = {name: value for name, value in host.items() if name in PASSED or name.startswith("LC_")}
    if toolkit := TOOLKITS.get(device.kind):
        env |= {name: value for name, value in host.items() if name.startswith(toolkit)}
    for kind, name in VISIBLE.items():
        env[name] = _visible(device, host.get(name)) if kind == device.kind else ""
    if device.kind != "npu":
        env["TORCH_DEVICE_BACKEND_AUTOLOAD"] = "0"
    return env | {"PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"}


def _visible(device: Device, offered: str | None) -> str:
    """The device's own name among those that the host was given, else its number."""
    names = [name.strip() for name in (offered or "").split(",") if name.strip()]
    return names[device.index] if device.index < len(names) else str(device.index)


def private_environment(host: Mapping[str, str], *configs: Any) -> dict[str, str]:
    """The variables that configurations name as ``env:NAME`` and that are set, and the proxies."""
    wanted = {name for config in configs for name in _secrets(config)}
    return {name: value for name, value in host.items() if name in wanted or name.lower() in PROXIES}


def _secrets(value: Any) -> Iterator[str]:
    match value:
        case str():
            if found := _SECRET.fullmatch(value):
                yield found[1]
        case dict():
            for item in value.values():
                yield from _secrets(item)
        case list() | tuple():
            for item in value:
                yield from _secrets(item)
