"""Authentication: reads the Authorization header of a request and finds its principal, once for each request.

No error message contains any part of the header: in a malformed header the token may be anywhere.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from litestar import Request

from chimes_marketplace.accounts.policy import ANONYMOUS, HOW_TO_SEND_A_TOKEN, Principal
from chimes_marketplace.accounts.tokens import authenticate
from chimes_marketplace.database import Session
from chimes_marketplace.errors import MarketplaceError

__all__ = ["CHALLENGE", "USER", "authenticate_request", "read_token"]

CHALLENGE = 'Basic realm="chimes"'
"""The value of WWW-Authenticate in a 401 response."""
USER = "__token__"
"""The user name that clients send with a token."""


def authenticate_request(request: Request[Any, Any, Any], session: Session) -> Principal:
    """The principal of the request, anonymous without credentials. Raises MarketplaceError ``credentials-refused``."""
    token = read_token(request.headers.getall("authorization", []))
    return ANONYMOUS if token is None else authenticate(session, token)


def read_token(headers: list[str]) -> str | None:
    """The token in the Authorization headers; None without one. Raises MarketplaceError ``credentials-refused``."""
    given = [value for value in headers if value.strip()]
    if not given:
        return None
    if len(given) > 1:
        raise _malformed("the request has more than one Authorization header")
    scheme, _, value = given[0].strip().partition(" ")
    match scheme.lower():
        case "bearer":
            token = value.strip()
        case "basic":
            token = _read_basic(value.strip())
        case _:
            raise _malformed("the scheme of the Authorization header is neither Basic nor Bearer")
    if not token:
        raise _malformed("the token is empty")
    return token


def _read_basic(value: str) -> str:
    try:
        user, colon, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        # Without the cause: its message contains the bytes.
        raise _malformed("the Basic credentials are not base64 of user:password in UTF-8") from None
    if not colon:
        raise _malformed("the Basic credentials have no colon between user and password")
    if user != USER:
        raise _malformed(f"the user of the Basic credentials is not {USER}")
    return password


def _malformed(message: str) -> MarketplaceError:
    return MarketplaceError("credentials-refused", message, fix=HOW_TO_SEND_A_TOKEN)
