"""Tokens: random secrets, shown once, kept as their sha256."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from packaging.utils import InvalidName, canonicalize_name
from sqlmodel import Session, select

from chimes_marketplace.accounts.members import get_user
from chimes_marketplace.accounts.tables import Token, User
from chimes_marketplace.database import now
from chimes_marketplace.errors import MarketplaceError

__all__ = ["Caller", "authenticate", "create_token", "list_tokens", "revoke_token"]

LONGEST_DAYS = 3650


@dataclass(frozen=True)
class Caller:
    """Who asks: a user, through one token. ``project``: the only one that the token is for, None for all."""

    user_id: int
    user: str
    member_id: int
    is_admin: bool
    token_id: int
    project: str | None


def create_token(session: Session, *, user: str, project: str | None = None, days: int | None = None) -> str:
    """A new token of that user: the only time that its secret is seen. Raises MarketplaceError."""
    owner = get_user(session, name=user)
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise MarketplaceError(
            "bad-request", f"{days} days is no life of a token", fix=f"choose 1 to {LONGEST_DAYS}, or no end at all"
        )
    secret = f"chimes-{secrets.token_urlsafe(32)}"
    assert owner.id is not None
    expires = None if days is None else now() + timedelta(days=days)
    token = Token(user_id=owner.id, sha256=_digest(secret), project=_normalised(project), expires_at=expires)
    session.add(token)
    return secret


def authenticate(session: Session, secret: str) -> Caller:
    """Who the secret stands for. Raises MarketplaceError ``credentials-refused``, which says no more than it must."""
    query = select(Token, User).where(Token.user_id == User.id, Token.sha256 == _digest(secret))
    found = session.exec(query).first()
    if found is None:
        raise _refused("the token is unknown")
    token, user = found
    if token.revoked_at is not None:
        raise _refused("the token was revoked")
    if token.expires_at is not None and token.expires_at <= now():
        raise _refused("the token has expired")
    assert user.id is not None
    assert token.id is not None
    return Caller(user.id, user.name, user.member_id, user.role == "admin", token.id, token.project)


def list_tokens(session: Session, *, user: str) -> list[Token]:
    """The tokens of that user that were not revoked, oldest first."""
    owner = get_user(session, name=user)
    query = select(Token).where(Token.user_id == owner.id, Token.revoked_at == None)  # noqa: E711
    return list(session.exec(query.order_by(Token.id)))  # type: ignore[arg-type]


def revoke_token(session: Session, *, id: int) -> None:
    """End a token, at once and for ever; again is no error. Raises MarketplaceError ``not-found``."""
    token = session.get(Token, id)
    if token is None:
        raise MarketplaceError(
            "not-found", f"there is no token {id}", fix="see: chimes-marketplace token list --user NAME"
        )
    token.revoked_at = token.revoked_at or now()
    session.add(token)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _normalised(project: str | None) -> str | None:
    try:
        return None if project is None else str(canonicalize_name(project, validate=True))
    except InvalidName as error:
        raise MarketplaceError(
            "bad-request", f"{project!r} is no name of a project", fix="give the distribution's name"
        ) from error


def _refused(message: str) -> MarketplaceError:
    fix = "ask for a new one: chimes-marketplace token create --user NAME"
    return MarketplaceError("credentials-refused", message, fix=fix)
