"""What a child process reports about a plugin or a library, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chimes.conformance.harness import Case
from chimes.kinds.descriptors import Kind
from chimes.registration import Registration
from chimes.resources import Resources
from chimes.rpc.failure import StepFailedError

__all__ = ["Entry", "HarnessAnswer", "RegisteredComponent"]


@dataclass(frozen=True, kw_only=True)
class RegisteredComponent:
    """A registration of the plugin; ``failure`` says why this SDK cannot use it."""

    kind: Kind
    registration: Registration
    failure: str | None = None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What was observed while the entry module of a plugin, or the modules of a library, were imported.

    ``failure``: why the plugin does not load. ``modules``: what else was imported. ``changed``: the parts of the
    process's state that differ afterwards.
    """

    failure: str | None = None
    components: tuple[RegisteredComponent, ...] = ()
    modules: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> Entry:
        """From the checked answer of a child (``read_entry``)."""
        return cls(
            failure=form["failure"],
            components=tuple(_component(item) for item in form["components"]),
            modules=tuple(form["modules"]),
            changed=tuple(form["changed"]),
        )


@dataclass(frozen=True, kw_only=True)
class HarnessAnswer:
    """The cases of a component's harness and its optional methods, or how the harness failed."""

    cases: tuple[Case, ...] = ()
    offers: frozenset[str] = frozenset()
    failure: StepFailedError | None = None


def _component(item: Mapping[str, Any]) -> RegisteredComponent:
    registration = Registration(**{**item["registration"], "resources": Resources()})
    return RegisteredComponent(kind=item["kind"], registration=registration, failure=item["failure"])
