"""Reads and checks the answers of a child about a plugin: registrations, modules, cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chimes.conformance.harness import Case
from chimes.errors import ChimesError
from chimes.kinds.descriptors import KINDS, Kind
from chimes.registration import Registration
from chimes.rpc.failure import StepFailedError

__all__ = ["Entry", "HarnessAnswer", "RegisteredComponent", "read_cases", "read_entry", "read_offers"]

COMPONENTS, CASES, CHANGES, MODULES = 100, 100, 20, 20_000
CASE_NAME, TEXT = 60, 2000


@dataclass(frozen=True, kw_only=True)
class RegisteredComponent:
    """A registration of the plugin; ``failure`` says why this SDK cannot use it."""

    kind: Kind
    registration: Registration
    failure: str | None = None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The result of importing a plugin's entry module, or a library's modules.

    ``failure``: why the plugin does not load. ``modules``: the modules that were imported with it. ``changed``: the
    parts of the process's state that changed.
    """

    failure: str | None = None
    components: tuple[RegisteredComponent, ...] = ()
    modules: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class HarnessAnswer:
    """The cases of a component's harness and its optional methods, or how the harness failed."""

    cases: tuple[Case, ...] = ()
    offers: frozenset[str] = frozenset()
    failure: StepFailedError | None = None


def read_entry(step: str, answer: Any) -> Entry:
    """Read the answer about an entry module. Raises StepFailedError."""
    if not isinstance(answer, dict):
        raise StepFailedError(step, answer="type")
    return Entry(
        failure=_text(answer.get("failure")),
        components=tuple(_component(step, item) for item in _list(step, answer.get("components"), COMPONENTS)),
        modules=tuple(str(name) for name in _list(step, answer.get("modules"), MODULES)),
        changed=tuple(str(name)[:100] for name in _list(step, answer.get("changed"), CHANGES)),
    )


def read_cases(step: str, answer: Any) -> tuple[Case, ...]:
    """The cases of a harness. Raises StepFailedError."""
    cases = _list(step, answer, CASES)
    names = [case.get("name") for case in cases if isinstance(case, dict)]
    good = all(isinstance(name, str) and name.isprintable() and len(name) < CASE_NAME for name in names)
    if not cases or len(names) != len(cases) or not good or len(set(names)) != len(names):
        raise StepFailedError(
            step, answer="type", said="a harness needs at least one case, and each case a different short name"
        )
    if not all(isinstance(case.get("config"), dict) for case in cases):
        raise StepFailedError(step, answer="type", said="the configuration of a case is not a mapping")
    return tuple(Case(name=each["name"], config=each["config"], device=str(each.get("device"))) for each in cases)


def read_offers(step: str, answer: Any) -> frozenset[str]:
    """The optional methods of a harness. Raises StepFailedError."""
    return frozenset(map(str, _list(step, answer, MODULES)))


def _list(step: str, answer: Any, most: int) -> list[Any]:
    if not isinstance(answer, list):
        raise StepFailedError(step, answer="type")
    if len(answer) > most:
        raise StepFailedError(step, answer="large")
    return answer


def _text(value: object) -> str | None:
    return None if value is None else str(value)[:TEXT]


def _component(step: str, item: Any) -> RegisteredComponent:
    try:
        registration = _registration(item["registration"])
        if item["kind"] not in KINDS:
            raise TypeError("not a registration")
        return RegisteredComponent(kind=item["kind"], registration=registration, failure=_text(item["failure"]))
    except (ChimesError, TypeError, KeyError, ValueError, AttributeError) as error:
        raise StepFailedError(step, answer="type", said=str(error)[:TEXT]) from error


def _registration(form: Any) -> Registration:
    registration = Registration.from_json(form)
    names = (*registration.devices, *registration.capabilities, *registration.network, *registration.files)
    if not all(isinstance(name, str) and name.isprintable() for name in names):
        raise TypeError("not a registration")
    return registration
