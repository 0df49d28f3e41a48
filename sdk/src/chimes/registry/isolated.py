"""Loads plugins in a child process, so that a plugin's import cannot harm the process that lists it.

The child is a fork of this interpreter, in a process group of its own and without its standard streams. It loads one
plugin after another and writes one line of JSON for each to a pipe. If it ends, hangs or writes anything else, the
plugin that it was loading is loaded again as the first one of a new child; if that fails too, the failure is that
plugin's, and the others go on. So a plugin is not reported for a failure that an earlier plugin in the process caused.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from chimes.errors import ChimesError, ConfigError
from chimes.kinds.descriptors import KINDS
from chimes.registration import Registration
from chimes.registry.distributions import Distribution
from chimes.registry.loading import describe_error, load_plugin
from chimes.registry.plugins import Listing, Plugin

__all__ = ["Budget", "load_isolated"]

ROW_BYTES = 1 << 20
READ_BYTES = 64 << 10
REASON = 2000
END_CHECKS, END_INTERVAL_S = 20, 0.05


@dataclass(frozen=True)
class Budget:
    """How long loading may take: one plugin, and all together."""

    plugin_s: float = 10
    total_s: float = 60


def load_isolated(distributions: Iterable[Distribution], budget: Budget | None = None) -> tuple[Plugin, ...]:
    """Load each plugin in a child process; one row for each, in order. Never raises for a plugin's fault."""
    budget = budget or Budget()
    waiting = list(distributions)
    deadline = time.monotonic() + budget.total_s
    rows: list[Plugin] = []
    while waiting:
        if time.monotonic() >= deadline:
            late = f"it was not loaded, because loading all plugins took more than {budget.total_s:g} s"
            return (*rows, *(_failed(each, late) for each in waiting))
        with _Child(waiting, deadline) as child:
            loaded, reason = child.read_rows(budget.plugin_s)
        # Only the first plugin of a child was loaded in a fresh process.
        blamed = [] if loaded or reason is None else [_failed(waiting[0], reason)]
        rows += loaded or blamed
        del waiting[: len(loaded or blamed)]
    return tuple(rows)


class _Child:
    """A forked process that loads plugins, and our end of its pipe."""

    def __init__(self, distributions: Sequence[Distribution], deadline: float) -> None:
        self.distributions = distributions
        self.deadline = deadline
        self.pipe, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.pipe)
            _load_all(writer, distributions, deadline)
        os.close(writer)

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """End the child with its process group, and reap it."""
        os.close(self.pipe)
        for target in (-self.pid, self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(target, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def read_rows(self, plugin_s: float) -> tuple[list[Plugin], str | None]:
        """The rows that the child writes, and the reason why it stopped (None: it wrote all).

        A failure is kept only of the first plugin; another plugin that fails is left to the next child.
        """
        rows: list[Plugin] = []
        data = b""
        for distribution in self.distributions:
            limit = min(time.monotonic() + plugin_s, self.deadline)
            while b"\n" not in data:
                if len(data) > ROW_BYTES:
                    return rows, f"it registers more than {ROW_BYTES} bytes"
                if not self._wait(limit):
                    return rows, f"loading it took more than {plugin_s:g} s"
                more = os.read(self.pipe, READ_BYTES)
                if not more:
                    return rows, self._explain_end()
                data += more
            line, _, data = data.partition(b"\n")
            row = _parse_row(distribution, line)
            if row.failure and rows:
                return rows, row.failure
            rows.append(row)
        return rows, None

    def _wait(self, limit: float) -> bool:
        poll = select.poll()
        poll.register(self.pipe, select.POLLIN)
        return bool(poll.poll(max(limit - time.monotonic(), 0) * 1000))

    def _explain_end(self) -> str:
        for _ in range(END_CHECKS):
            # WNOWAIT keeps the process identifier reserved until __exit__ has ended the whole group.
            ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None:
                time.sleep(END_INTERVAL_S)
            elif ended.si_code == os.CLD_EXITED:
                return f"importing it ended the process with status {ended.si_status}"
            else:
                return f"importing it ended the process with signal {signal.Signals(ended.si_status).name}"
        return "importing it closed the connection to chimes"


def _load_all(pipe: int, distributions: Sequence[Distribution], deadline: float) -> NoReturn:
    """In the child: load every plugin and write its row. Never returns."""
    try:
        os.setsid()
        # The pipe is moved above the standard descriptors, which are replaced now.
        writer = fcntl.fcntl(pipe, fcntl.F_DUPFD_CLOEXEC, 3)
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        sys.stdout = sys.stderr = os.fdopen(null, "w", encoding="utf-8", errors="replace")
        # If the parent is killed, the alarm ends the child.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(max(int(deadline - time.monotonic()) + 1, 1))
        for distribution in distributions:
            _write(writer, _row(distribution))
        os._exit(0)
    finally:
        os._exit(1)


def _row(distribution: Distribution) -> bytes:
    """One plugin's row as a line of JSON."""
    try:
        plugin = load_plugin(distribution)
        row = json.dumps(
            {
                "failure": plugin.failure,
                "components": [
                    {"kind": item.kind, "failure": item.failure, "registration": item.registration.to_json()}
                    for item in plugin.components
                ],
            }
        ).encode("ascii")
    except BaseException as error:
        row = _failed_row(f"importing it failed: {describe_error(error)}")
    if len(row) > ROW_BYTES:
        row = _failed_row(f"it registers more than {ROW_BYTES} bytes")
    return row + b"\n"


def _failed_row(reason: str) -> bytes:
    return json.dumps({"failure": _reason(reason), "components": []}).encode("ascii")


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _parse_row(distribution: Distribution, line: bytes) -> Plugin:
    try:
        row = json.loads(line)
        components = tuple(_parse_listing(distribution, item) for item in row["components"])
        failure = row["failure"]
        if not isinstance(failure, str | None) or (failure and components):
            raise ConfigError("the failure is not text")
    except (ChimesError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        return _failed(distribution, f"what it registers cannot be read: {describe_error(error)}")
    return Plugin(distribution.name, distribution.version, components, failure and failure[:REASON])


def _parse_listing(distribution: Distribution, item: Any) -> Listing:
    kind, failure = item["kind"], item["failure"]
    if kind not in KINDS or not isinstance(failure, str | None):
        raise ConfigError("the kind or the failure of a component is not text")
    registration = Registration.from_json(item["registration"])
    return Listing(kind, distribution.name, distribution.version, registration, failure and failure[:REASON])


def _failed(distribution: Distribution, reason: str) -> Plugin:
    return Plugin(distribution.name, distribution.version, failure=_reason(reason))


def _reason(reason: str) -> str:
    return f"plugin-load: {reason}"[:REASON]
