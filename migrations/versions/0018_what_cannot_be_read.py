"""Orders that a crew counts on and nobody can read are found by the desk without looking at all others."""

from migrations.support import run_sql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

SQL = """
CREATE INDEX orders_unreadable ON orders (window_to) WHERE 'UNREADABLE' = ANY (flags);
"""


def upgrade() -> None:
    """Make what the first line says."""
    run_sql(SQL)
