"""What must never stand in the database: things left behind by an order that has gone on without them."""

from typing import Any, Final

from tests.support.city import City

_LIVE: Final = "('held', 'placed', 'offered', 'manual', 'accepted', 'en_route', 'arrived', 'in_service', 'no_access')"
_CREWED: Final = "('offered', 'accepted', 'en_route', 'arrived', 'in_service', 'no_access')"

_ORPHANS: Final = f"""
SELECT 'active stop of an order that is over' AS what, s.order_id AS id FROM stops s JOIN orders o ON o.id = s.order_id
    WHERE s.active AND o.status NOT IN {_LIVE}
UNION ALL
SELECT 'stop whose worker has no seat', s.order_id FROM stops s JOIN orders o ON o.id = s.order_id
    WHERE s.active AND o.status IN {_CREWED} AND NOT EXISTS (SELECT FROM assignments a WHERE a.order_id = o.id
        AND a.seat = s.seat AND a.worker_id = s.worker_id
        AND a.status IN ('proposed', 'accepted', 'en_route', 'checked_in'))
UNION ALL
SELECT 'seat without a stop', a.order_id FROM assignments a JOIN orders o ON o.id = a.order_id
    WHERE a.status IN ('proposed', 'accepted', 'en_route', 'checked_in') AND o.status IN {_LIVE}
      AND NOT EXISTS (SELECT FROM stops s WHERE s.order_id = a.order_id AND s.seat = a.seat
                      AND s.worker_id = a.worker_id AND s.active)
      AND NOT (o.status IN ('no_access', 'arrived') AND EXISTS (SELECT FROM visit_records r WHERE r.assignment_id = a.id AND r.counts
               AND r.kind = 'check_out'))  -- could not wait at a shut door
UNION ALL
SELECT 'seat of a state its order is not in: ' || a.status || ' of ' || o.status, a.order_id
    FROM assignments a JOIN orders o ON o.id = a.order_id
    WHERE (a.status = 'proposed' AND o.status <> 'offered')
       OR (a.status IN ('accepted', 'en_route') AND o.status NOT IN ('accepted', 'en_route', 'arrived', 'in_service', 'no_access'))
       OR (a.status = 'checked_in' AND o.status NOT IN ('arrived', 'in_service', 'no_access')
           AND NOT ('MISSING_OUT' = ANY (o.flags)))
       OR (a.status = 'checked_out' AND o.status IN ('held', 'placed', 'offered', 'manual', 'accepted', 'lapsed',
           'cancelled', 'unserved', 'missed', 'arrived', 'no_access'))
UNION ALL
SELECT 'not exactly one worker a seat', o.id FROM orders o
    WHERE o.status IN {_CREWED}
      AND (SELECT count(*) FROM assignments a WHERE a.order_id = o.id
           AND a.status = ANY (CASE o.status WHEN 'offered' THEN ARRAY['proposed'] ELSE
                ARRAY['accepted', 'en_route', 'checked_in', 'checked_out'] END))
          <> (SELECT count(*) FROM order_seats q WHERE q.order_id = o.id)
UNION ALL
SELECT 'crew of another provider', o.id FROM orders o JOIN assignments a ON a.order_id = o.id
    JOIN workers w ON w.id = a.worker_id
    WHERE a.status IN ('proposed', 'accepted', 'en_route', 'checked_in') AND o.status IN {_CREWED}
      AND w.provider_id IS DISTINCT FROM o.provider_id
UNION ALL
SELECT 'open offer of an order not offered', f.order_id FROM offers f JOIN orders o ON o.id = f.order_id
    WHERE f.status = 'open' AND (o.status <> 'offered' OR o.provider_id IS DISTINCT FROM f.provider_id)
UNION ALL
SELECT 'offered without one open offer', o.id FROM orders o
    WHERE o.status = 'offered' AND (SELECT count(*) FROM offers f WHERE f.order_id = o.id AND f.status = 'open') <> 1
UNION ALL
SELECT 'provider of an order nobody was asked to take', o.id FROM orders o
    WHERE o.status IN ('held', 'lapsed', 'placed', 'manual') AND o.provider_id IS NOT NULL
UNION ALL
SELECT 'timer that failed: ' || t.kind || ' ' || coalesce(t.last_error, ''), t.subject_id FROM timers t WHERE t.tries > 0
UNION ALL
SELECT 'timer left behind: ' || t.kind || ' of ' || o.status, o.id FROM timers t JOIN orders o ON o.id = t.subject_id
    WHERE t.fired_at IS NULL AND NOT o.status = ANY (CASE t.kind
        WHEN 'hold_expiry' THEN ARRAY['held'] WHEN 'manual_due' THEN ARRAY['placed', 'offered']
        WHEN 'unserved_due' THEN ARRAY['placed', 'offered', 'manual']
        WHEN 'missed_due' THEN ARRAY['accepted', 'en_route', 'arrived'] WHEN 'missing_out' THEN ARRAY['in_service']
        WHEN 'no_access_due' THEN ARRAY['no_access']
        WHEN 'acceptance_due' THEN ARRAY['awaiting_acceptance'] ELSE ARRAY[o.status] END)
UNION ALL
SELECT 'nothing ends the state ' || o.status, o.id FROM orders o
    WHERE o.status IN ('held', 'placed', 'accepted', 'en_route', 'arrived', 'in_service', 'awaiting_acceptance', 'no_access')
      AND NOT EXISTS (SELECT FROM timers t WHERE t.subject_id = o.id AND t.fired_at IS NULL AND t.kind = CASE o.status
          WHEN 'held' THEN 'hold_expiry' WHEN 'placed' THEN 'unserved_due' WHEN 'in_service' THEN 'missing_out' WHEN 'no_access' THEN 'no_access_due'
          WHEN 'awaiting_acceptance' THEN 'acceptance_due' ELSE 'missed_due' END)
UNION ALL
SELECT 'not one task of the desk for each door that stays shut', o.id FROM orders o
    WHERE (o.status = 'no_access') <> EXISTS (SELECT FROM desk_tasks t WHERE t.kind = 'no_access' AND t.order_id = o.id AND t.closed_at IS NULL)
UNION ALL
SELECT 'offer without a clock', f.order_id FROM offers f
    WHERE f.status = 'open' AND NOT EXISTS (SELECT FROM timers t WHERE t.subject_id = f.id AND t.fired_at IS NULL)
UNION ALL
SELECT 'hold on a stop of an order that is not held', o.id FROM stops s JOIN orders o ON o.id = s.order_id
    WHERE s.hold_expires_at IS NOT NULL AND o.status <> 'held'
UNION ALL
SELECT 'link to an order that will not take place', o.id FROM order_links l
    JOIN orders o ON o.id IN (l.before_id, l.after_id) WHERE o.status IN ('lapsed', 'cancelled', 'unserved', 'rejected')
UNION ALL
SELECT 'version is not the number of events: ' || o.version || ' <> ' || e.told, o.id FROM orders o
    CROSS JOIN LATERAL (SELECT count(*) AS told FROM events e WHERE e.type LIKE 'order.%'
                        AND e.data ->> 'order_id' = o.id::text) e
    WHERE e.told <> o.version
UNION ALL
SELECT 'two services at once', one.order_id
    FROM stops one JOIN orders a ON a.id = one.order_id
    JOIN orders b ON b.resident_id = a.resident_id AND b.id > a.id JOIN stops two ON two.order_id = b.id
    WHERE one.active AND two.active AND NOT one.started AND NOT two.started AND one.kind <> 'pickup'
      AND two.kind <> 'pickup' AND one.during && two.during
"""
_AFTER_THE_CLOCK: Final = """
SELECT 'due and not done: ' || kind AS what, subject_id AS id FROM timers WHERE fired_at IS NULL AND due_at <= yinling_now()
UNION ALL
SELECT 'hold that ran out and is held', id FROM orders WHERE status = 'held' AND hold_expires_at <= yinling_now()
"""


async def orphans(city: City) -> list[dict[str, Any]]:
    """Whatever an order has left behind."""
    return await city.sql(_ORPHANS)


async def overdue(city: City) -> list[dict[str, Any]]:
    """Whatever should have happened by itself, when everything due has been done."""
    return await city.sql(_AFTER_THE_CLOCK)
