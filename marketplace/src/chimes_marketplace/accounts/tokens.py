"""Tokens: random secrets that are shown once and stored as their SHA-256 only."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from packaging.utils import InvalidName, canonicalize_name
from sqlmodel import Session, select

from chimes_marketplace.accounts.members import get_user
from chimes_marketplace.accounts.policy import TokenUser
from chimes_marketplace.accounts.tables import Token, User
from chimes_marketplace.database import now
from chimes_marketplace.errors import MarketplaceError

__all__ = ["authenticate", "check_active", "create_token", "list_tokens", "revoke_token"]

LONGEST_DAYS = 3650


def create_token(session: Session, *, user: str, project: str | None = None, days: int | None = None) -> str:
    """The secret of a new token of that user; it cannot be read again. Raises MarketplaceError."""
    owner = get_user(session, name=user)
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise MarketplaceError(
            "bad-request",
            f"a token cannot be valid for {days} days",
            fix=f"choose 1 to {LONGEST_DAYS} days, or no limit",
        )
    secret = f"chimes-{secrets.token_urlsafe(32)}"
    assert owner.id is not None
    expires = None if days is None else now() + timedelta(days=days)
    token = Token(user_id=owner.id, sha256=_digest(secret), project=_normalised(project), expires_at=expires)
    session.add(token)
    return secret


def authenticate(session: Session, secret: str) -> TokenUser:
    """The user whom the secret identifies. Raises MarketplaceError ``credentials-refused``."""
    query = select(Token, User).where(Token.user_id == User.id, Token.sha256 == _digest(secret))
    found = session.exec(query).first()
    if found is None:
        raise _refused("the token is unknown")
    token, user = found
    _check_active(token)
    assert user.id is not None
    assert token.id is not None
    return TokenUser(
        user_id=user.id,
        user=user.name,
        member_id=user.member_id,
        is_admin=user.role == "admin",
        token_id=token.id,
        project=token.project,
    )


def check_active(session: Session, *, id: int) -> None:
    """Check again that the token is valid, after a long request. Raises MarketplaceError ``credentials-refused``."""
    token = session.get(Token, id)
    if token is None:
        raise _refused("the token is unknown")
    _check_active(token)


def list_tokens(session: Session, *, user: str) -> list[Token]:
    """The tokens of that user without the revoked ones, oldest first."""
    owner = get_user(session, name=user)
    query = select(Token).where(Token.user_id == owner.id, Token.revoked_at == None)  # noqa: E711
    return list(session.exec(query.order_by(Token.id)))  # type: ignore[arg-type]


def revoke_token(session: Session, *, id: int) -> None:
    """Revoke a token permanently; revoking it again changes nothing. Raises MarketplaceError ``not-found``."""
    token = session.get(Token, id)
    if token is None:
        raise MarketplaceError(
            "not-found", f"there is no token {id}", fix="see: chimes-marketplace token list --user NAME"
        )
    token.revoked_at = token.revoked_at or now()
    session.add(token)


def _check_active(token: Token) -> None:
    if token.revoked_at is not None:
        raise _refused("the token was revoked")
    if token.expires_at is not None and token.expires_at <= now():
        raise _refused("the token has expired")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _normalised(project: str | None) -> str | None:
    try:
        return None if project is None else str(canonicalize_name(project, validate=True))
    except InvalidName as error:
        raise MarketplaceError(
            "bad-request", f"{project!r} is not a valid project name", fix="give the distribution's name"
        ) from error


def _refused(message: str) -> MarketplaceError:
    fix = "ask for a new one: chimes-marketplace token create --user NAME"
    return MarketplaceError("credentials-refused", message, fix=fix)
