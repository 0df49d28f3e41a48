"""Each file gets its own metadata and type; before, only the release had those of its newest upload."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; existing files get the values of their release."""
    op.add_column("file", sa.Column("type", sa.String(), nullable=True))
    op.add_column("file", sa.Column("about", sa.JSON(), nullable=False, server_default=sa.text("'{}'")))
    of_release = "(SELECT {} FROM release WHERE release.id = file.release_id)"
    op.execute(f"UPDATE file SET about = {of_release.format('about')}")
    op.execute(f"UPDATE file SET type = {of_release.format('type')} WHERE form = 'wheel'")


def downgrade() -> None:
    """Remove them."""
    with op.batch_alter_table("file") as table:
        table.drop_column("about")
        table.drop_column("type")
