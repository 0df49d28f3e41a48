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

from chimes.cli.marketplace.client import Marketplace, attempt, no_marketplace, read_answer, read_findings, refusal
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


def upload_files(marketplace: Marketplace, files: Sequence[Path], progress: Callable[[str], None]) -> Uploads:
    """Upload one file after the other until one is refused.

    Raises AuthError and the like where the request itself is refused, InfrastructureError, ConfigError for a file
    that twine cannot read.
    """
    uploads = Uploads()
    logging.getLogger("twine").setLevel(logging.ERROR)
    # Its configuration file and keyring are for other indexes; its output must not mix with the output of this command.
    settings = Settings(
        repository_url=f"{marketplace.url}/legacy/",
        username="__token__",
        password=marketplace.token,
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
                response = attempt(partial(repository.upload, package, max_redirects=1), marketplace.url)
            answer = _read(response, marketplace)
            if response.status_code != requests.codes.ok:
                uploads.refused = {"filename": path.name, **answer}
                break
            uploads.accepted.append(answer)
    return uploads


def _package(path: Path) -> PackageFile:
    try:
        return PackageFile.from_filename(str(path), None)
    except Exception as error:  # twine passes on all exceptions of its readers
        raise ConfigError(
            f"{path.name} cannot be uploaded: {error}", hint="leave out --skip-checks to see what is wrong with it"
        ) from error


def _read(response: requests.Response, marketplace: Marketplace) -> dict[str, Any]:
    if response.status_code in REFUSALS:
        return read_answer(response, marketplace.url)
    if response.status_code != requests.codes.ok:
        raise refusal(response, marketplace.url)
    answer = read_answer(response, marketplace.url)
    if not isinstance(answer.get("submission"), int):
        raise no_marketplace(response, marketplace.url)
    return answer
