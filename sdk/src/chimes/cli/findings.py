"""Shows findings to a person: each with its fix, those that say the same together, nothing a terminal would obey."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape

from chimes.checks.check import Finding
from chimes.conformance.report import printable

__all__ = ["safe", "show_findings"]

MARKS = {"error": "[red]✗ error[/]", "warning": "[yellow]! warning[/]", "info": "[blue]i info[/]"}


def show_findings(findings: Iterable[Finding], console: Console) -> None:
    """One paragraph for each, in the order given; what differs only by code and place is said once."""
    groups: dict[tuple[str, str, str | None, str], list[Finding]] = {}
    for finding in findings:
        key = (finding.severity, finding.message, finding.said, finding.fix)
        groups.setdefault(key, []).append(finding)
    for alike in groups.values():
        _show(alike, console)


def safe(text: str) -> str:
    """``text`` as markup: whoever chose it, it moves no cursor, and colours or hides nothing around it."""
    return escape(printable(text))


def _show(alike: list[Finding], console: Console) -> None:
    finding = alike[0]
    codes = " ".join(dict.fromkeys(each.code for each in alike))
    places = ", ".join(dict.fromkeys(each.where for each in alike if each.where))
    where = f" [dim]({safe(places)})[/]" if places else ""
    console.print(f"\n{MARKS[finding.severity]} [bold]{safe(codes)}[/] {safe(finding.message)}{where}", soft_wrap=True)
    if finding.said and (lines := finding.said.strip().splitlines()):
        console.print(f"    [dim]said: {safe(lines[-1])}[/]", soft_wrap=True)
    console.print(f"    [green]fix:[/] {safe(finding.fix)}", soft_wrap=True)
