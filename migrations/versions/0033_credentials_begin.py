"""A credential may begin on a day to come: whoever has a permit from next month makes no visit this month."""

from migrations.support import run_sql

revision, down_revision = "0033", "0032"


def upgrade() -> None:
    """Keep the first day each credential counts on; none is known of those that stand."""
    run_sql("""
ALTER TABLE worker_skills ADD COLUMN valid_from date,
    ADD CONSTRAINT worker_skills_in_order CHECK (valid_from < expires_on); -- one that never counts is a slip of the pen
SELECT refuse_infinities();
""")
