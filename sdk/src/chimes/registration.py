"""The frozen value by which a plugin announces one component, and its JSON form."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chimes.errors import ConfigError, IncompatiblePluginError
from chimes.kinds.descriptors import KINDS, Kind
from chimes.resources import AcceleratorRequest, Resources

__all__ = ["ENVIRONMENT", "REGISTRATION_VERSION", "Registration"]

REGISTRATION_VERSION = 1
"""The highest registration version that this host understands."""

ENVIRONMENT = (
    r"[A-Z0-9]+(?:_[A-Z0-9]+)*_DISABLE_TELEMETRY",
    r"DO_NOT_TRACK",
    r"[A-Z0-9]+(?:_[A-Z0-9]+)*_OFFLINE",
    r"TOKENIZERS_PARALLELISM",
    r"TF_CPP_MIN_LOG_LEVEL",
    r"TF_ENABLE_ONEDNN_OPTS",
    r"CUBLAS_WORKSPACE_CONFIG",
)
"""Names (regular expressions) of the environment variables that a registration may ask for.

They only turn off reporting, downloads and log lines, or make results repeatable. Variables that load code
(``LD_PRELOAD``, ``PYTHONPATH``), choose devices (``CUDA_VISIBLE_DEVICES``) or redirect files and network traffic are
left to the user and the host.
"""

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_TARGET = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_API = re.compile(r"chimes\.[a-z]+/\d+")
_ASSIGNMENT = re.compile(rf"(?:{'|'.join(ENVIRONMENT)})=[A-Za-z0-9_.:,-]{{1,64}}", re.ASCII)

_FIELDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("name", "summary", "target", "api"), (str,)),
    **dict.fromkeys(("devices", "capabilities", "network", "files", "environment"), (tuple,)),
    "resources": (Resources,),
    "harness": (str, type(None)),
    "version": (int,),
}
"""The types of a registration's fields; a tuple is one of strings."""


@dataclass(frozen=True, kw_only=True)
class Registration:
    """One component as its plugin announces it; cheap to make, no import of the component.

    ``target`` and ``harness`` are dotted names (``package.module:Class``), imported on demand. ``network`` names
    hosts, ``files`` path patterns outside the component's own folders. ``environment`` are variables (``NAME=value``)
    that a library reads when it is imported; they are set before the component is imported, unless the user has set
    them. These three are empty unless declared. Raises ConfigError for a malformed value.
    """

    name: str
    summary: str
    target: str
    api: str
    devices: tuple[str, ...] = ("cpu",)
    capabilities: tuple[str, ...] = ()
    resources: Resources = Resources()
    network: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    harness: str | None = None
    version: int = REGISTRATION_VERSION

    def __post_init__(self) -> None:
        self._check_types()
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"registration name {self.name!r} is not lower-case words joined by hyphens",
                hint="use a name like rain-nowcast",
            )
        if not self.summary.strip() or "\n" in self.summary:
            raise ConfigError(f"registration {self.name!r} needs a summary of one line", hint="say what it does")
        for label, target in (("target", self.target), ("harness", self.harness)):
            if target is not None and not _TARGET.fullmatch(target):
                raise ConfigError(
                    f"{label} {target!r} of {self.name!r} is not of the form package.module:Class",
                    hint="name the module and the class, joined by a colon",
                )
        if not _API.fullmatch(self.api):
            raise ConfigError(
                f"api {self.api!r} of {self.name!r} is not an interface version",
                hint="write chimes.model/1, chimes.connector/1 or chimes.backend/1",
            )
        self._check_environment()

    def _check_types(self) -> None:
        for name, types in _FIELDS.items():
            value = getattr(self, name)
            wanted = "tuple of strings" if types == (tuple,) else types[0].__name__
            if type(value) not in types:
                raise ConfigError(
                    f"{name} of a registration is a {type(value).__name__}, not a {wanted}",
                    hint=f"give {name} a {wanted}",
                )
            if type(value) is tuple and any(type(item) is not str for item in value):
                raise ConfigError(f"{name} of a registration are not all strings", hint=f"give {name} a {wanted}")

    def _check_environment(self) -> None:
        for assignment in self.environment:
            if not _ASSIGNMENT.fullmatch(assignment):
                raise ConfigError(
                    f"{self.name!r} may not ask for the environment variable {assignment!r:.80}",
                    hint="write NAME=value, with a short value of letters, digits and _ . : , - and a name that "
                    f"matches one of: {' '.join(ENVIRONMENT)}",
                )
        names = [assignment.partition("=")[0] for assignment in self.environment]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"{self.name!r} asks for {name} {names.count(name)} times", hint="ask for it once")

    @property
    def variables(self) -> dict[str, str]:
        """``environment`` as a mapping of names to values."""
        pairs = (assignment.partition("=") for assignment in self.environment)
        return {name: value for name, _, value in pairs}

    def check_host(self, kind: Kind) -> None:
        """Raise IncompatiblePluginError or ConfigError unless this host can use it as a ``kind``."""
        if self.version > REGISTRATION_VERSION:
            raise IncompatiblePluginError(
                f"registration {self.name!r} has version {self.version}, this host reads up to {REGISTRATION_VERSION}",
                hint="upgrade chimes, or install an older version of the plugin",
            )
        described = KINDS[kind]
        if self.api not in described.apis:
            raise IncompatiblePluginError(
                f"{self.name!r} implements {self.api}, this host supports {', '.join(described.apis)}",
                hint="install a version of the plugin or of chimes whose interface versions overlap",
            )
        unknown = sorted(set(self.capabilities) - described.capabilities)
        if unknown:
            known = ", ".join(sorted(described.capabilities)) or "none yet"
            raise ConfigError(
                f"capability {unknown[0]!r} of {self.name!r} does not exist for a {kind}",
                hint=f"known capabilities: {known}",
            )

    def to_json(self) -> dict[str, Any]:
        """The registration as a JSON object."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> Registration:
        """Read what ``to_json`` wrote; raises ConfigError for anything else."""
        try:
            values: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
            }
            return cls(**{**values, "resources": _resources(values["resources"])})
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise ConfigError(f"this is not a registration: {error}"[:200]) from error


def _resources(data: Mapping[str, Any]) -> Resources:
    requests = [{**request, "kinds": tuple(request["kinds"])} for request in data["accelerators"]]
    for values in ({**data, "accelerators": ()}, *requests):
        for name, value in values.items():
            if not isinstance(value, int | float | str | tuple | None):
                raise TypeError(f"{name} is a {type(value).__name__}")
    return Resources(**{**data, "accelerators": tuple(AcceleratorRequest(**request) for request in requests)})
