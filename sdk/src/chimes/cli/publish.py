"""``chimes publish``: check, upload, close the submission, wait for the end of its validation."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console

from chimes.cli.commandline import GivenPath
from chimes.cli.findings import safe, show_findings
from chimes.cli.marketplace.client import Marketplace, marketplace_options
from chimes.cli.marketplace.polling import INTERRUPTED, end_with, wait_for
from chimes.cli.marketplace.releasefiles import check_files, collect_files
from chimes.cli.marketplace.uploading import Uploads, upload_files
from chimes.errors import ChimesError, ConflictError
from chimes.evidence.finding import Finding
from chimes.processes import scratch_folder

__all__ = ["command"]

EPILOG = """\b
Examples:
  chimes publish my-model
  chimes publish dist --json
  chimes publish dist/*.whl --url https://market.example.org --no-wait

PATH is a wheel, an sdist, a folder with those of one release, or a project folder: that is built first, by its own
build backend and without a sandbox. The files are checked here before they are sent (archive, names, metadata); a
marketplace may have other rules; with --skip-checks only the marketplace checks the files.

\b
Exit status:
  0    listed (with --no-wait: uploaded, and the validation has begun)
  1    not listed: refused, rejected, held for an admin, or cancelled; the findings are shown
  2    could not: no server, a bad token, nothing to publish, or the marketplace could not run it
  130  ended with Ctrl-C; the validation of uploaded files continues
"""


@click.command(epilog=EPILOG)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=GivenPath(path_type=Path))
@click.option("--no-wait", is_flag=True, help="Do not wait for the validation.")
@click.option("--skip-checks", is_flag=True, help="Send the files unchecked: the marketplace checks them anyway.")
@marketplace_options
def command(
    paths: tuple[Path, ...], no_wait: bool, skip_checks: bool, url: str | None, token: str | None, as_json: bool
) -> None:
    """Publish the files of one release on a marketplace."""
    console = Console(stderr=True)
    marketplace = Marketplace.at(url, token)
    with scratch_folder("chimes-publish-") as scratch:
        with console.status("checking the files") as status:
            files = collect_files(paths, scratch, lambda text: status.update(safe(text)))
            findings = [] if skip_checks else check_files(files)
        if any(finding.severity == "error" for finding in findings):
            _refuse(files, findings, "not uploaded: correct this first", None, as_json=as_json)
        uploads = _upload(marketplace, files, console)
    number = uploads.submission
    if uploads.refused is not None or number is None:
        _refuse_upload(marketplace, files, uploads, as_json=as_json)
    found = _close(marketplace, number) if uploads.is_staged else marketplace.show(number)
    if no_wait:
        end_with(found, console, as_json=as_json, status=0)
    wait_for(marketplace, number, console, as_json=as_json)


def _upload(marketplace: Marketplace, files: Sequence[Path], console: Console) -> Uploads:
    try:
        with console.status("uploading") as status:
            return upload_files(marketplace, files, lambda text: status.update(safe(text)))
    except KeyboardInterrupt:
        click.echo(
            "\nthe upload was interrupted; files that have arrived are validated unless you cancel the submission",
            err=True,
        )
        sys.exit(INTERRUPTED)


def _close(marketplace: Marketplace, number: int) -> dict[str, Any]:
    """Close the submission; one that is closed already (an earlier request, the quiet time) is returned as it is."""
    try:
        return marketplace.change(number, "close")
    except ConflictError:
        return marketplace.show(number)


def _refuse_upload(marketplace: Marketplace, files: Sequence[Path], uploads: Uploads, *, as_json: bool) -> NoReturn:
    """Report why a file was refused, and cancel the submission of the others: half a release must not be listed."""
    refused = uploads.refused or {}
    number = uploads.submission if uploads.is_staged else None
    sentence = f"refused: {refused.get('filename')}: {refused.get('message')}"
    if number is not None:
        try:
            marketplace.change(number, "cancel")
            sentence += f" (submission {number} with the other files was cancelled)"
        except ChimesError:
            sentence += f" (submission {number} has the other files: chimes cancel {number})"
    findings = uploads.findings or [_of_refusal(refused)]
    _refuse(files, findings, sentence, number, as_json=as_json)


def _of_refusal(refused: dict[str, Any]) -> Finding:
    return Finding(
        code=str(refused.get("code", "refused")),
        severity="error",
        blocks="upload",
        message=str(refused.get("message")),
        fix=str(refused.get("fix") or "correct what the message names"),
        where=str(refused.get("filename")),
    )


def _refuse(
    files: Sequence[Path], findings: Sequence[Finding], sentence: str, number: int | None, *, as_json: bool
) -> NoReturn:
    if as_json:
        refusal = {
            "submission": number,
            "state": "refused",
            "reason": sentence,
            "files": [path.name for path in files],
            "findings": [finding.model_dump(mode="json") for finding in findings],
        }
        click.echo(json.dumps(refusal, indent=2))
    else:
        console = Console()
        console.print(f"[red]{safe(sentence)}[/]", soft_wrap=True)
        show_findings(findings, console)
    sys.exit(1)
