"""The feed waits for the transactions of its own database only, not for those of every other one on the server."""

from migrations.support import run_sql

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

SQL = """
-- Events of transactions before this one have all been told: whoever was earlier and can still write one has ended.
-- A snapshot counts every open transaction of the server, so its xmin let a maintenance job elsewhere stop the feed. Those
-- of other databases cannot write events here, and are left out. What we know nothing about is waited for.
--
-- Why nothing is lost: the snapshot is the one the caller reads events with, and it is older than the look at who runs
-- (pg_stat_clear_snapshot drops an earlier look of this transaction). A number in it that is seen with a session of another
-- database was that session's all along, as a number never changes its session. One that ended between the two looks is
-- not seen at all, so it is waited for until the next call.
CREATE FUNCTION feed_horizon() RETURNS xid8 LANGUAGE plpgsql STABLE PARALLEL RESTRICTED AS $$
DECLARE
    seen pg_snapshot := pg_current_snapshot();
    oldest xid8 := pg_snapshot_xmax(seen);
    here oid;
BEGIN
    IF pg_snapshot_xmin(seen) < oldest THEN
        PERFORM pg_stat_clear_snapshot();
        here := (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
        SELECT coalesce(min(x.xid), oldest) INTO oldest FROM pg_snapshot_xip(seen) AS x (xid)
            WHERE NOT EXISTS (SELECT FROM pg_stat_get_activity(NULL) a WHERE a.backend_xid = x.xid::xid AND a.datid <> here)
              AND NOT EXISTS (SELECT FROM pg_prepared_xact() p WHERE p.transaction = x.xid::xid AND p.dbid <> here);
    END IF;
    RETURN least(oldest, pg_current_xact_id_if_assigned());   -- our own number stands in no snapshot of ours
END $$;
REVOKE EXECUTE ON FUNCTION feed_horizon() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION feed_horizon() TO yinling_app;
"""


def upgrade() -> None:
    """Make what the first line says."""
    run_sql(SQL)
