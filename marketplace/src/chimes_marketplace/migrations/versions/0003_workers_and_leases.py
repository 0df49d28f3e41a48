"""Several workers: leases of runs, arriving uploads, typed jobs; the automatic retry of a submission as a column."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

RETRY_NOTE = "tried again: it was never run, %"
"""The beginning of the note in the timeline that marked an automatic retry before this migration."""
JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    """Add the columns and the table, fill them from existing values, and drop the columns that they replace."""
    add_leases()
    split_jobs()
    op.execute("ALTER TABLE run DROP COLUMN job")
    op.create_index(
        "run_open_control",
        "run",
        ["lane"],
        unique=True,
        sqlite_where=sa.text("submission_id IS NULL AND state != 'done'"),
        postgresql_where=sa.text("submission_id IS NULL AND state != 'done'"),
    )
    add_retries()
    op.execute("ALTER TABLE project DROP COLUMN serial")
    op.create_table(
        "arrival",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_arrival_project", "arrival", ["project"], unique=False)


def add_leases() -> None:
    """The new columns of runs."""
    op.add_column("run", sa.Column("spec", JSON, nullable=True))
    op.add_column("run", sa.Column("handle", JSON, nullable=True))
    op.add_column("run", sa.Column("owner", sa.String(), nullable=True))
    op.add_column("run", sa.Column("lease", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.add_column("run", sa.Column("lease_expires_at", sa.DateTime(), nullable=True))
    op.add_column("run", sa.Column("submitted_at", sa.DateTime(), nullable=True))


def split_jobs() -> None:
    """Split ``job``, which contained both specification and handle. An admitted run had one holder."""
    run: Any = sa.table(
        "run",
        sa.column("id", sa.Integer()),
        sa.column("state", sa.String()),
        sa.column("job", JSON),
        sa.column("spec", JSON),
        sa.column("handle", JSON),
        sa.column("lease", sa.Integer()),
        sa.column("admitted_at", sa.DateTime()),
        sa.column("submitted_at", sa.DateTime()),
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(run.c.id, run.c.job)).all():
        job = row.job or {}
        values = {"spec": job.get("spec"), "handle": job.get("handle")}
        connection.execute(sa.update(run).where(run.c.id == row.id).values(values))
    connection.execute(sa.update(run).values(submitted_at=run.c.admitted_at))
    connection.execute(sa.update(run).where(run.c.state != "waiting").values(lease=1))


def add_retries() -> None:
    """Mark the submissions that were retried automatically, by the note in their timelines."""
    column: Any = sa.Column("is_auto_retried", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("submission", column)
    submission: Any = sa.table("submission", sa.column("id", sa.Integer()), sa.column("is_auto_retried", sa.Boolean()))
    step: Any = sa.table("step", sa.column("submission_id", sa.Integer()), sa.column("note", sa.String()))
    retried = sa.select(step.c.submission_id).where(step.c.note.like(RETRY_NOTE))
    op.get_bind().execute(sa.update(submission).where(submission.c.id.in_(retried)).values(is_auto_retried=True))


def downgrade() -> None:
    """This migration cannot be undone: restore the backup from before."""
    raise NotImplementedError("restore the backup from before the migration")
