"""Authentication: every way to send a token, and malformed credentials, which are never repeated."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chimes_marketplace.accounts.policy import ANONYMOUS, TokenUser
from chimes_marketplace.database import Session
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.web.authentication import authenticate_request
from chimes_marketplace.web.state import Marketplace
from litestar import Request
from litestar.testing import RequestFactory
from market_factories import add_author, basic, make_market, make_wheel
from release_factories import make_release
from uploads import client_of, send

SECRET = "S3cret-q7Zx_w9"
"""Used as a token; the tests search for its pieces of eight characters."""


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marketplace]:
    made = make_market(tmp_path_factory.mktemp("site"))
    add_author(made)
    make_release(made)
    make_release(made, "acme-new", state="staged")
    yield made
    made.database.close()


@pytest.fixture
def session(market: Marketplace) -> Iterator[Session]:
    with market.database.reading() as session:
        yield session


def request_with(*headers: bytes) -> Request[Any, Any, Any]:
    request = RequestFactory().get("/")
    request.scope["headers"] = [(b"authorization", header) for header in headers]
    return Request(request.scope)


def encoded(text: bytes) -> bytes:
    return base64.b64encode(text)


def test_token_is_accepted_as_basic_and_as_bearer(market: Marketplace, session: Session) -> None:
    token = add_author(market)
    sent = basic(token)["Authorization"]
    for header in (sent, sent.replace("Basic", "bAsIc  "), f"Bearer {token}", f"  bearer   {token}  "):
        user = authenticate_request(request_with(header.encode()), session)
        assert isinstance(user, TokenUser)
        assert user.user == "alice"


def test_request_without_credentials_is_anonymous(session: Session) -> None:
    assert authenticate_request(request_with(), session) is ANONYMOUS
    assert authenticate_request(request_with(b"", b"  "), session) is ANONYMOUS


MALFORMED = {
    "no value": b"Basic",
    "not base64": b"Basic " + SECRET.encode(),
    "base64 of other bytes": b"Basic " + encoded(b"\xff\xfe" + SECRET.encode()),
    "raw bytes": b"Basic \xff\xff" + SECRET.encode(),
    "broken padding": b"Basic " + encoded(b"__token__:" + SECRET.encode())[:-1],
    "inner space": b"Basic " + encoded(b"__token__:") + b" " + encoded(SECRET.encode()),
    "no colon": b"Basic " + encoded(SECRET.encode()),
    "no password": b"Basic " + encoded(b"__token__:"),
    "token as user": b"Basic " + encoded(SECRET.encode() + b":"),
    "token as user and password": b"Basic " + encoded(SECRET.encode() + b":" + SECRET.encode()),
    "other user": b"Basic " + encoded(b"alice:" + SECRET.encode()),
    "user with spaces": b"Basic " + encoded(b" __token__ :" + SECRET.encode()),
    "NUL in the password": b"Basic " + encoded(b"__token__:\x00" + SECRET.encode()),
    "unknown token": b"Bearer " + SECRET.encode(),
    "token twice": b"Bearer " + SECRET.encode() + b" " + SECRET.encode(),
    "quoted token": b'Bearer "' + SECRET.encode() + b'"',
    "empty bearer": b"Bearer",
    "not ASCII": b"Bearer \xff" + SECRET.encode(),
    "long": b"Bearer " + SECRET.encode() * 1000,
    "no scheme": SECRET.encode(),
    "no scheme, with colon": b"__token__:" + SECRET.encode(),
    "only base64": encoded(b"__token__:" + SECRET.encode()),
    "scheme joined with a colon": b"Bearer:" + SECRET.encode(),
    "scheme joined with a tab": b"Bearer\t" + SECRET.encode(),
    "scheme joined with an equals sign": b"token=" + SECRET.encode(),
    "other scheme": b"Token " + SECRET.encode(),
    "Digest": b'Digest username="__token__", response="' + SECRET.encode() + b'"',
    "Negotiate": b"Negotiate " + SECRET.encode(),
    "only a colon": b":",
}


def pieces_of(secret: str) -> set[str]:
    """Each part of eight characters of the secret, and of its base64 at every alignment."""
    texts = [secret, *(base64.b64encode((" " * n + secret).encode()).decode()[4:-4] for n in range(3))]
    return {text[n : n + 8] for text in texts for n in range(len(text) - 7)}


@pytest.mark.parametrize("header", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_credentials_are_refused(session: Session, header: bytes) -> None:
    with pytest.raises(MarketplaceError) as caught:
        authenticate_request(request_with(header), session)
    assert (caught.value.code, caught.value.status) == ("credentials-refused", 403)
    assert caught.value.__cause__ is None


def test_two_headers_are_refused(session: Session) -> None:
    with pytest.raises(MarketplaceError, match="more than one"):
        authenticate_request(request_with(b"Bearer a", b"Bearer b"), session)


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """The server's log, without that of the test's client, which logs the addresses that it requests."""
    return "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("http"))


def answers_to(market: Marketplace, headers: dict[bytes, bytes], path: str = "") -> Iterator[Any]:
    """The responses of each route that authenticates, in each format of an error; only of ``path`` if it is given."""
    paths = [path] if path else ["/simple/acme-new/", "/api/v1/submissions/2", "/reports/2/", "/plugins/acme-new/"]
    with client_of(market) as client:
        for each in paths:
            for accept in (b"application/json", b"*/*", b"text/plain", b"text/html"):
                yield client.get(each, headers={b"Accept": accept, **headers})
        if not path:
            yield client.post("/legacy/", headers=headers)
            yield client.post("/api/v1/submissions/2/cancel", headers=headers)


@pytest.mark.parametrize("header", MALFORMED.values(), ids=MALFORMED.keys())
def test_no_part_of_an_authorization_header_is_in_a_response_or_in_the_log(
    market: Marketplace, header: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answers = list(answers_to(market, {b"Authorization": header}))
    shown = [answer.text + repr(answer.headers) for answer in answers] + [logged(caplog)]
    assert {answer.status_code for answer in answers} == {403}
    for text in shown:
        assert not [piece for piece in pieces_of(SECRET) if piece in text]


@pytest.mark.parametrize(
    ("headers", "path"),
    [
        ({b"Host": f"__token__:{SECRET}@chimes.example".encode()}, "/"),
        ({b"Host": f"https://__token__:{SECRET}@chimes.example".encode()}, "/simple/acme-tools/"),
        ({b"Proxy-Authorization": f"Bearer {SECRET}".encode()}, "/nothing"),
        ({b"Cookie": f"session={SECRET}".encode()}, "/nothing"),
        ({b"X-Api-Key": SECRET.encode()}, "/nothing"),
        ({}, f"/api/v1/projects/nothing?token={SECRET}"),
        ({}, f"/api/v1/projects?token={SECRET}&q={'x' * 300}"),
        ({}, f"/reports/0/?token={SECRET}"),
        ({}, f"/stage/{SECRET}/simple/"),
        ({}, f"/stage/{SECRET}/report"),
        ({}, f"/stage/{SECRET}/nothing"),
        ({}, f"/stage/{SECRET}"),
        ({}, f"/stage/{SECRET}/report/runs/x/log.txt"),
    ],
)
def test_no_secret_of_another_header_path_or_query_is_in_an_error(
    market: Marketplace, headers: dict[bytes, bytes], path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answers = list(answers_to(market, headers, path))
    for answer in answers:
        assert answer.status_code >= 400, answer
        assert SECRET not in answer.text + repr(answer.headers)
    assert SECRET not in logged(caplog)


def test_no_secret_in_an_upload_form_is_in_an_error(market: Marketplace, tmp_path: Path) -> None:
    token = add_author(market)
    with client_of(market) as client:
        for field in ("password", "token", "authorization"):
            answer = send(client, token, make_wheel(tmp_path), change={"version": None}, more=[(field, SECRET)])
            assert answer.status_code == 400
            assert SECRET not in answer.text
