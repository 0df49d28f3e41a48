"""Runs the commands of the demo and shows each with its duration and output."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chimes.processes import Completed, run
from rich.console import Console
from rich.markup import escape

__all__ = ["EXAMPLES", "ROOT", "CommandRunner", "DemoError", "as_json", "find_tool", "shorten"]

EXAMPLES = Path(__file__).resolve().parent
ROOT = EXAMPLES.parent
BIN = Path(sys.executable).parent
TIMEOUT_S = 300
MARGIN = "    "


class DemoError(Exception):
    """A step of the demo failed; the message is for the user."""


class CommandRunner:
    """Runs commands and shows their output. ``env`` is added to this process's environment."""

    def __init__(self, console: Console, env: Mapping[str, str] | None = None) -> None:
        self.console = console
        self.env = dict(env or {})

    def run_or_fail(self, *argv: str | Path, what: str, env: Mapping[str, str | None] | None = None) -> Completed:
        """Run a command that must end with status 0. If it does not, shows its output and raises DemoError."""
        done = self.run(*argv, env=env)
        if done.timed_out:
            raise DemoError(f"{what} took longer than {TIMEOUT_S} s")
        if done.returncode != 0:
            self.quote(done)
            raise DemoError(f"{what} failed with status {done.returncode}")
        return done

    def run(self, *argv: str | Path, env: Mapping[str, str | None] | None = None) -> Completed:
        """Run a command, and show it with its duration. A name without a path is a tool of this environment."""
        words = [str(word) for word in argv]
        shown = " ".join([Path(words[0]).name, *map(shorten, words[1:])])
        words[0] = find_tool(words[0])
        started = time.monotonic()
        with self.console.status(f"  $ {escape(shown)}"):
            done = run(words, timeout_s=TIMEOUT_S, cwd=ROOT, env=self.environment(env or {}))
        took = f"[dim]{time.monotonic() - started:.1f} s[/]"
        self.console.print(f"  [bold]$ {escape(shown)}[/]  {took}", highlight=False, soft_wrap=True)
        return done

    def environment(self, extra: Mapping[str, str | None]) -> dict[str, str]:
        """This process's environment with ``extra`` (None removes a variable) and a narrower terminal."""
        columns = str(max(self.console.width, 80) - len(MARGIN))
        # This variable limits the plugins that are loaded: without it, all installed ones are.
        merged = {**os.environ, "CHIMES_PLUGINS": None, "COLUMNS": columns, **self.env, **extra}
        return {name: value for name, value in merged.items() if value is not None}

    def title(self, number: str, text: str) -> None:
        """The heading of a step."""
        self.console.print(f"\n[bold cyan]{number}[/] [bold]{text}[/]", highlight=False)

    def say(self, text: str) -> None:
        """Print a line below a command; it may have markup."""
        self.console.print(f"{MARGIN}{text}", highlight=False, soft_wrap=True)

    def quote(self, done: Completed) -> None:
        """Print the output of a command below it."""
        for line in done.text.splitlines():
            self.say(f"[dim]{escape(line)}[/]")


def find_tool(name: str) -> str:
    """The path of a tool of this environment; a path is returned unchanged."""
    return name if os.sep in name else str(BIN / name)


def as_json(done: Completed) -> Any:
    """Parse the output of a command with --json. Raises DemoError if it is not JSON."""
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        raise DemoError(f"{Path(done.argv[0]).name} --json printed no JSON: {done.text[-400:]}") from error


def shorten(word: str) -> str:
    """A word of a command as a person would type it in the repository's root."""
    return word.removeprefix(f"{ROOT}{os.sep}")
