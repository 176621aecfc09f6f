"""Every table has row-level security that binds its owner too, policies for reading and writing, and only the rights it needs."""

from migrations.support import run_sql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

SQL = """
SELECT set_config('app.role', 'system', true);   -- from here on the owner is bound as everybody is

CREATE FUNCTION app_is_staff() RETURNS boolean LANGUAGE sql STABLE AS
    $$ SELECT app_role() IN ('operator', 'supervisor') $$;

-- Old policies read and wrote alike, so that whoever might see a row might change it, and some tables had none.
DO $$
DECLARE
    old record;
    part record;
BEGIN
    FOR old IN SELECT tablename, policyname FROM pg_policies WHERE schemaname = 'public' AND tablename IN (
        'accounts', 'sign_in_codes', 'sessions', 'live_tickets', 'residents', 'homes', 'resident_contacts', 'consents',
        'workers', 'bookings', 'orders', 'order_seats', 'order_links', 'offers', 'visit_records', 'assignments', 'stops',
        'timers', 'events', 'audit', 'idempotency_keys') LOOP
        EXECUTE format('DROP POLICY %I ON %I', old.policyname, old.tablename);
    END LOOP;
    FOR part IN SELECT oid::regclass AS name FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', part.name);
    END LOOP;
END $$;

-- What the platform does in nobody's name: timers, plans, what a person may cause but not make. The name comes first in
-- the alphabet, so that of several policies this one is asked first.
DO $$
DECLARE
    part text;
BEGIN
    FOREACH part IN ARRAY ARRAY[
        'accounts', 'sign_in_codes', 'sessions', 'live_tickets', 'residents', 'homes', 'resident_contacts', 'consents',
        'workers', 'worker_skills', 'shifts', 'leaves', 'bookings', 'orders', 'order_seats', 'order_links', 'offers',
        'offer_seats', 'visit_records', 'assignments', 'plans', 'stops', 'stop_orders', 'zone_leases', 'timers', 'events',
        'audit', 'idempotency_keys', 'zones', 'places', 'travel_matrices', 'providers', 'provider_zones', 'facilities',
        'catalogue_items', 'catalogue_versions', 'catalogue_seats', 'rule_parameters', 'care_clock', 'feed_epoch',
        'roster_stamp'] LOOP
        EXECUTE format('CREATE POLICY by_the_platform ON %I USING (app_role() = ''system'') '
                       'WITH CHECK (app_role() = ''system'')', part);
    END LOOP;
END $$;

-- Who may read besides. Each policy looks at indexed columns of its own table only, so that none costs a second look-up.
CREATE POLICY read_own ON accounts FOR SELECT USING (app_is_staff() OR id = app_uuid('app.account'));
CREATE POLICY read_own ON sessions FOR SELECT USING (account_id = app_uuid('app.account'));
CREATE POLICY read_own ON residents FOR SELECT USING (app_is_staff() OR id = ANY (app_residents()));
CREATE POLICY read_own ON homes FOR SELECT USING (app_is_staff() OR resident_id = ANY (app_residents()));
CREATE POLICY read_own ON resident_contacts FOR SELECT USING (app_is_staff() OR resident_id = ANY (app_residents()));
CREATE POLICY read_own ON consents FOR SELECT
    USING (app_is_staff() OR resident_id = ANY (app_residents()) OR account_id = app_uuid('app.account'));
CREATE POLICY read_own ON workers FOR SELECT
    USING (app_is_staff() OR provider_id = app_uuid('app.provider') OR id = app_uuid('app.worker'));
CREATE POLICY read_own ON worker_skills FOR SELECT USING (app_is_staff() OR worker_id = app_uuid('app.worker'));
CREATE POLICY read_own ON shifts FOR SELECT USING (app_is_staff() OR worker_id = app_uuid('app.worker'));
CREATE POLICY read_own ON leaves FOR SELECT USING (app_is_staff() OR worker_id = app_uuid('app.worker'));
CREATE POLICY read_own ON bookings FOR SELECT USING (app_is_staff() OR resident_id = ANY (app_residents()));
CREATE POLICY read_own ON orders FOR SELECT
    USING (app_is_staff() OR resident_id = ANY (app_residents()) OR provider_id = app_uuid('app.provider'));
CREATE POLICY read_own ON offers FOR SELECT USING (app_is_staff() OR provider_id = app_uuid('app.provider'));
CREATE POLICY read_own ON visit_records FOR SELECT USING (app_is_staff() OR worker_id = app_uuid('app.worker'));
CREATE POLICY read_own ON assignments FOR SELECT USING (app_is_staff() OR worker_id = app_uuid('app.worker'));
CREATE POLICY read_own ON stops FOR SELECT USING (app_is_staff() OR worker_id = app_uuid('app.worker'));
CREATE POLICY read_own ON idempotency_keys FOR SELECT USING (account_id = app_uuid('app.account'));
CREATE POLICY read_by_staff ON order_seats FOR SELECT USING (app_is_staff());
CREATE POLICY read_by_staff ON order_links FOR SELECT USING (app_is_staff());
CREATE POLICY read_by_staff ON offer_seats FOR SELECT USING (app_is_staff());
CREATE POLICY read_by_staff ON plans FOR SELECT USING (app_is_staff());
CREATE POLICY read_by_staff ON stop_orders FOR SELECT USING (app_is_staff());
CREATE POLICY read_by_staff ON places FOR SELECT USING (app_is_staff());          -- a place may be somebody's home
CREATE POLICY read_by_staff ON travel_matrices FOR SELECT USING (app_is_staff());
CREATE POLICY read_by_supervisors ON audit FOR SELECT USING (app_role() = 'supervisor');

-- What stands in a shop window.
CREATE POLICY read_by_all ON zones FOR SELECT USING (app_role() <> '');
CREATE POLICY read_by_all ON providers FOR SELECT USING (app_role() <> '');
CREATE POLICY read_by_all ON provider_zones FOR SELECT USING (app_role() <> '');
CREATE POLICY read_by_all ON facilities FOR SELECT USING (app_role() <> '');
CREATE POLICY read_by_all ON catalogue_items FOR SELECT USING (app_role() <> '');
CREATE POLICY read_by_all ON catalogue_versions FOR SELECT USING (app_role() <> '');
CREATE POLICY read_by_all ON catalogue_seats FOR SELECT USING (app_role() <> '');
CREATE POLICY read_by_all ON rule_parameters FOR SELECT USING (app_role() <> '');
CREATE POLICY read_by_all ON care_clock FOR SELECT USING (true);      -- yinling_now() is asked before anybody is known
CREATE POLICY by_the_owner ON alembic_version USING (true) WITH CHECK (true);     -- the rights below let only it write

-- What a person writes in their own name.
CREATE POLICY write_by_operators ON accounts FOR INSERT WITH CHECK (app_role() = 'operator');
CREATE POLICY write_by_operators ON residents FOR INSERT WITH CHECK (app_role() = 'operator');
CREATE POLICY write_by_operators ON homes FOR INSERT WITH CHECK (app_role() = 'operator');
CREATE POLICY write_by_operators ON resident_contacts FOR INSERT WITH CHECK (app_role() = 'operator');
CREATE POLICY write_by_operators ON places FOR INSERT WITH CHECK (app_role() = 'operator');
CREATE POLICY write_own ON idempotency_keys FOR INSERT WITH CHECK (account_id = app_uuid('app.account'));
CREATE POLICY write_own ON audit FOR INSERT WITH CHECK (actor_id = app_uuid('app.account') AND role = app_role());

-- The application reads what stands in the schema and writes what its statements write, column by column where rows change.
-- An UPDATE of an id is for locking the row only; keys that others point at cannot change anyway.
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM yinling_app;   -- a new table names its rights itself
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON SEQUENCES FROM yinling_app;
REVOKE CREATE ON SCHEMA public FROM PUBLIC, yinling_app;
REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON
    accounts, sign_in_codes, sessions, live_tickets, residents, homes, resident_contacts, consents, workers, worker_skills,
    shifts, leaves, bookings, orders, order_seats, order_links, offers, offer_seats, visit_records, assignments, plans,
    stops, stop_orders, zone_leases, timers, events, audit, idempotency_keys, zones, places, travel_matrices, providers,
    provider_zones, facilities, catalogue_items, catalogue_versions, catalogue_seats, rule_parameters, care_clock,
    feed_epoch, roster_stamp, alembic_version, signed_in FROM yinling_app;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM yinling_app;
GRANT INSERT ON accounts, sign_in_codes, sessions, live_tickets, residents, homes, resident_contacts, consents, places,
    bookings, orders, order_seats, order_links, offers, offer_seats, visit_records, assignments, plans, stops, timers,
    events, audit, idempotency_keys, zone_leases TO yinling_app;
GRANT DELETE ON sign_in_codes, live_tickets, order_links, stops, timers, idempotency_keys TO yinling_app;
GRANT UPDATE (failed_sign_ins, locked_until, totp_last_step) ON accounts TO yinling_app;
GRANT UPDATE (tries, used_at) ON sign_in_codes TO yinling_app;
GRANT UPDATE (revoked_at) ON sessions TO yinling_app;
GRANT UPDATE (valid_to) ON consents TO yinling_app;
GRANT UPDATE (id) ON workers TO yinling_app;
GRANT UPDATE (changed_at, declined_by, expired_by, flags, hold_expires_at, hold_extended_s, placed_at, provider_id, reason,
    reasons, status, tried_at, version) ON orders TO yinling_app;
GRANT UPDATE (changed_at, status, version) ON assignments TO yinling_app;
GRANT UPDATE (closed_at, reason, status, version) ON offers TO yinling_app;
GRANT UPDATE (improved_at, improved_version, settled_version, version) ON plans TO yinling_app;
GRANT UPDATE (active, during, hold_expires_at, seq, started) ON stops TO yinling_app;
GRANT UPDATE (due_at, fired_at, last_error, tries) ON timers TO yinling_app;
GRANT UPDATE (epoch, expires_at, owner) ON zone_leases TO yinling_app;

-- The functions that run as the owner say as whom they look, and leave the caller as they found them.
CREATE OR REPLACE FUNCTION session_by_token(token bytea) RETURNS SETOF signed_in LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
DECLARE
    caller text := current_setting('app.role', true);
BEGIN
    PERFORM set_config('app.role', 'system', true);
    RETURN QUERY SELECT s.* FROM signed_in s WHERE s.token_hash = token;
    PERFORM set_config('app.role', coalesce(caller, ''), true);
END $$;
CREATE OR REPLACE FUNCTION raise_roster_stamp() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
DECLARE
    caller text := current_setting('app.role', true);
BEGIN
    PERFORM set_config('app.role', 'system', true);
    UPDATE roster_stamp SET version = version + 1;
    PERFORM set_config('app.role', coalesce(caller, ''), true);
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION session_by_token(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION session_by_token(bytea) TO yinling_app;

-- Partitions are reached through their tables; asked for by name they show nothing to anybody.
CREATE OR REPLACE FUNCTION prepare_partitions(months integer) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
DECLARE
    parent text;
    part text;
    first date;
BEGIN
    FOREACH parent IN ARRAY ARRAY['events', 'audit'] LOOP
        FOR step IN 0..months LOOP
            first := (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => step))::date;
            part := parent || to_char(first, '_YYYYMM');
            IF to_regclass(part) IS NULL THEN
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                    part, parent, first || ' 00:00+00', (first + interval '1 month')::date || ' 00:00+00');
                EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', part);
            END IF;
            EXECUTE format('REVOKE ALL ON %I FROM yinling_app', part);
        END LOOP;
        EXECUTE format('REVOKE ALL ON %I FROM yinling_app', parent || '_default');
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION prepare_partitions(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION prepare_partitions(integer) TO yinling_app;
SELECT prepare_partitions(3);
"""


def upgrade() -> None:
    """Do what the first line says."""
    run_sql(SQL)
