"""The care clock, who is asking, and what the application role may touch."""

from migrations.support import run_sql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SQL = """
-- Care time. A replay stores a start, a rate and a ceiling; production has no row and runs on now().
CREATE TABLE care_clock (
    single boolean PRIMARY KEY DEFAULT true,
    care_at timestamptz NOT NULL,
    machine_at timestamptz NOT NULL,
    rate double precision NOT NULL,
    ceiling_at timestamptz NOT NULL,
    CONSTRAINT care_clock_one_row CHECK (single),       -- there is one clock
    CONSTRAINT care_clock_forward CHECK (rate >= 0)   -- time does not run backwards
);

CREATE FUNCTION yinling_now() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        (SELECT least(c.ceiling_at, c.care_at + (now() - c.machine_at) * c.rate) FROM care_clock c), now())
$$;

-- Who is asking, set by unit_of_work for one transaction; without a setting nobody, so every policy fails closed.
CREATE FUNCTION app_role() RETURNS text LANGUAGE sql STABLE AS
    $$ SELECT coalesce(current_setting('app.role', true), '') $$;
CREATE FUNCTION app_uuid(setting text) RETURNS uuid LANGUAGE sql STABLE AS
    $$ SELECT nullif(current_setting(setting, true), '')::uuid $$;
CREATE FUNCTION app_residents() RETURNS uuid[] LANGUAGE sql STABLE AS
    $$ SELECT string_to_array(nullif(current_setting('app.residents', true), ''), ',')::uuid[] $$;
CREATE FUNCTION app_sees_all() RETURNS boolean LANGUAGE sql STABLE AS
    $$ SELECT app_role() IN ('system', 'operator', 'supervisor') $$;

-- One worker as a range of one, so that a plain gist exclusion can compare uuids without an extension.
CREATE TYPE uuidrange AS RANGE (subtype = uuid);

GRANT USAGE ON SCHEMA public TO yinling_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO yinling_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO yinling_app;
REVOKE INSERT, UPDATE, DELETE ON care_clock FROM yinling_app;
GRANT SELECT ON care_clock TO yinling_app;
GRANT SELECT ON alembic_version TO yinling_app;   -- so that a process can tell whether its schema is there
"""


def upgrade() -> None:
    """Create what the first line says."""
    run_sql(SQL)
