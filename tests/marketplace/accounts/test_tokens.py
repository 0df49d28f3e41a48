"""Tokens: random, shown once, stored as a digest, invalid after revocation or expiry."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from chimes_marketplace.accounts.tables import Token
from chimes_marketplace.accounts.tokens import authenticate, create_token, list_tokens, revoke_token
from chimes_marketplace.database import now
from chimes_marketplace.errors import MarketplaceError
from market_factories import add_author, make_market


def test_token_identifies_its_user_and_its_secret_is_not_stored(tmp_path: Path) -> None:
    market = make_market(tmp_path)
    token = add_author(market, project="Acme_Tools", days=1)
    with market.database.reading() as session:
        user = authenticate(session, token)
        assert (user.user, user.project, user.is_admin) == ("alice", "acme-tools", False)
        [row] = list_tokens(session, user="alice")
        assert token not in repr(row)
    market.database.close()
    for path in (tmp_path / "data").glob("marketplace.db*"):
        assert token.encode() not in path.read_bytes()


def test_tokens_are_long_and_all_different(tmp_path: Path) -> None:
    market = make_market(tmp_path)
    tokens = {add_author(market) for _ in range(20)}
    assert len(tokens) == 20
    assert min(map(len, tokens)) > 40


def test_a_revoked_token_is_refused_and_can_be_revoked_again(tmp_path: Path) -> None:
    market = make_market(tmp_path)
    token, other = add_author(market), add_author(market)
    with market.database.writing() as session:
        id_ = authenticate(session, token).token_id
        revoke_token(session, id=id_)
        revoke_token(session, id=id_)
    with market.database.reading() as session:
        with pytest.raises(MarketplaceError, match="revoked"):
            authenticate(session, token)
        assert authenticate(session, other).user == "alice"
        assert [row.id for row in list_tokens(session, user="alice")] == [authenticate(session, other).token_id]


def test_an_expired_token_is_refused(tmp_path: Path) -> None:
    market = make_market(tmp_path)
    token = add_author(market, days=1)
    with market.database.writing() as session:
        row = session.get_one(Token, authenticate(session, token).token_id)
        row.expires_at = now() - timedelta(seconds=1)
        session.add(row)
    with market.database.reading() as session, pytest.raises(MarketplaceError, match="expired"):
        authenticate(session, token)


@pytest.mark.parametrize("secret", ["", "chimes-x", "\udcff", "\x00", "x" * 100_000])
def test_an_unknown_secret_is_refused_without_its_value(tmp_path: Path, secret: str) -> None:
    with make_market(tmp_path).database.reading() as session, pytest.raises(MarketplaceError) as caught:
        authenticate(session, secret)
    assert (caught.value.code, caught.value.message) == ("credentials-refused", "the token is unknown")


@pytest.mark.parametrize("days", [0, -1, 3651])
def test_token_with_an_invalid_lifetime_is_refused(tmp_path: Path, days: int) -> None:
    with pytest.raises(MarketplaceError, match=f"{days} days"):
        add_author(make_market(tmp_path), days=days)


def test_token_of_an_invalid_project_user_or_number_is_refused(tmp_path: Path) -> None:
    market = make_market(tmp_path)
    add_author(market)
    with market.database.writing() as session:
        with pytest.raises(MarketplaceError, match="not a valid project name"):
            create_token(session, user="alice", project="a b")
        with pytest.raises(MarketplaceError, match="no user 'bob'"):
            create_token(session, user="bob")
        with pytest.raises(MarketplaceError, match="no token 77"):
            revoke_token(session, id=77)
