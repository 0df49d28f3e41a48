"""The exception tree of Chimes: what went wrong, whose fault it is, and what to do next.

::

    ChimesError
    ├── ConfigError                user            a configuration does not validate
    ├── AuthError                  user            credentials are missing or refused
    ├── NotFoundError              user            something named does not exist
    │   └── ArtifactError          plugin          an artifact is missing or its bytes differ
    ├── PermissionDeniedError      user            known, but not allowed
    ├── QuotaExceededError         user            a budget is used up
    ├── RateLimitedError           infrastructure  asked too often (retryable)
    ├── TransientError             infrastructure  may work on another try (retryable)
    ├── UnsupportedError           user            this component does not do that
    ├── IncompatiblePluginError    plugin          interface versions do not overlap
    ├── PluginLoadError            plugin          a plugin cannot be imported or registers nonsense
    ├── PluginCrashedError         plugin          a plugin raised something else, or ended its process
    ├── BuildError                 plugin          a project folder does not give a wheel
    ├── InstallError               plugin          a wheel cannot be unpacked into an environment
    ├── ResolutionError            plugin          the declared requirements cannot be satisfied
    ├── CancelledError             user            somebody asked for the end
    ├── DeadlineExceededError      user            the time allowed ran out
    ├── DeviceUnavailableError     infrastructure  the device asked for cannot be used
    ├── OutOfMemoryError           user            host or device memory did not suffice
    ├── SchemaMismatchError        user            data and signature differ
    ├── CompositionError           user            the parts of a pipeline do not fit together
    ├── InvalidStateError          user            called in the wrong order, or with a foreign state
    ├── InvalidJobError            user            a job cannot be run as described
    ├── InfeasibleError            user            no pool can ever run this job
    ├── ConflictError              user            the same key stands for something else
    ├── UsageError                 user            the command line does not say what to do
    ├── InfrastructureError        infrastructure  a machine, tool or service failed
    └── InternalError              infrastructure  Chimes itself has a fault
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

    ``code`` is the class name without ``Error`` in kebab case and never changes; ``fault`` says whose
    it is, ``retryable`` whether the host may try again, ``hint`` what the user can do.
    """

    code: ClassVar[str] = "chimes"
    fault: Fault = "user"
    retryable: bool = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        stem = cls.__name__.removesuffix("Error")
        cls.code = re.sub(r"(?<!^)(?=[A-Z])", "-", stem).lower()

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        fault: Fault | None = None,
        retry_after_s: float | None = None,
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
    """Something that was named (component, stream, column, file) does not exist."""


class ArtifactError(NotFoundError):
    """An artifact is missing, or its bytes do not have the declared digest."""

    fault: Fault = "plugin"


class PermissionDeniedError(ChimesError):
    """The thing exists, but this caller may not use it."""


class QuotaExceededError(ChimesError):
    """A budget (storage, device seconds, requests) is used up."""


class RateLimitedError(ChimesError):
    """The other side was asked too often; ``retry_after_s`` says when to come back."""

    fault: Fault = "infrastructure"
    retryable = True


class TransientError(ChimesError):
    """Failed for a reason that may be gone on the next try."""

    fault: Fault = "infrastructure"
    retryable = True


class UnsupportedError(ChimesError):
    """The component does not do what was asked, and says so."""


class IncompatiblePluginError(ChimesError):
    """A plugin speaks an interface version that this host does not carry."""

    fault: Fault = "plugin"


class PluginLoadError(ChimesError):
    """A plugin cannot be imported, or what it registers is not a valid registration."""

    fault: Fault = "plugin"


class PluginCrashedError(ChimesError):
    """A plugin raised something that is not a ChimesError, broke its interface, or ended its process."""

    fault: Fault = "plugin"


class BuildError(ChimesError):
    """A project folder does not give a wheel."""

    fault: Fault = "plugin"


class InstallError(ChimesError):
    """A wheel cannot be unpacked into an environment."""

    fault: Fault = "plugin"


class ResolutionError(ChimesError):
    """The declared requirements cannot be satisfied by wheels; ``reason`` says in which way."""

    fault: Fault = "plugin"
    hints: ClassVar[dict[str, str]] = {
        "declaration": "declare requirements by name and version, each on a line of its own",
        "python": "declare the Python versions that the plugin supports, or check it with one of them",
        "unknown": "is the name right, and does the index have wheels of it?",
        "conflict": "loosen the ranges until one set of versions satisfies all",
    }

    def __init__(self, message: str, *, reason: Literal["declaration", "python", "unknown", "conflict"]) -> None:
        super().__init__(message, hint=self.hints[reason])
        self.reason = reason


class CancelledError(ChimesError):
    """The work was ended because somebody asked for it."""


class DeadlineExceededError(ChimesError):
    """The time allowed for the work ran out."""


class DeviceUnavailableError(ChimesError):
    """The device asked for is absent or cannot be used; no other device was tried."""

    fault: Fault = "infrastructure"


class OutOfMemoryError(ChimesError):
    """Host or device memory did not suffice."""


class SchemaMismatchError(ChimesError):
    """Data do not have the schema that was agreed on; the message names the column."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that keeps a pipeline from composing: an error code, one sentence, one fix, the key it is about."""

    code: str
    message: str
    fix: str
    where: str


class CompositionError(ChimesError):
    """The parts of a pipeline do not fit together; nothing was started. ``problems`` has all reasons at once."""

    def __init__(self, message: str, *, problems: tuple[Problem, ...] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.problems = problems


class InvalidStateError(ChimesError):
    """Called in the wrong order, or with a state that does not belong here."""


class InvalidJobError(ChimesError):
    """A job cannot be run as it is described (no such executable, unknown native option)."""


class InfeasibleError(ChimesError):
    """No pool can ever run this; ``near_misses`` says what came closest."""

    def __init__(self, message: str, *, near_misses: tuple[str, ...] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.near_misses = near_misses


class ConflictError(ChimesError):
    """The same key already stands for something else."""


class InfrastructureError(ChimesError):
    """A machine, a tool or a service failed; neither the user nor the plugin did."""

    fault: Fault = "infrastructure"


class UsageError(ChimesError):
    """The command line does not say what to do: an unknown verb or option, a missing argument, a wrong value."""


class InternalError(ChimesError):
    """Chimes met what nobody thought of; neither the user nor the plugin did it."""

    fault: Fault = "infrastructure"
