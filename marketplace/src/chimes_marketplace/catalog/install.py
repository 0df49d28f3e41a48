"""The commands that install a release: third-party packages from the user's own index, the rest from this one."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packaging.requirements import Requirement

from chimes_marketplace.catalog.names import normalised

__all__ = ["Install", "install_lines"]

LONGEST = 200
"""The most requirements that a command lists."""


@dataclass(frozen=True, kw_only=True)
class Install:
    """``first``: installs what this index does not have, empty if nothing; ``pip`` and ``uv``: install the rest."""

    first: str
    pip: str
    uv: str


def install_lines(simple: str, name: str, version: str, catalogue: Mapping[str, Sequence[str]]) -> Install:
    """The commands for that release and its dependencies.

    ``catalogue``: the requirements of each listed project and of ``name``, by normalised name. Each command uses one
    index: with two, pip could install another owner's package of the same name.
    """
    ours, theirs = _collect(name, catalogue)
    wanted = shlex.join([f"{name}=={version}", *ours])
    return Install(
        first=f"pip install {shlex.join(theirs)}" if theirs else "",
        pip=f"pip install --no-deps --index-url {simple} {wanted}",
        uv=f"uv pip install --no-deps --default-index {simple} {wanted}",
    )


def _collect(name: str, catalogue: Mapping[str, Sequence[str]]) -> tuple[list[str], list[str]]:
    """All requirements, direct and indirect: those that are listed here, and the others."""
    ours: dict[str, str] = {}
    theirs: dict[str, str] = {}
    todo = [(name, frozenset[str]())]
    seen = set(todo)
    while todo:
        project, extras = todo.pop(0)
        for requirement in _applicable(catalogue[project], extras):
            key = normalised(requirement.name)
            text = _text(requirement)
            if key not in catalogue:
                theirs.setdefault(text, text)
                continue
            if key != name:
                ours.setdefault(text, text)
            step = (key, frozenset(requirement.extras))
            if step not in seen and len(seen) < LONGEST:
                seen.add(step)
                todo.append(step)
    return sorted(ours), sorted(theirs)


def _applicable(lines: Sequence[str], extras: frozenset[str]) -> list[Requirement]:
    """The requirements that apply with these extras. Other markers are kept: the installer evaluates them."""
    found = []
    for line in lines[:LONGEST]:
        try:
            requirement = Requirement(line)
            marker = requirement.marker
            if marker is not None and "extra" in str(marker):
                if not any(marker.evaluate({"extra": extra}) for extra in extras):
                    continue
                requirement.marker = None
        except (ValueError, KeyError, RecursionError):
            # An old file may have such a line; new uploads with one are refused.
            continue
        found.append(requirement)
    return found


def _text(requirement: Requirement) -> str:
    marker = f"; {requirement.marker}" if requirement.marker else ""
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}{marker}"
