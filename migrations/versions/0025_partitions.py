"""Months are prepared aside and then attached, so that nobody waits; and what is over leaves by a rule with a source."""

from migrations.support import run_sql

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

SQL = """
SELECT set_config('app.role', 'system', true);
DROP FUNCTION prepare_partitions(integer);   -- it waited for every reader of the table, and every writer behind it

CREATE FUNCTION partition_of(parent text, first date) RETURNS text LANGUAGE sql IMMUTABLE AS
    $$ SELECT parent || to_char(first, '_YYYYMM') $$;
CREATE FUNCTION is_prepared(parent text, first date) RETURNS boolean LANGUAGE sql STABLE AS
    $$ SELECT EXISTS (SELECT FROM pg_inherits WHERE inhparent = parent::regclass
                      AND inhrelid = to_regclass(partition_of(parent, first))) $$;

-- The months that want a partition: this one and those to come, and months of the last year that have rows in the
-- partition which catches what nobody prepared for.
CREATE FUNCTION missing_partitions(months integer) RETURNS TABLE (parent text, first date) LANGUAGE plpgsql STABLE AS $$
DECLARE
    present date := date_trunc('month', now() AT TIME ZONE 'UTC')::date;
    caught boolean;
BEGIN
    FOREACH parent IN ARRAY ARRAY['events', 'audit'] LOOP
        FOR step IN -12..months LOOP
            first := (present + make_interval(months => step))::date;
            CONTINUE WHEN is_prepared(parent, first);
            caught := true;
            IF step < 0 THEN   -- no other partition can hold them, so only the one that catches everything is looked at
                EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE recorded_at >= %L AND recorded_at < %L)', parent,
                    first || ' 00:00+00', (first + interval '1 month')::date || ' 00:00+00') INTO caught;
            END IF;
            IF caught THEN
                RETURN NEXT;
            END IF;
        END LOOP;
    END LOOP;
END $$;

-- Make one month's partition: true when this call made it, false when it was there. Raises lock_not_available when
-- somebody reads, or makes another month, for longer than `patience`: then it is tried again, and nobody queues behind it.
--
-- CREATE TABLE ... PARTITION OF locks the whole table against everybody. A table made aside is attached with a lock that
-- lets people read and write the table (SHARE UPDATE EXCLUSIVE); only the partition that catches everything is closed.
CREATE FUNCTION prepare_partition(parent text, first date, patience interval DEFAULT '200 ms') RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    part text := partition_of(parent, first);
    month text := format('recorded_at >= %L AND recorded_at < %L',
        first || ' 00:00+00', (first + interval '1 month')::date || ' 00:00+00');
    caller text := current_setting('app.role', true);
    rest text := current_setting('lock_timeout');
    caught bigint;
BEGIN
    IF parent NOT IN ('events', 'audit') OR first <> date_trunc('month', first)::date THEN
        RAISE EXCEPTION 'no month of a table that is partitioned by months';
    END IF;
    PERFORM set_config('lock_timeout', (extract(epoch FROM patience) * 1000)::integer::text, true);
    PERFORM pg_advisory_xact_lock(hashtextextended('yinling.partitions', 0));   -- one at a time
    IF is_prepared(parent, first) THEN
        PERFORM set_config('lock_timeout', rest, true);
        RETURN false;
    END IF;
    PERFORM set_config('app.role', 'system', true);
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)', part, parent);
    EXECUTE format('REVOKE ALL ON %I FROM PUBLIC, yinling_app', part);   -- reached through its parent only
    EXECUTE format('ALTER TABLE %I ADD CONSTRAINT of_this_month CHECK (%s)', part, month);   -- so that attaching reads no row
    EXECUTE format('INSERT INTO %I SELECT * FROM %I WHERE %s', part, parent, month);   -- nobody waits for this
    GET DIAGNOSTICS caught = ROW_COUNT;
    IF caught > 0 OR first < now() + interval '1 day' THEN
        -- Rows of this month are where all is caught, or may come there now. Writers wait before they have chosen a
        -- partition: one that had chosen would be refused. What came since the copy was begun comes along.
        EXECUTE format('LOCK TABLE ONLY %I IN SHARE ROW EXCLUSIVE MODE', parent);
        EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', parent || '_default');
        EXECUTE format('INSERT INTO %I SELECT * FROM %I WHERE %s ON CONFLICT DO NOTHING', part, parent, month);
        EXECUTE format('DELETE FROM %I WHERE %s', parent, month);
    END IF;
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', part);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, part,
        first || ' 00:00+00', (first + interval '1 month')::date || ' 00:00+00');
    EXECUTE format('ALTER TABLE %I DROP CONSTRAINT of_this_month', part);
    PERFORM set_config('lock_timeout', rest, true);
    PERFORM set_config('app.role', coalesce(caller, ''), true);
    RETURN true;
END $$;
REVOKE EXECUTE ON FUNCTION prepare_partition(text, date, interval), missing_partitions(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION prepare_partition(text, date, interval), missing_partitions(integer) TO yinling_app;

-- What is over is found without reading what is not.
CREATE INDEX timers_fired ON timers (fired_at) WHERE fired_at IS NOT NULL;
CREATE INDEX offers_by_closing ON offers (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX live_tickets_by_end ON live_tickets (expires_at);
CREATE INDEX sessions_by_revocation ON sessions (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX sign_in_codes_by_age ON sign_in_codes (created_at);
GRANT DELETE ON offers, offer_seats TO yinling_app;

INSERT INTO rule_parameters (code, valid_from, value, unit, text_en, source, verified) VALUES
    ('partitions_ahead_months', '2020-01-01', 3, 'months', 'Tables that grow by the month are prepared this many months ahead.',
        'judgement of the project', false),
    ('keep_live_tickets_days', '2020-01-01', 0, 'd', 'A ticket for a websocket that was never used is kept this long after its end.',
        'judgement of the project: nobody can use it any more', false),
    ('keep_sign_in_codes_days', '2020-01-01', 2, 'd', 'A sign-in code, which names a telephone number, is kept this long.',
        'PIPL art. 19: no longer than needed; the figure is a judgement of the project', false),
    ('keep_sign_in_places_days', '2020-01-01', 180, 'd',
        'That somebody signed in from an address is known this long after the last time; only an HMAC of it is kept.',
        'judgement of the project', false),
    ('keep_sessions_days', '2020-01-01', 183, 'd', 'A session is kept this long after its end: who was signed in, and when.',
        'Cybersecurity Law of the PRC, art. 21 (3) of 2016: network logs at least six months; that sessions are such a log, and that they go then, is a judgement of the project',
        false),
    ('keep_answers_days', '2020-01-01', 2, 'd', 'What a request with an Idempotency-Key was answered is kept this long.',
        'judgement of the project: a phone without signal repeats within that time', false),
    ('keep_timers_days', '2020-01-01', 30, 'd', 'That something happened by itself, and when, is kept this long.',
        'judgement of the project: to find out why; the order keeps its own history', false),
    ('keep_offers_days', '2020-01-01', 1200, 'd', 'An offer to a provider is kept this long after it was answered.',
        'E-Commerce Law of the PRC, art. 31: records of transactions at least three years from their end, which comes after the offer; that offers belong to them is a judgement of the project',
        false),
    ('keep_quote_counts_days', '2020-01-01', 1, 'd', 'How often slots were looked for on a day is kept this long after it.',
        'judgement of the project', false)
ON CONFLICT DO NOTHING;
"""


def upgrade() -> None:
    """Make what the first line says."""
    run_sql(SQL)
