"""Tables and migrations agree: a database made by the migrations has exactly the tables that the code expects."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from chimes_marketplace import migrations
from chimes_marketplace.database import Database
from chimes_marketplace.migrations import migrate
from chimes_marketplace.tables import METADATA


def test_a_migrated_sqlite_database_has_the_tables_of_the_code(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'marketplace.db'}")
    migrate(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
    database.close()


def test_migrations_follow_each_other_in_one_line() -> None:
    scripts = ScriptDirectory(Path(migrations.__file__).parent)
    revisions = [script.revision for script in scripts.walk_revisions()]
    assert revisions == sorted(revisions, reverse=True)
    assert len(scripts.get_heads()) == 1
