"""Paths on the command line."""

from __future__ import annotations

import os

import click

__all__ = ["GivenPath"]


class GivenPath(click.Path):
    """A path that must not be empty: an empty one comes from a variable that is not set, not from this folder."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Refuse the empty path."""
        if not os.fspath(value):
            self.fail("the path is empty", param, ctx)
        return super().convert(value, param, ctx)
