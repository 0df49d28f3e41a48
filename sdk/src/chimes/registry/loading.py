"""Imports a plugin's entry modules, collects its registrations, and imports components on demand."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

import pluggy

from chimes import hooks
from chimes.errors import ChimesError, PluginLoadError
from chimes.kinds.descriptors import KINDS, Kind
from chimes.registration import Registration
from chimes.registry.distributions import Distribution
from chimes.registry.interrupts import user_interrupts
from chimes.registry.plugins import Listing, Plugin

__all__ = ["describe_error", "import_component", "import_target", "load_plugin", "set_environment"]

MOST_COMPONENTS = 1000
LONGEST_REASON = 2000


def load_plugin(distribution: Distribution) -> Plugin:
    """Import a plugin's entry modules and collect its registrations; a failure becomes the row's reason.

    In this process: only the user's Ctrl-C is raised. ``chimes.registry.isolated`` does the same in another process.
    """
    try:
        if distribution.problem:
            raise PluginLoadError(distribution.problem)
        listings = [
            _listing(distribution, kind, registration)
            for _, target in distribution.entry_points
            for kind, registration in _registrations(distribution.name, target)
        ]
        addresses = [(listing.kind, listing.address) for listing in listings]
        twice = next((a for a in addresses if addresses.count(a) > 1), None)
        if twice:
            raise PluginLoadError(f"{twice[0]} {twice[1]} is registered twice")
    except ChimesError as error:
        return Plugin(distribution.name, distribution.version, failure=f"{error.code}: {error}"[:LONGEST_REASON])
    return Plugin(distribution.name, distribution.version, tuple(listings))


def import_component(registration: Registration) -> Any:
    """Import a component's class, after ``set_environment``; raises PluginLoadError."""
    set_environment(registration)
    return import_target(registration.target)


def set_environment(registration: Registration) -> None:
    """Set the environment variables that a registration asks for in this process, unless they are set already."""
    for name, value in registration.variables.items():
        os.environ.setdefault(name, value)


def import_target(target: str) -> Any:
    """Import ``package.module:Name``; raises PluginLoadError."""
    module, _, name = target.partition(":")
    return _guarded(lambda: getattr(importlib.import_module(module), name), f"importing {target}")


def _listing(distribution: Distribution, kind: Kind, registration: Registration) -> Listing:
    failure = None
    try:
        registration.check_host(kind)
    except ChimesError as error:
        failure = f"{error.code}: {error}"
    return Listing(kind, distribution.name, distribution.version, registration, failure)


def _registrations(name: str, target: str) -> list[tuple[Kind, Registration]]:
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    module = _guarded(lambda: importlib.import_module(target), f"importing {target or 'nothing'}")
    _guarded(lambda: manager.register(module, name=name), f"the hooks of {target}")
    _guarded(manager.check_pending, f"the hooks of {target}")
    found: list[tuple[Kind, Registration]] = []
    for kind, described in KINDS.items():
        where = f"{described.hook} of {target}"
        for answer in _guarded(getattr(manager.hook, described.hook), where):
            if type(answer) not in (list, tuple):
                raise PluginLoadError(f"{where} returned {_type_of(answer)}, not a list")
            if len(answer) > MOST_COMPONENTS:
                raise PluginLoadError(f"{where} returned {len(answer)} registrations, more than {MOST_COMPONENTS}")
            found += [(kind, _checked(registration, where)) for registration in answer]
    return found


def _checked(answer: Any, where: str) -> Registration:
    """``answer``, if it is a Registration and no subclass, whose attributes would be the plugin's code."""
    if type(answer) is not Registration:
        raise PluginLoadError(f"{where} returned a {_type_of(answer)}, not a Registration")
    # Constructed again, because one that was made without its constructor has not been checked.
    return _guarded(lambda: Registration(**vars(answer)), f"a registration of {where}")  # type: ignore[no-any-return]


def _guarded(step: Callable[[], Any], what: str) -> Any:
    # A plugin's code may raise anything, SystemExit and KeyboardInterrupt included; all of it becomes its failure.
    with user_interrupts():
        try:
            return step()
        except BaseException as error:
            raise PluginLoadError(f"{what} failed: {describe_error(error)}") from error


def describe_error(error: BaseException) -> str:
    """Type and message of an error on one line, also where the message cannot be computed."""
    try:
        text = " ".join(str(error).split())
    except BaseException:
        return _type_of(error)
    return f"{_type_of(error)}: {text}" if text else _type_of(error)


def _type_of(value: object) -> str:
    try:
        return f"{type(value).__name__}"
    except BaseException:
        return "value of a type without a name"
