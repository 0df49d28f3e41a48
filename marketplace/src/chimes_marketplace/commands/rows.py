"""Prints lists: aligned columns for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import click

__all__ = ["json_option", "show"]

Function = TypeVar("Function", bound=Callable[..., Any])


def json_option(function: Function) -> Function:
    """Give a command the parameter ``as_json``."""
    decorated: Function = click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")(function)
    return decorated


def show(rows: Sequence[Mapping[str, object]], *, as_json: bool, empty: str) -> None:
    """Print rows that have the same keys; ``empty`` is printed for people if there are no rows."""
    if as_json:
        click.echo(json.dumps([dict(row) for row in rows], indent=2, default=_text))
    elif not rows:
        click.echo(empty)
    else:
        table = [list(rows[0]), *([_text(value) for value in row.values()] for row in rows)]
        widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
        for line in table:
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            click.echo("  ".join(cells).rstrip())


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return "-" if value is None else str(value)
