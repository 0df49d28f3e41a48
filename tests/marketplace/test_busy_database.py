"""A database that is locked for too long: clients get 503 and can repeat the request."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from chimes_marketplace.database import Database
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.migrations import migrate
from chimes_marketplace.web.state import Marketplace
from market_factories import add_author, basic, make_market, make_wheel
from release_factories import make_release
from uploads import client_of, send


@pytest.fixture
def market(tmp_path: Path) -> Marketplace:
    """A marketplace that waits only briefly for its database."""
    patient = make_market(tmp_path)
    patient.database.close()
    return replace(patient, database=Database(patient.settings.database, busy_s=0.05))


@contextlib.contextmanager
def locked(path: Path, statements: str) -> Iterator[None]:
    """A transaction of another process, such as a backup."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        for statement in statements.split(";"):
            other.execute(statement)
        yield


def test_a_change_of_a_locked_database_is_503_and_can_be_repeated(tmp_path: Path, market: Marketplace) -> None:
    token = add_author(market)
    id_ = make_release(market, "acme-other", state="staged").id
    with client_of(market) as client:
        with locked(market.settings.data / "marketplace.db", "BEGIN IMMEDIATE"):
            upload = send(client, token, make_wheel(tmp_path))
            close = client.post(f"/api/v1/submissions/{id_}/close", headers=basic(token))
            assert client.get("/api/v1/projects").status_code == 200
        for answer in (upload, close):
            assert (answer.status_code, answer.json()["code"]) == (503, "busy")
            assert int(answer.headers["retry-after"]) > 0
        assert send(client, token, make_wheel(tmp_path)).status_code == 200


def test_a_database_locked_for_reading_is_503(market: Marketplace) -> None:
    market.database.close()
    with (
        client_of(market) as client,
        locked(market.settings.data / "marketplace.db", "PRAGMA locking_mode=EXCLUSIVE;BEGIN EXCLUSIVE"),
    ):
        answer = client.get("/api/v1/projects")
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")


def test_a_locked_database_cannot_be_migrated_and_is_reported_as_busy(tmp_path: Path) -> None:
    path = tmp_path / "marketplace.db"
    database = Database(f"sqlite:///{path}", busy_s=0.05)
    with locked(path, "BEGIN IMMEDIATE"), pytest.raises(MarketplaceError) as refused:
        migrate(database)
    database.close()
    assert refused.value.code == "busy"


def test_too_few_connections_are_503_too(market: Marketplace) -> None:
    with client_of(market) as client, contextlib.ExitStack() as others:
        for _ in range(15):
            others.enter_context(market.database.reading()).connection()
        answer = client.get("/api/v1/projects")
        assert (answer.status_code, answer.json()["code"]) == (503, "busy")
