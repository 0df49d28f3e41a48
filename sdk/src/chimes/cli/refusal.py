"""Ends a command that failed: an error code, one sentence and one fix, as text and as JSON."""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import NoReturn

import click

from chimes.errors import ChimesError, InfrastructureError, InternalError, OutOfMemoryError, UsageError
from chimes.text import escape

__all__ = ["as_chimes", "refuse", "refuse_usage"]

REPORT = "report it to the authors of Chimes, with what CHIMES_DEBUG=1 prints before it"


def as_chimes(error: Exception) -> ChimesError:
    """``error`` as a ChimesError; a file that the system refuses is not a bug of Chimes."""
    if isinstance(error, ChimesError):
        return error
    if isinstance(error, OSError):
        what = f"{str(error.filename)!r} cannot be used" if error.filename else "the system refused"
        hint = "check the path, your permissions and the space on the disk"
        return InfrastructureError(f"{what}: {error.strerror or error}", hint=hint)
    if isinstance(error, MemoryError):
        return OutOfMemoryError(
            "this machine does not have enough memory", hint="use a machine with more memory, or less data"
        )
    if os.environ.get("CHIMES_DEBUG"):
        for line in "".join(traceback.format_exception(error)).splitlines():
            click.echo(escape(line), err=True)
    return InternalError(f"Chimes itself failed with {type(error).__name__}: {error}", hint=REPORT)


def refuse(error: ChimesError) -> NoReturn:
    """Show ``error`` with control characters escaped; exit with status 2."""
    if "--json" in sys.argv[1:]:
        values = {"code": error.code, "message": str(error), "fix": error.hint, "fault": error.fault}
        click.echo(json.dumps({"error": values}, indent=2))
    click.echo(f"chimes: {error.code}: {escape(str(error))}", err=True)
    if error.hint:
        click.echo(f"  fix: {escape(error.hint)}", err=True)
    sys.exit(2)


def refuse_usage(error: click.ClickException) -> NoReturn:
    """Refuse a command line that click cannot parse; without any arguments show the help."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None and not sys.argv[1:]:
        error.show()
        sys.exit(2)
    if context is not None:
        click.echo(context.get_usage(), err=True)
    path = context.command_path if context is not None else "chimes"
    refuse(UsageError(error.format_message(), hint=f"see {path} --help"))
