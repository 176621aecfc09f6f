"""The end of a number is looked for before its extension: what an exchange shows, and what somebody remembers."""

from migrations.support import run_sql

revision, down_revision = "0030", "0029"

SQL = """
DROP INDEX residents_by_phone_tail;
CREATE INDEX residents_by_phone_tail ON residents (reverse(split_part(phone, ';', 1)) text_pattern_ops);
DROP INDEX account_numbers_by_tail;
CREATE INDEX account_numbers_by_tail ON account_numbers (reverse(split_part(phone, ';', 1)) text_pattern_ops);
"""


def upgrade() -> None:
    """Do what the first line says."""
    run_sql(SQL)
