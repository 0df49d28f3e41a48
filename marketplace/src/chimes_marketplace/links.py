"""Absolute addresses: below the public one where it is set, else below the one that was asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from litestar import Request

from chimes_marketplace.catalog.tables import File
from chimes_marketplace.market import Market
from chimes_marketplace.submissions.tables import Submission

__all__ = ["Links"]


@dataclass(frozen=True)
class Links:
    """The addresses of one marketplace; ``base`` ends without a slash."""

    base: str

    @classmethod
    def of(cls, request: Request[Any, Any, Any], market: Market) -> Links:
        """For the answer to this request."""
        return cls((market.settings.public_url or str(request.base_url)).rstrip("/"))

    def project(self, name: str) -> str:
        """The page of a project."""
        return f"{self.base}/plugins/{quote(name)}/"

    def release(self, name: str, version: str) -> str:
        """The page of a release."""
        return f"{self.base}/plugins/{quote(name)}/{quote(version)}/"

    def report(self, submission: Submission) -> str:
        """The validation report; what is not listed asks for credentials there."""
        return f"{self.base}/reports/{submission.id}/"

    def stage(self, submission: Submission) -> str:
        """The index that only who knows its address can install from."""
        return f"{self.base}/stage/{submission.secret}/simple/"

    def file(self, file: File, submission: Submission | None) -> str | None:
        """Where its bytes are: public if it is listed, else below the stage of ``submission``, if that is given."""
        path = f"files/{file.sha256}/{quote(file.filename)}"
        if file.listed_at is not None:
            return f"{self.base}/{path}"
        return None if submission is None else f"{self.base}/stage/{submission.secret}/{path}"
