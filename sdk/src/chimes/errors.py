"""The exception tree of Chimes: what went wrong, whose fault it is, and what to do next.

::

    ChimesError
    ├── ConfigError                user            a configuration does not validate
    ├── AuthError                  user            credentials are missing or refused
    ├── NotFoundError              user            a component, stream, column or file does not exist
    │   └── ArtifactError          plugin          an artifact is missing or has another digest
    ├── PermissionDeniedError      user            the caller may not use this
    ├── QuotaExceededError         user            a quota is used up
    ├── RateLimitedError           infrastructure  too many requests (retryable)
    ├── TransientError             infrastructure  another attempt may succeed (retryable)
    ├── UnsupportedError           user            the component does not support the request
    ├── IncompatiblePluginError    plugin          interface versions do not overlap
    ├── PluginLoadError            plugin          a plugin cannot be imported or its registration is invalid
    ├── PluginCrashedError         plugin          a plugin raised another exception, or ended its process
    ├── BuildError                 plugin          a wheel cannot be built from a project folder
    ├── InstallError               plugin          a wheel cannot be unpacked into an environment
    ├── ResolutionError            plugin          the declared requirements cannot be satisfied
    ├── CancelledError             user            the work was cancelled
    ├── DeadlineExceededError      user            the time limit was reached
    ├── DeviceUnavailableError     infrastructure  the device asked for cannot be used
    ├── OutOfMemoryError           user            there was not enough memory on host or device
    ├── SchemaMismatchError        user            the data do not have the agreed schema
    ├── CompositionError           user            the parts of a pipeline do not fit together
    ├── InvalidStateError          user            a method was called in the wrong order
    ├── InvalidJobError            user            a job cannot be run as described
    ├── InfeasibleError            user            no pool can ever run this job
    ├── ConflictError              user            the key is already used for something else
    ├── UsageError                 user            the command line is invalid
    ├── InfrastructureError        infrastructure  a machine, tool or service failed
    └── InternalError              infrastructure  Chimes itself has a bug
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Literal

__all__ = [
    "ArtifactError",
    "AuthError",
    "BuildError",
    "CancelledError",
    "ChimesError",
    "CompositionError",
    "ConfigError",
    "ConflictError",
    "DeadlineExceededError",
    "DeviceUnavailableError",
    "Fault",
    "IncompatiblePluginError",
    "InfeasibleError",
    "InfrastructureError",
    "InstallError",
    "InternalError",
    "InvalidJobError",
    "InvalidStateError",
    "NotFoundError",
    "OutOfMemoryError",
    "PermissionDeniedError",
    "PluginCrashedError",
    "PluginLoadError",
    "Problem",
    "QuotaExceededError",
    "RateLimitedError",
    "ResolutionError",
    "SchemaMismatchError",
    "TransientError",
    "UnsupportedError",
    "UsageError",
]

Fault = Literal["user", "plugin", "infrastructure"]


class ChimesError(Exception):
    """Base of every error that Chimes or a plugin raises on purpose.

    ``code`` is the class name without ``Error`` in kebab case and never changes; ``fault`` says who is
    at fault, ``retryable`` whether the host may try again, ``hint`` what the user can do.
    """

    code: ClassVar[str] = "chimes"
    fault: Fault = "user"
    retryable: bool = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        stem = cls.__name__.removesuffix("Error")
        cls.code = re.sub(r"(?<!^)(?=[A-Z])", "-", stem).lower()

    def __init__(
        self, message: str, *, hint: str | None = None, fault: Fault | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.retry_after_s = retry_after_s
        if fault is not None:
            self.fault = fault


class ConfigError(ChimesError):
    """A configuration does not validate: an unknown key, a missing field, a wrong value."""


class AuthError(ChimesError):
    """Credentials are missing or were refused."""


class NotFoundError(ChimesError):
    """A component, stream, column, file or the like with the given name does not exist."""


class ArtifactError(NotFoundError):
    """An artifact is missing, or its bytes do not have the declared digest."""

    fault: Fault = "plugin"


class PermissionDeniedError(ChimesError):
    """The resource exists, but the caller may not use it."""


class QuotaExceededError(ChimesError):
    """A quota (storage, device seconds, requests) is used up."""


class RateLimitedError(ChimesError):
    """A service received too many requests; ``retry_after_s`` says how long to wait."""

    fault: Fault = "infrastructure"
    retryable = True


class TransientError(ChimesError):
    """The failure is temporary: another attempt may succeed."""

    fault: Fault = "infrastructure"
    retryable = True


class UnsupportedError(ChimesError):
    """The component does not support what was requested."""


class IncompatiblePluginError(ChimesError):
    """A plugin implements an interface version that this host does not support."""

    fault: Fault = "plugin"


class PluginLoadError(ChimesError):
    """A plugin cannot be imported, or what it registers is not a valid registration."""

    fault: Fault = "plugin"


class PluginCrashedError(ChimesError):
    """A plugin raised an exception that is not a ChimesError, broke its interface, or ended its process."""

    fault: Fault = "plugin"


class BuildError(ChimesError):
    """A wheel cannot be built from a project folder."""

    fault: Fault = "plugin"


class InstallError(ChimesError):
    """A wheel cannot be unpacked into an environment."""

    fault: Fault = "plugin"


class ResolutionError(ChimesError):
    """The declared requirements cannot be satisfied by wheels; ``reason`` says why."""

    fault: Fault = "plugin"
    hints: ClassVar[dict[str, str]] = {
        "declaration": "declare requirements by name and version, each on a line of its own",
        "python": "declare the Python versions that the plugin supports, or check it with one of them",
        "unknown": "check the name, and that the index has wheels of that project",
        "conflict": "loosen the ranges until one set of versions satisfies all",
    }

    def __init__(self, message: str, *, reason: Literal["declaration", "python", "unknown", "conflict"]) -> None:
        super().__init__(message, hint=self.hints[reason])
        self.reason = reason


class CancelledError(ChimesError):
    """The work was cancelled on request."""


class DeadlineExceededError(ChimesError):
    """The work did not end within its time limit."""


class DeviceUnavailableError(ChimesError):
    """The device asked for is absent or cannot be used; no other device was tried."""

    fault: Fault = "infrastructure"


class OutOfMemoryError(ChimesError):
    """There was not enough memory on the host or the device."""


class SchemaMismatchError(ChimesError):
    """The data do not have the agreed schema; the message names the column."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One reason why a pipeline does not compose: an error code, one sentence, one fix, and the key it is about."""

    code: str
    message: str
    fix: str
    where: str


class CompositionError(ChimesError):
    """The parts of a pipeline do not fit together; nothing was started. ``problems`` lists all reasons."""

    def __init__(self, message: str, *, problems: tuple[Problem, ...] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.problems = problems


class InvalidStateError(ChimesError):
    """A method was called in the wrong order, or with a state of another component."""


class InvalidJobError(ChimesError):
    """A job cannot be run as described (no such executable, unknown native option)."""


class InfeasibleError(ChimesError):
    """No pool can ever run this job; ``near_misses`` describes the closest pools."""

    def __init__(self, message: str, *, near_misses: tuple[str, ...] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.near_misses = near_misses


class ConflictError(ChimesError):
    """The key is already used for something else."""


class InfrastructureError(ChimesError):
    """A machine, a tool or a service failed; neither the user nor the plugin is at fault."""

    fault: Fault = "infrastructure"


class UsageError(ChimesError):
    """The command line is invalid: an unknown verb or option, a missing argument, a wrong value."""


class InternalError(ChimesError):
    """Chimes itself has a bug; neither the user nor the plugin is at fault."""

    fault: Fault = "infrastructure"
