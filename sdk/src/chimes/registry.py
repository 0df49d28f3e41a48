"""Finds installed plugins, keeps what fails to load as rows, looks components up by kind and address.

One scan of ``sys.path`` reads only ``entry_points.txt``; name and version come from the dist-info
folder's name. Nothing but the plugins' entry modules is imported until a component is asked for.
"""

from __future__ import annotations

import configparser
import importlib
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import pluggy

from chimes import hooks
from chimes.errors import ChimesError, NotFoundError, PluginLoadError
from chimes.kinds.descriptors import KINDS, Kind
from chimes.registration import Registration
from chimes.resources import Resources

__all__ = ["Distribution", "Listing", "Plugin", "Registry", "import_target", "scan"]

FIELDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("name", "summary", "target", "api"), (str,)),
    **dict.fromkeys(("devices", "capabilities", "network", "files"), (tuple,)),
    "resources": (Resources,),
    "harness": (str, type(None)),
    "version": (int,),
}
"""What the fields of a registration are made of; a tuple is one of strings."""


@dataclass(frozen=True)
class Distribution:
    """An installed distribution with entry points of group ``chimes``: (name, module) pairs."""

    name: str
    version: str
    entry_points: tuple[tuple[str, str], ...]
    folder: Path


@dataclass(frozen=True)
class Listing:
    """One component of one plugin; ``failure`` says why it can't be used here, None if it can."""

    kind: Kind
    distribution: str
    version: str
    registration: Registration
    failure: str | None = None

    @property
    def address(self) -> str:
        """``<distribution>:<component>``."""
        return f"{self.distribution}:{self.registration.name}"


@dataclass(frozen=True)
class Plugin:
    """One plugin; ``failure`` (code and message) stands in for components where it did not load."""

    distribution: str
    version: str
    components: tuple[Listing, ...] = ()
    failure: str | None = None


@dataclass(frozen=True)
class Registry:
    """The plugins that were found. Make one with ``Registry.discover()``; there is no global one."""

    plugins: tuple[Plugin, ...] = field(default=())

    @classmethod
    def discover(cls, path: Iterable[str] | None = None, only: Iterable[str] | None = None) -> Registry:
        """Load the entry modules of all plugins on ``path`` (default: ``sys.path``).

        ``only`` restricts to these distributions (default: the environment variable CHIMES_PLUGINS, a
        comma-separated list; set but empty means none). Never raises for a plugin's fault.
        """
        if only is None and (wanted := os.environ.get("CHIMES_PLUGINS")) is not None:
            only = [name.strip() for name in wanted.split(",") if name.strip()]
        names = None if only is None else {normalize(name) for name in only}
        found = (d for d in scan(sys.path if path is None else path) if names is None or d.name in names)
        return cls(tuple(load_plugin(distribution) for distribution in sorted(found, key=lambda d: d.name)))

    @property
    def listings(self) -> tuple[Listing, ...]:
        """All components of all plugins."""
        return tuple(listing for plugin in self.plugins for listing in plugin.components)

    def get_listing(self, kind: Kind, address: str) -> Listing:
        """The component at ``address``; raises NotFoundError, or PluginLoadError if it can't be used."""
        distribution, _, name = address.partition(":")
        wanted = f"{normalize(distribution)}:{name}"
        for plugin in self.plugins:
            if plugin.distribution == normalize(distribution) and plugin.failure:
                raise PluginLoadError(
                    f"plugin {plugin.distribution} {plugin.version} did not load: {plugin.failure}",
                    hint="chimes list shows every plugin with its reason",
                )
        for listing in self.listings:
            if listing.address == wanted and listing.kind == kind:
                if listing.failure:
                    raise PluginLoadError(f"{wanted} cannot be used here: {listing.failure}")
                return listing
        known = ", ".join(item.address for item in self.listings if item.kind == kind) or "none"
        raise NotFoundError(f"there is no {kind} {address!r}", hint=f"installed {kind}s: {known}")

    def get_class(self, kind: Kind, address: str) -> type[Any]:
        """Import the component's class; raises NotFoundError, PluginLoadError."""
        target: type[Any] = import_target(self.get_listing(kind, address).registration.target)
        return target


def normalize(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def scan(path: Iterable[str]) -> Iterator[Distribution]:
    """The distributions on ``path`` with entry points of group ``chimes``; the first of a name wins."""
    seen: set[str] = set()
    for folder in dict.fromkeys(path):
        for entry in _dist_infos(folder or "."):
            name, _, version = entry.name.removesuffix(".dist-info").rpartition("-")
            if normalize(name) in seen:
                continue
            seen.add(normalize(name))
            points = _read_entry_points(Path(entry.path, "entry_points.txt"))
            if points:
                yield Distribution(normalize(name), version, points, Path(entry.path))


def _dist_infos(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if entry.name.endswith(".dist-info")]
    except OSError:
        return []


def _read_entry_points(file: Path) -> tuple[tuple[str, str], ...]:
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ()
    if f"[{hooks.ENTRY_POINT_GROUP}]" not in text:
        return ()
    parser = configparser.RawConfigParser(delimiters=("=",), strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(text)
    except configparser.Error:
        return (("entry_points.txt", ""),)
    return tuple(parser.items(hooks.ENTRY_POINT_GROUP))


def load_plugin(distribution: Distribution) -> Plugin:
    """Import a plugin's entry modules and collect its registrations; a failure becomes the row's reason."""
    try:
        listings = [
            listing
            for _, target in distribution.entry_points
            for kind, registration in _registrations(distribution.name, target)
            for listing in [_listing(distribution, kind, registration)]
        ]
        addresses = [(listing.kind, listing.address) for listing in listings]
        twice = next((a for a in addresses if addresses.count(a) > 1), None)
        if twice:
            raise PluginLoadError(f"{twice[0]} {twice[1]} is registered twice")
    except ChimesError as error:
        return Plugin(distribution.name, distribution.version, failure=f"{error.code}: {error}")
    return Plugin(distribution.name, distribution.version, tuple(listings))


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
            found += [(kind, _checked(registration, where)) for registration in answer]
    return found


def _checked(answer: Any, where: str) -> Registration:
    """``answer``, if it is a Registration and no look-alike whose attributes are the plugin's code."""
    if type(answer) is not Registration:
        raise PluginLoadError(f"{where} returned a {_type_of(answer)}, not a Registration")
    values: dict[str, Any] = {name: getattr(answer, name, None) for name in FIELDS}
    for name, value in values.items():
        if type(value) not in FIELDS[name]:
            raise PluginLoadError(f"{where} returned a Registration whose {name} is a {_type_of(value)}")
        if type(value) is tuple and any(type(item) is not str for item in value):
            raise PluginLoadError(f"{where} returned a Registration whose {name} are not all strings")
    # Made anew: whoever goes round the constructor goes round its checks.
    return Registration(**values)


def _guarded(step: Callable[[], Any], what: str) -> Any:
    # A plugin's code may raise anything, SystemExit included; all of it is that plugin's row. What the user's
    # Ctrl-C raises is the user's, whatever the plugin makes of it.
    with _interrupts() as pressed:
        try:
            answer = step()
        except BaseException as error:
            if pressed or (isinstance(error, KeyboardInterrupt) and pressed is None):
                raise KeyboardInterrupt from error
            raise PluginLoadError(f"{what} failed: {_said(error)}") from error
    if pressed:
        raise KeyboardInterrupt
    return answer


@contextmanager
def _interrupts() -> Iterator[list[int] | None]:
    """The Ctrl-C that come meanwhile; None where somebody else attends to them, who may raise them here."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or handler in (signal.SIG_IGN, signal.SIG_DFL):
        yield []
        return
    if handler is not signal.default_int_handler:
        yield None
        return
    pressed: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        pressed.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        if signal.getsignal(signal.SIGINT) is note:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _said(error: BaseException) -> str:
    # One line, and even an error whose text cannot be had is only a row.
    try:
        text = " ".join(str(error).split())
    except BaseException:
        return _type_of(error)
    return f"{_type_of(error)}: {text}" if text else _type_of(error)


def _type_of(value: object) -> str:
    try:
        return f"{type(value).__name__}"
    except BaseException:
        return "value of a nameless type"


def import_target(target: str) -> Any:
    """Import ``package.module:Name``; raises PluginLoadError."""
    module, _, name = target.partition(":")
    return _guarded(lambda: getattr(importlib.import_module(module), name), f"importing {target}")
