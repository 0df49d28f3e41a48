"""``chimes explain``: the question of a check and its reason, or the meaning of an error."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import click

from chimes import errors
from chimes.checks.check import Check
from chimes.errors import ChimesError, NotFoundError

__all__ = ["ExplainedCheck", "ExplainedError", "command", "explain"]

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


@dataclass(frozen=True, kw_only=True)
class ExplainedCheck:
    """A check: its question, the reason for it, and the weight of its findings."""

    type: Literal["check"] = "check"
    code: str
    title: str
    rationale: str
    severity: str
    blocks: str | None
    source: str | None

    def lines(self) -> Iterator[str]:
        """The explanation for a person."""
        yield f"{self.code}  {self.title}"
        if self.rationale:
            yield ""
            yield self.rationale
        yield ""
        yield f"severity: {self.severity}"
        yield f"blocks:   {self.blocks or 'nothing'}"
        if self.source:
            yield f"source:   {self.source}"


@dataclass(frozen=True, kw_only=True)
class ExplainedError:
    """An error: its meaning, whose fault it is, and whether a repetition may help."""

    type: Literal["error"] = "error"
    code: str
    name: str
    meaning: str
    fault: str
    retryable: bool

    def lines(self) -> Iterator[str]:
        """The explanation for a person."""
        yield f"{self.code}  {self.name}"
        yield ""
        yield self.meaning
        yield ""
        yield f"fault:     {FAULTS[self.fault]}"
        yield f"retryable: {'yes, the host may try again' if self.retryable else 'no'}"


@click.command(epilog=EPILOG)
@click.argument("code")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(code: str, as_json: bool) -> None:
    """Explain a check or an error code."""
    found = explain(code)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(found), indent=2))
    else:
        click.echo("\n".join(found.lines()))


def explain(code: str) -> ExplainedCheck | ExplainedError:
    """The explanation of a code; raises NotFoundError."""
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


def _check(check: type[Check[Any]]) -> ExplainedCheck:
    return ExplainedCheck(
        code=check.code,
        title=check.title(),
        rationale=check.rationale(),
        severity=check.severity,
        blocks=check.blocks,
        source=check.source,
    )


def _error(error: type[ChimesError]) -> ExplainedError:
    return ExplainedError(
        code=error.code,
        name=error.__name__,
        meaning=inspect.cleandoc(error.__doc__ or ""),
        fault=error.fault,
        retryable=error.retryable,
    )
