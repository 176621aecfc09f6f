"""A region's own figure holds for whoever lives there, and for nobody else; each from midnight of its first day there."""

import ast
from datetime import timedelta
from typing import Any

from backend.core.principal import SYSTEM
from backend.rules.queries import EVERYWHERE, figures, limit
from tests.support.city import DAY, City, at
from tests.support.statements import BACKEND

REHAB = "rehab-home"
_ROW = """INSERT INTO rule_parameters (code, region, valid_from, value, unit, text_en, source)
          SELECT code, $2, valid_from, $3, unit, text_en, source FROM rule_parameters WHERE code = $1 AND region = '*'"""


async def _neighbours(city: City) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Somebody of a district, somebody of another one, and the first one's community."""
    here, there = await city.resident(), await city.resident(zone="Z2")
    for who, district in ((here, "320508"), (there, "320505")):
        await city.sql(
            """UPDATE homes SET district_code = $2, street_code = $2 || '001', community_code = $2 || '001001'
               WHERE resident_id = $1""",
            who["id"], district,
        )  # fmt: skip
    return here, there, "320508001001"


async def _held_for(city: City, someone: dict[str, Any]) -> timedelta:
    me = await city.signed_in(someone["account_id"])
    slot = (await city.quote(me, someone["id"], REHAB, at(13), at(15)))[0]
    answer = await me.post("/v1/bookings", {"slot": slot["token"], "channel": "app", "hold_only": True})
    assert answer.status_code == 201, answer.text
    order = await city.order(answer.json()["id"])
    await me.post(f"/v1/orders/{order['id']}/release")
    return order["hold_expires_at"] - at(8)


async def test_a_region_s_own_limit_holds_there_and_nowhere_else(city: City):
    here, there, community = await _neighbours(city)
    await city.sql(_ROW, "hold_app_s", "320508", 60.0)
    assert await _held_for(city, here) == timedelta(seconds=60)
    assert await _held_for(city, there) == timedelta(seconds=180)
    await city.sql(_ROW, "hold_app_s", community, 90.0)  # the nearest region's figure goes first
    assert await _held_for(city, here) == timedelta(seconds=90)


async def test_a_region_s_own_caps_and_days_ahead_hold_there_and_nowhere_else(city: City):
    here, there, _ = await _neighbours(city)
    await city.sql(_ROW, "most_open_orders", "320508", 0.0)
    await city.sql(_ROW, "booking_horizon_days", "320508", 1.0)
    wish = {"from_at": at(13, days=3).isoformat(), "to_at": at(15, days=3).isoformat()}
    codes = []
    for who in (here, there):
        me = await city.signed_in(who["account_id"])
        ahead = await me.post("/v1/quotes", {"resident_id": str(who["id"]), "item_code": REHAB, "wish": wish})
        slot = (await city.quote(me, who["id"], REHAB, at(13), at(15)))[0]
        booked = await me.post("/v1/bookings", {"slot": slot["token"], "channel": "app"})
        codes.append((ahead.json().get("code"), booked.json().get("code") if booked.status_code != 201 else None))
    assert codes == [("too_far_ahead", "too_many_orders"), (None, None)]


async def test_what_is_odd_about_a_report_is_said_by_the_rules_of_the_home_s_region(city: City):
    await city.sql("UPDATE providers SET auto_accept = true")
    flags = []
    here, there, _ = await _neighbours(city)
    await city.sql(_ROW, "visit_early_s", "320508", 36000.0)
    operator = await city.staff("operator")
    for who in (here, there):
        order = await city.booked(operator, who["id"], REHAB, at(13), at(14), channel="phone")
        await city.dispatch()
        worker = await city.worker((await city.crew(order["id"]))[0]["worker_id"])
        door = await city.door(order["id"])
        assert (await worker.post(f"/v1/orders/{order['id']}/check-in", door)).status_code == 200
        flags.append((await city.order(order["id"]))["flags"])
    assert flags == [[], ["TOO_EARLY"]]


async def test_a_figure_counts_from_midnight_of_the_city_and_until_midnight(city: City):
    """Not from midnight of the server, which comes eight hours later."""
    await city.sql(
        """WITH old AS (UPDATE rule_parameters SET valid_to = $1 WHERE code = 'hold_app_s' RETURNING *)
           INSERT INTO rule_parameters (code, region, valid_from, value, unit, text_en, source)
           SELECT code, region, $1, 60, unit, text_en, source FROM old""",
        DAY + timedelta(days=1),
    )
    for instant, figure in ((at(0, days=1) - timedelta(seconds=1), 180), (at(0, days=1), 60)):
        await city.clock(instant)
        async with city.database.unit_of_work(SYSTEM) as connection:
            assert await limit(connection, "hold_app_s", EVERYWHERE) == figure
            assert (await figures(connection, "hold_", EVERYWHERE))["app_s"] == figure


def test_every_process_asks_for_dates_of_the_city():
    opened = [
        {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}.get("time_zone")
        for file in BACKEND.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Database.open"
    ]
    assert set(opened) == {"settings.time_zone"}
