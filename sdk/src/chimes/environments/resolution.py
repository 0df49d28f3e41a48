"""Resolves requirements to a lock with uv: which wheels an environment needs."""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from packaging.metadata import RawMetadata, parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name, parse_wheel_filename

from chimes.checks.subject import open_subject
from chimes.environments.interpreter import base_python
from chimes.environments.lock import Lock, read_lock
from chimes.environments.sdkwheel import NAME, staged_sdk_wheel
from chimes.environments.uvtool import is_about_requirements, run_uv, uv_reason
from chimes.errors import ConfigError, InfrastructureError, NotFoundError, ResolutionError, UnsupportedError
from chimes.processes import scratch_folder
from chimes.text import quote, read_text

__all__ = ["resolve", "resolve_requirements"]

EMPTY = 'lock-version = "1.0"\ncreated-by = "chimes"\npackages = []\n'
LOCK_BYTES = 16 << 20


def resolve(
    wheel: Path, *, extra: Sequence[str] = (), lock: Path | None = None, out: Path, with_sdk: bool = True
) -> Lock:
    """Lock the requirements of ``wheel``, the running SDK and ``extra`` (more requirements); write the lock to ``out``.

    Without ``with_sdk`` the SDK is locked only if something requires it.
    With ``lock`` nothing is resolved, and its content is used unchanged. The wheel itself is not in the lock.
    Raises ResolutionError if there is no solution, ConfigError for an invalid lock or a lock of another SDK,
    InfrastructureError if neither the index nor uv's cache has the wheels.
    """
    sdk = staged_sdk_wheel()
    if lock is None:
        name, requirements = _declared(wheel)
        own = f"{NAME} @ {sdk.as_uri()}"
        wanted = [own, *requirements, *extra] if with_sdk else [*requirements, *extra]
        text = _compile(wanted, leave_out=name, bound=own) if wanted else EMPTY
        text = text.replace(f'"{sdk}"', f'"{sdk.name}"').replace(f'"{sdk.as_uri()}"', f'"{sdk.name}"')
    else:
        text = read_text(lock, "the lock", limit=LOCK_BYTES)
    lines = read_lock(text)
    if with_sdk or any(line.startswith(f"{NAME} ") for line in lines):
        _check_sdk(sdk, lines)
    out.write_text(text, "utf-8")
    return Lock(out, lines)


def resolve_requirements(requirements: Iterable[str], out: Path) -> Lock:
    """Requirements, without the SDK, as a lock written to ``out``. Raises ResolutionError, InfrastructureError."""
    found = [str(_requirement(text)) for text in requirements]
    text = _compile(found) if found else EMPTY
    out.write_text(text, "utf-8")
    return Lock(out, read_lock(text))


def _declared(wheel: Path) -> tuple[str, list[str]]:
    metadata = _metadata(wheel)
    name = metadata.get("name", wheel.name)
    _check_python(name, metadata.get("requires_python"))
    found = [_requirement(text) for text in metadata.get("requires_dist", [])]
    wanted = [item for item in found if _is_wanted(item)]
    for item in wanted:
        item.marker = None
    return name, [str(item) for item in wanted]


def _is_wanted(item: Requirement) -> bool:
    try:
        return item.marker is None or item.marker.evaluate({"extra": ""})
    except (ValueError, KeyError) as error:
        raise ResolutionError(f"{quote(str(item))} compares values that have no order", reason="declaration") from error


def _metadata(wheel: Path) -> RawMetadata:
    try:
        with open_subject(wheel, deep=False) as subject:
            data = subject.metadata
    except (NotFoundError, UnsupportedError):
        data = None
    if data is None:
        raise ResolutionError(f"{wheel.name} is not a wheel with METADATA", reason="declaration")
    return parse_email(data)[0]


def _requirement(text: str) -> Requirement:
    try:
        requirement = Requirement(text)
    except (InvalidRequirement, RecursionError) as error:
        raise ResolutionError(f"{quote(text)} is not a requirement", reason="declaration") from error
    if requirement.url is not None:
        raise ResolutionError(f"{quote(text)} names an address instead of a version", reason="declaration")
    return requirement


def _check_python(name: str, declared: str | None) -> None:
    here = platform.python_version()
    try:
        fits = declared is None or SpecifierSet(declared).contains(here, prereleases=True)
    except InvalidSpecifier as error:
        raise ResolutionError(f"{declared!r} is not a range of Python versions", reason="declaration") from error
    if not fits:
        raise ResolutionError(f"{name} requires Python {declared}, this is Python {here}", reason="python")


def _compile(requirements: list[str], *, leave_out: str | None = None, bound: str = "") -> str:
    """The text of a pylock.toml for the requirements. ``bound``: a constraint on one distribution."""
    arguments = ["pip", "compile", "-", "--format", "pylock.toml", "--no-header", "--only-binary", ":all:", "--quiet"]
    arguments += ["--python", str(base_python())]
    if leave_out is not None:
        arguments += ["--no-emit-package", canonicalize_name(leave_out)]
    with scratch_folder("chimes-lock-") as folder:
        constraints = folder / "constraints.txt"
        constraints.write_text(f"{bound}\n", "utf-8")
        arguments += ["--constraints", str(constraints)]
        done = run_uv(arguments, stdin="".join(f"{line}\n" for line in requirements))
    if done.returncode == 0:
        return done.stdout.decode("utf-8")
    reason = uv_reason(done).removeprefix("No solution found when resolving dependencies: ")
    reason = reason.removesuffix(", we can conclude that your requirements are unsatisfiable.")
    if not is_about_requirements(done):
        raise InfrastructureError(
            f"the requirements cannot be resolved now: {reason}", hint="is the package index reachable?"
        )
    unknown = re.search(r"was not found in|no usable wheels|there (?:is|are) no version", reason)
    raise ResolutionError(
        f"the requirements cannot be satisfied: {reason[:1].lower()}{reason[1:]}",
        reason="unknown" if unknown else "conflict",
    )


def _check_sdk(sdk: Path, lines: tuple[str, ...]) -> None:
    digest = hashlib.sha256(sdk.read_bytes()).hexdigest()
    version = str(parse_wheel_filename(sdk.name)[1])
    if f"{NAME} {version} {digest}" not in lines:
        raise ConfigError(
            f"the lock was not made with this SDK, {NAME} {version} ({digest[:12]}...)",
            hint="repeat with the SDK that made the lock, or resolve again",
        )
