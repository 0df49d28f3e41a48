"""``chimes explain``: the question of a check and its reason, or the meaning of an error."""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Iterable
from typing import Any

import click

from chimes import errors
from chimes.checks.check import Check
from chimes.errors import ChimesError, NotFoundError

__all__ = ["command", "explain"]

EPILOG = """\b
Examples:
  chimes explain M11
  chimes explain device-unavailable --json

CODE is a check's code, a letter and two digits, or an error's code in lower-case words.

Exit status: 0 explained, 2 unknown code.
"""

FAULTS = {
    "user": "the user's",
    "plugin": "the plugin's",
    "infrastructure": "not the user's and not the plugin's: a machine, tool or service failed",
}


@click.command(epilog=EPILOG)
@click.argument("code")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(code: str, as_json: bool) -> None:
    """Explain a check or an error code."""
    found = explain(code)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo("\n".join(_check_lines(found) if found["type"] == "check" else _error_lines(found)))


def explain(code: str) -> dict[str, Any]:
    """The explanation of a code, as a JSON object with ``type`` check or error; raises NotFoundError."""
    checks = {check.code: check for check in _checks()}
    if code.upper() in checks:
        return _check(checks[code.upper()])
    tree = {error.code: error for error in _errors()}
    if code.lower() in tree:
        return _error(tree[code.lower()])
    known = [*checks, *tree]
    near = dict.fromkeys(
        [*difflib.get_close_matches(code.upper(), checks, 3), *difflib.get_close_matches(code.lower(), tree, 3)]
    )
    hint = f"did you mean {' or '.join(near)}?" if near else f"codes: {', '.join(sorted(known))}"
    raise NotFoundError(f"there is no check and no error with the code {code!r}", hint=hint)


def _checks() -> Iterable[type[Check[Any]]]:
    # The catalogues import every check and, with them, pyarrow and pydantic.
    from chimes.checks.catalogue import FILE_CHECKS  # noqa: PLC0415
    from chimes.conformance.catalogue import CHECKS  # noqa: PLC0415

    return (*FILE_CHECKS, *CHECKS)


def _errors() -> list[type[ChimesError]]:
    named = [getattr(errors, name) for name in errors.__all__]
    return [value for value in named if inspect.isclass(value) and issubclass(value, ChimesError)]


def _check(check: type[Check[Any]]) -> dict[str, Any]:
    return {
        "type": "check",
        "code": check.code,
        "title": check.title(),
        "rationale": check.rationale(),
        "severity": check.severity,
        "blocks": check.blocks,
        "source": check.source,
    }


def _error(error: type[ChimesError]) -> dict[str, Any]:
    return {
        "type": "error",
        "code": error.code,
        "name": error.__name__,
        "meaning": inspect.cleandoc(error.__doc__ or ""),
        "fault": error.fault,
        "retryable": error.retryable,
    }


def _check_lines(found: dict[str, Any]) -> Iterable[str]:
    yield f"{found['code']}  {found['title']}"
    if found["rationale"]:
        yield ""
        yield found["rationale"]
    yield ""
    yield f"severity: {found['severity']}"
    yield f"blocks:   {found['blocks'] or 'nothing'}"
    if found["source"]:
        yield f"source:   {found['source']}"


def _error_lines(found: dict[str, Any]) -> Iterable[str]:
    yield f"{found['code']}  {found['name']}"
    yield ""
    yield found["meaning"]
    yield ""
    yield f"fault:     {FAULTS[found['fault']]}"
    yield f"retryable: {'yes, the host may try again' if found['retryable'] else 'no'}"
