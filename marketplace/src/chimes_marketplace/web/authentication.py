"""Who asks: from the Authorization header to a caller, and what a caller may do."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from litestar import Request

from chimes_marketplace.accounts.tokens import Caller, authenticate
from chimes_marketplace.catalog.names import normalised
from chimes_marketplace.database import Session
from chimes_marketplace.errors import MarketplaceError

__all__ = ["CHALLENGE", "USER", "check_owner", "find_caller", "get_caller", "may_read"]

CHALLENGE = 'Basic realm="chimes"'
"""What a 401 says in WWW-Authenticate."""
USER = "__token__"
"""The user name with which tokens are sent."""
HOW = f"send a token as the password of the user {USER}, or as Authorization: Bearer TOKEN"


def find_caller(request: Request[Any, Any, Any], session: Session) -> Caller | None:
    """Who sends the request; None if it does not say. Raises MarketplaceError ``credentials-refused``."""
    headers = [value for value in request.headers.getall("authorization", []) if value.strip()]
    if not headers:
        return None
    if len(headers) > 1:
        raise _refused("the request has more than one Authorization header")
    return authenticate(session, _read_token(headers[0]))


def get_caller(request: Request[Any, Any, Any], session: Session) -> Caller:
    """Who sends the request. Raises MarketplaceError ``credentials-required``, ``credentials-refused``."""
    caller = find_caller(request, session)
    if caller is None:
        raise MarketplaceError("credentials-required", "this needs a token, and the request has none", fix=HOW)
    return caller


def check_owner(caller: Caller, *, member_id: int, project: str) -> None:
    """Whether the caller may change that project of that member. Raises MarketplaceError ``not-yours``."""
    _check_scope(caller, project)
    if caller.member_id != member_id:
        raise MarketplaceError(
            "not-yours", f"{project} belongs to another member", fix="use a token of a user of that member"
        )


def may_read(caller: Caller | None, *, member_id: int, project: str) -> None:
    """Whether the caller may see what is not listed of that project; an admin may see all.

    Raises MarketplaceError ``credentials-required`` for nobody, ``not-yours`` for a stranger.
    """
    if caller is None:
        message = f"what is not listed of {project} is for its member alone, and the request has no token"
        raise MarketplaceError("credentials-required", message, fix=HOW)
    if caller.is_admin:
        _check_scope(caller, project)
    else:
        check_owner(caller, member_id=member_id, project=project)


def _check_scope(caller: Caller, project: str) -> None:
    if caller.project is not None and caller.project != normalised(project):
        raise MarketplaceError(
            "not-yours",
            f"the token is for {caller.project} only, not for {project}",
            fix=f"use a token for {project}: chimes-marketplace token create --user NAME --project {project}",
        )


def _read_token(header: str) -> str:
    scheme, _, value = header.strip().partition(" ")
    match scheme.lower():
        case "bearer":
            token = value.strip()
        case "basic":
            token = _read_basic(value.strip())
        case _:
            raise _refused(f"the scheme {scheme[:40]!r} of the Authorization header is unknown")
    if not token:
        raise _refused("the token is empty")
    return token


def _read_basic(value: str) -> str:
    try:
        user, colon, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError) as error:
        raise _refused("the Basic credentials are no base64 of user:password") from error
    if not colon or user != USER:
        raise _refused(f"the user of the Basic credentials is {user[:40]!r}, not {USER}")
    return password


def _refused(message: str) -> MarketplaceError:
    return MarketplaceError("credentials-refused", message, fix=HOW)
