"""Tables of the accounts."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from chimes_marketplace.database import Moment, now

__all__ = ["Member", "Token", "User"]


class Member(SQLModel, table=True):
    """An organisation of the alliance. ``type``: government, industry, education, research, capital or user."""

    id: int | None = Field(default=None, primary_key=True)
    slug: str = Field(unique=True)
    name: str
    type: str
    created_at: datetime = Field(default_factory=now, sa_type=Moment)


class User(SQLModel, table=True):
    """A person or program that acts for a member. ``role``: admin, or None."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    member_id: int = Field(foreign_key="member.id", index=True)
    role: str | None = None
    created_at: datetime = Field(default_factory=now, sa_type=Moment)


class Token(SQLModel, table=True):
    """A secret that identifies a user; only its sha256 is stored. ``project``: normalised, None for all."""

    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="user.id", index=True)
    sha256: str = Field(unique=True)
    project: str | None = None
    created_at: datetime = Field(default_factory=now, sa_type=Moment)
    expires_at: datetime | None = Field(default=None, sa_type=Moment)
    revoked_at: datetime | None = Field(default=None, sa_type=Moment)
