"""Keeping and taking zones in one statement, so that a dispatcher that stands still holds no lease's lock."""

from migrations.support import run_sql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

SQL = """
SELECT set_config('app.role', 'system', true);

-- Everything in one statement outside a transaction: whoever asks may be stopped the moment after, and holds nothing. What is
-- locked is passed over: a lease lasts three times as long as the time between two renewals.
CREATE FUNCTION lead_zones(me text, seconds double precision) RETURNS TABLE (zone_id uuid, epoch bigint)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    caller text := current_setting('app.role', true);
BEGIN
    PERFORM set_config('app.role', 'system', true);
    INSERT INTO zone_leases (zone_id, owner, epoch, expires_at)
        SELECT z.id, '', 0, now() - interval '1 second' FROM zones z
        WHERE NOT EXISTS (SELECT FROM zone_leases l WHERE l.zone_id = z.id) ORDER BY z.id
        ON CONFLICT (zone_id) DO NOTHING;
    UPDATE zone_leases SET expires_at = clock_timestamp() + make_interval(secs => seconds)
        WHERE zone_id IN (SELECT l.zone_id FROM zone_leases l WHERE l.owner = me
                          ORDER BY l.zone_id FOR NO KEY UPDATE SKIP LOCKED);
    -- FOR UPDATE: a commit that has looked at the epoch (FOR KEY SHARE) and a change of leader exclude each other
    UPDATE zone_leases AS l SET owner = me, epoch = l.epoch + 1, expires_at = clock_timestamp() + make_interval(secs => seconds)
        WHERE zone_id IN (SELECT f.zone_id FROM zone_leases f WHERE f.expires_at < clock_timestamp() AND f.owner <> me
                          ORDER BY f.zone_id FOR UPDATE SKIP LOCKED);
    RETURN QUERY SELECT l.zone_id, l.epoch FROM zone_leases l WHERE l.owner = me AND l.expires_at > clock_timestamp();
    PERFORM set_config('app.role', coalesce(caller, ''), true);
END $$;
REVOKE EXECUTE ON FUNCTION lead_zones FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lead_zones TO yinling_app;

REVOKE INSERT, UPDATE ON zone_leases FROM yinling_app;
GRANT UPDATE (expires_at) ON zone_leases TO yinling_app;   -- for giving leases back; a leader and its epoch change above only
"""


def upgrade() -> None:
    """Do what the first line says."""
    run_sql(SQL)
