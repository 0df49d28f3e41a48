"""Members and users: valid ones are added, others are refused with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from chimes_marketplace.accounts.members import TYPES, add_member, add_user, get_member, list_members, list_users
from chimes_marketplace.errors import MarketplaceError
from market_factories import make_market


def test_members_and_users_are_listed_by_name(tmp_path: Path) -> None:
    with make_market(tmp_path).database.writing() as session:
        for slug, type_ in zip("zyxwvu", TYPES, strict=True):
            add_member(session, slug=slug, name=f" {slug.upper()} ", type=type_)
        add_user(session, name="bob@acme", member="z")
        add_user(session, name="alice", member="y", role="admin")
        assert [(row.slug, row.name) for row in list_members(session)][:2] == [("u", "U"), ("v", "V")]
        users = [(user.name, user.role, member.slug) for user, member in list_users(session)]
        assert users == [("alice", "admin", "y"), ("bob@acme", None, "z")]


@pytest.mark.parametrize("slug", ["", "Acme", "-a", "a-", "a b", "a" * 64, "a\n", "ä"])
def test_an_invalid_slug_is_refused_with_its_value(tmp_path: Path, slug: str) -> None:
    with make_market(tmp_path).database.writing() as session, pytest.raises(MarketplaceError) as caught:
        add_member(session, slug=slug, name="Acme", type="industry")
    assert caught.value.code == "bad-request"
    assert repr(slug) in caught.value.message


@pytest.mark.parametrize(("name", "type_"), [(" ", "industry"), ("a\x1b[31m", "industry"), ("Acme", "bank")])
def test_a_member_without_name_or_of_unknown_type_is_refused(tmp_path: Path, name: str, type_: str) -> None:
    with make_market(tmp_path).database.writing() as session, pytest.raises(MarketplaceError) as caught:
        add_member(session, slug="acme", name=name, type=type_)
    assert caught.value.code == "bad-request"


def test_a_taken_name_is_refused(tmp_path: Path) -> None:
    with make_market(tmp_path).database.writing() as session:
        add_member(session, slug="acme", name="Acme", type="industry")
        add_user(session, name="alice", member="acme")
        with pytest.raises(MarketplaceError, match="a member 'acme' already"):
            add_member(session, slug="acme", name="Other", type="user")
        with pytest.raises(MarketplaceError, match="a user 'alice' already"):
            add_user(session, name="alice", member="acme")


@pytest.mark.parametrize(
    ("name", "member", "role", "code"),
    [("al ice", "acme", None, "bad-request"), ("al", "acme", "root", "bad-request"), ("al", "else", None, "not-found")],
)
def test_an_invalid_user_is_refused(tmp_path: Path, name: str, member: str, role: str | None, code: str) -> None:
    with make_market(tmp_path).database.writing() as session:
        add_member(session, slug="acme", name="Acme", type="industry")
        with pytest.raises(MarketplaceError) as caught:
            add_user(session, name=name, member=member, role=role)
    assert caught.value.code == code


def test_changes_before_an_error_are_rolled_back(tmp_path: Path) -> None:
    market = make_market(tmp_path)

    def begin() -> None:
        with market.database.writing() as session:
            add_member(session, slug="acme", name="Acme", type="industry")
            add_user(session, name="alice", member="acme", role="root")

    with pytest.raises(MarketplaceError):
        begin()
    with market.database.reading() as session, pytest.raises(MarketplaceError, match="no member 'acme'"):
        get_member(session, slug="acme")
