"""Who asks: every way to send a token, every broken header, and whose project it is."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from chimes_marketplace.accounts.tokens import Caller
from chimes_marketplace.database import Session
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.web.authentication import check_owner, find_caller, get_caller, may_read
from litestar import Request
from litestar.testing import RequestFactory
from market_factories import add_author, basic, make_market


def asking(*headers: str) -> Request[Any, Any, Any]:
    request = RequestFactory().get("/")
    request.scope["headers"] = [(b"authorization", header.encode("latin-1")) for header in headers]
    return Request(request.scope)


def caller(member_id: int = 1, *, is_admin: bool = False, project: str | None = None) -> Caller:
    return Caller(1, "alice", member_id, is_admin, 1, project)


@pytest.fixture
def session(tmp_path: Path) -> Any:
    with make_market(tmp_path).database.reading() as session:
        yield session


def test_a_token_is_taken_as_basic_and_as_bearer(tmp_path: Path) -> None:
    market = make_market(tmp_path)
    token = add_author(market)
    sent = basic(token)["Authorization"]
    with market.database.reading() as session:
        for header in (sent, sent.replace("Basic", "bAsIc  "), f"Bearer {token}", f"  bearer   {token}  "):
            assert get_caller(asking(header), session).user == "alice"


def test_nobody_is_nobody_until_somebody_is_needed(session: Session) -> None:
    assert find_caller(asking(), session) is None
    assert find_caller(asking("", "  "), session) is None
    with pytest.raises(MarketplaceError) as caught:
        get_caller(asking(), session)
    assert (caught.value.code, caught.value.status) == ("credentials-required", 401)


def encoded(text: bytes) -> str:
    return "Basic " + base64.b64encode(text).decode()


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic !",
        "Basic \xff\xff",
        encoded(b"\xff\xfe"),
        encoded(b"__token__"),
        encoded(b"__token__:"),
        encoded(b"alice:secret"),
        encoded(b"__token__:\x00"),
        "Bearer",
        "Bearer \xff",
        "Bearer " + "x" * 100_000,
        "Digest username=alice",
        "Negotiate",
        ":",
    ],
)
def test_broken_credentials_are_refused(session: Session, header: str) -> None:
    with pytest.raises(MarketplaceError) as caught:
        find_caller(asking(header), session)
    assert (caught.value.code, caught.value.status) == ("credentials-refused", 403)
    assert len(caught.value.message) < 200


def test_two_headers_are_refused(session: Session) -> None:
    with pytest.raises(MarketplaceError, match="more than one"):
        find_caller(asking("Bearer a", "Bearer b"), session)


def test_an_owner_is_of_the_member_and_the_token_of_the_project() -> None:
    check_owner(caller(), member_id=1, project="acme-tools")
    check_owner(caller(project="acme-tools"), member_id=1, project="Acme.Tools")
    with pytest.raises(MarketplaceError, match="another member"):
        check_owner(caller(2, is_admin=True), member_id=1, project="acme-tools")
    with pytest.raises(MarketplaceError, match="for acme-tools only"):
        check_owner(caller(project="acme-tools"), member_id=1, project="acme-other")


def test_an_admin_may_read_all_and_a_stranger_nothing() -> None:
    may_read(caller(2, is_admin=True), member_id=1, project="acme-tools")
    may_read(caller(), member_id=1, project="acme-tools")
    for who, status in ((None, 401), (caller(2), 403), (caller(2, is_admin=True, project="other"), 403)):
        with pytest.raises(MarketplaceError) as caught:
            may_read(who, member_id=1, project="acme-tools")
        assert caught.value.status == status
