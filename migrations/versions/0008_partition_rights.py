"""The booking horizon as a rule; partitions are reached through their tables only, so that the audit stays indelible."""

from migrations.support import run_sql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SQL = """
INSERT INTO rule_parameters (code, valid_from, value, unit, text_en, source, verified) VALUES
    ('booking_horizon_days', '2020-01-01', 60, 'd', 'Bookings are taken this many days ahead.',
        'judgement of the project', false)
ON CONFLICT DO NOTHING;

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
            END IF;
            EXECUTE format('REVOKE ALL ON %I FROM yinling_app', part);
        END LOOP;
        EXECUTE format('REVOKE ALL ON %I FROM yinling_app', parent || '_default');
    END LOOP;
END $$;
SELECT prepare_partitions(3);
"""


def upgrade() -> None:
    """Do what the first line says."""
    run_sql(SQL)
