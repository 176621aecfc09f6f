"""Limits that every process shares, places people have signed in from, and sessions that slide and can be listed."""

from migrations.support import run_sql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

SQL = """
SELECT set_config('app.role', 'system', true);

-- One row for each thing that is limited and everybody it is limited for; the key is an HMAC, so that no address,
-- number or login stands here. A leaking bucket: each use lifts `full_until` by the rule's interval, time brings it down.
-- Unlogged: after a crash of the server everybody begins anew, and a count costs no write to disk.
CREATE UNLOGGED TABLE limits (
    key bytea PRIMARY KEY,
    full_until timestamptz NOT NULL,
    CONSTRAINT limits_key_is_a_hash CHECK (octet_length(key) = 16)
);
ALTER TABLE limits ENABLE ROW LEVEL SECURITY;
ALTER TABLE limits FORCE ROW LEVEL SECURITY;
CREATE POLICY by_the_platform ON limits USING (app_role() = 'system') WITH CHECK (app_role() = 'system');
GRANT SELECT, DELETE ON limits TO yinling_app;   -- counted by count_uses only

-- Count several things at once: all of them, or none where one is full. `uses`: 1 counts, 0 only looks, -1 gives back.
-- A refused try makes the wait of what is full longer, up to `cap_s`. Returns how many seconds each makes the caller
-- wait; nothing above zero means that everything was counted. Rows are locked in the order of their keys.
CREATE FUNCTION count_uses(keys bytea[], uses smallint[], every_s double precision[], room_s double precision[],
                           cap_s double precision[], together boolean)
    RETURNS double precision[] LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
DECLARE
    waits double precision[] := array_fill(0::double precision, ARRAY[cardinality(keys)]);
    full_at timestamptz[] := array_fill(NULL::timestamptz, ARRAY[cardinality(keys)]);
    instant timestamptz;
    refused boolean := false;
    found record;
    caller text := current_setting('app.role', true);
BEGIN
    PERFORM set_config('app.role', 'system', true);
    INSERT INTO limits (key, full_until)
        SELECT k, now() FROM unnest(keys, uses) AS u (k, n) WHERE n > 0 ORDER BY k ON CONFLICT DO NOTHING;
    FOR found IN
        SELECT u.n, l.full_until FROM limits l JOIN unnest(keys) WITH ORDINALITY AS u (k, n) ON u.k = l.key
        ORDER BY l.key FOR UPDATE OF l
    LOOP
        full_at[found.n] := found.full_until;
    END LOOP;
    instant := clock_timestamp();
    FOR n IN 1 .. cardinality(keys) LOOP
        full_at[n] := greatest(full_at[n], instant);
        waits[n] := extract(epoch FROM full_at[n] - instant) + every_s[n] - room_s[n];
        refused := refused OR (uses[n] >= 0 AND waits[n] > 0);
    END LOOP;
    FOR n IN 1 .. cardinality(keys) LOOP
        IF uses[n] < 0 THEN
            UPDATE limits SET full_until = greatest(full_at[n] - make_interval(secs => every_s[n]), instant)
                WHERE key = keys[n];
        ELSIF uses[n] > 0 AND waits[n] > 0 THEN
            UPDATE limits SET full_until = greatest(full_at[n], least(full_at[n] + make_interval(secs => every_s[n]),
                instant + make_interval(secs => room_s[n] - every_s[n] + cap_s[n]))) WHERE key = keys[n];
        ELSIF uses[n] > 0 AND NOT (together AND refused) THEN
            UPDATE limits SET full_until = full_at[n] + make_interval(secs => every_s[n]) WHERE key = keys[n];
        END IF;
    END LOOP;
    PERFORM set_config('app.role', coalesce(caller, ''), true);
    RETURN waits;
END $$;
REVOKE EXECUTE ON FUNCTION count_uses FROM PUBLIC;
GRANT EXECUTE ON FUNCTION count_uses TO yinling_app;

-- Where somebody has signed in from before: limits that strangers fill do not hold them up there.
CREATE TABLE sign_in_places (
    key bytea PRIMARY KEY,    -- HMAC of the login or number with the address
    seen_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sign_in_places_key_is_a_hash CHECK (octet_length(key) = 16)
);
CREATE INDEX sign_in_places_by_age ON sign_in_places (seen_at);
ALTER TABLE sign_in_places ENABLE ROW LEVEL SECURITY;
ALTER TABLE sign_in_places FORCE ROW LEVEL SECURITY;
CREATE POLICY by_the_platform ON sign_in_places USING (app_role() = 'system') WITH CHECK (app_role() = 'system');
GRANT SELECT, INSERT, UPDATE (seen_at), DELETE ON sign_in_places TO yinling_app;

-- Which place asked for a code: from a place that guesses at other people's codes, only its own are looked at.
ALTER TABLE sign_in_codes ADD COLUMN asked_from bytea;

-- Locks are counted by login and address in `limits` now; a stranger's wrong passwords must not lock a desk out.
ALTER TABLE accounts DROP COLUMN failed_sign_ins, DROP COLUMN locked_until;

ALTER TABLE sessions
    ADD COLUMN last_seen_at timestamptz NOT NULL DEFAULT now(),   -- written once an hour at most
    ADD COLUMN slides_s integer,    -- each use moves the end this far from then; empty: the end stands
    ADD COLUMN idle_s integer,      -- unused for so long it is over before its end
    ADD COLUMN device text;         -- as its owner calls it
UPDATE sessions s SET
    slides_s = CASE a.role WHEN 'worker' THEN 30 ELSE 90 END * 86400,
    expires_at = least(s.expires_at, now() + make_interval(days => CASE a.role WHEN 'worker' THEN 30 ELSE 90 END))
FROM accounts a
WHERE a.id = s.account_id AND a.role IN ('resident', 'family', 'worker') AND s.revoked_at IS NULL AND s.expires_at > now();
CREATE INDEX sessions_by_end ON sessions (expires_at);
GRANT UPDATE (last_seen_at, expires_at), DELETE ON sessions TO yinling_app;

CREATE OR REPLACE VIEW signed_in WITH (security_invoker = true) AS
SELECT s.id AS session_id, s.token_hash, s.expires_at, a.id AS account_id, a.role,
       coalesce(a.provider_id, w.provider_id) AS provider_id, w.id AS worker_id, r.id AS resident_id,
       ARRAY(SELECT c.resident_id FROM consents c
             WHERE a.role = 'family' AND c.account_id = a.id AND c.purpose = 'book'
               AND c.valid_from <= now() AND (c.valid_to IS NULL OR c.valid_to > now())) AS booked_for,
       ARRAY(SELECT c.resident_id FROM consents c
             WHERE a.role = 'family' AND c.account_id = a.id AND c.purpose = 'status'
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
