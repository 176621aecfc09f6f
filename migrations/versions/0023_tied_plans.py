"""Which other plans a plan depends on: a plan day ends at night, a resident's visits on both sides of its border keep apart."""

from migrations.support import run_sql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

SQL = """
ALTER TABLE plans ADD COLUMN beside uuid[] NOT NULL DEFAULT '{}';   -- plans with orders that some of this one are linked to
GRANT UPDATE (beside) ON plans TO yinling_app;
"""


def upgrade() -> None:
    """Add what the first line says."""
    run_sql(SQL)
