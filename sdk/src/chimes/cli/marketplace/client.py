"""A client for a marketplace: its address, the token, its answers, and the errors that they mean."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args
from urllib.parse import urlsplit

import click

from chimes.errors import (
    AuthError,
    ChimesError,
    ConfigError,
    ConflictError,
    InfrastructureError,
    NotFoundError,
    PermissionDeniedError,
)
from chimes.evidence.finding import Blocks, Finding, Severity, sort_findings

try:
    import requests
except ModuleNotFoundError as error:
    raise ConfigError(
        f"talking to a marketplace needs {error.name}, which is not installed", hint="pip install 'chimes[author]'"
    ) from error

__all__ = ["Marketplace", "attempt", "marketplace_options", "no_marketplace", "read_answer", "read_findings", "refusal"]

F = TypeVar("F", bound=Callable[..., Any])
TIMEOUT_S = 60.0
PAUSES_S = (0.5, 1.0, 2.0, 4.0)
"""Between attempts: a server that restarts is back by then."""
ERRORS: Mapping[int, type[ChimesError]] = {
    401: AuthError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
}


def marketplace_options(command: F) -> F:
    """The options ``--url``, ``--token`` and ``--json`` of every verb that needs a marketplace."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
        click.option("--token", envvar="CHIMES_TOKEN", help="Your upload token. Default: CHIMES_TOKEN."),
        click.option("--url", envvar="CHIMES_URL", help="Address of the marketplace. Default: CHIMES_URL."),
    ):
        command = option(command)
    return command


@dataclass(frozen=True)
class Marketplace:
    """One marketplace, and the token to authenticate with."""

    url: str
    token: str = field(repr=False)

    @classmethod
    def at(cls, url: str | None, token: str | None) -> Marketplace:
        """From the options of a verb; raises ConfigError where one is missing or invalid."""
        if not url:
            raise ConfigError("no marketplace is given", hint="give --url, or set CHIMES_URL")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise ConfigError(
                f"{url!r} is not the address of a marketplace", hint="give one like https://market.example.org"
            )
        if not token:
            raise ConfigError(
                "no upload token is given", hint="set CHIMES_TOKEN; an admin of the marketplace makes one"
            )
        if not token.isascii() or not token.isprintable():
            raise ConfigError("the token has characters that a token cannot have", hint="copy it again, without quotes")
        return cls(url.rstrip("/"), token)

    def show(self, number: int) -> dict[str, Any]:
        """A submission as it is now. Raises ChimesError."""
        return self._ask("GET", f"/api/v1/submissions/{number}")

    def change(self, number: int, verb: str) -> dict[str, Any]:
        """Close, cancel or retry a submission; its new state. Raises ConflictError where its state forbids it."""
        return self._ask("POST", f"/api/v1/submissions/{number}/{verb}")

    def _ask(self, method: str, path: str) -> dict[str, Any]:
        response = attempt(lambda: self._send(method, path), self.url)
        if response.status_code != requests.codes.ok:
            raise refusal(response, self.url)
        return read_answer(response, self.url)

    def _send(self, method: str, path: str) -> requests.Response:
        headers = {"Accept": "application/json"}
        return requests.request(
            method,
            self.url + path,
            headers=headers,
            auth=("__token__", self.token),
            timeout=TIMEOUT_S,
            allow_redirects=False,
        )


def attempt(send: Callable[[], requests.Response], url: str) -> requests.Response:
    """Send until the answer is not a server error. Raises InfrastructureError after five attempts."""
    for pause_s in (*PAUSES_S, None):
        try:
            response = send()
            if response.status_code < 500:
                return response
            what = f"answers {response.status_code} {response.reason}"
        except requests.RequestException as error:
            what = f"cannot be reached: {_reason(error)}"
        if pause_s is not None:
            time.sleep(pause_s)
    raise InfrastructureError(
        f"the marketplace at {url} {what}", hint="is the address right, and does it run? try again later"
    )


def refusal(response: requests.Response, url: str) -> ChimesError:
    """The error that an answer means."""
    kind = ERRORS.get(response.status_code, ConfigError)
    try:
        body = read_answer(response, url)
    except InfrastructureError as error:
        return error
    message = str(body.get("message") or f"it answers {response.status_code} {response.reason}")
    return kind(message, hint=str(body["fix"]) if body.get("fix") else None)


def read_answer(response: requests.Response, url: str) -> dict[str, Any]:
    """The JSON object of an answer. Raises InfrastructureError where it is not one."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise no_marketplace(response, url)
    return body


def no_marketplace(response: requests.Response, url: str) -> InfrastructureError:
    """The error for an address where another service answers."""
    return InfrastructureError(
        f"{url} does not answer like a Chimes marketplace ({response.status_code} {response.reason})",
        hint="give the address of a marketplace, without /simple or /legacy",
    )


def read_findings(answer: Any) -> list[Finding]:
    """The findings of an answer, errors first; entries that are not objects are left out."""
    found = [_finding(item) for item in answer if isinstance(item, dict)] if isinstance(answer, list) else []
    return sort_findings(found)


def _finding(item: Mapping[str, Any]) -> Finding:
    severity: Any = item.get("severity")
    blocks: Any = item.get("blocks")
    return Finding(
        code=str(item.get("code")),
        severity=severity if severity in get_args(Severity) else "error",
        blocks=blocks if blocks in get_args(get_args(Blocks)[0]) else None,
        message=str(item.get("message")),
        fix=str(item.get("fix")),
        where=str(item["where"]) if item.get("where") else None,
        said=str(item["said"]) if item.get("said") else None,
    )


def _reason(error: requests.RequestException) -> str:
    """The innermost cause: the messages of requests show objects and addresses."""
    found: BaseException = error
    while (inner := found.__cause__ or found.__context__) is not None:
        found = inner
    return getattr(found, "strerror", None) or str(found) or type(found).__name__
