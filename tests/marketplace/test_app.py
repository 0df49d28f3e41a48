"""The application as a whole: its health, its documentation, its limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chimes_marketplace.app import create_app
from chimes_marketplace.database import Database
from chimes_marketplace.storage.local import LocalBlobs
from chimes_marketplace.web.state import Marketplace
from litestar.testing import TestClient
from market_factories import make_market


class FullBlobs(LocalBlobs):
    """Blobs on a full disk."""

    def free_bytes(self) -> int:
        return 0


@pytest.fixture
def market(tmp_path: Path) -> Marketplace:
    return make_market(tmp_path, name="Hubei")


def ask(market: Marketplace, path: str) -> Any:
    with TestClient(create_app(market)) as client:
        return client.get(path)


def test_a_working_marketplace_is_healthy(market: Marketplace) -> None:
    answer = ask(market, "/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["cache-control"] == "no-store"


def test_a_database_that_fails_makes_it_unhealthy(market: Marketplace, tmp_path: Path) -> None:
    answer = ask(replace(market, database=Database(f"sqlite:///{tmp_path / 'none' / 'x.db'}")), "/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": "failing", "database": "cannot be read"})


def test_a_full_disk_makes_it_unhealthy(market: Marketplace) -> None:
    answer = ask(replace(market, blobs=FullBlobs(market.settings.data / "blobs")), "/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": "failing", "disk": "is full"})


def test_a_removed_folder_makes_it_unhealthy(market: Marketplace, tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "gone")
    (tmp_path / "gone").rename(tmp_path / "elsewhere")
    answer = ask(replace(market, blobs=blobs), "/healthz")
    assert answer.json() == {"status": "failing", "disk": "cannot be written"}


def test_every_route_is_in_the_openapi_document(market: Marketplace) -> None:
    app = create_app(market)
    with TestClient(app) as client:
        document = client.get("/schema/openapi.json").json()
    assert document["info"]["title"] == "Hubei marketplace"
    served = {_plain(route.path_format) for route in app.routes if not route.path.startswith("/schema")}
    assert served == {_plain(path) for path in document["paths"]}
    for start in ("/api/v1/", "/files/", "/healthz", "/legacy", "/plugins", "/simple", "/stage/"):
        assert any(path.startswith(start) for path in document["paths"]), start


@pytest.mark.parametrize(
    "path", ["/schema", "/schema/swagger", "/schema/redoc", "/schema/elements", "/schema/openapi.yaml"]
)
def test_no_page_of_the_documentation_loads_a_script(market: Marketplace, path: str) -> None:
    assert "<script" not in ask(market, path).text


@pytest.mark.parametrize("path", ["/schema/swagger", "/schema/openapi.yaml", "/schema/anything", "/schema/no/such"])
def test_absent_addresses_below_schema_get_the_usual_error_response(market: Marketplace, path: str) -> None:
    with TestClient(create_app(market)) as client:
        program = client.get(path, headers={"Accept": "application/json"})
        browser = client.get(path, headers={"Accept": "text/html"})
    assert (program.status_code, program.json()["code"]) == (404, "not-found")
    assert (browser.status_code, "[not-found]" in browser.text) == (404, True)


def test_every_operation_has_a_unique_id(market: Marketplace) -> None:
    names = list(_operations(ask(market, "/schema/openapi.json").json()))
    assert len(names) == len(set(names))


def _operations(document: dict[str, Any]) -> Iterator[str]:
    for item in document["paths"].values():
        yield from (operation["operationId"] for operation in item.values() if "operationId" in operation)


def _plain(path: str) -> str:
    return path.rstrip("/") or "/"
