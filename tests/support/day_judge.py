"""A judge of the platform's days: the rules as they are written down, in plain SQL over the raw rows.

Written from the text of the rules alone. It imports nothing of the product and calls none of its functions in the
database, so that what it says is a second opinion. Each rule is a statement that finds whatever breaks it, as (about, told).
What has begun has happened: a stop that has started is held against nobody, and what comes behind a day that runs late may
be late as well. Everything that is still planned must be as the rules have it.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

Rows = Callable[[str], Awaitable[Sequence[Any]]]

_PLANNED: Final = """
WITH city AS MATERIALIZED (
    SELECT least(care_at + (clock_timestamp() - machine_at) * rate, ceiling_at) AS now FROM care_clock
), planned AS MATERIALIZED (
    SELECT s.id, s.worker_id, s.order_id, s.seat, s.kind, s.place_id, lower(s.during) AS begins, upper(s.during) AS ends,
           s.started, s.hold_expires_at, p.plan_on, p.zone_id, w.provider_id, w.gender, w.active, w.code AS worker,
           w.start_place_id, w.end_place_id, w.travel_mode, w.box_capacity,
           EXISTS (SELECT FROM stops b WHERE b.worker_id = s.worker_id AND b.active AND b.started
                   AND b.plan_id = s.plan_id) AS behind
    FROM stops s JOIN plans p ON p.id = s.plan_id JOIN workers w ON w.id = s.worker_id
    JOIN orders o ON o.id = s.order_id
    WHERE s.active AND o.status IN ('held', 'placed', 'offered', 'accepted', 'en_route', 'arrived', 'in_service')
), coming AS MATERIALIZED (
    SELECT n.*, o.code, o.status, o.resident_id, o.gender_wish AS wish, o.window_from, o.window_to, o.window_soft,
           o.latest_at, o.ready_at, o.pickup_s, o.max_ride_s, o.place_id AS door_id, o.pickup_place_id,
           o.zone_id AS order_zone_id, o.plan_on AS order_on, q.skills, q.duration_s, q.gender_rule
    FROM planned n JOIN orders o ON o.id = n.order_id
    JOIN order_seats q ON q.order_id = o.id AND q.number = n.seat
    WHERE NOT n.started
), ways AS MATERIALIZED (
    SELECT z.id AS zone_id, z.travel_kind, m.mode, f.id AS from_id, t.id AS to_id,
           CASE z.travel_kind
               WHEN 'plane' THEN sqrt((f.x - t.x) ^ 2 + (f.y - t.y) ^ 2) / (z.travel ->> 'metres_per_minute')::float8 * 60
               WHEN 'road_factor' THEN 2 * 6371008.8 * asin(sqrt(least(1,
                        sin(radians(t.y - f.y) / 2) ^ 2
                        + cos(radians(f.y)) * cos(radians(t.y)) * sin(radians(t.x - f.x) / 2) ^ 2)))
                    * (z.travel ->> 'factor')::float8 / (z.travel -> 'speed_mps' ->> m.mode)::float8
               ELSE (SELECT x.seconds[(array_position(x.place_ids, f.id) - 1) * cardinality(x.place_ids)
                                      + array_position(x.place_ids, t.id)] FROM travel_matrices x WHERE x.zone_id = z.id)
           END AS seconds
    FROM (SELECT zone_id, travel_mode AS mode, array_agg(DISTINCT place_id)
                 || array_agg(DISTINCT start_place_id)
                 || array_agg(DISTINCT coalesce(end_place_id, start_place_id)) AS place_ids
          FROM planned GROUP BY 1, 2) m
    JOIN zones z ON z.id = m.zone_id
    JOIN places f ON f.id = ANY (m.place_ids) JOIN places t ON t.id = ANY (m.place_ids)
), shifted AS MATERIALIZED (
    SELECT n.id, part.during
    FROM planned n JOIN shifts h ON h.worker_id = n.worker_id AND h.plan_on = n.plan_on AND h.zone_id = n.zone_id
    CROSS JOIN LATERAL unnest(tstzmultirange(h.during) - coalesce(
        (SELECT range_agg(l.during) FROM leaves l WHERE l.worker_id = n.worker_id), '{}')) AS part (during)
    WHERE part.during @> tstzrange(n.begins, n.ends)
)
"""

_RULES: Final = {
    "a worker comes who lacks a skill, or whose credential is not valid on the day": """
        SELECT code, worker FROM coming c WHERE EXISTS (SELECT FROM unnest(c.skills) AS skill
            WHERE NOT EXISTS (SELECT FROM worker_skills k WHERE k.worker_id = c.worker_id AND k.skill = skill
                              AND coalesce(k.valid_from, '-infinity') <= c.plan_on
                              AND coalesce(k.expires_on, 'infinity') > c.plan_on))""",
    "a worker comes who is not of the gender wished for or the item asks for": """
        SELECT c.code, worker FROM coming c JOIN residents r ON r.id = c.resident_id
        WHERE (c.wish <> 'any' AND c.gender <> c.wish)
           OR (c.wish = 'any' AND c.gender_rule = 'same' AND c.gender <> r.gender)""",
    "a worker comes whom the resident refused": """
        SELECT c.code, worker FROM coming c JOIN residents r ON r.id = c.resident_id
        WHERE c.worker_id = ANY (r.refused_workers)""",
    "a worker comes who was dismissed, or whose provider does not work any more": """
        SELECT code, worker FROM coming c JOIN providers p ON p.id = c.provider_id WHERE NOT (c.active AND p.active)""",
    "a worker comes outside their shifts in this zone, or on leave": """
        SELECT code, worker || ' ' || begins || ' ' || ends FROM coming c
        WHERE NOT behind AND NOT EXISTS (SELECT FROM shifted f WHERE f.id = c.id)""",
    "a provider that declined, or let its time run out twice, is asked again": """
        SELECT o.code, o.declined_by::text FROM orders o JOIN offers f ON f.order_id = o.id AND f.status = 'open'
        WHERE f.provider_id = ANY (o.declined_by)
           OR (SELECT count(*) FROM unnest(o.expired_by) e WHERE e = f.provider_id) > 1""",
    "a worker is planned by a provider that declined": """
        SELECT c.code, worker FROM coming c JOIN orders o ON o.id = c.order_id
        WHERE o.status IN ('placed', 'offered') AND o.provider_id IS NULL AND c.provider_id = ANY (o.declined_by)""",
    "a crew is of two providers, of one worker twice, or does not begin together": """
        SELECT code, count(*)::text FROM coming WHERE kind <> 'pickup' GROUP BY code
        HAVING count(DISTINCT provider_id) > 1 OR count(DISTINCT worker_id) < count(*) OR count(DISTINCT begins) > 1""",
    "a crew is not whole": """
        SELECT o.code, o.status FROM orders o
        WHERE EXISTS (SELECT FROM planned n WHERE n.order_id = o.id)
          AND (SELECT array_agg(n.seat ORDER BY n.seat) FROM planned n WHERE n.order_id = o.id AND n.kind <> 'pickup')
              IS DISTINCT FROM (SELECT array_agg(q.number ORDER BY q.number) FROM order_seats q WHERE q.order_id = o.id)
          AND NOT EXISTS (SELECT FROM assignments a WHERE a.order_id = o.id AND a.status = 'checked_out')""",
    "a visit is planned before its window": """
        SELECT code, begins || ' < ' || window_from FROM coming WHERE kind <> 'pickup' AND begins < window_from""",
    "a visit is planned after its window": """
        SELECT code, begins || ' > ' || window_to FROM coming, city WHERE kind <> 'pickup' AND NOT behind
           AND begins > CASE WHEN window_soft THEN latest_at ELSE window_to END
           AND city.now < CASE WHEN window_soft THEN latest_at ELSE window_to END
           AND NOT EXISTS (SELECT FROM audit WHERE action = 'assign' AND subject_id = order_id)""",
    "a stop is at another place, of another length, or of another day or zone than its order": """
        SELECT code, kind FROM coming
        WHERE place_id <> CASE kind WHEN 'pickup' THEN pickup_place_id ELSE door_id END
           OR extract(epoch FROM ends - begins) <> CASE kind WHEN 'pickup' THEN pickup_s ELSE duration_s END
           OR order_on <> plan_on OR order_zone_id <> zone_id OR (kind = 'visit') <> (pickup_place_id IS NULL)""",
    "a worker is to leave one place and be at the next sooner than the way takes": """
        SELECT n.worker, n.begins || ' after ' || b.ends FROM planned n
        JOIN LATERAL (SELECT * FROM planned b WHERE b.worker_id = n.worker_id AND b.begins < n.begins
                      ORDER BY b.begins DESC LIMIT 1) b ON NOT n.started
        JOIN ways ON ways.zone_id = n.zone_id AND mode = n.travel_mode AND from_id = b.place_id AND to_id = n.place_id
        WHERE n.begins < b.ends + make_interval(secs => ways.seconds)
          AND NOT EXISTS (SELECT FROM shifts h WHERE h.worker_id = n.worker_id AND lower(h.during) >= b.ends
                          AND lower(h.during) <= n.begins)""",
    "a worker is at the first door of a shift sooner than the way from their start takes": """
        SELECT n.worker, n.begins::text FROM coming n
        JOIN shifts h ON h.worker_id = n.worker_id AND h.during @> n.begins AND h.plan_on = n.plan_on
        JOIN ways ON ways.zone_id = n.zone_id AND mode = n.travel_mode
             AND from_id = n.start_place_id AND to_id = n.place_id
        WHERE n.begins < lower(h.during) + make_interval(secs => ways.seconds) AND NOT n.behind
          AND NOT EXISTS (SELECT FROM planned b WHERE b.worker_id = n.worker_id AND b.begins < n.begins
                          AND h.during @> b.begins)""",
    "a worker is home from the last door of a shift after its end": """
        SELECT n.worker, n.ends::text FROM coming n
        JOIN shifts h ON h.worker_id = n.worker_id AND h.during @> n.begins AND h.plan_on = n.plan_on
        JOIN ways ON ways.zone_id = n.zone_id AND mode = n.travel_mode
             AND from_id = n.place_id AND to_id = n.end_place_id
        WHERE n.ends + make_interval(secs => ways.seconds) > upper(h.during) AND NOT n.behind
          AND NOT EXISTS (SELECT FROM planned b WHERE b.worker_id = n.worker_id AND b.begins > n.begins
                          AND h.during @> b.begins)""",
    "a worker has no time for the break of a shift": """
        SELECT w.code, h.plan_on::text FROM shifts h JOIN workers w ON w.id = h.worker_id
        WHERE h.break_from IS NOT NULL AND h.break_s > 0
          AND EXISTS (SELECT FROM coming c WHERE c.worker_id = h.worker_id AND h.during @> c.begins AND NOT c.behind)
          AND NOT EXISTS (SELECT FROM leaves l WHERE l.worker_id = h.worker_id AND l.during && h.during)
          AND NOT EXISTS (SELECT FROM (
                SELECT c.ends AS free, lead(c.begins) OVER (ORDER BY c.begins) AS until FROM planned c
                WHERE c.worker_id = h.worker_id
                UNION ALL SELECT '-infinity', (SELECT min(c.begins) FROM planned c WHERE c.worker_id = h.worker_id)) idle
              WHERE greatest(idle.free, h.break_from) <= h.break_to
                AND (idle.until IS NULL
                     OR greatest(idle.free, h.break_from) + make_interval(secs => h.break_s) <= idle.until))""",
    "a meal is fetched before it is ready, by somebody else, twice or never, or rides too long": """
        SELECT d.code, d.worker FROM coming d
        LEFT JOIN LATERAL (SELECT count(*) AS number, max(f.ends) AS ends, min(f.begins) AS begins,
                                  bool_and(f.worker_id = d.worker_id) AS same, bool_or(f.started) AS had
                           FROM planned f WHERE f.order_id = d.order_id AND f.kind = 'pickup') f ON true
        WHERE d.kind = 'drop' AND (f.number <> 1 OR NOT f.same OR f.ends > d.begins
              OR (NOT f.had AND f.begins < d.ready_at)
              OR (NOT d.behind AND d.begins - f.ends > make_interval(secs => d.max_ride_s)))""",
    "a box holds more meals than fit": """
        SELECT n.worker, n.begins::text FROM coming n
        WHERE n.kind = 'pickup' AND n.box_capacity < (
            SELECT count(*) FILTER (WHERE b.kind = 'pickup') - count(*) FILTER (WHERE b.kind = 'drop') FROM planned b
            WHERE b.worker_id = n.worker_id AND b.zone_id = n.zone_id AND b.plan_on = n.plan_on AND b.begins <= n.begins)""",
    "two visits of one worker touch the same time": """
        SELECT n.worker, n.begins::text FROM coming n JOIN planned b ON b.worker_id = n.worker_id AND b.id <> n.id
        WHERE tstzrange(n.begins, n.ends) && tstzrange(b.begins, b.ends)""",
    "a resident has two services at one time": """
        SELECT n.code, b.begins::text FROM coming n
        JOIN orders o ON o.resident_id = n.resident_id AND o.id <> n.order_id
        JOIN planned b ON b.order_id = o.id AND b.kind <> 'pickup'
        WHERE n.kind <> 'pickup' AND NOT b.started AND tstzrange(n.begins, n.ends) && tstzrange(b.begins, b.ends)""",
    "a bath begins sooner after a meal than the body allows": """
        SELECT b.code, m.code FROM coming b JOIN coming m ON m.resident_id = b.resident_id AND m.kind = 'drop'
        JOIN orders o ON o.id = b.order_id JOIN catalogue_versions v ON v.id = o.catalogue_version_id
        WHERE b.kind = 'visit' AND 'meal_to_bath_gap_s' = ANY (v.rules) AND b.begins >= m.begins
          AND b.begins < m.ends + (SELECT make_interval(secs => min(value)) FROM rule_parameters
                                   WHERE code = 'meal_to_bath_gap_s' AND valid_to IS NULL)""",
    "a gap between two visits is not kept": """
        SELECT a.code, b.code FROM order_links l
        JOIN LATERAL (SELECT max(x.code) AS code, min(x.begins) AS begins, max(x.ends) AS ends FROM coming x
                      WHERE x.order_id = l.before_id AND x.kind <> 'pickup' AND NOT x.behind) a ON a.begins IS NOT NULL
        JOIN LATERAL (SELECT max(y.code) AS code, min(y.begins) AS begins FROM coming y
                      WHERE y.order_id = l.after_id AND y.kind <> 'pickup' AND NOT y.behind) b ON b.begins IS NOT NULL
        WHERE b.begins < CASE l.gap_from WHEN 'end' THEN a.ends ELSE a.begins END + make_interval(secs => l.min_gap_s)
           OR b.begins > CASE l.gap_from WHEN 'end' THEN a.ends ELSE a.begins END + make_interval(secs => l.max_gap_s)""",
    "a stop is not kept until its hold ends": """
        SELECT o.code, n.hold_expires_at::text FROM planned n JOIN orders o ON o.id = n.order_id
        WHERE n.hold_expires_at IS DISTINCT FROM o.hold_expires_at""",
}

_ORDERS: Final = """
WITH taken AS MATERIALIZED (
    SELECT o.*, v.item_id, v.rules, v.slot_s, v.price_fen AS price, v.acceptance AS asks, r.ability_level, r.suspended, r.suspended_at,
           b.created_at AS booked_at, b.asked_by, b.entered_by, b.channel, b.item_id AS booked_item_id,
           b.resident_id AS booked_for, (CASE WHEN EXISTS (SELECT FROM audit a WHERE a.action = 'reschedule' AND a.subject_id = o.id)
                 THEN o.placed_at ELSE b.created_at END AT TIME ZONE 'Asia/Shanghai' - interval '3 hours')::date AS booked_on
    FROM orders o JOIN bookings b ON b.id = o.booking_id JOIN residents r ON r.id = o.resident_id
    JOIN catalogue_versions v ON v.id = o.catalogue_version_id
)
"""
_TAKEN: Final = {
    "an order is not of the newest version of its item that is valid when it is booked or moved, or not at its price": """
        SELECT code, price_fen::text FROM taken t
        WHERE price_fen <> price OR acceptance <> asks OR item_id <> booked_item_id OR catalogue_version_id <> (
            SELECT v.id FROM catalogue_versions v WHERE v.item_id = t.item_id AND v.valid_from <= t.booked_on
            ORDER BY v.version DESC LIMIT 1)""",
    "an order has another crew than its item asks for at the resident's ability": """
        SELECT code, ability_level::text FROM taken t
        WHERE (SELECT array_agg((s.number, s.skills, s.duration_s, s.gender_rule) ORDER BY s.number) FROM order_seats s
               WHERE s.order_id = t.id)
              IS DISTINCT FROM
              (SELECT array_agg((c.number, c.skills, c.duration_s, c.gender_rule) ORDER BY c.number) FROM catalogue_seats c
               WHERE c.version_id = t.catalogue_version_id AND t.ability_level BETWEEN c.ability_from AND c.ability_to)""",
    "a suspended resident was booked for": """
        SELECT code, suspended_at::text FROM taken WHERE suspended AND coalesce(suspended_at, '-infinity') < booked_at""",
    "an order is for another resident than was booked for": "SELECT code, '' FROM taken WHERE resident_id <> booked_for",
    "an order was entered by somebody who may not book for the resident": """
        SELECT t.code, a.role FROM taken t LEFT JOIN accounts a ON a.id = t.entered_by
        WHERE a.role IS DISTINCT FROM 'operator' AND (t.channel <> 'app' OR (
              NOT EXISTS (SELECT FROM residents r WHERE r.id = t.resident_id AND r.account_id = t.entered_by)
              AND NOT EXISTS (SELECT FROM consents c WHERE c.resident_id = t.resident_id AND c.account_id = t.entered_by
                  AND c.purpose = 'book')))""",
    "an order is served at a place that is no home of the resident, or under another area": """
        SELECT t.code, '' FROM taken t WHERE NOT EXISTS (SELECT FROM homes h WHERE h.id = t.home_id
            AND h.resident_id = t.resident_id AND h.place_id = t.place_id AND h.zone_id = t.zone_id
            AND h.community_code = t.community_code AND h.street_code = t.street_code AND h.district_code = t.district_code)""",
    "a meal comes from a point of another zone, or rides longer than the rule lets it": """
        SELECT t.code, t.max_ride_s::text FROM taken t
        LEFT JOIN facilities f ON f.id = t.pickup_facility_id
        WHERE (t.kind = 'meal') <> (f.id IS NOT NULL) OR f.zone_id <> t.zone_id OR f.place_id <> t.pickup_place_id
           OR f.kind <> 'meal_point' OR ('hot_meal_ride_s' = ANY (t.rules) AND (t.max_ride_s IS NULL OR t.max_ride_s >
              (SELECT max(p.value) FROM rule_parameters p WHERE p.code = 'hot_meal_ride_s')))""",
    "a window is not as long as its item has it, or not within the wish": """
        SELECT code, window_from || ' ' || window_to FROM taken
        WHERE NOT window_soft AND (window_to - window_from <> make_interval(secs => slot_s) OR window_from < wish_from
              OR latest_at <> window_to)""",
    "a crew was sent that is not of the provider that took the order": """
        SELECT t.code, w.code FROM taken t JOIN assignments a ON a.order_id = t.id JOIN workers w ON w.id = a.worker_id
        WHERE a.status IN ('proposed', 'accepted', 'en_route', 'checked_in') AND w.provider_id IS DISTINCT FROM t.provider_id
          AND t.status IN ('offered', 'accepted', 'en_route', 'arrived', 'in_service')""",
    "a visit was reported by somebody who never had a seat in it": """
        SELECT t.code, v.kind FROM taken t JOIN visit_records v ON v.order_id = t.id
        WHERE NOT EXISTS (SELECT FROM assignments a WHERE a.order_id = t.id AND a.worker_id = v.worker_id)""",
    "an order has been given a crew, and no stop stands for it": """
        SELECT t.code, t.status FROM taken t WHERE t.status IN ('accepted', 'offered')
          AND NOT EXISTS (SELECT FROM stops s WHERE s.order_id = t.id AND s.active)""",
}

_LIVED: Final = """
WITH lived AS MATERIALIZED (
    SELECT s.order_id, s.seat, s.kind, s.worker_id, w.code AS worker, w.gender, w.provider_id, o.code, o.resident_id,
           o.gender_wish AS wish, o.provider_id AS taken_by, o.plan_on, q.skills, q.gender_rule
    FROM stops s JOIN orders o ON o.id = s.order_id JOIN workers w ON w.id = s.worker_id
    JOIN order_seats q ON q.order_id = o.id AND q.number = s.seat
    WHERE s.started AND o.status NOT IN ('held', 'placed', 'offered', 'manual')
)
"""
_CAME: Final = {
    "somebody came who lacked a skill, or whose credential was not valid on the day": """
        SELECT code, worker FROM lived c WHERE EXISTS (SELECT FROM unnest(c.skills) AS skill
            WHERE NOT EXISTS (SELECT FROM worker_skills k WHERE k.worker_id = c.worker_id AND k.skill = skill
                              AND coalesce(k.valid_from, '-infinity') <= c.plan_on
                              AND coalesce(k.expires_on, 'infinity') > c.plan_on))""",
    "somebody came who is not of the gender wished for or the item asks for, or was refused": """
        SELECT c.code, worker FROM lived c JOIN residents r ON r.id = c.resident_id
        WHERE (c.wish <> 'any' AND c.gender <> c.wish) OR c.worker_id = ANY (r.refused_workers)
           OR (c.wish = 'any' AND c.gender_rule = 'same' AND c.gender <> r.gender)""",
    "somebody came of another provider than the one that took the order": """
        SELECT code, worker FROM lived WHERE taken_by IS NOT NULL AND provider_id <> taken_by""",
    "somebody came in two seats, or two in one": """
        SELECT code, count(*)::text FROM lived WHERE kind <> 'pickup' GROUP BY code
        HAVING count(*) > count(DISTINCT worker_id) OR count(*) > count(DISTINCT seat)""",
}


async def broken(rows: Rows, spoilt: Sequence[str] = ()) -> list[str]:
    """Every rule that is broken, each as `rule: about, told`; `rows` runs a statement as somebody who sees every row.

    `spoilt`: beginnings of rules that a test breaks itself, by writing what no statement of the platform writes.
    """
    if not await rows("SELECT FROM orders LIMIT 1"):
        return []
    found: list[str] = []
    for head, rules in ((_PLANNED, _RULES), (_ORDERS, _TAKEN), (_LIVED, _CAME)):
        parts = [
            f"SELECT $r${name}$r$ AS rule, a::text AS about, b::text AS told FROM ({rule}) AS r (a, b)"
            for name, rule in rules.items()
        ]
        found += [
            f"{row['rule']}: {row['about']}, {row['told']}" for row in await rows(head + " UNION ALL ".join(parts))
        ]
    return [one for one in found if not one.startswith(tuple(spoilt))]


async def must_be_sound(rows: Rows, spoilt: Sequence[str] = ()) -> None:
    """Raise AssertionError that names every rule broken."""
    if wrong := await broken(rows, spoilt):
        raise AssertionError("\n".join(["broken in the end:", *wrong]))
