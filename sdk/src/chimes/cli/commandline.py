"""Extensions of click: a group that imports its commands on demand, and a path that must not be empty."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from typing import Any

import click

__all__ = ["GivenPath", "LazyGroup"]


class LazyGroup(click.Group):
    """Commands by name: ``verbs`` has one line of help for each, in the order in which they are shown.

    The command of a verb is ``command`` in the module of that name in ``package``.
    """

    def __init__(self, *args: Any, verbs: Mapping[str, str], package: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.verbs = verbs
        self.package = package

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in their own order, not by the alphabet."""
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb's module; None if there is no such verb."""
        if cmd_name not in self.verbs:
            return None
        command: click.Command = importlib.import_module(f"{self.package}.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of verbs without importing their modules."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.verbs.items()))


class GivenPath(click.Path):
    """A path that must not be empty: an empty one, as of an unset variable, would mean the current folder."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Refuse the empty path."""
        if not os.fspath(value):
            self.fail("the path is empty", param, ctx)
        return super().convert(value, param, ctx)
