"""The event feed, idempotency keys and the audit trail; what only grows is partitioned by time."""

from migrations.support import run_sql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SQL = """
CREATE TABLE feed_epoch (
    single boolean PRIMARY KEY DEFAULT true,
    epoch integer NOT NULL,
    CONSTRAINT feed_epoch_one_row CHECK (single)   -- a restore raises it, so that every client refetches
);
INSERT INTO feed_epoch (epoch) VALUES (1);

CREATE TABLE events (
    recorded_at timestamptz NOT NULL DEFAULT now(),    -- machine time
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL DEFAULT yinling_now(),     -- care time
    type text NOT NULL,
    v smallint NOT NULL DEFAULT 1,
    keys text[] NOT NULL,       -- audience
    data jsonb NOT NULL,
    PRIMARY KEY (recorded_at, xid, id)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX events_in_order ON events (xid, id);

CREATE TABLE audit (
    recorded_at timestamptz NOT NULL DEFAULT now(),
    id bigint GENERATED ALWAYS AS IDENTITY,
    actor_id uuid,
    role text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    subject_id uuid,
    reason text,
    PRIMARY KEY (recorded_at, id)
) PARTITION BY RANGE (recorded_at);

-- Monthly partitions ahead of time; the default partition catches what nobody prepared for.
CREATE TABLE events_default PARTITION OF events DEFAULT;
CREATE TABLE audit_default PARTITION OF audit DEFAULT;
CREATE FUNCTION prepare_partitions(months integer) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
DECLARE
    parent text;
    first date;
BEGIN
    FOREACH parent IN ARRAY ARRAY['events', 'audit'] LOOP
        FOR step IN 0..months LOOP
            first := (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => step))::date;
            IF to_regclass(parent || to_char(first, '_YYYYMM')) IS NULL THEN
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                    parent || to_char(first, '_YYYYMM'), parent, first || ' 00:00+00',
                    (first + interval '1 month')::date || ' 00:00+00');
            END IF;
        END LOOP;
    END LOOP;
END $$;
SELECT prepare_partitions(3);

CREATE TABLE idempotency_keys (
    account_id uuid NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status smallint NOT NULL,
    body bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, route, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

ALTER TABLE events ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY written_by_all ON events FOR INSERT WITH CHECK (app_role() <> '');
CREATE POLICY read_by_system ON events FOR SELECT USING (app_role() = 'system');
CREATE POLICY written_by_all ON audit FOR INSERT WITH CHECK (app_role() <> '');
CREATE POLICY read_by_supervisors ON audit FOR SELECT USING (app_role() IN ('system', 'supervisor'));
CREATE POLICY own ON idempotency_keys USING (app_role() = 'system' OR account_id = app_uuid('app.account'));
REVOKE UPDATE, DELETE ON events, audit FROM yinling_app;
"""


def upgrade() -> None:
    """Create what the first line says."""
    run_sql(SQL)
