"""The frozen value by which a plugin announces one component."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chimes.errors import ConfigError, IncompatiblePluginError
from chimes.kinds.descriptors import KINDS, Kind
from chimes.resources import Resources

__all__ = ["REGISTRATION_VERSION", "Registration"]

REGISTRATION_VERSION = 1
"""The highest registration version that this host understands."""

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_TARGET = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_API = re.compile(r"chimes\.[a-z]+/\d+")


@dataclass(frozen=True, kw_only=True)
class Registration:
    """One component as its plugin announces it; cheap to make, no import of the component.

    ``target`` and ``harness`` are dotted names (``package.module:Class``) that are imported only when
    somebody asks for the component. ``network`` names hosts, ``files`` path patterns outside the
    component's own folders; both are empty unless declared. Raises ConfigError for a malformed value.
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
    harness: str | None = None
    version: int = REGISTRATION_VERSION

    def __post_init__(self) -> None:
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
