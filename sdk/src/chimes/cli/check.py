"""``chimes check``: a project folder, a wheel or an sdist against all rules, every finding at once."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.console import Console

from chimes.cli.commandline import GivenPath
from chimes.cli.findings import safe, show_findings
from chimes.errors import ConfigError
from chimes.evidence.verdict import CheckResult

try:
    from chimes.conformance.options import Nonce, Options
    from chimes.conformance.report import Report
    from chimes.conformance.rules import Rules
    from chimes.conformance.run import check_path
except ModuleNotFoundError as error:
    raise ConfigError(
        f"chimes check needs {error.name}, which is not installed", hint="pip install 'chimes[author]'"
    ) from error

__all__ = ["command"]

EPILOG = """\b
Examples:
  chimes check my-model
  chimes check dist/my_model-0.1.0-py3-none-any.whl --json
  chimes check my-model --sandbox --out report

\b
Exit status:
  0  clean: no finding of severity error
  1  findings of severity error
  2  could not run: no such path, it does not build, no sandbox
"""

UNSANDBOXED = "Your own code runs here without a sandbox; the marketplace runs it in one (--sandbox)."
INDENT = 27
"""Where the codes of a part begin."""


@click.command(epilog=EPILOG)
@click.argument("path", type=GivenPath(path_type=Path))
@click.option(
    "--sandbox", is_flag=True, help="Run the plugin in a sandbox, as the marketplace does (bubblewrap, strace)."
)
@click.option("--rules", type=GivenPath(path_type=Path), help="Rules, a TOML file. Default: built in.")
@click.option("--nonce-file", type=GivenPath(path_type=Path), help="64 hexadecimal digits. Default: fresh.")
@click.option("--lock", type=GivenPath(path_type=Path), help="A pylock.toml to repeat a run. Default: resolve.")
@click.option("--out", type=GivenPath(path_type=Path), help="Folder for plan, verdict, run record, lock, logs.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    path: Path,
    sandbox: bool,
    rules: Path | None,
    nonce_file: Path | None,
    lock: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Check a plugin: archive, metadata, and the conformance of each component."""
    console = Console(stderr=True)
    if lock is not None and not lock.is_file():
        raise ConfigError(f"there is no lock file {lock}", hint="give the pylock.toml of an earlier run's --out")
    if lock is not None and not sandbox:
        raise ConfigError("--lock is for --sandbox: without it nothing is installed", hint="add --sandbox")
    if out is not None:
        _make_folder(out)
    if not sandbox:
        console.print(f"[dim]{UNSANDBOXED}[/]")
    with console.status("starting") as status:
        options = Options(
            sandbox=sandbox,
            rules=Rules() if rules is None else Rules.read(rules),
            nonce=Nonce.fresh() if nonce_file is None else Nonce.read(nonce_file),
            lock=lock,
            out=out,
            progress=lambda text: status.update(safe(text)),
        )
        report = check_path(path, options)
    if out is not None:
        report.write(out)
    if as_json:
        click.echo(json.dumps(to_json(report), indent=2))
    else:
        show(report, Console())
    sys.exit(0 if report.is_clean else 1)


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the folder {str(out)!r} for the report cannot be made: {error.strerror}",
            hint="give --out a folder, or a path that you may make one at",
        ) from error


def to_json(report: Report) -> dict[str, object]:
    """What ``--json`` prints: the verdict document, and all findings with the text of the plugin."""
    findings = [finding.model_dump(mode="json") for finding in report.findings]
    return {"clean": report.is_clean, "findings": findings, **report.verdict_document().model_dump(mode="json")}


def show(report: Report, console: Console) -> None:
    """The report for a person: a line for each part, then each finding with its fix, then the verdict."""
    console.print(f"[bold]{safe(report.file)}[/]")
    _line(console, "file and entry", report.checks)
    for component in report.components:
        _line(console, f"{component.kind} {component.name}", component.results)
    if left := sorted({result.code for result in report.results if result.verdict == "not_run"}):
        is_library = "S01" not in {result.code for result in report.results}
        why = ": a library runs in a sandbox only" if is_library and not report.sandboxed else ""
        console.print(f"  [dim]not run: {' '.join(left)}{why}[/]")
    show_findings(report.findings, console)
    errors = sum(finding.severity == "error" for finding in report.findings)
    count = sum(1 for _ in report.results)
    verdict = "[green]clean[/]" if report.is_clean else f"[red]{errors} error{'s' if errors != 1 else ''}[/]"
    console.print(f"\n{verdict}: {count} checks in {report.seconds:.1f} s")
    if not report.is_clean:
        codes = sorted({finding.code for finding in report.findings})
        console.print(f"[dim]chimes explain {codes[0] if codes else 'A01'} says why a check exists[/]")


def _line(console: Console, title: str, results: tuple[CheckResult, ...]) -> None:
    colours = {"pass": "green", "fail": "red", "warn": "yellow", "infra": "magenta"}
    cells = [f"[{colours.get(result.verdict, 'dim')}]{result.code}[/]" for result in results]
    room = max(1, (console.width - INDENT) // len("A01 "))
    for start in range(0, max(1, len(cells)), room):
        head = safe(title) if start == 0 else ""
        console.print(f"  {head:<{INDENT - 3}} {' '.join(cells[start : start + room])}")
