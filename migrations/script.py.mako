"""${message}"""

from migrations.support import run_sql

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None

SQL = """
"""


def upgrade() -> None:
    """Create what the first line says."""
    run_sql(SQL)
