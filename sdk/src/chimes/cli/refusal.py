"""Ends a command that could not do its work: a code, one sentence and one fix, for a person and as JSON."""

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
    """``error`` as one of the tree. A file that the system refuses, whichever verb met it, is no fault of Chimes."""
    if isinstance(error, ChimesError):
        return error
    if isinstance(error, OSError):
        what = f"{str(error.filename)!r} cannot be used" if error.filename else "the system refused"
        hint = "see to the path, to your rights on it and to the space on its disk"
        return InfrastructureError(f"{what}: {error.strerror or error}", hint=hint)
    if isinstance(error, MemoryError):
        return OutOfMemoryError("this machine has not enough memory", hint="use a machine with more, or less data")
    if os.environ.get("CHIMES_DEBUG"):
        for line in "".join(traceback.format_exception(error)).splitlines():
            click.echo(escape(line), err=True)
    return InternalError(f"Chimes itself failed with {type(error).__name__}: {error}", hint=REPORT)


def refuse(error: ChimesError) -> NoReturn:
    """Show ``error``, and nothing in it that a terminal would obey; exit with status 2."""
    if "--json" in sys.argv[1:]:
        form = {"code": error.code, "message": str(error), "fix": error.hint, "fault": error.fault}
        click.echo(json.dumps({"error": form}, indent=2))
    click.echo(f"chimes: {error.code}: {escape(str(error))}", err=True)
    if error.hint:
        click.echo(f"  fix: {escape(error.hint)}", err=True)
    sys.exit(2)


def refuse_usage(error: click.ClickException) -> NoReturn:
    """The same for a command line that click does not understand; for none at all the help."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None and not sys.argv[1:]:
        error.show()
        sys.exit(2)
    if context is not None:
        click.echo(context.get_usage(), err=True)
    path = context.command_path if context is not None else "chimes"
    refuse(UsageError(error.format_message(), hint=f"{path} --help says what it takes"))
