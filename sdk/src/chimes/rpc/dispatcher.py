"""Serves one session in the child: constructs components of one distribution, and calls their methods."""

from __future__ import annotations

import dataclasses
import itertools
import os
import signal
import types
from collections.abc import Callable
from inspect import getattr_static
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from chimes.context import Context
from chimes.errors import NotFoundError, PluginLoadError
from chimes.kinds.component import Component, parse_config
from chimes.kinds.descriptors import KINDS
from chimes.kinds.schema import import_batch
from chimes.registration import Registration
from chimes.registry import Distribution, import_target, load_plugin, set_environment
from chimes.rpc.codec import decode, encode
from chimes.rpc.frames import BLOBS, BrokenFrameError
from chimes.rpc.installed import find_distribution

if TYPE_CHECKING:
    from chimes.rpc.bootstrap import Connection

__all__ = ["Dispatcher"]

INTERFACES: dict[str, type[Component[Any]]] = {kind.name: kind.load_interface() for kind in KINDS.values()}
METHODS: dict[str, tuple[str, ...]] = {kind.name: kind.operations for kind in KINDS.values()}


class Dispatcher:
    """The objects that one session constructed. ``OPERATIONS``: the methods that requests may name."""

    OPERATIONS: ClassVar[frozenset[str]] = frozenset({"call", "construct", "die", "inspect", "schema"})

    def __init__(self, distribution: str, site: str, root: str) -> None:
        self.distribution, self.site, self.root = distribution, site, Path(root)
        self.context = Context.under(self.root)
        self.objects: dict[str, tuple[str, Any]] = {}
        self.echoed: list[Any] = []

    def serve(self, connection: Connection) -> None:
        """Answer requests until the operation ``end``."""
        while True:
            request, received = connection.receive()
            if request["op"] == "end":
                connection.answer(None)
                return
            blobs: list[bytes] = []
            try:
                arguments = decode(request["args"], received)
                connection.answer(encode(self.operation(request["op"])(**arguments), blobs), blobs)
            except Exception as error:
                connection.fail(error)

    def operation(self, name: str) -> Callable[..., Any]:
        """The operation of this name. Raises NotFoundError for any other."""
        if name not in self.OPERATIONS:
            raise NotFoundError(f"{name!r} is not an operation")
        operation: Callable[..., Any] = getattr(self, name)
        return operation

    def construct(self, *, kind: str, name: str, config: dict[str, Any], label: str) -> None:
        """Import the component's class, validate the configuration, construct the object ``label``."""
        target = self.target(kind, name)
        self.objects[label] = (kind, target(parse_config(target, config), self.context))

    def call(self, *, label: str, method: str, args: list[Any], kwargs: dict[str, Any], echo: bool = False) -> Any:
        """Call a method of the interface. ``echo``: also return the arguments of all such calls so far."""
        kind, component = self.objects[label]
        if method not in METHODS[kind]:
            raise NotFoundError(f"{method!r} is not a method of a {kind}")
        function = getattr(component, method)
        result = function(component.config, *args) if method == "describe" else function(*args, **kwargs)
        plain = self.plain(result)
        self.echoed += args if echo else []
        return {"result": plain, "args": self.echoed} if echo else plain

    def schema(self, *, kind: str, name: str) -> Any:
        """The JSON Schema of the component's configuration."""
        return self.target(kind, name).Config.model_json_schema()

    def inspect(self, *, kind: str, name: str) -> dict[str, Any]:
        """Whether target and harness can be imported, and whether the target implements the interface."""
        registration = self.registration(kind, name)
        target = import_target(registration.target)
        is_component = isinstance(target, type) and issubclass(target, INTERFACES[kind])
        missing = _missing(target, INTERFACES[kind]) if is_component else []
        harness = import_target(registration.harness) if registration.harness else None
        return {
            "is_component": is_component,
            "missing": missing,
            "api": getattr(target, "api", None),
            "harness": None if harness is None else callable(getattr(harness, "cases", None)),
        }

    def die(self) -> None:
        """Kill this process."""
        os.kill(os.getpid(), signal.SIGKILL)

    def registration(self, kind: str, name: str) -> Registration:
        """The registration of a component of the distribution, after ``set_environment``. Raises PluginLoadError."""
        for item in load_plugin(self.find()).components:
            if item.kind == kind and item.registration.name == name:
                set_environment(item.registration)
                return item.registration
        raise PluginLoadError(f"no {kind} {name!r} is registered")

    def find(self) -> Distribution:
        """The distribution. Raises PluginLoadError if it has no entry points."""
        return find_distribution(self.distribution, self.site)

    def target(self, kind: str, name: str) -> type[Component[Any]]:
        """The component's class."""
        target: type[Component[Any]] = import_target(self.registration(kind, name).target)
        return target

    def plain(self, result: Any) -> Any:
        """A result as values of the interface: iterators become lists, Arrow data of other libraries record batches."""
        if isinstance(result, types.GeneratorType) or hasattr(result, "__next__"):
            items = list(itertools.islice(result, BLOBS + 1))
            if len(items) > BLOBS:
                raise BrokenFrameError(f"an iterator of more than {BLOBS} items")
            return [self.plain(item) for item in items]
        if hasattr(result, "__arrow_c_array__") or hasattr(result, "__arrow_c_stream__"):
            return import_batch(result)
        if dataclasses.is_dataclass(result) or not isinstance(result, (list, tuple)):
            return result
        return [self.plain(item) for item in result]


def _missing(target: type, interface: type) -> list[str]:
    """The required methods that a class lacks, or defines so that they cannot be called in the same way."""
    return sorted(
        name for name, wanted in vars(interface).items() if _is_required(wanted) and _lacks(target, name, wanted)
    )


def _is_required(attribute: object) -> bool:
    """Whether an attribute of an interface is a method that every component must define."""
    return bool(getattr(attribute, "__isabstractmethod__", False))


def _lacks(target: type, name: str, wanted: object) -> bool:
    found = getattr_static(target, name)
    needs_instance = isinstance(wanted, classmethod) and not isinstance(found, (classmethod, staticmethod))
    return _is_required(found) or needs_instance or not callable(getattr(target, name))
