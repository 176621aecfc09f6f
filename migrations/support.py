"""Running hand-written SQL of many statements inside an Alembic revision."""

from alembic import op
from sqlalchemy.util import await_only


def run_sql(sql: str) -> None:
    """Send the whole text through the raw asyncpg connection; SQLAlchemy's own path takes one statement at a time."""
    raw = op.get_bind().connection.driver_connection
    if raw is None:
        raise RuntimeError("migrations need a live connection")
    await_only(raw.execute(sql))
