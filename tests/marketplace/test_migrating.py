"""Migrations: safe to run again, by many at once, and refused where the database is newer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from chimes_marketplace.accounts.members import add_member, list_members
from chimes_marketplace.database import Database
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.migrations import check, head, migrate
from market_factories import make_market
from sqlalchemy import inspect, text


def test_migrating_again_keeps_what_is_there(tmp_path: Path) -> None:
    market = make_market(tmp_path)
    with market.database.writing() as session:
        add_member(session, slug="acme", name="Acme", type="industry")
    migrate(market.database)
    with market.database.reading() as session:
        assert [row.slug for row in list_members(session)] == ["acme"]


def test_many_that_migrate_at_once_make_one_set_of_tables(tmp_path: Path) -> None:
    def start(_: int) -> None:
        database = Database(f"sqlite:///{tmp_path / 'marketplace.db'}")
        migrate(database)
        database.close()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(start, range(8))) == [None] * 8
    database = Database(f"sqlite:///{tmp_path / 'marketplace.db'}")
    assert {"member", "file", "run", "alembic_version"} <= set(inspect(database.engine).get_table_names())
    database.close()


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    market = make_market(tmp_path)
    with market.database.writing() as session:
        session.connection().execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for refusing in (migrate, check):
        with pytest.raises(MarketplaceError) as caught:
            refusing(market.database)
        assert (caught.value.code, "9999" in caught.value.message) == ("conflict", True)
    assert head() != "9999"


def test_who_may_not_migrate_leaves_a_database_without_tables_as_it_is(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'marketplace.db'}")
    with pytest.raises(MarketplaceError) as caught:
        check(database)
    assert (caught.value.code, inspect(database.engine).get_table_names()) == ("not-found", [])
    migrate(database)
    check(database)
    database.close()
