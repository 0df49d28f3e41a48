"""Error responses: their form for each client, and the headers of every response."""

from __future__ import annotations

import errno
import json
import logging
from typing import Any

import pytest
from chimes.evidence.finding import Finding
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.web.errors import HANDLERS, error_response, protect
from litestar import Litestar, Response, get, post
from litestar.exceptions import HTTPException
from litestar.params import JSONBody
from litestar.testing import RequestFactory, TestClient

FINDING = Finding(code="A01", severity="error", blocks="upload", message="no zip", fix="zip it", where="x.whl")
SHOWN = FINDING.model_dump(mode="json")
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
UV = "application/json;q=0.9, text/plain;q=0.8, text/html;q=0.7"
PIP = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
TWINE = {"Accept": "*/*", "User-Agent": "twine/7.0.0 CPython/3.11.2"}


@get(["/page", "/api/v1/thing", "/simple/thing"], sync_to_thread=False)
def refusing() -> None:
    raise MarketplaceError("checks-failed", "x.whl has <b>findings</b>", fix="mend it", findings=[FINDING])


@get("/secret", sync_to_thread=False)
def secret() -> None:
    raise MarketplaceError("credentials-required", "who are you", fix="say it")


@get("/broken", sync_to_thread=False)
def broken() -> None:
    raise RuntimeError("the inner secret")


@get("/unavailable", sync_to_thread=False)
def unavailable() -> None:
    raise HTTPException(status_code=500, detail="the inner secret")


@get("/full", sync_to_thread=False)
def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@get("/html", sync_to_thread=False, media_type="text/html")
def page() -> str:
    return "<p>hello</p>"


@get("/teapot", sync_to_thread=False)
def teapot() -> Response[str]:
    raise HTTPException(status_code=418)


@post("/body", sync_to_thread=False, request_max_body_size=10)
def body(data: JSONBody[dict[str, int]]) -> dict[str, int]:
    return data


@pytest.fixture(scope="module")
def client() -> Any:
    routes = [refusing, secret, broken, unavailable, full, page, teapot, body]
    app = Litestar(routes, exception_handlers=HANDLERS, before_send=[protect], openapi_config=None, logging_config=None)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/page", {"Accept": "*/*"}),
        ("/page", {"Accept": ""}),
        ("/page", {"Accept": "application/problem+json"}),
        ("/page", {"Accept": "Application/Problem+JSON"}),
        ("/page", {"Accept": "application/json, application/problem+json"}),
        ("/page", {"Accept": "application/json, text/plain, */*"}),
        ("/page", {"Accept": UV, "User-Agent": "uv/0.13.9"}),
        ("/simple/thing", {"Accept": PIP}),
        ("/simple/thing", {"Accept": "application/vnd.pypi.simple.latest+json"}),
        ("/page", {"Accept": "text/html;q=0.5, application/vnd.pypi.simple.v1+json"}),
        ("/page", {"Accept": "application/*"}),
        ("/page", {"Accept": "application/*;q=0.5, text/plain;q=0.4"}),
        ("/page", {"Accept": "text/plain;q=0, text/html;q=0, */*;q=0.1"}),
        ("/page", {"Accept": "text/*;q=0"}),
        ("/page", {"Accept": "*/*;q=0"}),
        ("/page", {"Accept": "image/png"}),
        ("/page", {"Accept": ";;,/,text/html;q=nan"}),
        ("/api/v1/thing", {"Accept": "*/*"}),
        ("/api/v1/thing", {"Accept": BROWSER}),
        ("/api/v1/thing", {"Accept": "text/html"}),
    ],
)
def test_error_is_problem_details_for_programs(client: Any, path: str, headers: dict[str, str]) -> None:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 400
    # uv reads the body only if the type has no parameter.
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["vary"] == "Accept, User-Agent"
    assert answer.json() == {
        "type": "urn:chimes:error:checks-failed",
        "title": "the file has findings that block the upload",
        "status": 400,
        "detail": "x.whl has <b>findings</b> [checks-failed]\nA01 error in x.whl: no zip. Fix: zip it\nFix: mend it",
        "code": "checks-failed",
        "message": "x.whl has <b>findings</b>",
        "fix": "mend it",
        "findings": [SHOWN],
    }


@pytest.mark.parametrize("path", ["/page", "/simple/thing", "/api/v1/thing"])
@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "APPLICATION/JSON",
        "application/json; charset=utf-8",
        "application/json;q=0.3",
        "application/json, text/html;q=0",
        "application/json, text/html;q=x",
    ],
)
def test_error_is_json_with_the_same_members_where_exactly_that_is_accepted(
    client: Any, path: str, accept: str
) -> None:
    answer = client.get(path, headers={"Accept": accept})
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == client.get(path, headers={"Accept": "application/problem+json"}).json()


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/page", {"Accept": "text/plain"}),
        ("/page", {"Accept": "TEXT/plain;charset=UTF-8"}),
        ("/page", {"Accept": "text/html;q=0.1, text/plain"}),
        ("/page", {"Accept": "application/json;q=0.5, text/plain"}),
        ("/page", {"Accept": "text/html;q=0, text/*"}),
        ("/api/v1/thing", {"Accept": "text/plain"}),
        # There are no pages below these addresses; twine prints the body as it is.
        ("/simple/thing", {"Accept": "text/html"}),
        ("/simple/thing", {"Accept": BROWSER}),
        ("/page", TWINE),
        ("/simple/thing", TWINE),
    ],
)
def test_error_is_text_for_terminals(client: Any, path: str, headers: dict[str, str]) -> None:
    answer = client.get(path, headers=headers)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.splitlines() == [
        "x.whl has <b>findings</b> [checks-failed]",
        "A01 error in x.whl: no zip. Fix: zip it",
        "Fix: mend it",
    ]


@pytest.mark.parametrize("character", ["\x1b[2J", "\r", "\n", "\x07", "\u202e", "\x9b2J", "\ud800"])
def test_text_of_an_error_has_no_terminal_control_character(character: str) -> None:
    hostile = f"a{character}b"
    finding = Finding(code="A01", severity="error", blocks=None, message=hostile, fix=hostile, where=hostile)
    text = MarketplaceError("bad-request", hostile, fix=hostile, findings=[finding]).to_text()
    assert len(text.splitlines()) == 3
    assert all(each.isprintable() and each.encode() for each in text.split("\n"))


def test_error_with_a_lone_surrogate_is_still_json() -> None:
    request = RequestFactory().get("/api/v1/thing")
    answer = error_response(request, MarketplaceError("not-found", "a\ud800b", fix="a\ud800b"))
    assert json.loads(answer.content)["message"] == "a\ud800b"


def test_error_is_a_page_for_browsers_with_the_text_escaped(client: Any) -> None:
    answer = client.get("/page", headers={"Accept": BROWSER})
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "X.whl has &lt;b&gt;findings&lt;/b&gt;" in answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_response_to_a_request_without_a_token_has_a_challenge(client: Any) -> None:
    answer = client.get("/secret")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Basic realm="chimes"')


@pytest.mark.parametrize("path", ["/broken", "/unavailable"])
def test_response_to_a_failure_has_no_detail_and_the_log_has_it(
    client: Any, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "chimes_marketplace"):
        answer = client.get(path, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert f"GET {path} failed" in caplog.text
    assert "the inner secret" in caplog.text


def test_full_disk_has_its_own_error(client: Any) -> None:
    answer = client.get("/full", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (507, "disk-full")


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "code"),
    [
        ("GET", "/nothing", None, 404, "not-found"),
        ("GET", "/nothing/%ff%00", None, 404, "not-found"),
        ("PUT", "/page", None, 405, "method-not-allowed"),
        ("POST", "/body", b'{"a": "b"}', 400, "bad-request"),
        ("POST", "/body", b"no json", 400, "bad-request"),
        ("POST", "/body", b'{"a": 12345678}', 413, "file-too-large"),
        ("GET", "/teapot", None, 400, "bad-request"),
    ],
)
def test_errors_of_the_framework_have_the_same_form(
    client: Any, method: str, path: str, sent: bytes | None, status: int, code: str
) -> None:
    answer = client.request(method, path, content=sent, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["message"]
    assert answer.json()["fix"]
    assert answer.json()["findings"] == []


def test_response_to_an_unsupported_method_names_the_supported_ones(client: Any) -> None:
    answer = client.put("/page", headers={"Accept": "application/json"})
    assert "GET" in answer.headers["allow"]
    assert answer.json()["fix"].startswith("use GET")


@pytest.mark.parametrize("path", ["/html", "/page", "/nothing", "/broken"])
def test_every_response_has_the_security_headers(client: Any, path: str) -> None:
    headers = client.get(path, headers={"Accept": "text/html"}).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
