"""Polls a submission until it ends, and prints its result for a person or a script."""

from __future__ import annotations

import json
import sys
import time
from typing import Any, NoReturn

import click
from rich.console import Console

from chimes.cli.findings import safe, show_findings
from chimes.cli.marketplace.client import Marketplace, read_findings

__all__ = ["INTERRUPTED", "end_with", "poll", "wait_for"]

ENDS = {"listed": 0, "rejected": 1, "held": 1, "cancelled": 1, "infra": 2}
"""Exit status by the states in which a submission stays until it is changed by a request."""
INTERRUPTED = 130
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 2.0
SENTENCES = {
    "listed": "[green]listed[/]: it can be installed",
    "rejected": "[red]rejected[/]: correct what is below, and publish again; the version number is still free",
    "held": "[yellow]held[/]: not listed yet, an admin of the marketplace must approve it first",
    "cancelled": "[yellow]cancelled[/]: it is not listed; validate it again with: chimes retry {id}",
    "infra": "[magenta]not judged[/]: the marketplace could not run it, which is not your fault: chimes retry {id}",
    "validating": "[blue]validating[/]: the report page shows its progress",
    "staged": "[blue]staged[/]: its files are uploaded, the validation has not begun",
}


def wait_for(marketplace: Marketplace, number: int, console: Console, *, as_json: bool) -> NoReturn:
    """Poll a submission until it ends, show it, and exit. Ctrl-C ends only the polling."""
    try:
        end_with(poll(marketplace, number, console), console, as_json=as_json)
    except KeyboardInterrupt:
        click.echo(f"\nsubmission {number} continues; end it with: chimes cancel {number}", err=True)
        sys.exit(INTERRUPTED)


def poll(marketplace: Marketplace, number: int, console: Console) -> dict[str, Any]:
    """Poll until the submission has ended; its last state. Raises ChimesError."""
    pause_s = FIRST_PAUSE_S
    with console.status("validating") as status:
        while (found := marketplace.show(number)).get("state") not in ENDS:
            status.update(safe(_progress(found)))
            time.sleep(pause_s)
            pause_s = min(1.5 * pause_s, LONGEST_PAUSE_S)
    return found


def end_with(found: dict[str, Any], console: Console, *, as_json: bool, status: int | None = None) -> NoReturn:
    """Print a submission, and exit with the status of its state, or with the one given."""
    if as_json:
        click.echo(json.dumps(_chosen(found), indent=2))
    else:
        _show(found, Console())
    sys.exit(ENDS.get(str(found.get("state")), 2) if status is None else status)


def _progress(found: dict[str, Any]) -> str:
    name = f"{found.get('project')} {found.get('version')}"
    runs = [run for run in found.get("runs") or () if isinstance(run, dict)]
    done = sum(run.get("outcome") is not None for run in runs)
    place = f", place {found['position']} in the queue" if found.get("position") else ""
    return f"{found.get('state')} {name}: {done} of {len(runs)} runs done{place}"


def _chosen(found: dict[str, Any]) -> dict[str, Any]:
    names = ("project", "version", "state", "reason", "findings", "files", "runs", "report_url", "stage_url")
    return {"submission": found.get("id"), **{name: found.get(name) for name in names}}


def _show(found: dict[str, Any], console: Console) -> None:
    state = str(found.get("state"))
    number = safe(str(found.get("id")))
    sentence = SENTENCES[state].format(id=number) if state in SENTENCES else safe(state)
    title = safe(f"{found.get('project')} {found.get('version')}")
    console.print(f"[bold]{title}[/] (submission {number}) {sentence}", soft_wrap=True)
    if found.get("reason"):
        console.print(f"  reason: {safe(str(found['reason']))}", soft_wrap=True)
    show_findings(read_findings(found.get("findings")), console)
    console.print()
    for what in ("report", "stage"):
        if found.get(f"{what}_url"):
            console.print(f"{what}: {safe(str(found[f'{what}_url']))}", soft_wrap=True)
