"""A marketplace, an author's token and an HTTP client, for tests of the index."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chimes_marketplace.web.state import Marketplace
from litestar.testing import TestClient
from market_factories import add_author, make_market
from uploads import client_of


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Marketplace]:
    made = make_market(tmp_path, upload_bytes=1 << 20)
    yield made
    made.database.close()


@pytest.fixture
def token(market: Marketplace) -> str:
    return add_author(market)


@pytest.fixture
def client(market: Marketplace) -> Iterator[TestClient[Any]]:
    with client_of(market) as made:
        yield made
