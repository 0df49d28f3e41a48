"""Absolute URLs: below the public URL if it is set, else below the URL of the request."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from chimes_marketplace.catalog.tables import File
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.submissions.tables import Submission
from chimes_marketplace.web.state import Marketplace

__all__ = ["Links", "check_host"]

HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


@dataclass(frozen=True)
class Links:
    """The addresses of one marketplace; ``base`` ends without a slash."""

    base: str

    @classmethod
    def of(cls, request: Request[Any, Any, Any], market: Marketplace) -> Links:
        """The addresses for the response to this request."""
        return cls((market.settings.public_url or _request_base(request)).rstrip("/"))

    def project(self, name: str) -> str:
        """The page of a project."""
        return f"{self.base}/plugins/{quote(name)}/"

    def release(self, name: str, version: str) -> str:
        """The page of a release."""
        return f"{self.base}/plugins/{quote(name)}/{quote(version)}/"

    def report(self, submission: Submission) -> str:
        """The validation report; it needs a token if the submission is not listed."""
        return f"{self.base}/reports/{submission.id}/"

    def stage(self, submission: Submission) -> str:
        """The stage: an index at a secret URL."""
        return f"{self.base}/stage/{submission.secret}/simple/"

    def file(self, file: File, submission: Submission | None) -> str | None:
        """The file's public address if it is listed, else that on the stage of ``submission``; None without one."""
        path = f"files/{file.sha256}/{quote(file.filename)}"
        if file.listed_at is not None:
            return f"{self.base}/{path}"
        return None if submission is None else f"{self.base}/stage/{submission.secret}/{path}"


def check_host(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Refuse a Host header that is not valid in a URL (RFC 9112, 3.2), on every route; it may be absent.

    Raises MarketplaceError ``bad-request``.
    """
    for host in connection.headers.getall("host", []):
        if host and not _is_host(host):
            # The message has no value: a client that puts credentials into an address may have put them here.
            message = "the Host header is not a valid host name"
            fix = "send the name of this server, and its port if it has one"
            raise MarketplaceError("bad-request", message, fix=fix)


def _request_base(request: Request[Any, Any, Any]) -> str:
    """The base URL of the request; the address of this server if the Host header is absent or invalid."""
    host = request.headers.get("host", "")
    if not _is_host(host):
        name, port = request.scope["server"] or ("localhost", None)
        host = f"[{name}]" if ":" in name else name
        host += f":{port}" if port else ""
    return f"{request.scope['scheme']}://{host}{request.scope.get('root_path', '')}"


def _is_host(text: str) -> bool:
    try:
        # Reading the port validates it.
        return HOST.fullmatch(text) is not None and urlsplit(f"//{text}").port != 0
    except ValueError:
        return False
