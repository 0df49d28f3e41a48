"""The base address in the marketplace's links."""

from __future__ import annotations

from pathlib import Path

import pytest
from chimes_marketplace.web.state import Marketplace
from market_factories import add_author, make_market
from release_factories import make_release
from uploads import client_of

NONE = ("[", "x][", "[x]", "[1.2]", "a b", "x@y", "x/y", "x?y", "x:99999", "x:0", "x:", ":1", '"><script>', "\xff")


def made(folder: Path, **settings: str) -> Marketplace:
    market = make_market(folder, **settings)
    add_author(market)
    make_release(market)
    return market


@pytest.mark.parametrize(
    "host", ["chimes.example", "chimes.example:8080", "127.0.0.1:1", "[::1]", "[::1]:8080", "a_b-c"]
)
def test_links_have_the_host_of_the_request(tmp_path: Path, host: str) -> None:
    with client_of(made(tmp_path)) as client:
        asked = {"Host": host}
        assert (
            client.get("/simple/acme-tools", headers=asked).headers["location"] == f"http://{host}/simple/acme-tools/"
        )
        assert f"http://{host}/simple/" in client.get("/plugins/acme-tools/", headers=asked).text


@pytest.mark.parametrize("host", NONE)
def test_an_invalid_host_is_refused_and_is_in_no_link(tmp_path: Path, host: str) -> None:
    paths = ("/", "/plugins/acme-tools/", "/reports/1/", "/simple/acme-tools", "/healthz", "/schema/openapi.json")
    wrong = ("/reports/0/", "/api/v1/submissions/0", f"/api/v1/projects?q={'x' * 201}", "/plugins/?type=zzz")
    with client_of(made(tmp_path)) as client:
        for path in (*paths, *wrong):
            answer = client.get(path, headers={b"Host": host.encode("latin-1"), b"Accept": b"application/json"})
            assert (answer.status_code, answer.json()["code"]) == (400, "bad-request"), path
        page = client.get("/plugins/acme-tools/", headers={b"Host": host.encode("latin-1"), b"Accept": b"text/html"})
        assert (page.status_code, f"http://{host}" in page.text) == (400, False)
        assert client.post("/api/v1/submissions/0/close", headers={"Host": "x:99999"}).status_code == 400


def test_without_a_host_links_have_the_servers_address(tmp_path: Path) -> None:
    with client_of(made(tmp_path)) as client:
        moved = client.get("/simple/acme-tools", headers={"Host": ""})
        assert moved.headers["location"].startswith("http://testserver.local:80/simple/")


def test_the_public_url_takes_precedence_over_the_host(tmp_path: Path) -> None:
    with client_of(made(tmp_path, public_url="https://chimes.example/market/")) as client:
        moved = client.get("/simple/acme-tools", headers={"Host": "evil.example"})
        assert moved.headers["location"] == "https://chimes.example/market/simple/acme-tools/"
