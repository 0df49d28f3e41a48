"""Tables of the catalogue."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chimes.evidence.finding import Finding
from sqlalchemy import JSON, BigInteger, Column, Index, text
from sqlmodel import Field, SQLModel, UniqueConstraint

from chimes_marketplace.catalog.components import ListedComponent
from chimes_marketplace.database import Moment, Typed, now

__all__ = ["File", "Project", "Release"]


class Project(SQLModel, table=True):
    """A name and the member that owns it."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    """Normalised (PEP 503)."""
    display_name: str
    lookalike: str = Field(index=True)
    """Equal for names that a person confuses."""
    member_id: int = Field(foreign_key="member.id", index=True)
    created_at: datetime = Field(default_factory=now, sa_type=Moment)


class Release(SQLModel, table=True):
    """A version of a project. ``version`` is canonical (PEP 440); ``type``: plugin or library."""

    __table_args__ = (UniqueConstraint("project_id", "version"),)
    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    version: str
    type: str
    about: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    """Core metadata of the first listed files; before that, of the newest upload. Keys of packaging's RawMetadata."""
    components: tuple[ListedComponent, ...] = Field(
        default=(), sa_column=Column(Typed(tuple[ListedComponent, ...]), nullable=False)
    )
    """Empty before the release is listed."""
    level: str | None = None
    created_at: datetime = Field(default_factory=now, sa_type=Moment)


class File(SQLModel, table=True):
    """One file of one submission. Its bytes are the blob ``sha256``; a wheel's METADATA is ``metadata_sha256``.

    ``form``: wheel or sdist. ``type`` of a wheel: plugin or library. ``about``: its core metadata, with the keys of
    packaging's RawMetadata. ``findings`` of the upload. The file is public from ``listed_at`` on.
    """

    __table_args__ = (
        UniqueConstraint("submission_id", "filename"),
        Index(
            "file_listed_name",
            "filename",
            unique=True,
            sqlite_where=text("listed_at IS NOT NULL"),
            postgresql_where=text("listed_at IS NOT NULL"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    release_id: int = Field(foreign_key="release.id", index=True)
    submission_id: int = Field(foreign_key="submission.id")
    filename: str = Field(index=True)
    form: str
    type: str | None = None
    about: dict[str, Any] = Field(
        default_factory=dict, sa_column=Column(JSON, nullable=False, server_default=text("'{}'"))
    )
    sha256: str
    size_bytes: int = Field(sa_type=BigInteger)
    requires_python: str | None = None
    metadata_sha256: str | None = None
    findings: tuple[Finding, ...] = Field(default=(), sa_column=Column(Typed(tuple[Finding, ...]), nullable=False))
    uploaded_at: datetime = Field(default_factory=now, sa_type=Moment)
    listed_at: datetime | None = Field(default=None, sa_type=Moment)
