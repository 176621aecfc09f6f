"""Running hand-written SQL of many statements inside an Alembic revision."""

from alembic import op
from sqlalchemy.util import await_only


def run_sql(sql: str) -> None:
    """Send the whole text through the raw asyncpg connection; SQLAlchemy's own path takes one statement at a time."""
    raw = op.get_bind().connection.driver_connection
    if raw is None:
        raise RuntimeError("migrations need a live connection")
    await_only(raw.execute(sql))


# Up to 0011 a row in the partition that catches what nobody prepared for kept that month from being prepared, which 0012
# does: so its months are made first. The owner is not bound by row-level security before 0012.
RELEASE_CAUGHT_ROWS = """
DO $$
DECLARE
    parent text;
    first date;
    part text;
    month text;
BEGIN
    IF to_regclass('alembic_version') IS NULL OR to_regclass('events_default') IS NULL THEN
        RETURN;
    END IF;
    IF (SELECT version_num FROM alembic_version) >= '0012' THEN
        RETURN;
    END IF;
    FOREACH parent IN ARRAY ARRAY['events', 'audit'] LOOP
        FOR first IN EXECUTE format('SELECT DISTINCT date_trunc(''month'', recorded_at AT TIME ZONE ''UTC'')::date FROM %I',
            parent || '_default') LOOP
            part := parent || to_char(first, '_YYYYMM');
            month := format('recorded_at >= %L AND recorded_at < %L',
                first || ' 00:00+00', (first + interval '1 month')::date || ' 00:00+00');
            EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', parent);
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)', part, parent);
            EXECUTE format('REVOKE ALL ON %I FROM yinling_app', part);
            EXECUTE format('WITH moved AS (DELETE FROM %I WHERE %s RETURNING *) INSERT INTO %I SELECT * FROM moved',
                parent || '_default', month, part);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, part,
                first || ' 00:00+00', (first + interval '1 month')::date || ' 00:00+00');
        END LOOP;
    END LOOP;
END $$
"""
