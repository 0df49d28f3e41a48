"""Imports the tables of all packages, so that SQLModel's metadata contains them all."""

from __future__ import annotations

from sqlmodel import SQLModel

from chimes_marketplace.accounts.tables import Member, Token, User
from chimes_marketplace.catalog.tables import File, Project, Release
from chimes_marketplace.lanes.tables import Run
from chimes_marketplace.submissions.tables import Arrival, Step, Submission

__all__ = ["METADATA", "Arrival", "File", "Member", "Project", "Release", "Run", "Step", "Submission", "Token", "User"]

METADATA = SQLModel.metadata
