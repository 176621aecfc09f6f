"""The desk gets a task while sign-in codes do not leave."""

from migrations.support import run_sql

revision, down_revision = "0035", "0034"


def upgrade() -> None:
    """Let tasks be about codes, too."""
    run_sql("""
ALTER TABLE desk_tasks DROP CONSTRAINT desk_tasks_kind;
ALTER TABLE desk_tasks ADD CONSTRAINT desk_tasks_kind CHECK (kind IN ('feed_stalled', 'codes_not_sent'));
""")
