"""An order may get other times: what is written for that, and a lock on its plan that knows that it may have moved."""

from migrations.support import run_sql

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

SQL = """
GRANT UPDATE (acceptance, catalogue_version_id, community_code, district_code, gender_wish, home_id, latest_at, max_ride_s,
    pickup_facility_id, pickup_place_id, pickup_s, place_id, plan_on, price_fen, price_lines, ready_at, street_code,
    window_from, window_soft, window_to, wish_from, wish_to, zone_id) ON orders TO yinling_app;
GRANT DELETE ON order_seats TO yinling_app;   -- the crew asked for is that of the day the new times are asked for

-- Lock the plan an order belongs to. Whoever waited for that lock may find that the order has moved to another plan
-- meanwhile. To hold the old plan and wait for the new one could wait in a ring with somebody who locks both in id order,
-- so the old lock is given back first: that is what the inner block is for.
CREATE FUNCTION lock_plan_of_order(wanted uuid) RETURNS uuid LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    locked uuid;
    moved boolean;
BEGIN
    LOOP
        BEGIN
            SELECT p.id INTO locked FROM plans p JOIN orders o ON o.zone_id = p.zone_id AND o.plan_on = p.plan_on
                WHERE o.id = wanted FOR NO KEY UPDATE OF p;
            SELECT p.id IS DISTINCT FROM locked INTO moved
                FROM orders o LEFT JOIN plans p ON p.zone_id = o.zone_id AND p.plan_on = o.plan_on WHERE o.id = wanted;
            IF moved THEN
                RAISE SQLSTATE 'YL036';
            END IF;
            RETURN locked;
        EXCEPTION WHEN SQLSTATE 'YL036' THEN
            NULL;   -- the lock went with the block: look again
        END;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION lock_plan_of_order FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lock_plan_of_order TO yinling_app;
"""


def upgrade() -> None:
    """Do what the first line says."""
    run_sql(SQL)
