"""Indexes that a statement can use behind row-level security: on plain columns, for operators that are leakproof.

Also what statements asked for without any index: one worker's shifts, one resident's homes and consents, orders by state.
"""

from migrations.support import run_sql

revision, down_revision = "0031", "0030"

SQL = """
CREATE INDEX shifts_by_worker ON shifts (worker_id, plan_on);
CREATE INDEX homes_by_resident ON homes (resident_id);
CREATE INDEX consents_by_resident ON consents (resident_id, valid_from);
DROP INDEX consents_waiting;
CREATE INDEX consents_waiting ON consents (phone text_pattern_ops) WHERE account_id IS NULL AND valid_to IS NULL;
CREATE INDEX orders_by_status ON orders (status, id);
CREATE INDEX orders_of_provider ON orders (provider_id, id);
DROP INDEX residents_by_phone_tail, account_numbers_by_tail;
ALTER TABLE residents ADD COLUMN phone_tail text NOT NULL GENERATED ALWAYS AS (reverse(split_part(phone, ';', 1))) STORED;
ALTER TABLE account_numbers
    ADD COLUMN phone_tail text NOT NULL GENERATED ALWAYS AS (reverse(split_part(phone, ';', 1))) STORED;
CREATE INDEX residents_by_phone_tail ON residents (phone_tail text_pattern_ops);
CREATE INDEX account_numbers_by_tail ON account_numbers (phone_tail text_pattern_ops);
"""


def upgrade() -> None:
    """Do what the first line says."""
    run_sql(SQL)
