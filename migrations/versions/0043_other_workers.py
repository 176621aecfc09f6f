"""Other workers of a provider in place of those it was asked for: an offer names who would come, and a choice stays one."""

from migrations.support import run_sql

revision, down_revision = "0043", "0042"


def upgrade() -> None:
    """Remember which seats a person has filled: planning leaves them alone while whoever sits there can come."""
    run_sql("""
ALTER TABLE assignments ADD COLUMN chosen boolean NOT NULL DEFAULT false;
GRANT UPDATE (chosen) ON assignments TO yinling_app;
GRANT UPDATE (worker_id) ON offer_seats TO yinling_app;
""")
