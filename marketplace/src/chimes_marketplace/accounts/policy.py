"""The policy: may this principal do this action on that object?

It covers every request over HTTP. ``can`` answers the question; ``require`` raises the error for the client:

| the principal          | error                                                                  |
|------------------------|------------------------------------------------------------------------|
| is anonymous           | ``credentials-required`` (401); on an upload ``credentials-refused`` (403) |
| is known, but not allowed | ``not-yours`` (403)                                                    |

If a project exists and the principal may not see it, the response is never 404: an installer would then try the
next index and install a package of another owner with that name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from packaging.utils import canonicalize_name

from chimes_marketplace.errors import MarketplaceError

__all__ = [
    "ANONYMOUS",
    "HOW_TO_SEND_A_TOKEN",
    "Action",
    "Anonymous",
    "Principal",
    "ProjectObject",
    "SubmissionObject",
    "TokenUser",
    "can",
    "require",
    "require_user",
]

HOW_TO_SEND_A_TOKEN = "send a token as the password of the user __token__, or as Authorization: Bearer TOKEN"

Action = Literal["view", "view_unlisted", "view_stage_address", "upload", "use_reserved_name", "change"]
"""``view``: see its listed part. ``view_unlisted``: see all of it. ``view_stage_address``: see the secret address.
``use_reserved_name``: upload under a name that the rules reserve. ``change``: close, cancel or retry a submission."""


@dataclass(frozen=True)
class Anonymous:
    """A request without credentials."""


@dataclass(frozen=True, kw_only=True)
class TokenUser:
    """A user who sent a token. ``project``: the only project for which the token is valid, normalised; None for all."""

    user_id: int
    user: str
    member_id: int
    is_admin: bool
    token_id: int
    project: str | None


Principal = Anonymous | TokenUser
"""The user for whom a request acts."""
ANONYMOUS = Anonymous()


@dataclass(frozen=True, kw_only=True)
class ProjectObject:
    """A project. ``member_id``: its owner, None if it does not exist yet. ``is_listed``: a file of it is listed."""

    name: str
    member_id: int | None
    is_listed: bool = False


@dataclass(frozen=True, kw_only=True)
class SubmissionObject:
    """A submission of a project."""

    project: ProjectObject
    is_listed: bool = False


def can(principal: Principal, action: Action, object: ProjectObject | SubmissionObject) -> bool:
    """Whether the policy allows the action."""
    project = object.project if isinstance(object, SubmissionObject) else object
    if action == "view" and object.is_listed:
        return True
    if isinstance(principal, Anonymous) or not _is_in_scope(principal, project):
        return False
    match action:
        case "view" | "view_unlisted":
            return principal.is_admin or project.member_id == principal.member_id
        case "view_stage_address" | "change":
            return project.member_id == principal.member_id
        case "upload":
            return project.member_id in (None, principal.member_id)
        case "use_reserved_name":
            return principal.is_admin and project.member_id in (None, principal.member_id)


def require(principal: Principal, action: Action, object: ProjectObject | SubmissionObject) -> None:
    """Raise MarketplaceError if the policy forbids the action: ``credentials-required``, ``credentials-refused``,
    ``not-yours``."""
    if can(principal, action, object):
        return
    project = object.project if isinstance(object, SubmissionObject) else object
    user = require_user(principal, action)
    if not _is_in_scope(user, project):
        message = f"the token is for the project {user.project!r}, not for {project.name!r}"
        fix = f"use a token for {project.name}, or one for all projects of the member"
        raise MarketplaceError("not-yours", message, fix=fix)
    message = f"the project {project.name!r} belongs to another member"
    fix = "choose another name" if action == "upload" else "use a token of a user of that member"
    raise MarketplaceError("not-yours", message, fix=fix)


def require_user(principal: Principal, action: Action) -> TokenUser:
    """The user of a principal. Raises MarketplaceError ``credentials-required``, ``credentials-refused``."""
    if isinstance(principal, TokenUser):
        return principal
    if action == "upload":
        # twine and uv do not ask for credentials after a 401, and show the reason of a 403.
        raise MarketplaceError("credentials-refused", "the upload has no token", fix=HOW_TO_SEND_A_TOKEN)
    what = "what is not listed" if action in ("view", "view_unlisted") else "this action"
    message = f"{what} needs a token of the project's member, and the request has no token"
    raise MarketplaceError("credentials-required", message, fix=HOW_TO_SEND_A_TOKEN)


def _is_in_scope(user: TokenUser, project: ProjectObject) -> bool:
    return user.project is None or user.project == canonicalize_name(project.name)
