"""Every process sees uploads that are being received; after a server was killed, its uploads expire."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from chimes_marketplace.database import Database
from chimes_marketplace.submissions.arrivals import LONGEST_S, Arrivals
from chimes_marketplace.submissions.tables import Arrival
from market_factories import make_market
from sqlmodel import select
from validation_factories import Clock


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return make_market(tmp_path).database


def rows(database: Database) -> int:
    with database.reading() as session:
        return len(session.exec(select(Arrival)).all())


def test_a_release_is_arriving_in_any_spelling_until_its_last_upload_ends(database: Database) -> None:
    arrivals = Arrivals(database, expiry_s=60)
    with arrivals.arriving("acme-tools", "1.0"):
        with arrivals.arriving("acme-tools", "1.0.0"):
            pass
        assert arrivals.is_arriving("acme-tools", "1.0.0")
        assert not arrivals.is_arriving("acme-tools", "1.1")
        assert not arrivals.is_arriving("acme-other", "1.0")
    assert not arrivals.is_arriving("acme-tools", "1.0")
    assert rows(database) == 0


def test_an_upload_to_one_server_is_seen_by_another_and_by_workers(database: Database) -> None:
    here, there = Arrivals(database, expiry_s=60), Arrivals(Database(database.url), expiry_s=60)
    with here.arriving("acme-tools", "1.0"):
        assert there.is_arriving("acme-tools", "1.0")
    assert not there.is_arriving("acme-tools", "1.0")


def test_the_upload_of_a_server_that_was_killed_expires_and_its_row_is_removed(database: Database) -> None:
    clock = Clock()
    arrivals = Arrivals(database, expiry_s=60, clock=clock)
    with database.writing() as session:
        left = Arrival(id="of a killed server", project="acme-tools", version="1", expires_at=clock())
        left.expires_at += timedelta(seconds=60)
        session.add(left)
    assert arrivals.is_arriving("acme-tools", "1.0")
    clock.ahead += timedelta(seconds=61)
    assert not arrivals.is_arriving("acme-tools", "1.0")
    with arrivals.arriving("acme-tools", "2.0"):
        assert rows(database) == 1


def test_an_upload_is_renewed_while_it_lasts_and_no_longer_than_an_hour(database: Database) -> None:
    clock = Clock()
    arrivals = Arrivals(database, expiry_s=60, clock=clock)
    with arrivals.arriving("acme-tools", "1.0"):
        for _ in range(59):
            clock.ahead += timedelta(seconds=59)
            arrivals.renew()
            assert arrivals.is_arriving("acme-tools", "1.0")
        clock.ahead = timedelta(seconds=LONGEST_S + 61)
        arrivals.renew()
        assert not arrivals.is_arriving("acme-tools", "1.0")


def test_a_thread_renews_the_uploads_of_a_process(database: Database) -> None:
    with Arrivals(database, expiry_s=0.3).arriving("acme-tools", "1.0"):
        first = expiry(database)
        deadline = time.monotonic() + 30
        while expiry(database) == first:
            assert time.monotonic() < deadline, "it is not renewed"


def expiry(database: Database) -> datetime:
    with database.reading() as session:
        return session.exec(select(Arrival)).one().expires_at
