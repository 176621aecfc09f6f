"""People, accounts and telephone numbers are three things: a couple shares a landline, a mother has her daughter's mobile."""

from alembic import op
from sqlalchemy import text

from backend.residents.names import search_keys
from migrations.support import run_sql

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

SQL = """
SELECT set_config('app.role', 'system', true);

-- With which numbers somebody signs in; a number may be several people's.
CREATE TABLE account_numbers (
    account_id uuid NOT NULL REFERENCES accounts,
    phone text NOT NULL,        -- E.164
    PRIMARY KEY (account_id, phone)
);
CREATE INDEX account_numbers_by_phone ON account_numbers (phone text_pattern_ops);
INSERT INTO account_numbers (account_id, phone) SELECT id, phone FROM accounts WHERE phone IS NOT NULL;

-- Who was registered without an account gets one, so that every resident's numbers stand in one place.
WITH made AS (INSERT INTO accounts (id, role, name, phone)
              SELECT uuidv7(), 'resident', name, 'resident ' || id FROM residents WHERE account_id IS NULL
              RETURNING id, phone)
UPDATE residents r SET account_id = made.id FROM made WHERE made.phone = 'resident ' || r.id;
INSERT INTO account_numbers (account_id, phone) SELECT account_id, phone FROM residents ON CONFLICT DO NOTHING;

UPDATE consents c SET phone = a.phone FROM accounts a WHERE a.id = c.account_id AND c.phone IS NULL;
-- What was given to a worker's account never had an effect; it waits for the person behind the number now.
UPDATE consents c SET account_id = NULL FROM accounts a
WHERE a.id = c.account_id AND a.role NOT IN ('family', 'resident') AND c.phone IS NOT NULL AND c.valid_to IS NULL;

ALTER TABLE accounts DROP CONSTRAINT accounts_way_in, DROP COLUMN phone;
ALTER TABLE residents
    ALTER COLUMN account_id SET NOT NULL,
    DROP CONSTRAINT residents_phone_once,
    -- the number is the one to ring; nobody is registered twice, and two people of one name are told apart by their birthday
    ADD CONSTRAINT residents_once UNIQUE NULLS NOT DISTINCT (phone, name, born_on);
CREATE INDEX residents_by_phone ON residents (phone text_pattern_ops);
CREATE INDEX residents_by_phone_tail ON residents (reverse(phone) text_pattern_ops);
CREATE INDEX account_numbers_by_tail ON account_numbers (reverse(phone) text_pattern_ops);
CREATE INDEX resident_contacts_by_phone ON resident_contacts (phone text_pattern_ops);
CREATE INDEX resident_contacts_by_resident ON resident_contacts (resident_id);

-- Brother and sister may be let know under one number, each by name.
DROP INDEX consents_one_open_by_number;
CREATE UNIQUE INDEX consents_one_open_by_number ON consents (resident_id, phone, person, purpose) WHERE valid_to IS NULL;
CREATE INDEX consents_by_phone ON consents (phone text_pattern_ops) WHERE valid_to IS NULL;

-- Under which words a resident is found: the name, its pinyin in every reading, the initials.
CREATE TABLE resident_search_keys (
    resident_id uuid NOT NULL REFERENCES residents,
    key text NOT NULL,
    PRIMARY KEY (resident_id, key)
);
CREATE INDEX resident_search_keys_by_key ON resident_search_keys (key text_pattern_ops);

DO $$
DECLARE
    part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['account_numbers', 'resident_search_keys'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', part);
        EXECUTE format('CREATE POLICY by_the_platform ON %I USING (app_role() = ''system'') '
                       'WITH CHECK (app_role() = ''system'')', part);
    END LOOP;
END $$;
CREATE POLICY read_own ON account_numbers FOR SELECT USING (app_is_staff() OR account_id = app_uuid('app.account'));
CREATE POLICY read_by_staff ON resident_search_keys FOR SELECT USING (app_is_staff());
CREATE POLICY write_by_operators ON resident_search_keys FOR INSERT WITH CHECK (app_role() = 'operator');
GRANT SELECT, INSERT, DELETE ON account_numbers TO yinling_app;
GRANT SELECT, INSERT ON resident_search_keys TO yinling_app;
REVOKE UPDATE (id) ON residents FROM yinling_app;    -- a lock asks for the right to any column
GRANT UPDATE (phone) ON residents TO yinling_app;
GRANT UPDATE (current) ON homes TO yinling_app;

-- An account for a resident. Who followed somebody before, under the same number and name, is the same person and keeps the
-- account with whatever was given to it; only here a role may change.
CREATE FUNCTION account_for_resident(person text, number text) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
DECLARE
    caller text := current_setting('app.role', true);
    found uuid;
BEGIN
    IF coalesce(caller, '') NOT IN ('operator', 'system') THEN
        RAISE insufficient_privilege USING MESSAGE = 'only an operator registers residents';
    END IF;
    PERFORM set_config('app.role', 'system', true);
    UPDATE accounts SET role = 'resident'
    WHERE id = (SELECT a.id FROM accounts a JOIN account_numbers n ON n.account_id = a.id
                WHERE n.phone = number AND a.name = person AND a.role = 'family' AND a.active ORDER BY a.id LIMIT 1)
    RETURNING id INTO found;
    IF found IS NULL THEN
        INSERT INTO accounts (role, name) VALUES ('resident', person) RETURNING id INTO found;
        INSERT INTO account_numbers (account_id, phone) VALUES (found, number);
    END IF;
    PERFORM set_config('app.role', caller, true);
    RETURN found;
END $$;
REVOKE EXECUTE ON FUNCTION account_for_resident(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION account_for_resident(text, text) TO yinling_app;

-- Whoever has proven a number and said who they are takes up what waits for them under it, by name.
CREATE OR REPLACE FUNCTION take_up_consents(number text, account uuid) RETURNS void LANGUAGE sql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
    UPDATE consents c SET account_id = account
    FROM accounts a
    WHERE a.id = account AND a.role IN ('family', 'resident') AND c.person = a.name
      AND c.phone = number AND c.account_id IS NULL AND c.valid_to IS NULL
      AND NOT EXISTS (SELECT FROM residents r WHERE r.id = c.resident_id AND r.account_id = account)
      AND NOT EXISTS (SELECT FROM consents o WHERE o.resident_id = c.resident_id AND o.account_id = account
                                               AND o.purpose = c.purpose AND o.valid_to IS NULL)
$$;

-- A resident, too, may follow or book for somebody who has let them.
CREATE OR REPLACE VIEW signed_in WITH (security_invoker = true) AS
SELECT s.id AS session_id, s.token_hash, s.expires_at, a.id AS account_id, a.role,
       coalesce(a.provider_id, w.provider_id) AS provider_id, w.id AS worker_id, r.id AS resident_id,
       ARRAY(SELECT c.resident_id FROM consents c
             WHERE a.role IN ('family', 'resident') AND c.account_id = a.id AND c.purpose = 'book'
               AND c.resident_id IS DISTINCT FROM r.id
               AND c.valid_from <= now() AND (c.valid_to IS NULL OR c.valid_to > now())) AS booked_for,
       ARRAY(SELECT c.resident_id FROM consents c
             WHERE a.role IN ('family', 'resident') AND c.account_id = a.id AND c.purpose = 'status'
               AND c.resident_id IS DISTINCT FROM r.id
               AND c.valid_from <= now() AND (c.valid_to IS NULL OR c.valid_to > now())) AS followed,
       s.last_seen_at < now() - interval '1 hour' AS unseen
FROM sessions s
JOIN accounts a ON a.id = s.account_id AND a.active
LEFT JOIN residents r ON a.role = 'resident' AND r.account_id = a.id
LEFT JOIN workers w ON a.role = 'worker' AND w.account_id = a.id AND w.active
WHERE s.revoked_at IS NULL AND s.expires_at > now()
  AND (s.idle_s IS NULL OR s.last_seen_at > now() - make_interval(secs => s.idle_s));
"""


def upgrade() -> None:
    """Do what the first line says."""
    run_sql(SQL)
    bind = op.get_bind()
    names = bind.execute(text("SELECT id, name FROM residents")).all()
    keys = [{"id": resident_id, "key": key} for resident_id, name in names for key in search_keys(name)]
    if keys:
        bind.execute(text("INSERT INTO resident_search_keys (resident_id, key) VALUES (:id, :key)"), keys)
