"""Alembic runs this: it migrates on the given connection, in that connection's transaction."""

from __future__ import annotations

from alembic import context

from chimes_marketplace.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
