"""Who reads: a stranger, who sees what is listed, or somebody who may see all of a project."""

from __future__ import annotations

import re
from typing import Any, NoReturn

from litestar import Request

from chimes_marketplace.catalog.projects import get_project
from chimes_marketplace.catalog.tables import Project
from chimes_marketplace.database import Session
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.web.authentication import find_caller, get_caller, may_read

__all__ = ["find_named", "is_insider", "owns", "refuse"]

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,198}[A-Za-z0-9])?")


def find_named(session: Session, name: str) -> Project:
    """The project of that name, in any spelling. Raises MarketplaceError ``not-found``, also for what is no name."""
    if NAME.fullmatch(name) is None:
        raise MarketplaceError("not-found", f"there is no project {name[:200]!r}", fix="check the spelling of the name")
    return get_project(session, name=name)


def is_insider(request: Request[Any, Any, Any], session: Session, project: Project) -> bool:
    """Whether all of the project may be shown. Raises MarketplaceError ``credentials-refused`` for a bad token."""
    caller = find_caller(request, session)
    if caller is None:
        return False
    try:
        may_read(caller, member_id=project.member_id, project=project.name)
    except MarketplaceError:
        return False
    return True


def owns(request: Request[Any, Any, Any], session: Session, project: Project) -> bool:
    """Whether the token is one of the project's own member: an admin of another one sees no secrets."""
    caller = find_caller(request, session)
    if caller is None or caller.member_id != project.member_id:
        return False
    return caller.project in (None, project.name)


def refuse(request: Request[Any, Any, Any], session: Session, project: Project) -> NoReturn:
    """Raise ``credentials-required`` for who sent none, ``not-yours`` for a stranger."""
    may_read(get_caller(request, session), member_id=project.member_id, project=project.name)
    raise MarketplaceError("not-yours", f"{project.name} is another member's", fix="use a token of its member")
