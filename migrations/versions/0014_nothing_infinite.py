"""No column holds an infinity, a NaN or an instant of another age: one such row stopped the planning of a whole zone."""

from migrations.support import run_sql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

FUNCTIONS = """
-- Python has no infinite instant: the driver reads one back without a zone, and nothing can be compared with it.
CREATE FUNCTION is_finite(found timestamptz) RETURNS boolean LANGUAGE sql IMMUTABLE AS
    $$ SELECT found BETWEEN '1900-01-01 00:00+00'::timestamptz AND '2300-01-01 00:00+00'::timestamptz $$;
CREATE FUNCTION is_finite(found date) RETURNS boolean LANGUAGE sql IMMUTABLE AS
    $$ SELECT found BETWEEN '1800-01-01'::date AND '2300-01-01'::date $$;
CREATE FUNCTION is_finite(found tstzrange) RETURNS boolean LANGUAGE sql IMMUTABLE AS   -- no open end either
    $$ SELECT isempty(found) OR coalesce(lower(found) >= '1900-01-01 00:00+00'::timestamptz
                                         AND upper(found) <= '2300-01-01 00:00+00'::timestamptz, found IS NULL) $$;
CREATE FUNCTION is_finite(found double precision) RETURNS boolean LANGUAGE sql IMMUTABLE AS   -- NaN is greater than all
    $$ SELECT found BETWEEN -1e12 AND 1e12 $$;

-- A CHECK on each column that could hold one and has none yet; a migration that adds such a column calls it at its end.
CREATE FUNCTION refuse_infinities() RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    part record;
BEGIN
    FOR part IN
        SELECT c.oid::regclass AS of_table, a.attname, c.relname || '_' || a.attname || '_finite' AS rule
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND a.atttypid IN ('timestamptz'::regtype, 'date'::regtype, 'tstzrange'::regtype, 'float8'::regtype)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = part.of_table AND k.conname = part.rule) THEN
            EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I CHECK (is_finite(%I))', part.of_table, part.rule, part.attname);
        END IF;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION refuse_infinities() FROM PUBLIC;
"""

MEND = """
SELECT set_config('app.role', 'system', true);

-- A time nobody can have meant says nothing: where a column may be empty, it is empty from now on. An order mended so
-- says it by a flag.
UPDATE orders SET flags = flags || 'MENDED'::text
    WHERE NOT (is_finite(ready_at) AND is_finite(wish_from) AND is_finite(wish_to) AND is_finite(window_from)
               AND is_finite(window_to) AND is_finite(latest_at)) AND NOT 'MENDED' = ANY (flags);
DO $$
DECLARE
    part record;
BEGIN
    FOR part IN
        SELECT c.oid::regclass AS of_table, a.attname
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND NOT a.attnotnull
          AND a.atttypid IN ('timestamptz'::regtype, 'date'::regtype, 'tstzrange'::regtype, 'float8'::regtype)
          AND (c.relname, a.attname) <> ('orders', 'hold_expires_at')
    LOOP
        EXECUTE format('UPDATE %s SET %I = NULL WHERE NOT is_finite(%I)', part.of_table, part.attname, part.attname);
    END LOOP;
END $$;
UPDATE care_clock SET ceiling_at = '2300-01-01 00:00+00' WHERE ceiling_at > '2300-01-01 00:00+00';   -- no ceiling at all
UPDATE orders SET hold_expires_at = now() WHERE NOT is_finite(hold_expires_at);

-- A window nobody can read is the whole day of the order; an order that still waits goes to the desk.
UPDATE orders SET plan_on = created_at::date WHERE NOT is_finite(plan_on);
WITH spoilt AS (
    SELECT id, plan_on + time '03:00' AS begins FROM orders
    WHERE NOT (is_finite(wish_from) AND is_finite(wish_to) AND is_finite(window_from) AND is_finite(window_to)
               AND is_finite(latest_at)))
UPDATE orders o SET wish_from = begins, wish_to = begins + interval '1 day', window_from = begins,
    window_to = begins + interval '1 day', latest_at = begins + interval '1 day', version = version + 1,
    status = CASE WHEN status IN ('placed', 'offered') THEN 'manual' ELSE status END, reason = 'unreadable'
FROM spoilt WHERE spoilt.id = o.id;
UPDATE offers SET status = 'withdrawn', closed_at = now() WHERE status = 'open'
    AND order_id IN (SELECT id FROM orders WHERE status = 'manual' AND reason = 'unreadable');
UPDATE assignments SET status = 'withdrawn', version = version + 1 WHERE status IN ('proposed', 'accepted')
    AND order_id IN (SELECT id FROM orders WHERE status = 'manual' AND reason = 'unreadable');
DELETE FROM stops WHERE active AND order_id IN (SELECT id FROM orders WHERE status = 'manual' AND reason = 'unreadable');

-- A stop or a shift without a time is none; a leave without an end lasts as long as the calendar; a point that is
-- nowhere is a place without coordinates.
DELETE FROM stops WHERE NOT is_finite(during);
DELETE FROM shifts WHERE NOT is_finite(during);
UPDATE leaves SET during = tstzrange(greatest(lower(during), '1900-01-01 00:00+00'), least(upper(during), '2300-01-01 00:00+00'))
    WHERE NOT is_finite(during);
UPDATE places SET geometry = 'none', x = 0, y = 0 WHERE NOT (is_finite(x) AND is_finite(y));
UPDATE rule_parameters SET value = greatest(-1e12, least(value, 1e12)) WHERE NOT is_finite(value);

-- Whatever else must have a time gets the present one.
DO $$
DECLARE
    part record;
BEGIN
    FOR part IN
        SELECT c.oid::regclass AS of_table, a.attname, a.atttypid
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND a.attnotnull AND a.atttypid IN ('timestamptz'::regtype, 'date'::regtype)
    LOOP
        EXECUTE format('UPDATE %s SET %I = now() WHERE NOT is_finite(%I)', part.of_table, part.attname, part.attname);
    END LOOP;
END $$;
"""


def upgrade() -> None:
    """Mend what is there and refuse it from now on."""
    run_sql(FUNCTIONS + MEND + "SELECT refuse_infinities();")
