"""HEAD: the headers of GET without a body, at every address that supports GET."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from market_factories import add_author, make_market
from release_factories import MadeRelease, make_release, verdict
from uploads import client_of


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Any, MadeRelease]]:
    market = make_market(tmp_path)
    add_author(market)
    with client_of(market) as client:
        yield client, make_release(market, document=verdict(A01="pass"), log="said")


def paths_of(made: MadeRelease) -> list[str]:
    file = f"files/{made.sha256}/{made.filename}"
    stage = f"/stage/{made.secret}"
    return [
        *("/", "/plugins/", "/plugins/acme-tools/", "/plugins/acme-tools/1.0/", "/reports/1/", "/static/chimes.css"),
        *("/reports/1/runs/1/log.txt", f"{stage}/report", f"{stage}/report/runs/1/log.txt"),
        *("/simple/", "/simple", "/simple/acme-tools/", "/legacy/+simple/acme-tools/", f"/{file}"),
        *(f"{stage}/simple/", f"{stage}/simple/acme-tools/", f"{stage}/{file}"),
        *("/api/v1/projects", "/api/v1/projects/acme-tools", "/api/v1/projects/acme-tools/releases/1.0"),
        *("/api/v1/submissions/1", "/healthz", "/schema/openapi.json", "/nothing", "/schema/nothing", "/reports/0/"),
    ]


def test_head_is_get_without_a_body_at_every_address(site: tuple[Any, MadeRelease]) -> None:
    client, made = site
    asked = paths_of(made)
    for path in asked:
        whole, head = client.get(path), client.head(path)
        assert (head.status_code, head.headers, head.content) == (whole.status_code, whole.headers, b""), path
    for path, operations in client.get("/schema/openapi.json").json()["paths"].items():
        form = re.compile(re.sub(r"\\?\{[^}]+\}", "[^/]+", re.escape(path)).rstrip("/") + "/?")
        assert "get" not in operations or any(form.fullmatch(each) for each in asked), path


def test_head_supports_ranges_and_etags(site: tuple[Any, MadeRelease]) -> None:
    client, made = site
    path = f"/files/{made.sha256}/{made.filename}"
    part = client.head(path, headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.headers["content-length"], part.content) == (206, "3", b"")
    etag = client.head(path).headers["etag"]
    assert client.head(path, headers={"If-None-Match": etag}).status_code == 304


def test_head_is_refused_where_get_is(site: tuple[Any, MadeRelease]) -> None:
    client, _ = site
    answer = client.head("/legacy/")
    assert (answer.status_code, answer.content) == (405, b"")
    assert "HEAD" not in answer.headers["allow"]


def test_the_allow_header_names_head(site: tuple[Any, MadeRelease]) -> None:
    client, _ = site
    for answer in (client.put("/plugins/"), client.options("/simple/")):
        assert {"GET", "HEAD"} <= {name.strip() for name in answer.headers["allow"].split(",")}
