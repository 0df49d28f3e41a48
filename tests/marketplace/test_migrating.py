"""Migrations: safe to repeat and to run concurrently, and refused for a newer database."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from chimes.kinds.backend import JobHandle, JobSpec
from chimes_marketplace import migrations
from chimes_marketplace.accounts.members import add_member, list_members
from chimes_marketplace.catalog.projects import list_all
from chimes_marketplace.database import Database
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.lanes.leases import Worker, take
from chimes_marketplace.lanes.runs import list_runs
from chimes_marketplace.migrations import check, head, migrate
from chimes_marketplace.submissions.states import get_submission
from market_factories import make_market
from sqlalchemy import inspect, text


def test_migrating_again_keeps_the_rows(tmp_path: Path) -> None:
    market = make_market(tmp_path)
    with market.database.writing() as session:
        add_member(session, slug="acme", name="Acme", type="industry")
    migrate(market.database)
    with market.database.reading() as session:
        assert [row.slug for row in list_members(session)] == ["acme"]


def test_concurrent_migrations_make_one_set_of_tables(tmp_path: Path) -> None:
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


def test_a_command_that_may_not_migrate_does_not_change_an_empty_database(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'marketplace.db'}")
    with pytest.raises(MarketplaceError) as caught:
        check(database)
    assert (caught.value.code, inspect(database.engine).get_table_names()) == ("not-found", [])
    migrate(database)
    check(database)
    database.close()


NOTE = "tried again: it was never run, because the lane failed"
SPEC = {"command": ["chimes", "check"], "workdir": "/data/runs/2-1/work"}
HANDLE = {
    "backend": "chimes-local:local",
    "native_id": "abc",
    "key": "2-1",
    "spec_sha256": "0" * 64,
    "control_url": "file:///data/jobs/abc",
    "submitted_at": "2026-01-01T00:00:00Z",
}
MOMENT = "2026-01-01 00:00:00.000000"
ROWS = (
    f"INSERT INTO member VALUES (1, 'acme', 'Acme', 'industry', '{MOMENT}')",
    f"INSERT INTO user VALUES (1, 'alice', 1, NULL, '{MOMENT}')",
    "INSERT INTO project (id, name, display_name, lookalike, member_id, serial, created_at) "
    f"VALUES (1, 'acme-tools', 'acme-tools', 'acmet001s', 1, 7, '{MOMENT}')",
    "INSERT INTO release (id, project_id, version, type, about, components, created_at) "
    f"VALUES (1, 1, '1.0', 'library', '{{}}', '[]', '{MOMENT}')",
    *(
        "INSERT INTO submission (id, release_id, user_id, state, secret, attempt, findings, components, "
        f"opened_at, touched_at) VALUES ({id}, 1, 1, 'validating', 's{id}', 1, '[]', '[]', '{MOMENT}', '{MOMENT}')"
        for id in (1, 2)
    ),
    "INSERT INTO step (id, submission_id, state, at, actor, note) "
    f"VALUES (1, 2, 'validating', '{MOMENT}', 'm', '{NOTE}')",
    "INSERT INTO file (id, release_id, submission_id, filename, form, sha256, size_bytes, findings, about, "
    "uploaded_at) "
    f"VALUES (1, 1, 1, 'a.whl', 'wheel', 'x', 1, '[]', '{{}}', '{MOMENT}')",
    *(
        "INSERT INTO run (id, submission_id, file_id, lane, attempt, state, job, created_at, admitted_at) "
        f"VALUES ({id}, 1, 1, 'cpu-local', 1, '{state}', '{json.dumps(job)}', '{MOMENT}', {at})"
        for id, state, job, at in (
            (1, "waiting", None, "NULL"),
            (2, "admitted", {"spec": SPEC, "handle": HANDLE}, f"'{MOMENT}'"),
            (3, "admitted", {"spec": SPEC}, f"'{MOMENT}'"),
        )
    ),
)


def test_a_database_of_the_previous_version_is_migrated_with_its_rows(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'marketplace.db'}")
    with database.changing() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        for row in ROWS:
            connection.execute(text(row.replace(":", r"\:")))
    migrate(database)
    worker = Worker(lease_s=15)
    with database.writing() as session:
        assert [row.name for row in list_all(session)] == ["acme-tools"]
        first, second, third = list_runs(session, submission_id=1)
        assert (first.spec, first.handle, first.lease, first.submitted_at) == (None, None, 0, None)
        assert second.spec == third.spec == JobSpec.model_validate(SPEC)
        assert second.handle == JobHandle.model_validate(HANDLE)
        assert third.handle is None
        assert (second.submitted_at, second.owner) == (second.admitted_at, None)
        # Its server has ended: another worker continues it.
        assert take(session, id=2, worker=worker) == 2
        assert [get_submission(session, id=id).is_auto_retried for id in (1, 2)] == [False, True]
    database.close()
