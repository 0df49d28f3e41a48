"""The type of path arguments on the command line."""

from __future__ import annotations

import os

import click

__all__ = ["GivenPath"]


class GivenPath(click.Path):
    """A path that is not empty: an empty one, from a variable that is not set, would mean the current folder."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Refuse the empty path."""
        if not os.fspath(value):
            self.fail("the path is empty", param, ctx)
        return super().convert(value, param, ctx)
