"""The environment variables of a worker: what every process needs, its own devices, and no secrets.

Secrets that a configuration names (``env:NAME``) and proxies, which may hold a password, travel in a
file that only the user can read, never in the job's specification.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

from pydantic import BaseModel, SecretStr

from chimes.resources import Device

__all__ = ["find_secrets", "private_environment", "worker_environment"]

PASSED = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "XDG_CACHE_HOME", "OMP_NUM_THREADS"}
    | {"SSL_CERT_FILE", "SSL_CERT_DIR", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CHIMES_PLUGINS"}
)
PROXIES = frozenset(["http_proxy", "https_proxy", "all_proxy", "no_proxy"])
VISIBLE = {"cuda": "CUDA_VISIBLE_DEVICES", "npu": "ASCEND_RT_VISIBLE_DEVICES"}
TOOLKITS = {"cuda": "CUDA_", "npu": "ASCEND_"}


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


def private_environment(host: Mapping[str, str], secrets: Iterable[str]) -> dict[str, str]:
    """The variables that ``secrets`` names and that are set, and the proxies."""
    wanted = set(secrets)
    return {name: value for name, value in host.items() if name in wanted or name.lower() in PROXIES}


def find_secrets(*configs: object) -> tuple[str, ...]:
    """The names of the variables to which configurations refer as ``env:NAME``, in given values and in defaults.

    A configuration is a model or JSON; models, lists and tables inside of it are searched too.
    """
    return tuple(sorted({text.removeprefix("env:") for text in _texts(configs) if text.startswith("env:")}))


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case SecretStr():
            yield value.get_secret_value()
        case BaseModel():
            yield from _texts(dict(value))
        case Mapping():
            for key, item in value.items():
                yield from _texts((key, item))
        case list() | tuple() | set() | frozenset():
            for item in value:
                yield from _texts(item)
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            yield from _texts(vars(value))
