"""Until when a timer that failed rests, by the machine's clock: care time may stand still, and it would never be tried again."""

from migrations.support import run_sql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

SQL = """
ALTER TABLE timers ADD COLUMN rests_until timestamptz;   -- machine time; empty unless the last try failed
GRANT UPDATE (rests_until) ON timers TO yinling_app;
SELECT refuse_infinities();
"""


def upgrade() -> None:
    """Add what the first line says."""
    run_sql(SQL)
