"""A marketplace and its member's credentials, for tests of the API."""

from __future__ import annotations

from pathlib import Path

import pytest
from chimes_marketplace.web.state import Marketplace
from market_factories import add_author, basic, make_market


@pytest.fixture
def market(tmp_path: Path) -> Marketplace:
    return make_market(tmp_path)


@pytest.fixture
def alice(market: Marketplace) -> dict[str, str]:
    return basic(add_author(market))
