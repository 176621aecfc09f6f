"""A consent is kept by number until the number's owner signs in: giving one makes no account and tells nothing."""

from migrations.support import run_sql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

SQL = """
SELECT set_config('app.role', 'system', true);

ALTER TABLE consents
    ALTER COLUMN account_id DROP NOT NULL,         -- empty until the owner of the number has signed in
    ADD COLUMN phone text,                         -- E.164, as it was given
    ADD COLUMN person text NOT NULL DEFAULT '';    -- as whoever gave it calls them
UPDATE consents c SET phone = a.phone, person = a.name FROM accounts a WHERE a.id = c.account_id;
ALTER TABLE consents ADD CONSTRAINT consents_to_somebody CHECK (account_id IS NOT NULL OR phone IS NOT NULL);
CREATE UNIQUE INDEX consents_one_open_by_number ON consents (resident_id, phone, purpose) WHERE valid_to IS NULL;
CREATE INDEX consents_waiting ON consents (phone) WHERE account_id IS NULL AND valid_to IS NULL;

-- Whoever has proven that a number is theirs takes up what was given to it; from then on it is theirs, not the number's.
-- It runs with the owner's right to change the column, and sees what the caller's role may see: the platform's, all.
CREATE FUNCTION take_up_consents(number text, account uuid) RETURNS void LANGUAGE sql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
    UPDATE consents c SET account_id = account
    WHERE c.phone = number AND c.account_id IS NULL AND c.valid_to IS NULL AND NOT EXISTS (
        SELECT FROM consents o WHERE o.resident_id = c.resident_id AND o.account_id = account
                                 AND o.purpose = c.purpose AND o.valid_to IS NULL)
$$;
REVOKE EXECUTE ON FUNCTION take_up_consents(text, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION take_up_consents(text, uuid) TO yinling_app;

INSERT INTO rule_parameters (code, valid_from, value, unit, text_en, source, verified) VALUES
    ('consents_a_day', '2020-01-01', 10, '1', 'A resident gives no more consents than this within 24 hours.',
        'judgement of the project', false)
ON CONFLICT DO NOTHING;
"""


def upgrade() -> None:
    """Do what the first line says."""
    run_sql(SQL)
