"""Members and their users."""

from __future__ import annotations

import re

from sqlmodel import Session, select

from chimes_marketplace.accounts.tables import Member, User
from chimes_marketplace.errors import MarketplaceError

__all__ = ["TYPES", "add_member", "add_user", "get_member", "get_user", "list_members", "list_users"]

TYPES = ("government", "industry", "education", "research", "capital", "user")
SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@-]{0,61}[A-Za-z0-9])?")


def add_member(session: Session, *, slug: str, name: str, type: str) -> Member:
    """Add an organisation. Raises MarketplaceError ``bad-request``, ``exists``."""
    if not SLUG.fullmatch(slug):
        raise _bad(f"the slug {slug!r} is invalid", "use 1 to 63 of a to z, 0 to 9 and -, with no - at either end")
    if type not in TYPES:
        raise _bad(f"the type {type!r} of member is unknown", f"use one of {', '.join(TYPES)}")
    if not name.strip() or not name.isprintable():
        raise _bad(
            f"the name {name!r} is empty or has unprintable characters", "give the organisation's name, on one line"
        )
    if session.exec(select(Member).where(Member.slug == slug)).first() is not None:
        raise MarketplaceError("exists", f"there is a member {slug!r} already", fix="choose another slug")
    member = Member(slug=slug, name=name.strip(), type=type)
    session.add(member)
    session.flush()
    return member


def add_user(session: Session, *, name: str, member: str, role: str | None = None) -> User:
    """Add a user of the member with that slug. Raises MarketplaceError ``bad-request``, ``exists``, ``not-found``."""
    if not NAME.fullmatch(name):
        raise _bad(f"the user name {name!r} is invalid", "use 1 to 63 letters, digits, and . _ @ - between them")
    if role not in (None, "admin"):
        raise _bad(f"the role {role!r} is unknown", "use admin, or leave it out")
    owner = get_member(session, slug=member)
    if session.exec(select(User).where(User.name == name)).first() is not None:
        raise MarketplaceError("exists", f"there is a user {name!r} already", fix="choose another name")
    assert owner.id is not None
    user = User(name=name, member_id=owner.id, role=role)
    session.add(user)
    session.flush()
    return user


def get_member(session: Session, *, slug: str) -> Member:
    """The member with that slug. Raises MarketplaceError ``not-found``."""
    member = session.exec(select(Member).where(Member.slug == slug)).first()
    if member is None:
        raise MarketplaceError("not-found", f"there is no member {slug!r}", fix="see: chimes-marketplace member list")
    return member


def get_user(session: Session, *, name: str) -> User:
    """The user of that name. Raises MarketplaceError ``not-found``."""
    user = session.exec(select(User).where(User.name == name)).first()
    if user is None:
        raise MarketplaceError("not-found", f"there is no user {name!r}", fix="see: chimes-marketplace user list")
    return user


def list_members(session: Session) -> list[Member]:
    """All members, by slug."""
    return list(session.exec(select(Member).order_by(Member.slug)))


def list_users(session: Session) -> list[tuple[User, Member]]:
    """All users with their members, by name."""
    rows = session.exec(select(User, Member).where(User.member_id == Member.id).order_by(User.name))
    return [(user, member) for user, member in rows]


def _bad(message: str, fix: str) -> MarketplaceError:
    return MarketplaceError("bad-request", message, fix=fix)
