"""Uploads files to a marketplace with twine as a library: the usual requests, and answers in JSON."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from chimes.cli.marketplace.client import Market, attempt, no_marketplace, read_answer, read_findings, refusal
from chimes.errors import ConfigError
from chimes.evidence.finding import Finding

try:
    import requests
    from twine.package import PackageFile
    from twine.settings import Settings
except ModuleNotFoundError as error:
    raise ConfigError(
        f"chimes publish needs {error.name}, which is not installed", hint="pip install 'chimes[author]'"
    ) from error

__all__ = ["Uploads", "upload_files"]

REFUSALS = (400, 409, 413, 422)
"""Statuses of answers about the file; others are about the request."""


@dataclass
class Uploads:
    """The answers to the uploads so far. ``refused``: the answer for the first file that was refused."""

    accepted: list[dict[str, Any]] = field(default_factory=list)
    refused: dict[str, Any] | None = None

    @property
    def submission(self) -> int | None:
        """The number of the newest submission that took a file, None if none did."""
        return max((int(answer["submission"]) for answer in self.accepted), default=None)

    @property
    def is_staged(self) -> bool:
        """Whether that submission waits for more files."""
        found = [answer for answer in self.accepted if answer["submission"] == self.submission]
        return bool(found) and found[-1].get("state") == "staged"

    @property
    def findings(self) -> list[Finding]:
        """The findings of the refused file, else of those that were accepted."""
        answers = [self.refused] if self.refused is not None else self.accepted
        return [finding for answer in answers for finding in read_findings(answer.get("findings"))]


def upload_files(market: Market, files: Sequence[Path], progress: Callable[[str], None]) -> Uploads:
    """Upload one file after the other until one is refused.

    Raises AuthError and the like where the request itself is refused, InfrastructureError, ConfigError for a file
    that twine cannot read.
    """
    uploads = Uploads()
    logging.getLogger("twine").setLevel(logging.ERROR)
    # Its configuration file and keyring are for other indexes; what it prints must not mix with what we print.
    settings = Settings(
        repository_url=f"{market.url}/legacy/",
        username="__token__",
        password=market.token,
        non_interactive=True,
        disable_progress_bar=True,
        config_file=os.devnull,
    )
    repository = settings.create_repository()
    repository.session.headers["Accept"] = "application/json"
    with contextlib.closing(repository), open(os.devnull, "w", encoding="utf-8") as nowhere:
        for path in files:
            progress(f"uploading {path.name}")
            package = _package(path)
            with contextlib.redirect_stdout(nowhere):
                response = attempt(partial(repository.upload, package, max_redirects=1), market.url)
            answer = _read(response, market)
            if response.status_code != requests.codes.ok:
                uploads.refused = {"filename": path.name, **answer}
                break
            uploads.accepted.append(answer)
    return uploads


def _package(path: Path) -> PackageFile:
    try:
        return PackageFile.from_filename(str(path), None)
    except Exception as error:  # twine lets through whatever readers of archives and metadata raise
        raise ConfigError(
            f"{path.name} cannot be uploaded: {error}", hint="leave out --skip-checks to see what is wrong with it"
        ) from error


def _read(response: requests.Response, market: Market) -> dict[str, Any]:
    if response.status_code in REFUSALS:
        return read_answer(response, market.url)
    if response.status_code != requests.codes.ok:
        raise refusal(response, market.url)
    answer = read_answer(response, market.url)
    if not isinstance(answer.get("submission"), int):
        raise no_marketplace(response, market.url)
    return answer
