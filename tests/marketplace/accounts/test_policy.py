"""The policy as one table: every principal, every action, every object."""

from __future__ import annotations

from typing import get_args

import pytest
from chimes_marketplace.accounts.policy import (
    ANONYMOUS,
    Action,
    Principal,
    ProjectObject,
    SubmissionObject,
    TokenUser,
    can,
    require,
    require_user,
)
from chimes_marketplace.errors import MarketplaceError

OWNER, STRANGER = 1, 2


def user(member_id: int, *, is_admin: bool = False, project: str | None = None) -> TokenUser:
    return TokenUser(user_id=1, user="alice", member_id=member_id, is_admin=is_admin, token_id=1, project=project)


PRINCIPALS: dict[str, Principal] = {
    "anonymous": ANONYMOUS,
    "owner": user(OWNER),
    "owner, token for it": user(OWNER, project="acme-tools"),
    "owner, token for another": user(OWNER, project="acme-other"),
    "stranger": user(STRANGER),
    "stranger, token for it": user(STRANGER, project="acme-tools"),
    "admin": user(STRANGER, is_admin=True),
    "admin, token for it": user(STRANGER, is_admin=True, project="acme-tools"),
    "admin, token for another": user(STRANGER, is_admin=True, project="acme-other"),
    "owner and admin": user(OWNER, is_admin=True),
}
HIDDEN = ProjectObject(name="Acme.Tools", member_id=OWNER)
LISTED = ProjectObject(name="acme-tools", member_id=OWNER, is_listed=True)
NEW = ProjectObject(name="acme-tools", member_id=None)
OBJECTS: dict[str, ProjectObject | SubmissionObject] = {
    "hidden project": HIDDEN,
    "listed project": LISTED,
    "new project": NEW,
    "hidden submission": SubmissionObject(project=LISTED),
    "listed submission": SubmissionObject(project=HIDDEN, is_listed=True),
}
EVERYONE = frozenset(PRINCIPALS)
OWNERS = frozenset({"owner", "owner, token for it", "owner and admin"})
ADMINS = frozenset({"admin", "admin, token for it", "owner and admin"})
STRANGERS = frozenset({"stranger", "stranger, token for it"})
NO_ONE: frozenset[str] = frozenset()
ALLOWED: dict[Action, dict[str, frozenset[str]]] = {
    "view": {
        "hidden project": OWNERS | ADMINS,
        "listed project": EVERYONE,
        "new project": ADMINS,
        "hidden submission": OWNERS | ADMINS,
        "listed submission": EVERYONE,
    },
    "view_unlisted": dict.fromkeys(OBJECTS, OWNERS | ADMINS) | {"new project": ADMINS},
    "view_stage_address": dict.fromkeys(OBJECTS, OWNERS) | {"new project": NO_ONE},
    "change": dict.fromkeys(OBJECTS, OWNERS) | {"new project": NO_ONE},
    "upload": dict.fromkeys(OBJECTS, OWNERS) | {"new project": OWNERS | ADMINS | STRANGERS},
    "use_reserved_name": dict.fromkeys(OBJECTS, frozenset({"owner and admin"})) | {"new project": ADMINS},
}
"""Action and object to the principals that may do it."""


@pytest.mark.parametrize("action", get_args(Action))
@pytest.mark.parametrize("object", OBJECTS)
def test_policy_allows_exactly_what_the_table_says(action: Action, object: str) -> None:
    allowed = {name for name, principal in PRINCIPALS.items() if can(principal, action, OBJECTS[object])}
    assert allowed == ALLOWED[action][object]


@pytest.mark.parametrize("action", get_args(Action))
@pytest.mark.parametrize("object", OBJECTS)
@pytest.mark.parametrize("name", PRINCIPALS)
def test_error_is_the_same_wherever_the_policy_forbids(action: Action, object: str, name: str) -> None:
    if name in ALLOWED[action][object]:
        require(PRINCIPALS[name], action, OBJECTS[object])
        return
    with pytest.raises(MarketplaceError) as caught:
        require(PRINCIPALS[name], action, OBJECTS[object])
    known = ("not-yours", 403)
    anonymous = ("credentials-refused", 403) if action == "upload" else ("credentials-required", 401)
    assert (caught.value.code, caught.value.status) == (anonymous if name == "anonymous" else known)
    assert ("token is for the project" in caught.value.message) == ("another" in name)


def test_credentials_are_required_before_anything_is_looked_up() -> None:
    assert require_user(PRINCIPALS["owner"], "change") == PRINCIPALS["owner"]
    with pytest.raises(MarketplaceError, match="needs a token"):
        require_user(ANONYMOUS, "change")
