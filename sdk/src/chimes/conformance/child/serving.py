"""A session's side of the child: makes components and harnesses, and calls their methods."""

from __future__ import annotations

import dataclasses
import itertools
import os
import random
import signal
import types
from collections.abc import Callable
from inspect import getattr_static
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from chimes.conformance.child.child import describe
from chimes.conformance.child.ownprocess import mark, seal_of
from chimes.conformance.harness import Case
from chimes.context import Context
from chimes.errors import NotFoundError, PluginLoadError
from chimes.kinds.component import Component, parse_config
from chimes.kinds.descriptors import KINDS
from chimes.kinds.schema import import_batch
from chimes.processes.proc import has_exited
from chimes.registration import Registration
from chimes.registry import import_target, load_plugin, set_environment
from chimes.rpc.codec import decode, encode
from chimes.rpc.frames import BLOBS, BrokenFrameError, ClosedError, read_frame, write_frame

if TYPE_CHECKING:
    from chimes.conformance.child.child import Child

__all__ = ["Session", "serve_session"]

INTERFACES: dict[str, type[Component[Any]]] = {kind.name: kind.load_interface() for kind in KINDS.values()}
METHODS: dict[str, tuple[str, ...]] = {kind.name: kind.operations for kind in KINDS.values()}


class GoodbyeError(Exception):
    """The judge ended the session."""


class Session:
    """The objects that one session made; every public method is an operation that the judge may ask for."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.context = Context.under(child.root)
        self.objects: dict[str, tuple[str, Any]] = {}
        self.echoed: list[Any] = []

    def construct(self, *, kind: str, name: str, config: dict[str, Any], label: str) -> None:
        """Import the component's class, validate the configuration, make the object ``label``."""
        target = self.target(kind, name)
        self.objects[label] = (kind, target(parse_config(target, config), self.context))

    def move(self, *, name: str) -> None:
        """Let what is constructed from now on have folders in which nobody was before."""
        self.context = Context.under(self.child.root / "tmp" / name)
        os.environ["TMPDIR"] = str(self.context.tmp)

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

    def schema(self, *, kind: str, name: str) -> Any:
        """The JSON Schema of the component's configuration."""
        return self.target(kind, name).Config.model_json_schema()

    def cases(self, *, kind: str, name: str) -> list[dict[str, Any]]:
        """What the harness wants to be tried; one empty case where there is no harness."""
        harness = self.harness(kind, name)
        found = [Case()] if harness is None else list(harness.cases(self.context))
        return [{"name": case.name, "config": dict(case.config), "device": case.device} for case in found]

    def offers(self, *, kind: str, name: str) -> list[str]:
        """Which optional methods the harness has."""
        harness = self.harness(kind, name)
        return [method for method in ("inputs", "types", "seed") if callable(getattr(harness, method, None))]

    def inputs(self, *, kind: str, name: str, case: dict[str, Any], seed: int, rows: int) -> Any:
        """Rows that the harness makes from the judge's seed."""
        harness = self.harness(kind, name)
        return harness.inputs(Case(**case), random.Random(seed), rows)

    def types(self, *, kind: str, name: str, case: dict[str, Any]) -> Any:
        """The Arrow types that the harness claims, as an empty batch with one column each."""
        claimed = self.harness(kind, name).types(Case(**case))
        return pa.RecordBatch.from_pylist([], schema=pa.schema([(f"c{i}", t) for i, t in enumerate(claimed)]))

    def seed(self, *, kind: str, name: str, case: dict[str, Any], tables: dict[str, Any]) -> dict[str, Any]:
        """Let the harness fill its source; the configuration that reads it."""
        return dict(self.harness(kind, name).seed(Case(**case), tables, self.context))

    def call(self, *, label: str, method: str, args: list[Any], kwargs: dict[str, Any], echo: bool = False) -> Any:
        """Call a method of the interface. With ``echo`` its arguments come back, after those of earlier such calls."""
        kind, component = self.objects[label]
        if method not in METHODS[kind]:
            raise NotFoundError(f"{method!r} is no method of a {kind}")
        function = getattr(component, method)
        result = function(component.config, *args) if method == "describe" else function(*args, **kwargs)
        plain = self.plain(result)
        self.echoed += args if echo else []
        return {"result": plain, "args": self.echoed} if echo else plain

    def parallel(self, *, count: int, calls: list[dict[str, Any]]) -> list[Any]:
        """Do the same calls in ``count`` forked processes at once; the last call's value of each, or its error."""
        gate_read, gate_write = os.pipe()
        pipes = [self.branch(calls, gate_read) for _ in range(count)]
        os.close(gate_read)
        os.write(gate_write, b"g" * count)
        os.close(gate_write)
        answers: list[Any] = []
        for pid, reader in pipes:
            header, blobs = read_frame(reader)
            answers.append(decode(header["value"], blobs))
            os.waitpid(pid, 0)
            os.close(reader)
        return answers

    def branch(self, calls: list[dict[str, Any]], gate: int) -> tuple[int, int]:
        """Fork a process that waits at the gate, then makes the calls and writes its answer."""
        reader, writer = os.pipe()
        pid = os.fork()
        if pid:
            os.close(writer)
            return pid, reader
        os.read(gate, 1)
        blobs: list[bytes] = []
        try:
            for step in calls:
                answer: Any = self.operation(step["op"])(**step["args"])
        except Exception as error:
            answer = {"error": describe(error)["code"]}
        write_frame(writer, {"value": encode(answer, blobs)}, blobs)
        os._exit(0)

    def write(self, *, name: str, data: str) -> str:
        """Write a file below the context's folder for temporary files; its path."""
        path = self.context.tmp / name
        path.write_text(data, "utf-8")
        return str(path)

    def read(self, *, name: str) -> str | None:
        """A file's text from the same folder, None where it is absent."""
        path = self.context.tmp / name
        return path.read_text("utf-8", "replace")[: 1 << 20] if path.exists() else None

    def alive(self, *, pids: list[int]) -> list[int]:
        """Which of the processes still run."""
        return [pid for pid in pids if not has_exited(pid)]

    def die(self) -> None:
        """End this session as a client that is killed: at once, without any farewell."""
        os.kill(os.getpid(), signal.SIGKILL)

    def end(self) -> Any:
        """Say goodbye, with what the audit hook saw."""
        raise GoodbyeError

    def operation(self, name: str) -> Callable[..., Any]:
        """The operation of this name; NotFoundError for any other."""
        if name not in OPERATIONS:
            raise NotFoundError(f"{name!r} is no operation")
        operation: Callable[..., Any] = getattr(self, name)
        return operation

    def registration(self, kind: str, name: str) -> Registration:
        """The registration of a component of the distribution under test, after ``set_environment``."""
        for item in load_plugin(self.child.find()).components:
            if item.kind == kind and item.registration.name == name:
                set_environment(item.registration)
                return item.registration
        raise PluginLoadError(f"no {kind} {name!r} is registered")

    def target(self, kind: str, name: str) -> type[Component[Any]]:
        """The component's class."""
        target: type[Component[Any]] = import_target(self.registration(kind, name).target)
        return target

    def harness(self, kind: str, name: str) -> Any:
        """The component's harness, None where it has none."""
        target = self.registration(kind, name).harness
        return None if target is None else import_target(target)()

    def plain(self, result: Any) -> Any:
        """A result as values of the interface: iterators become lists, foreign Arrow data record batches."""
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


OPERATIONS = {
    "alive",
    "call",
    "cases",
    "construct",
    "die",
    "end",
    "inputs",
    "inspect",
    "move",
    "offers",
    "parallel",
    "read",
    "schema",
    "seed",
    "types",
    "write",
}


def _missing(target: type, interface: type) -> list[str]:
    """The required methods that a class has not, or has as something that cannot be called like them."""
    return sorted(
        name for name, wanted in vars(interface).items() if _is_required(wanted) and _lacks(target, name, wanted)
    )


def _is_required(attribute: object) -> bool:
    """Whether an attribute of an interface is a method that must be written."""
    return bool(getattr(attribute, "__isabstractmethod__", False))


def _lacks(target: type, name: str, wanted: object) -> bool:
    found = getattr_static(target, name)
    needs_instance = isinstance(wanted, classmethod) and not isinstance(found, (classmethod, staticmethod))
    return _is_required(found) or needs_instance or not callable(getattr(target, name))


def serve_session(child: Child) -> None:
    """Answer the judge's operations until it says ``end``."""
    session = Session(child)
    while True:
        request, received = read_frame(child.reader)
        mark(f"op-{request.get('number', 0)}")
        seal = seal_of(request)
        blobs: list[bytes] = []
        try:
            arguments = decode(request["args"], received)
            value = encode(session.operation(request["op"])(**arguments), blobs)
            write_frame(child.writer, {"ok": True, "value": value}, blobs, seal=seal)
        except GoodbyeError:
            write_frame(child.writer, {"ok": True, "value": None, "audited": child.audited}, seal=seal)
            return
        except ClosedError:
            raise
        except Exception as error:
            write_frame(child.writer, {"ok": False, "error": describe(error)}, seal=seal)
