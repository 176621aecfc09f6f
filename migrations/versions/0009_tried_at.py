"""When a crew was last looked for, for an order that still waits for one."""

from migrations.support import run_sql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

SQL = """
ALTER TABLE orders ADD COLUMN tried_at timestamptz;   -- care time; with `reasons`, what that look found
"""


def upgrade() -> None:
    """Add what the first line says."""
    run_sql(SQL)
