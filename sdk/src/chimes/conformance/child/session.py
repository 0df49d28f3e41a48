"""A session of the suite: a component's operations, and those of its harness."""

from __future__ import annotations

import os
import random
import socket
from typing import Any

import pyarrow as pa

from chimes.conformance.harness import Case
from chimes.context import Context
from chimes.kinds.schema import empty_batch
from chimes.processes.proc import has_exited
from chimes.registry import import_target
from chimes.rpc.bootstrap import describe
from chimes.rpc.codec import decode, encode
from chimes.rpc.dispatcher import Dispatcher
from chimes.rpc.frames import read_frame, write_frame

__all__ = ["Session"]


class Session(Dispatcher):
    """The objects that one session made, and the harness of its component."""

    OPERATIONS = Dispatcher.OPERATIONS | {
        *("alive", "cases", "inputs", "move", "offers", "parallel", "read", "seed", "types", "write")
    }

    def move(self, *, name: str) -> None:
        """Give new, empty folders to the components that are constructed from now on."""
        self.context = Context.under(self.root / "tmp" / name)
        os.environ["TMPDIR"] = str(self.context.tmp)

    def cases(self, *, kind: str, name: str) -> list[dict[str, Any]]:
        """The cases of the harness; one empty case without a harness."""
        harness = self.harness(kind, name)
        found = [Case()] if harness is None else list(harness.cases(self.context))
        return [{"name": case.name, "config": dict(case.config), "device": case.device} for case in found]

    def offers(self, *, kind: str, name: str) -> list[str]:
        """The optional methods that the harness has."""
        harness = self.harness(kind, name)
        return [method for method in ("inputs", "types", "seed") if callable(getattr(harness, method, None))]

    def inputs(self, *, kind: str, name: str, case: dict[str, Any], seed: int, rows: int) -> Any:
        """Rows that the harness makes from the judge's seed."""
        harness = self.harness(kind, name)
        return harness.inputs(Case(**case), random.Random(seed), rows)

    def types(self, *, kind: str, name: str, case: dict[str, Any]) -> Any:
        """The Arrow types that the harness claims, as an empty batch with one column each."""
        claimed = self.harness(kind, name).types(Case(**case))
        return empty_batch(pa.schema([(f"c{i}", t) for i, t in enumerate(claimed)]))

    def seed(self, *, kind: str, name: str, case: dict[str, Any], tables: dict[str, Any]) -> dict[str, Any]:
        """Let the harness fill its source; the configuration that reads it."""
        return dict(self.harness(kind, name).seed(Case(**case), tables, self.context))

    def parallel(self, *, count: int, calls: list[dict[str, Any]]) -> list[Any]:
        """Make the same calls in ``count`` forked processes at once; each process's last value, or its error."""
        gate_read, gate_write = os.pipe()
        branches = [self.branch(calls, gate_read) for _ in range(count)]
        os.close(gate_read)
        os.write(gate_write, b"g" * count)
        os.close(gate_write)
        answers: list[Any] = []
        for pid, connection in branches:
            with connection:
                header, blobs = read_frame(connection)
            answers.append(decode(header["value"], blobs))
            os.waitpid(pid, 0)
        return answers

    def branch(self, calls: list[dict[str, Any]], gate: int) -> tuple[int, socket.socket]:
        """Fork a process that waits at the gate, then makes the calls and writes its answer."""
        own, other = socket.socketpair()
        pid = os.fork()
        if pid:
            other.close()
            return pid, own
        os.read(gate, 1)
        blobs: list[bytes] = []
        try:
            for step in calls:
                answer: Any = self.operation(step["op"])(**step["args"])
        except Exception as error:
            answer = {"error": describe(error)["code"]}
        write_frame(other, {"value": encode(answer, blobs)}, blobs)
        os._exit(0)

    def write(self, *, name: str, data: str) -> str:
        """Write a file below the context's folder for temporary files; its path."""
        path = self.context.tmp / name
        path.write_text(data, "utf-8")
        return str(path)

    def read(self, *, name: str) -> str | None:
        """The text of a file in the same folder; None if it does not exist."""
        path = self.context.tmp / name
        return path.read_text("utf-8", "replace")[: 1 << 20] if path.exists() else None

    def alive(self, *, pids: list[int]) -> list[int]:
        """Those of the processes that still run."""
        return [pid for pid in pids if not has_exited(pid)]

    def harness(self, kind: str, name: str) -> Any:
        """The component's harness; None if it has none."""
        target = self.registration(kind, name).harness
        return None if target is None else import_target(target)()
