"""Which version of a plan was last brought up to date with what really happened; finished stops by plan."""

from migrations.support import run_sql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SQL = """
ALTER TABLE plans ADD COLUMN settled_version bigint NOT NULL DEFAULT 0;   -- behind `version`: the dispatcher lags
CREATE INDEX stops_done ON stops (plan_id) WHERE NOT active;
"""


def upgrade() -> None:
    """Add what the first line says."""
    run_sql(SQL)
