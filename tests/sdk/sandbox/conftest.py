"""Runs small programs in real sandboxes."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from chimes.sandbox import Cause, Event, Sandbox

PYTHON = ("/usr/bin/python3", "-I", "-c")
PATIENCE_S = 60


@dataclass(frozen=True)
class Outcome:
    status: int | None
    output: str
    complained: str
    events: tuple[Event, ...]
    cause: Cause | None

    def of(self, kind: str) -> set[tuple[str, str, bool]]:
        return {(event.action, event.target, event.refused) for event in self.events if event.kind == kind}


def run_inside(code: str, **options: Any) -> Outcome:
    with Sandbox([*PYTHON, textwrap.dedent(code)], **options) as sandbox:
        status = sandbox.wait(PATIENCE_S)
        assert status is not None, sandbox.stderr_tail()
        output = sandbox.stdout.read(1 << 16).decode()
        return Outcome(status, output, sandbox.stderr_tail(), sandbox.events(), sandbox.cause())


@pytest.fixture
def inside() -> Callable[..., Outcome]:
    """Runs a Python program in a sandbox to its end."""
    return run_inside
