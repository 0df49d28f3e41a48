"""How refusals look to each reader, and what every answer carries."""

from __future__ import annotations

import errno
import logging
from typing import Any

import pytest
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.web.errors import HANDLERS, protect
from litestar import Litestar, Response, get, post
from litestar.exceptions import HTTPException
from litestar.params import JSONBody
from litestar.testing import TestClient

FINDING = {"code": "A01", "severity": "error", "blocks": "upload", "message": "no zip", "fix": "zip it", "where": None}


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
        ("/page", {"Accept": "application/json"}),
        ("/page", {"Accept": "text/html;q=0.5, application/vnd.pypi.simple.v1+json"}),
        ("/page", {"Accept": "application/*"}),
        ("/page", {"Accept": "application/*;q=0.5, text/plain"}),
        ("/page", {"Accept": "*/*", "User-Agent": "uv/0.13.9"}),
        ("/api/v1/thing", {"Accept": "*/*"}),
    ],
)
def test_programs_are_refused_in_json_of_exactly_that_type(client: Any, path: str, headers: dict[str, str]) -> None:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "code": "checks-failed",
        "message": "x.whl has <b>findings</b>",
        "fix": "mend it",
        "findings": [FINDING],
    }


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/page", "*/*"),
        ("/page", ""),
        ("/page", "text/plain"),
        ("/page", "text/html;q=0.1, text/plain"),
        ("/page", "application/json;q=0"),
        ("/page", "application/json;q=0, application/*"),
        ("/page", "application/json;q=x, ;;,/,text/html;q=nan"),
        ("/simple/thing", "text/html"),
    ],
)
def test_terminals_are_refused_in_text(client: Any, path: str, accept: str) -> None:
    answer = client.get(path, headers={"Accept": accept})
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.splitlines() == [
        "x.whl has <b>findings</b> [checks-failed]",
        "A01 error: no zip. Fix: zip it",
        "Fix: mend it",
    ]


def test_browsers_are_refused_with_a_page_that_shows_words_as_words(client: Any) -> None:
    answer = client.get("/page", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "X.whl has &lt;b&gt;findings&lt;/b&gt;" in answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_who_must_say_who_it_is_gets_a_challenge(client: Any) -> None:
    answer = client.get("/secret")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Basic realm="chimes"')


@pytest.mark.parametrize("path", ["/broken", "/unavailable"])
def test_a_failure_says_nothing_of_the_inside_but_to_the_log(
    client: Any, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "chimes_marketplace"):
        answer = client.get(path, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert f"GET {path} failed" in caplog.text
    assert "the inner secret" in caplog.text


def test_a_full_disk_is_no_failure_of_the_code(client: Any) -> None:
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
def test_what_the_framework_refuses_has_the_same_shape(
    client: Any, method: str, path: str, sent: bytes | None, status: int, code: str
) -> None:
    answer = client.request(method, path, content=sent, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["message"]
    assert answer.json()["fix"]
    assert answer.json()["findings"] == []


def test_a_refused_method_names_those_that_are_taken(client: Any) -> None:
    answer = client.put("/page", headers={"Accept": "application/json"})
    assert "GET" in answer.headers["allow"]
    assert answer.json()["fix"].startswith("use GET")


@pytest.mark.parametrize("path", ["/html", "/page", "/nothing", "/broken"])
def test_every_answer_keeps_browsers_from_harm(client: Any, path: str) -> None:
    headers = client.get(path, headers={"Accept": "text/html"}).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
