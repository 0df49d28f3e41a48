"""Reads what a child tells of itself: registrations, modules, cases. None of it is believed before it is checked."""

from __future__ import annotations

import dataclasses
from typing import Any

from chimes.errors import ChimesError
from chimes.kinds.descriptors import KINDS
from chimes.registration import Registration
from chimes.resources import Resources
from chimes.rpc.failure import StepFailedError

__all__ = ["read_cases", "read_entry", "read_offers"]

COMPONENTS, CASES, CHANGES, MODULES = 100, 100, 20, 20_000
CASE_NAME = 60


def read_entry(step: str, told: Any) -> dict[str, Any]:
    """``failure``, ``components``, ``modules`` and ``changed`` of an entry module. Raises StepFailedError."""
    if not isinstance(told, dict):
        raise StepFailedError(step, answer="type")
    failure = told.get("failure")
    return {
        "failure": None if failure is None else str(failure)[:2000],
        "components": [_component(step, item) for item in _list(step, told.get("components"), COMPONENTS)],
        "modules": [str(name) for name in _list(step, told.get("modules"), MODULES)],
        "changed": [str(name)[:100] for name in _list(step, told.get("changed"), CHANGES)],
    }


def read_cases(step: str, told: Any) -> list[dict[str, Any]]:
    """Name, configuration and device of each case. Raises StepFailedError."""
    if not isinstance(told, list) or not 0 < len(told) <= CASES:
        raise StepFailedError(step, answer="type", said="no cases, or more than a hundred")
    names = [case.get("name") for case in told if isinstance(case, dict)]
    good = all(isinstance(name, str) and name.isprintable() and len(name) < CASE_NAME for name in names)
    if len(names) != len(told) or not good or len(set(names)) != len(names):
        raise StepFailedError(step, answer="type", said="cases need short names of their own")
    if not all(isinstance(case.get("config"), dict) for case in told):
        raise StepFailedError(step, answer="type", said="a case's configuration is no mapping")
    return [{"name": c["name"], "config": c["config"], "device": str(c.get("device"))} for c in told]


def read_offers(step: str, told: Any) -> frozenset[str]:
    """The optional methods of a harness. Raises StepFailedError."""
    return frozenset(map(str, _list(step, told, MODULES)))


def _list(step: str, told: Any, most: int) -> list[Any]:
    if not isinstance(told, list):
        raise StepFailedError(step, answer="type")
    if len(told) > most:
        raise StepFailedError(step, answer="large")
    return told


def _component(step: str, item: Any) -> dict[str, Any]:
    try:
        kind, failure, told = item["kind"], item["failure"], dict(item["registration"])
        told["resources"] = Resources()
        values: Any = {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
        registration = Registration(**values)
        words = (*registration.devices, *registration.capabilities, *registration.network, *registration.files)
        if kind not in KINDS or not all(isinstance(word, str) and word.isprintable() for word in words):
            raise TypeError("not a registration")
    except (ChimesError, TypeError, KeyError, ValueError, AttributeError) as error:
        raise StepFailedError(step, answer="type", said=str(error)[:2000]) from error
    return {
        "kind": kind,
        "failure": None if failure is None else str(failure)[:2000],
        "registration": dataclasses.asdict(registration),
    }
