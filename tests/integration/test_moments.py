"""What happens by a clock as a table: a second before its time nothing, at its time it happens, and it happens once."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, time, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from backend.accounts import card_queries
from backend.accounts import queries as accounts
from backend.accounts.proofs import token_hash
from backend.core.principal import SYSTEM
from backend.database.pool import Connection
from backend.orders import timers
from backend.orders.offering import expires_at
from backend.processes.embedded import Embedded
from backend.providers.queries import Provider
from backend.scheduling import queries as scheduling
from backend.workers.queries import shifts_of
from tests.support.city import DAY, TIME_ZONE, City, at
from tests.support.scratch import GUARDED

REHAB, BATH, MEAL = "rehab-home", "bath-home", "meal-lunch"
SECOND: Final = timedelta(seconds=1)
Due = tuple[UUID, datetime]  # an order, and when something is to happen to it


@pytest.fixture(scope="module")
async def shared(server: Embedded) -> AsyncIterator[City]:
    name = f"edges_{uuid4().hex[:12]}"
    async with City.open(await server.copy_database(GUARDED, name)) as city:
        await city.sql("UPDATE providers SET opens_at = '07:00', closes_at = '23:00', offer_expiry_s = 900")
        yield city
    await server.drop_database(name)


@pytest.fixture
async def here(shared: City) -> City:
    """Eight in the morning of a day on which nothing is booked."""
    await shared.clock(at(8))
    await shared.manual_acceptance()
    await shared.sql("UPDATE orders SET status = 'cancelled'")
    for table in ("timers", "stops"):
        await shared.sql(f"DELETE FROM {table}")
    await shared.sql("UPDATE plans SET version = version + 1")
    return shared


class Booked:
    """An order being made in a city, and who speaks for it."""

    def __init__(self, city: City) -> None:
        self.city = city

    async def slot(self, item: str = REHAB, *, hour: float = 12, days: int = 0) -> dict[str, Any]:
        """A slot somebody is offered who begins at an hour."""
        self.someone = await self.city.resident(ability=3 if item == BATH else 0)
        self.resident = await self.city.signed_in(self.someone["account_id"])
        self.operator = await self.city.staff("operator")
        begins = at(0, days=days) + timedelta(hours=hour)
        wish: dict[str, Any] = {"from_at": begins.isoformat(), "to_at": (begins + timedelta(hours=1)).isoformat()}
        body: dict[str, Any] = {"resident_id": str(self.someone["id"]), "item_code": item, "wish": wish, "days": 1}
        if item == MEAL:
            wish |= {"soft": True, "latest_at": (begins + timedelta(hours=2)).isoformat()}
            point = await self.city.meal_point(self.someone["zone_id"])
            body["pickup"] = {"facility_id": str(point), "ready_at": begins.isoformat()}
        answer = await self.resident.post("/v1/quotes", body)
        assert answer.status_code == 200, answer.text
        return answer.json()["slots"][0]

    async def order(self, *, channel: str = "app", hold: bool = False, **slot: Any) -> dict[str, Any]:
        body = {"slot": (await self.slot(**slot))["token"], "channel": channel, "hold_only": hold}
        answer = await (self.resident if channel == "app" else self.operator).post("/v1/bookings", body)
        assert answer.status_code == 201, answer.text
        return await self.city.order(answer.json()["id"])

    async def visited(self, *steps: str, crew: int | None = None, **slot: Any) -> dict[str, Any]:
        """An accepted order, of which so many of the crew have reported these steps, at ten past its start."""
        await self.city.sql("UPDATE providers SET auto_accept = true")
        order = await self.order(**slot)
        await self.city.dispatch()
        door = await self.city.door(str(order["id"]))
        for step in steps:
            planned = await self.city.one(
                "SELECT upper(during) FROM stops WHERE order_id = $1 ORDER BY kind", order["id"]
            )
            await self.city.clock(planned if step == "check-out" else order["window_from"] + timedelta(minutes=10))
            for seat in (await self.city.crew(str(order["id"])))[:crew]:
                worker = await self.city.worker(seat["worker_id"])
                assert (await worker.post(f"/v1/orders/{order['id']}/{step}", door)).status_code == 200
        return await self.city.order(str(order["id"]))


async def _extended(book: Booked) -> Due:
    order = await book.order(hold=True)
    await book.city.clock(at(8, 2))
    assert (await book.resident.post(f"/v1/orders/{order['id']}/extend")).status_code == 200
    return order["id"], at(8, 6)


async def _offered(book: Booked) -> Due:
    order = await book.order(hour=15)
    await book.city.dispatch()
    return order["id"], at(8, 15)


async def _given_back(book: Booked) -> Due:
    order = await book.visited()
    await book.city.clock(order["window_from"] - timedelta(minutes=2))
    provider = await book.city.staff("provider", order["provider_id"])
    answer = await provider.post(f"/v1/orders/{order['id']}/cancel", {"reason": "不方便"})
    assert answer.status_code == 200, answer.text
    return order["id"], order["window_from"]


async def _due(book: Booked, when: Callable[[dict[str, Any]], datetime], **about: Any) -> Due:
    order = await book.order(**about)
    return order["id"], when(order)


async def _visit_due(book: Booked, when: Callable[[dict[str, Any]], datetime], *steps: str, **about: Any) -> Due:
    order = await book.visited(*steps, **about)
    return order["id"], when(order)


async def _unreported(book: Booked) -> Due:
    order = await book.visited("check-in")
    planned_end = await book.city.one("SELECT upper(during) FROM stops WHERE order_id = $1", order["id"])
    return order["id"], planned_end + timedelta(hours=2)


async def _silent(book: Booked) -> Due:
    order = await book.visited("check-in", "check-out")
    return order["id"], await book.city.one("SELECT yinling_now()") + timedelta(hours=24)


HOUR: Final = timedelta(hours=1)
TABLE: Final[dict[str, tuple[str, Callable[[Booked], Awaitable[Due]], str, str, str]]] = {
    "a hold of the app": ("hold_expiry", lambda b: _due(b, lambda _: at(8, 3), hold=True), "held", "lapsed", "expired"),
    "a hold of a call": (
        "hold_expiry", lambda b: _due(b, lambda _: at(8, 8), hold=True, channel="phone"), "held", "lapsed", "expired",
    ),
    "a hold kept longer": ("hold_expiry", _extended, "held", "lapsed", "expired"),
    "an offer": ("offer_expiry", _offered, "offered", "placed", "offer_expired"),
    "a search for this day": ("manual_due", lambda b: _due(b, lambda _: at(8, 30), hour=14), "placed", "manual", "nobody_accepted"),
    "a search for tomorrow": (
        "manual_due", lambda b: _due(b, lambda _: at(17), days=1), "placed", "manual", "nobody_accepted",
    ),
    "a search for the next hours": (
        "manual_due", lambda b: _due(b, lambda o: o["window_from"] - HOUR, hour=9.25), "placed", "manual", "nobody_accepted",
    ),
    "a search for the next minutes": (
        "manual_due", lambda b: _due(b, lambda _: at(8, 5), hour=8.5), "placed", "manual", "nobody_accepted",
    ),
    "a search until the window": ("manual_due", _given_back, "placed", "manual", "nobody_accepted"),
    "a search that found nobody": (
        "unserved_due", lambda b: _due(b, lambda o: o["window_to"], hour=14), "manual", "unserved", "nobody_accepted",
    ),
    "a meal nobody could bring": (
        "unserved_due", lambda b: _due(b, lambda o: o["latest_at"], item=MEAL), "placed", "unserved", "nobody_accepted",
    ),
    "a crew that never came": (
        "missed_due", lambda b: _visit_due(b, lambda o: o["latest_at"] + HOUR), "accepted", "missed", "no_check_in",
    ),
    "a crew still on its way": (
        "missed_due", lambda b: _visit_due(b, lambda o: o["latest_at"] + HOUR, "en-route"), "en_route", "missed", "no_check_in",
    ),
    "half a crew": (
        "missed_due", lambda b: _visit_due(b, lambda o: o["latest_at"] + HOUR, "check-in", crew=1, item=BATH),
        "arrived", "manual", "crew_incomplete",
    ),
    "a meal that never came": (
        "missed_due", lambda b: _visit_due(b, lambda o: o["latest_at"] + HOUR, item=MEAL), "accepted", "aborted", "eat_by_passed",
    ),
    "a visit nobody checked out of": ("missing_out", _unreported, "in_service", "awaiting_acceptance", ""),
    "the resident's silence": ("acceptance_due", _silent, "awaiting_acceptance", "completed", ""),
}  # fmt: skip
"""By what is waited for: its timer, an order with the instant it is due, and what that makes of which state, and why."""

BY_REPORTS: Final = {"contradicted", "served_twice"}  # due at once: tests of contradictions and late records
OF_THE_DESK: Final = {"no_access_due"}  # makes a task more urgent and leaves the order: test_no_access
OF_A_REQUEST: Final = {"consent_request_expiry"}  # is about no order: test_asking_consent


def test_every_timer_stands_in_the_table():
    assert {kind for kind, *_ in TABLE.values()} | BY_REPORTS | OF_THE_DESK | OF_A_REQUEST == set(timers.HANDLERS)


@pytest.mark.parametrize("name", TABLE)
async def test_a_timer_does_nothing_a_second_before_its_time_and_all_at_it_once(here: City, name: str):
    kind, prepare, before, after, reason = TABLE[name]
    order_id, due_at = await prepare(Booked(here))
    await here.clock(due_at - SECOND)
    await here.timers()
    order = await here.order(str(order_id))
    assert order["status"] == before
    stops = await here.sql("SELECT hold_expires_at FROM stops WHERE order_id = $1", order_id)
    if before == "held":
        assert {row["hold_expires_at"] for row in stops} == {due_at}, "the crew is kept as long as the hold is"
    await here.clock(due_at)
    await here.timers()
    then = await here.order(str(order_id))
    assert then["status"] == after
    assert not reason or then["reason"] == reason
    assert then["version"] == order["version"] + 1
    await here.clock(due_at + SECOND)
    await here.timers()
    assert await here.order(str(order_id)) == then
    assert await here.one("SELECT count(*) FROM timers WHERE tries > 0") == 0, kind


async def test_a_timer_goes_with_the_state_it_was_for(here: City):
    """Confirmed, a hold lapses no more; accepted, nobody is asked any more; and so on: each has an instant of its own."""
    book = Booked(here)
    order = await book.visited("check-in", "check-out")
    kinds = {row["kind"] for row in await here.sql("SELECT kind FROM timers WHERE subject_id = $1", order["id"])}
    assert kinds == {"acceptance_due"}


async def test_the_time_of_an_offer_that_was_declined_ends_no_later_one(here: City):
    """Its timer may be on its way while somebody declines and another is asked."""
    order_id, _ = await _offered(Booked(here))
    offer = "SELECT id, provider_id FROM offers WHERE order_id = $1 AND status = 'open'"
    first = (await here.sql(offer, order_id))[0]
    declined = await (await here.staff("provider", first["provider_id"])).post(
        f"/v1/offers/{first['id']}/decline", {"reason": "不方便"}
    )
    assert declined.status_code == 200, declined.text
    for asked_again in (False, True):
        if asked_again:
            await here.dispatch()
            assert await here.sql(offer, order_id), "another is asked"
        before = await here.order(str(order_id))
        async with here.owner.unit_of_work(SYSTEM) as connection:
            await timers.HANDLERS["offer_expiry"](connection, first["id"])
        assert await here.order(str(order_id)) == before


@pytest.mark.parametrize(("path", "due", "code"), [
    ("orders/{order}/confirm", at(8, 3), "hold_expired"), ("orders/{order}/extend", at(8, 3), "hold_expired"),
    ("offers/{offer}/accept", at(8, 15), "offer_closed"),
])  # fmt: skip
async def test_what_has_run_out_is_over_whether_or_not_its_timer_has_fired(
    here: City, path: str, due: datetime, code: str
):
    for instant, answered in ((due - SECOND, 200), (due, 409 if code == "offer_closed" else 410)):
        await here.clock(at(8))
        book = Booked(here)
        order = await book.order(hold="orders" in path, hour=10 if answered == 200 else 15)
        who, offer = book.resident, None
        if "offers" in path:
            await here.dispatch()
            row = (await here.sql("SELECT id, provider_id FROM offers WHERE order_id = $1", order["id"]))[0]
            who, offer = await here.staff("provider", row["provider_id"]), row["id"]
        await here.clock(instant)
        answer = await who.post("/v1/" + path.format(order=order["id"], offer=offer))
        assert answer.status_code == answered, answer.text
        assert answered == 200 or answer.json()["code"] == code


async def test_the_stops_of_a_hold_keep_a_worker_until_it_has_run_out(here: City):
    order = await Booked(here).order(hold=True)
    stop = (await here.sql("SELECT plan_id, worker_id FROM stops WHERE order_id = $1", order["id"]))[0]
    for instant, kept in ((at(8, 3) - SECOND, True), (at(8, 3), False)):
        await here.clock(instant)
        async with here.owner.unit_of_work(SYSTEM) as connection:
            live = await scheduling.live_stops(connection, stop["plan_id"], order["zone_id"], DAY, [stop["worker_id"]])
            assert bool(live.rows) is kept
            await scheduling.delete_expired_holds(connection, stop["plan_id"])
            assert (
                bool(await connection.fetchval("SELECT count(*) FROM stops WHERE order_id = $1", order["id"])) is kept
            )


async def test_a_slot_lives_ten_minutes_and_no_longer_than_its_time(here: City):
    book = Booked(here)
    for instant, status in ((at(8, 10) + SECOND, 422), (at(8, 10), 201)):
        await here.clock(at(8))
        slot = await book.slot()
        await here.clock(instant)
        answer = await book.resident.post("/v1/bookings", {"slot": slot["token"], "channel": "app"})
        assert answer.status_code == status, answer.text


async def test_the_price_is_that_of_the_version_of_the_present_plan_day(city: City):
    """One that comes into force tomorrow counts from three in the morning on: also for a visit after that, not before."""
    item = await city.one("SELECT id FROM catalogue_items WHERE code = $1", REHAB)
    old = (await city.sql("SELECT * FROM catalogue_versions WHERE item_id = $1", item))[0]
    for version, days, price in ((2, 1, 7700), (3, 2, 9900)):
        row = {
            **old,
            "id": uuid4(),
            "version": old["version"] + version,
            "valid_from": DAY + timedelta(days=days),
            "price_fen": price,
        }
        marks = ", ".join(f"${n}" for n, _ in enumerate(row, 1))
        await city.sql(f"INSERT INTO catalogue_versions ({', '.join(row)}) VALUES ({marks})", *row.values())
        await city.sql(
            """INSERT INTO catalogue_seats (version_id, ability_from, ability_to, number, skills, duration_s, gender_rule)
               SELECT $1, ability_from, ability_to, number, skills, duration_s, gender_rule FROM catalogue_seats
               WHERE version_id = $2""", row["id"], old["id"],
        )  # fmt: skip
    book, three = Booked(city), at(3, days=1)
    for instant, price in ((at(8), old["price_fen"]), (three - SECOND, old["price_fen"]), (three, 7700)):
        await city.clock(instant)
        slot = await book.slot(days=1)
        listed = (await city.http.get("/v1/catalogue/items")).json()
        assert (slot["price_fen"], sum(line["fen"] for line in slot["price_lines"])) == (price, price), instant
        assert [row["price_fen"] for row in listed if row["code"] == REHAB] == [price], instant
    await city.clock(three - SECOND)
    slot = await book.slot(days=1)
    await city.clock(three)
    refused = await book.resident.post("/v1/bookings", {"slot": slot["token"], "channel": "app"})
    assert (refused.status_code, refused.json()["code"]) == (422, "slot_invalid"), "what was shown is no longer sold"
    await city.clock(three - SECOND)
    order = await book.order(days=1)
    await city.clock(at(8, days=2))
    assert (await city.order(str(order["id"])))["price_fen"] == old["price_fen"], "what was promised stays"


async def test_a_credential_ends_before_the_day_it_expires_on(here: City):
    async with here.owner.unit_of_work(SYSTEM) as connection:
        zone_id = await connection.fetchval("SELECT zone_id FROM shifts WHERE plan_on = $1 LIMIT 1", DAY)
        for days, there in ((0, False), (1, True)):
            await connection.execute(
                "UPDATE worker_skills SET valid_from = NULL, expires_on = $1", DAY + timedelta(days=days)
            )
            rows = (await shifts_of(connection, zone_id, DAY, DAY)).rows
            assert {bool(row.skills) for row in rows} == {there}
        await connection.execute("UPDATE worker_skills SET expires_on = NULL")


@pytest.mark.parametrize(("now", "seconds", "due"), [
    (at(8), 900, at(8, 15)), (at(7), 900, at(8, 15)), (at(19, 45), 900, at(20)), (at(19, 45), 901, at(8, 0, days=1) + SECOND),
    (at(20), 900, at(8, 15, days=1)), (at(21), 900, at(8, 15, days=1)), (at(8) - SECOND, 900, at(8, 15)), (at(12), 13 * 3600, at(13, days=1)),
    (at(12), 25 * 3600, at(13, days=2)),
])  # fmt: skip
def test_an_offers_seconds_count_while_its_provider_is_open(now: datetime, seconds: int, due: datetime):
    asked = Provider(uuid4(), "某院", 3, time(8), time(20), auto_accept=False, offer_expiry_s=seconds)
    assert expires_at(asked, now, TIME_ZONE) == due


# -- the machine's time: within one transaction now() stands still, so that its edges can be met to the microsecond

_SESSION: Final = """INSERT INTO sessions (token_hash, account_id, expires_at, last_seen_at, idle_s, slides_s, revoked_at)
    SELECT $1, id, now() + interval '1 hour', now(), 60, 90, NULL FROM accounts WHERE role = 'family' ORDER BY id LIMIT 1"""
_TICK: Final = "interval '1 microsecond'"


async def _signs_in(connection: Connection) -> bool:
    return await accounts.signed_in(connection, token_hash("edge")) is not None


async def _listed(connection: Connection) -> bool:
    one = await connection.fetchrow("SELECT id, account_id FROM sessions WHERE token_hash = $1", token_hash("edge"))
    assert one
    return any(found.id == one["id"] for found in await accounts.sessions_of(connection, one["account_id"], one["id"]))


async def _ends(connection: Connection) -> bool:
    one = await connection.fetchrow("SELECT id, account_id FROM sessions WHERE token_hash = $1", token_hash("edge"))
    assert one
    return await accounts.end_session(connection, one["account_id"], one["id"])


async def _seen(connection: Connection) -> bool:
    """Whether a use is written down, and extends the session."""
    one = await connection.fetchval("SELECT id FROM sessions WHERE token_hash = $1", token_hash("edge"))
    await accounts.see_session(connection, one)
    return await connection.fetchval(
        "SELECT (last_seen_at, expires_at) = (now(), now() + interval '90 seconds') FROM sessions WHERE id = $1", one
    )


async def _unseen(connection: Connection) -> bool:
    found = await accounts.signed_in(connection, token_hash("edge"))
    assert found
    return found.unseen


async def _code(connection: Connection) -> bool:
    found = await connection.fetchval("SELECT id FROM sign_in_codes WHERE phone = 'edge'")
    return await accounts.try_code(connection, found, 5, b"here") is not None


async def _card(connection: Connection) -> bool:
    return await card_queries.use_card(connection, b"t" * 32) is not None


async def _enters(connection: Connection) -> bool:
    return await accounts.take_ticket(connection, b"edge") is not None


async def _follows(connection: Connection) -> bool:
    found = await accounts.signed_in(connection, token_hash("edge"))
    return found is not None and bool(found.booked_for or found.followed)


D = "UPDATE sign_in_cards SET "
S, K, T, C = "UPDATE sessions SET ", "UPDATE sign_in_codes SET ", "UPDATE live_tickets SET ", "UPDATE consents SET "
MACHINE: Final[dict[str, tuple[Callable[[Connection], Awaitable[bool]], str, str]]] = {
    "a session's end": (_signs_in, f"{S} expires_at = now() + {_TICK}", f"{S} expires_at = now()"),
    "a session left alone": (
        _signs_in, f"{S} last_seen_at = now() - interval '60 seconds' + {_TICK}", f"{S} last_seen_at = now() - interval '60 seconds'",
    ),
    "a session that was ended": (_signs_in, f"{S} device = 'x'", f"{S} revoked_at = now()"),
    "a session's end in the list": (_listed, f"{S} expires_at = now() + {_TICK}", f"{S} expires_at = now()"),
    "a session left alone in the list": (
        _listed, f"{S} last_seen_at = now() - interval '60 seconds' + {_TICK}", f"{S} last_seen_at = now() - interval '60 seconds'",
    ),
    "a session that can be ended": (_ends, f"{S} expires_at = now() + {_TICK}", f"{S} expires_at = now()"),
    "a use after an hour": (
        _seen, f"{S} last_seen_at = now() - interval '1 hour' - {_TICK}", f"{S} last_seen_at = now() - interval '1 hour'",
    ),
    "a use of an ended session": (
        _seen, f"{S} last_seen_at = now() - interval '2 hours'", f"{S} last_seen_at = now() - interval '2 hours', revoked_at = now()",
    ),
    "a use to be written": (
        _unseen, f"{S} idle_s = NULL, last_seen_at = now() - interval '1 hour' - {_TICK}",
        f"{S} idle_s = NULL, last_seen_at = now() - interval '1 hour'",
    ),
    "a code's five minutes": (_code, f"{K} expires_at = expires_at - interval '300 seconds' + {_TICK}", f"{K} expires_at = expires_at - interval '300 seconds'"),
    "a code's five tries": (_code, f"{K} tries = 4", f"{K} tries = 5"),
    "a code that was used": (_code, f"{K} tries = 0", f"{K} used_at = now()"),
    "a code asked for elsewhere": (_code, f"{K} tries = 0", f"{K} asked_from = 'there'"),
    "a card's day": (_card, f"{D} expires_at = expires_at - interval '24 hours' + {_TICK}", f"{D} expires_at = expires_at - interval '24 hours'"),
    "a card that was used": (_card, f"{D} expires_at = expires_at", f"{D} used_at = now()"),
    "a card that was revoked": (_card, f"{D} expires_at = expires_at", f"{D} revoked_at = now()"),
    "a ticket's half minute": (_enters, f"{T} expires_at = expires_at - interval '30 seconds' + {_TICK}", f"{T} expires_at = expires_at - interval '30 seconds'"),
    "a consent's beginning": (_follows, f"{C} valid_from = now(), valid_to = NULL", f"{C} valid_from = now() + {_TICK}"),
    "a consent's end": (_follows, f"{C} valid_to = now() + {_TICK}", f"{C} valid_to = now()"),
}  # fmt: skip
"""By what is asked: how it is a microsecond before the edge, when it still holds, and at the edge, when it does not."""


@pytest.mark.parametrize("name", MACHINE)
async def test_what_lives_by_the_machines_time_ends_to_the_microsecond(shared: City, name: str):
    asks, before, at_it = MACHINE[name]
    for change, holds in ((before, True), (at_it, False)):
        async with shared.owner.unit_of_work(SYSTEM) as connection:
            undo = connection.transaction()
            await undo.start()
            await connection.execute("DELETE FROM live_tickets; DELETE FROM sessions; DELETE FROM sign_in_codes")
            await connection.execute(_SESSION, token_hash("edge"))
            await accounts.insert_code(connection, uuid4(), "edge", b"h", b"here", 300)
            await accounts.insert_ticket(connection, b"edge", None, 30)
            holder = await connection.fetchval("SELECT account_id FROM sessions LIMIT 1")
            await card_queries.insert_card(connection, holder, b"t" * 32, b"d" * 32, holder, 24)
            await connection.execute("UPDATE consents SET account_id = (SELECT account_id FROM sessions LIMIT 1)"
                                     " WHERE id = (SELECT id FROM consents WHERE purpose IN ('book', 'status') LIMIT 1)")  # fmt: skip
            await connection.execute(
                "DELETE FROM consents WHERE account_id <> (SELECT account_id FROM sessions LIMIT 1)"
            )
            await connection.execute(change)
            assert await asks(connection) is holds, change
            await undo.rollback()
