"""Other workers of a provider in place of those it was asked for: an offer names who would come now."""

from migrations.support import run_sql

revision, down_revision = "0043", "0040"


def upgrade() -> None:
    """Let the platform say it anew where its plan has somebody else."""
    run_sql("""
GRANT UPDATE (worker_id) ON offer_seats TO yinling_app;
""")
