"""Prints findings on a terminal: each with its fix; equal findings are grouped, control characters escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape as escape_markup

from chimes.evidence.finding import Finding, group_findings
from chimes.text import escape

__all__ = ["safe", "show_findings"]

LONGEST = 500
MARKS = {"error": "[red]✗ error[/]", "warning": "[yellow]! warning[/]", "info": "[blue]i info[/]"}


def show_findings(findings: Iterable[Finding], console: Console) -> None:
    """One paragraph for each group of findings that differ only by code and place, in the order given."""
    for group in group_findings(findings):
        _show(group, console)


def safe(text: str) -> str:
    """Text of unknown origin, with control characters and markup escaped, and shortened."""
    return escape_markup(escape(text, limit=LONGEST))


def _show(group: Sequence[Finding], console: Console) -> None:
    finding = group[0]
    codes = " ".join(dict.fromkeys(each.code for each in group))
    places = ", ".join(dict.fromkeys(each.where for each in group if each.where))
    where = f" [dim]({safe(places)})[/]" if places else ""
    console.print(f"\n{MARKS[finding.severity]} [bold]{safe(codes)}[/] {safe(finding.message)}{where}", soft_wrap=True)
    if finding.said and (lines := finding.said.strip().splitlines()):
        console.print(f"    [dim]detail: {safe(lines[-1])}[/]", soft_wrap=True)
    console.print(f"    [green]fix:[/] {safe(finding.fix)}", soft_wrap=True)
