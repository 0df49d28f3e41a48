"""``chimes run``: compose a pipeline and report every problem, or run it and show its progress."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TypeVar

import click
from rich.console import Console
from rich.table import Table

from chimes.cli.commandline import GivenPath
from chimes.cli.findings import safe
from chimes.cli.stdout import redirected_stdout
from chimes.context import CancelToken
from chimes.errors import ChimesError, CompositionError, Problem
from chimes.pipelines.composer import compose
from chimes.pipelines.composition import Composition
from chimes.pipelines.launcher import RunReport, run
from chimes.pipelines.monitor import Event, LogLine, Progressed, Retrying, StateChanged, Submitted
from chimes.pipelines.spec import read_pipeline
from chimes.text import escape

__all__ = ["command"]

T = TypeVar("T")
EPILOG = """\b
Examples:
  chimes run pipeline.toml
  chimes run pipeline.toml --dry-run          (compose only: what fits, what does not)
  chimes run pipeline.toml --json | jq .result.output

Exit status: 0 done, 1 the run failed, 2 it does not compose (nothing was started).
"""


@click.command(epilog=EPILOG)
@click.argument("file", type=GivenPath(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--dry-run", is_flag=True, help="Compose and stop: start nothing.")
def command(file: Path, as_json: bool, dry_run: bool) -> None:
    """Run a pipeline from a TOML file, if its parts fit together."""
    console = Console(stderr=as_json, highlight=False)
    try:
        composition = _call(as_json, lambda: compose(read_pipeline(file)))
    except ChimesError as error:
        _refuse(error, as_json)
        sys.exit(2)
    if not as_json:
        _show_composition(console, composition)
    if dry_run:
        click.echo(_composition_json(composition) if as_json else "It composes. Nothing was started.")
        return
    with _cancel_on_interrupt(console) as cancel:
        try:
            watch = (lambda event: None) if as_json else _watcher(console)
            report = _call(as_json, lambda: run(composition, watch=watch, cancel=cancel))
        except OSError as error:
            # Not status 2: something may have been started.
            _say(f"chimes: infrastructure: {error.filename or 'the system'}: {error.strerror or error}")
            sys.exit(1)
    if as_json:
        click.echo(json.dumps(report.model_dump(mode="json"), indent=2))
    else:
        _show_report(console, report)
    sys.exit(1 if report.failure else 0)


def _call(as_json: bool, step: Callable[[], T]) -> T:
    """Call ``step``; with --json what plugins print goes to stderr, because stdout is for one JSON object."""
    with redirected_stdout() if as_json else nullcontext():
        return step()


def _refuse(error: ChimesError, as_json: bool) -> None:
    fix = error.hint or f"chimes explain {error.code}"
    problems: tuple[Problem, ...] = (Problem(code=error.code, message=str(error), fix=fix, where="file"),)
    if isinstance(error, CompositionError) and error.problems:
        problems = error.problems
    if as_json:
        found = {"composed": False, "error": str(error), "problems": [asdict(problem) for problem in problems]}
        click.echo(json.dumps(found, indent=2))
        return
    _say(f"chimes: {error.code}: {error}. Nothing was started.")
    for problem in problems:
        _say(f"  {problem.code} ({problem.where}): {problem.message}")
        _say(f"    fix: {problem.fix}")


def _say(line: str) -> None:
    click.echo(escape(line), err=True)


def _show_composition(console: Console, composition: Composition) -> None:
    pipeline = composition.pipeline
    console.print(
        f"[bold]{safe(pipeline.name)}[/bold]: {pipeline.source.component} {safe(repr(pipeline.source.stream))} -> "
        f"{pipeline.model.component} on {composition.device} -> {safe(composition.output_path.name)}"
    )
    table = Table(title="columns", title_justify="left")
    for title in ("input", "source", "cast", "verdict"):
        table.add_column(title, overflow="fold")
    for row in composition.rows():
        table.add_row(*map(safe, row))
    console.print(table)
    kept = ", ".join(pipeline.model.keep) or "nothing"
    pools = ", ".join(placement.pool for placement in composition.placements)
    console.print(f"kept beside the outputs: {safe(kept)}; runs on {pipeline.backend.component}, pool {safe(pools)}")


def _watcher(console: Console) -> Callable[[Event], None]:
    def show(event: Event) -> None:
        match event:
            case Submitted():
                console.print(
                    f"submitted as {safe(event.native_id)}" + (f", attempt {event.attempt}" * (event.attempt > 1)),
                    soft_wrap=True,
                )
            case StateChanged():
                why = f" ({event.pending_reason})" if event.pending_reason else ""
                console.print(f"state: {event.state.value}{safe(why)}")
            case Progressed():
                console.print(f"{safe(event.stage)}: {event.rows} rows")
            case LogLine():
                console.print(f"  {event.stream} | {escape(event.text.expandtabs())}", style="dim", markup=False)
            case Retrying():
                because = escape(event.because)
                console.print(f"attempt {event.attempt} failed: {because}; again in {event.delay_s:g} s", markup=False)

    return show


def _show_report(console: Console, report: RunReport) -> None:
    if result := report.result:
        seconds = safe(", ".join(f"{stage} {value:.2f} s" for stage, value in result.seconds.items()))
        console.print(
            f"[green]done[/green]: {result.output.rows} rows on {safe(result.device)} ({seconds})", soft_wrap=True
        )
        console.print(f"output: {escape(result.output.path)}", markup=False, soft_wrap=True)
    if failure := report.failure:
        stage = f" (while: {failure.stage})" if failure.stage else ""
        _say(f"chimes: {failure.code}: {failure.message}{stage}")
        _say(f"  fix: {failure.hint or f'chimes explain {failure.code}'}")
        _say(f"  log: {report.log}")


@contextmanager
def _cancel_on_interrupt(console: Console) -> Iterator[CancelToken]:
    """The first Ctrl-C cancels the job and waits for its end; the second leaves at once."""
    token = CancelToken()

    def ask(number: int, frame: FrameType | None) -> None:
        if token.is_cancelled:
            raise KeyboardInterrupt
        token.cancel("user")
        console.print("cancelling the job; press Ctrl-C again to leave without waiting")

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield token
    finally:
        signal.signal(signal.SIGINT, before)


def _composition_json(composition: Composition) -> str:
    shown = composition.model_dump(mode="json", include={"columns", "placements", "versions"})
    names = {"composed": True, "pipeline": composition.pipeline.name, "output": str(composition.output_path)}
    return json.dumps(names | shown, indent=2)
