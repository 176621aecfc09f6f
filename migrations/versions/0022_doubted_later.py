"""What a later report has shown may be flagged on an earlier one."""

from migrations.support import run_sql

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

# The flags are what we think of a report; what it says cannot be changed by anybody.
SQL = "GRANT UPDATE (flags) ON visit_records TO yinling_app"


def upgrade() -> None:
    """Do what the first line says."""
    run_sql(SQL)
