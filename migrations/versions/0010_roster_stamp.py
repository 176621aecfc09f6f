"""One number that rises whenever who may work changes, so that rosters are kept in memory and never stale."""

from migrations.support import run_sql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

SQL = """
CREATE TABLE roster_stamp (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),   -- a second row would make two truths
    version  bigint NOT NULL
);
INSERT INTO roster_stamp (version) VALUES (1);
REVOKE INSERT, UPDATE, DELETE ON roster_stamp FROM yinling_app;   -- only the trigger writes it

CREATE FUNCTION raise_roster_stamp() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE roster_stamp SET version = version + 1;
    RETURN NULL;
END $$;

CREATE TRIGGER roster_changed AFTER INSERT OR UPDATE OR DELETE ON workers
    FOR EACH STATEMENT EXECUTE FUNCTION raise_roster_stamp();
CREATE TRIGGER roster_changed AFTER INSERT OR UPDATE OR DELETE ON worker_skills
    FOR EACH STATEMENT EXECUTE FUNCTION raise_roster_stamp();
CREATE TRIGGER roster_changed AFTER INSERT OR UPDATE OR DELETE ON shifts
    FOR EACH STATEMENT EXECUTE FUNCTION raise_roster_stamp();
CREATE TRIGGER roster_changed AFTER INSERT OR UPDATE OR DELETE ON leaves
    FOR EACH STATEMENT EXECUTE FUNCTION raise_roster_stamp();
CREATE TRIGGER roster_changed AFTER UPDATE OR DELETE ON providers
    FOR EACH STATEMENT EXECUTE FUNCTION raise_roster_stamp();

-- where each worker was last, and which meals are on the way, without reading everything finished today
DROP INDEX stops_done;
CREATE INDEX stops_done ON stops (plan_id, worker_id, upper(during) DESC) WHERE NOT active;
CREATE INDEX orders_under_way ON orders (zone_id, plan_on) WHERE status IN ('en_route', 'arrived', 'in_service');
"""


def upgrade() -> None:
    """Add what the first line says."""
    run_sql(SQL)
