"""A marketplace and an HTTP client, for tests of pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chimes_marketplace.app import create_app
from chimes_marketplace.web.state import Marketplace
from litestar import Litestar
from litestar.testing import TestClient
from market_factories import add_author, basic, make_market


@pytest.fixture
def market(tmp_path: Path) -> Marketplace:
    return make_market(tmp_path)


@pytest.fixture
def alice(market: Marketplace) -> dict[str, str]:
    return basic(add_author(market))


@pytest.fixture
def client(market: Marketplace, alice: dict[str, str]) -> Iterator[TestClient[Litestar]]:
    with TestClient(create_app(market), base_url="http://chimes.example") as client:
        client.headers["accept"] = "text/html,application/xhtml+xml,*/*;q=0.8"
        yield client
