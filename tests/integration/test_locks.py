"""Of two who meet at one row one waits, or is told that the other was quicker: every lock and compare-and-set, two connections.

Read from the program's own SQL: a statement that locks or compares, and is not named here, fails.
"""

import ast
import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import pytest
from msgspec import structs

from backend.accounts import card_queries, number_queries
from backend.accounts import queries as accounts
from backend.bookings import queries as bookings
from backend.core.errors import DomainError
from backend.core.principal import SYSTEM
from backend.database import upkeep
from backend.database.pool import LIMITS, Connection
from backend.emergencies import queries as emergencies
from backend.emergencies.model import Outcome
from backend.orders import offer_queries, queries, seat_queries, timer_queries
from backend.orders.model import AssignmentStatus, Timer
from backend.processes.embedded import Embedded
from backend.processes.jobs import fire_due
from backend.residents import look_queries as looks
from backend.residents import queries as residents
from backend.residents import request_queries as requests
from backend.residents.model import Purpose
from backend.scheduling import queries as scheduling
from backend.scheduling import tie_queries
from backend.tasks import queries as tasks
from backend.tasks.model import TaskKind
from tests.support.access import request
from tests.support.city import DAY, City, at
from tests.support.households import LATE_MORNING, REHAB, House, two_houses
from tests.support.scratch import GUARDED
from tests.support.statements import BACKEND

Attempt = Callable[[Connection], Awaitable[Any]]
_IMPATIENT: Final = {**LIMITS, "lock_timeout": "40ms"}
NO_PLACE: Final = b"\0" * 16


@pytest.fixture(scope="module")
async def house(server: Embedded) -> AsyncIterator[House]:
    """A household with an order whose crew is on the way, in a city in which nobody waits long for a lock."""
    name = f"locks_{uuid4().hex[:12]}"
    async with City.open(await server.copy_database(GUARDED, name), limits=_IMPATIENT) as city:
        here, _ = await two_houses(city)
        await here.book(await city.staff("operator"), REHAB, *LATE_MORNING)
        await city.dispatch()
        await here.accept(here.orders[0])
        await city.sql("INSERT INTO plans (zone_id, plan_on) VALUES ($1, $2)", here.zone_id, DAY + timedelta(days=1))
        await city.clock(at(14, 30))
        here.slot = await here.quoted(await city.staff("operator"), REHAB, at(15), at(17))
        await city.sql("DROP TRIGGER judge_ask_version ON orders")  # here one statement may be all of a transaction
        yield here
    await server.drop_database(name)


ORDER, OFFER, RESIDENT = (
    "POST /v1/orders/{order_id}/",
    "POST /v1/offers/{offer_id}/",
    "POST /v1/residents/{resident_id}/",
)
WAITS: Final[dict[str, dict[str, str]]] = {
    "SELECT id FROM plans WHERE plan_on = $2 AND $1::uuid IS NOT NULL FOR NO KEY UPDATE": {
        **{ORDER + word: "resident" for word in ("confirm", "extend", "release", "cancel", "accept-service", "dispute", "statements")},
        **{ORDER + word: "worker" for word in ("en-route", "check-in", "check-out", "pick-up", "hand-over", "no-access", "abort")},
        **{ORDER + word: "operator" for word in ("unserved", "resolve", "sheet", "reschedule", "door-opened", "another-time", "abort ")},
        OFFER + "accept": "provider", OFFER + "decline": "provider", ORDER + "cancel ": "provider", "POST /v1/bookings": "operator",
    },
    "SELECT id FROM workers WHERE $1::uuid IS NOT NULL AND $2::date IS NOT NULL FOR NO KEY UPDATE": {
        ORDER + "check-in": "worker", ORDER + "no-access": "worker", ORDER + "abort": "worker", ORDER + "sheet": "operator", ORDER + "reschedule": "operator", "POST /v1/bookings": "operator",
    },
    "SELECT id FROM residents WHERE id = $1 AND $2::date IS NOT NULL FOR NO KEY UPDATE": {
        "POST /v1/bookings": "operator", ORDER + "reschedule": "operator", **{RESIDENT + word: "operator" for word in ("numbers", "home", "contacts", "resume")},
    },
    "SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text, 2)) WHERE $2::date IS NOT NULL": {
        RESIDENT + "consent-requests/{request_id}/answer": "operator", RESIDENT + "consents": "operator", RESIDENT + "consents/{consent_id}/number": "operator",
    },
}  # fmt: skip
"""By what somebody else holds at that moment: the commands that wait for it, and who gives them."""


@pytest.mark.parametrize("held", WAITS)
async def test_a_command_waits_while_somebody_else_holds_what_it_is_about(
    house: House, held: str, monkeypatch: pytest.MonkeyPatch
):
    """Whatever it is for: it locks before it looks at the state, so that none goes on from what another has changed since.

    One that comes to wait only where it writes has looked already.
    """
    city, thing = house.city, await house.thing(house.orders[0])
    callers = {name: await city.signed_in(house.accounts[name]) for name in ("resident", "provider")}
    callers |= {"operator": await city.staff("operator"), "worker": await city.worker(thing.worker_id)}
    before, really, waited = await city.order(house.orders[0]), city.database.unit_of_work, list[str]()

    @asynccontextmanager
    async def unit_of_work(*about: Any) -> AsyncIterator[Connection]:
        try:
            async with really(*about) as connection:
                yield connection
        except asyncpg.LockNotAvailableError as error:
            waited.append(error.context or "while locking by name")
            raise

    monkeypatch.setattr(city.database, "unit_of_work", unit_of_work)
    async with city.owner.unit_of_work(SYSTEM) as other:
        await other.execute(held, house.resident_id, DAY)
        for route, who in WAITS[held].items():
            asked = request(route.strip(), thing, by_operator=who == "operator")
            answer = await callers[who].send(asked.method, asked.path, asked.query, asked.body)
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable"), (route, answer.text)
            assert waited[-1].startswith("while locking"), (route, waited)
    assert await city.order(house.orders[0]) == before


@asynccontextmanager
async def _asking(house: House) -> AsyncIterator[Connection]:
    async with house.city.database.unit_of_work(SYSTEM) as connection:
        yield connection


async def _locks(house: House) -> dict[str, Attempt]:
    """Every function that takes a lock, called for the same thing by both."""
    city, order_id = house.city, UUID(house.orders[0])
    offer_id = await city.one("SELECT id FROM offers LIMIT 1")
    plans = [row["id"] for row in await city.sql("SELECT id FROM plans ORDER BY id")]
    await city.sql("UPDATE plans SET beside = ARRAY[$2::uuid] WHERE id = $1", plans[0], plans[1])
    staff_id = await city.one(
        """UPDATE accounts SET login = 'locks', password_hash = 'h', totp_secret = 's' WHERE id = (
               SELECT id FROM accounts WHERE role = 'operator' ORDER BY id LIMIT 1) RETURNING id"""
    )
    async with _asking(house) as connection:
        staff = await accounts.staff_by_login(connection, "locks", NO_PLACE)
        assert staff
        assert staff.id == staff_id
    thing = await house.thing()
    asker, request_id = house.accounts["booker"], UUID(thing.request_id)
    return {
        "lock_asker": lambda c: requests.lock_asker(c, asker),
        "request_for_update": lambda c: requests.request_for_update(c, house.resident_id, request_id),
        "request_for_purpose": lambda c: requests.request_for_purpose(c, house.resident_id, asker, Purpose.LOCATION),
        "lock_holder": lambda c: card_queries.lock_holder(c, asker),
        "lock_number": lambda c: number_queries.lock_number(c, "+8613800000001"),
        "is_unchanged": lambda c: accounts.is_unchanged(c, staff),
        "try_lock_key": lambda c: accounts.try_lock_key(c, staff_id, "POST /", "some key"),
        "take_turn": lambda c: upkeep.take_turn(c, "sessions"),
        "bookings.lock_resident": lambda c: bookings.lock_resident(c, house.resident_id),
        "lock_resident": lambda c: residents.lock_resident(c, house.resident_id),
        "lock_consents": lambda c: residents.lock_consents(c, house.resident_id),
        "order_for_update": lambda c: queries.order_for_update(c, order_id),
        "lock_plan_of": lambda c: scheduling.lock_plan_of(c, order_id),
        "lock_raiser": lambda c: emergencies.lock_raiser(c, staff_id),
        "lock_workers": lambda c: scheduling.lock_workers(c, [house.worker_id]),
        "lock_plans": lambda c: tie_queries.lock_plans(c, [plans[0]]),
        "lock_for": lambda c: timer_queries.lock_for(c, Timer(uuid4(), "x", order_id, None)),
        "lock_for an offer": lambda c: timer_queries.lock_for(c, Timer(uuid4(), "x", offer_id, None)),
    }


async def test_a_lock_is_held_by_one_until_the_transaction_ends(house: House):
    for name, lock in (await _locks(house)).items():
        async with _asking(house) as first:
            assert await lock(first) is not False, name
            try:
                async with _asking(house) as second:
                    assert await lock(second) is False, name
            except asyncpg.LockNotAvailableError:
                pass
        async with _asking(house) as second:
            assert await lock(second) is not False, name


async def test_a_lock_keeps_waiting_whatever_else_it_stands_for(house: House):
    """The order itself as well as its plan; a plan with those it is planned beside; and no worker but those named."""
    city = house.city
    locks = await _locks(house)
    order_id, plan_id = UUID(house.orders[0]), await city.one("SELECT beside[1] FROM plans WHERE beside <> '{}'")
    for name, statement, argument in (
        ("order_for_update", "SELECT FROM orders WHERE id = $1 FOR NO KEY UPDATE", order_id),
        ("lock_plans", "SELECT FROM plans WHERE id = $1 FOR NO KEY UPDATE", plan_id),
    ):
        async with _asking(house) as first:
            await locks[name](first)
            with pytest.raises(asyncpg.LockNotAvailableError):
                await _asks(house, statement, argument)
    async with _asking(house) as first:
        await locks["lock_workers"](first)
        await _asks(house, "SELECT FROM workers WHERE id <> $1 FOR NO KEY UPDATE", house.worker_id)


async def _asks(house: House, statement: str, argument: UUID) -> None:
    async with _asking(house) as second:
        await second.execute(statement, argument)


async def test_a_commit_that_has_looked_at_its_epoch_keeps_other_leaders_away(house: House):
    """And no longer than until it ends: whoever leads a zone by then has another epoch."""
    city = house.city
    await city.sql("UPDATE zone_leases SET expires_at = now() - interval '1 second'")
    async with _asking(house) as first:
        epoch = await scheduling.lease_epoch(first, house.zone_id)
        led = await city.database.ask_as_nobody(lambda nobody: scheduling.lead_zones(nobody, "another", 60))
        assert house.zone_id not in {lease.zone_id for lease in led}
        assert len(led) > 0
    led = await city.database.ask_as_nobody(lambda nobody: scheduling.lead_zones(nobody, "another", 60))
    assert {lease.zone_id: lease.epoch for lease in led}[house.zone_id] == (epoch or 0) + 1
    third = await city.database.ask_as_nobody(lambda nobody: scheduling.lead_zones(nobody, "a third", 60))
    assert third == []
    again = await city.database.ask_as_nobody(lambda nobody: scheduling.lead_zones(nobody, "another", 60))
    assert sorted(again, key=str) == sorted(led, key=str), "who keeps a zone keeps its epoch"


async def _races(house: House) -> list[tuple[str, Attempt, Any, Any]]:
    """Every compare-and-set with what the first and the second of two are answered, and every insert that meets another."""
    city, order_id = house.city, UUID(house.orders[0])
    code, ticket, someone = (
        uuid4(),
        uuid4().bytes,
        await city.one("SELECT id FROM accounts WHERE role = 'operator' ORDER BY id LIMIT 1"),
    )
    async with city.owner.unit_of_work(SYSTEM) as connection:
        order = await queries.order(connection, order_id)
        order = structs.replace(order, version=order.version + 1)  # as it is when its hold was kept longer
        crew = await seat_queries.assignments_of(connection, order_id)
        await accounts.insert_code(connection, code, "+8613800000002", b"h", NO_PLACE, 300)
        await accounts.insert_ticket(connection, ticket, None, 30)
        await card_queries.insert_card(connection, house.accounts["booker"], code.bytes * 2, ticket * 2, someone, 24)
        await connection.execute("INSERT INTO limits VALUES ($1, now() + interval '20 minutes')", code.bytes)
        await timer_queries.set_timer(connection, "x", order_id, at(9))
        timer = await connection.fetchval("SELECT id FROM timers WHERE kind = 'x'")
        offer = await connection.fetchval("SELECT id FROM offers WHERE order_id = $1", order_id)
        await connection.execute("UPDATE offers SET status = 'open' WHERE id = $1", offer)
        await connection.execute(
            """INSERT INTO offers (order_id, provider_id, expires_at)
               SELECT $1, id, $3 FROM providers WHERE id <> $2 LIMIT 1""", order_id, house.provider_id, at(20),
        )  # fmt: skip
    await city.sql("UPDATE zone_leases SET owner = 'another', expires_at = now() + interval '1 hour'")
    held = await city.one("UPDATE orders SET hold_expires_at = $1, status = 'held' RETURNING id", at(20))
    session = await city.one(
        "INSERT INTO sessions (token_hash, account_id, expires_at) VALUES ($2, $1, now() + interval '1 hour') RETURNING id",
        someone, uuid4().bytes,
    )  # fmt: skip
    consent = await city.one(
        "SELECT id FROM consents WHERE resident_id = $1 AND valid_to IS NULL LIMIT 1", house.resident_id
    )

    await city.sql("DELETE FROM desk_tasks")
    alarm = await city.one("INSERT INTO emergencies (raised_by, role) VALUES ($1, 'operator') RETURNING id", someone)
    about = await city.one(
        "INSERT INTO desk_tasks (kind, order_id) VALUES ('no_access_late', $1) ON CONFLICT DO NOTHING RETURNING id",
        order_id,
    )
    waits = [await city.one(
        """INSERT INTO consent_requests (account_id, person, phone, sought, sought_phone, purposes, by_desk, expires_at)
           VALUES ($1, 'x', 'x', 'x', 'x', '{book}', true, '2050-01-01') RETURNING id""", someone) for _ in range(2)]  # fmt: skip
    owners = iter(row["id"] for row in await city.sql("SELECT id FROM accounts ORDER BY id LIMIT 3"))
    steps = iter((7, 6, 7))  # the later of two codes comes first
    uses = iter((1, -1, 1))  # counted while one is given back

    async def used(connection: Connection) -> bool:
        open_code = await accounts.try_code(connection, code, 5)
        await accounts.use_code(connection, code)
        return open_code is not None

    async def withdrawn(connection: Connection) -> int:
        return len(await offer_queries.withdraw_offers(connection, order_id))

    async def taken_back(connection: Connection) -> int:
        return len(await offer_queries.take_back(connection, order_id, house.provider_id))

    async def opened(connection: Connection) -> bool:
        return await tasks.insert_task(connection, TaskKind.FEED_STALLED, {}) is not None

    async def ended_by_itself(connection: Connection) -> bool:
        return await tasks.close_tasks(connection, TaskKind.FEED_STALLED) is not None

    async def taken(connection: Connection) -> bool:
        return await tasks.take(connection, about, next(owners))

    async def counted(connection: Connection) -> list[float]:
        return [
            round(wait)
            for wait in await accounts.count_uses(connection, [NO_PLACE], [1], [600], [600], [0], together=True)
        ]

    async def given_back(connection: Connection) -> int:
        uncounted = await accounts.count_uses(connection, [code.bytes], [next(uses)], [600], [6000], [0], together=True)
        return round(uncounted[0] / 60)

    async def ended(connection: Connection) -> bool:
        return await residents.close_consent(connection, house.resident_id, consent) is not None

    async def expired(connection: Connection) -> bool:
        return await requests.expire_request(connection, waits[0]) is not None

    async def not_asked_any_more(connection: Connection) -> bool:
        return await requests.withdraw_request(connection, someone, waits[1]) is not None

    async def closed(connection: Connection) -> bool:
        return await offer_queries.close_offer(connection, offer, "accepted", None) is not None

    async def entered(connection: Connection) -> bool:
        return await accounts.take_ticket(connection, ticket) is not None

    async def carded(connection: Connection) -> bool:
        return await card_queries.use_card(connection, code.bytes * 2) is not None

    async def moved(connection: Connection) -> int:
        return (await queries.advance(connection, order, order.status, provider_id=order.provider_id)).version

    async def seated(connection: Connection) -> int:
        return len(await seat_queries.set_assignments(connection, crew, AssignmentStatus.EN_ROUTE))

    return [
        ("extend_hold", lambda c: queries.extend_hold(c, held, 180, 180), 1, 0),
        ("advance", moved, order.version + 1, "stale_version"),
        ("close_offer", closed, True, False),
        ("take_back", taken_back, 1, 0),
        ("withdraw_offers", withdrawn, 1, 0),
        ("set_assignments", seated, len(crew), "stale_version"),
        ("use_totp_step", lambda c: accounts.use_totp_step(c, someone, next(steps)), True, False),
        ("try_code", used, True, False),
        ("use_card", carded, True, False),
        ("take_ticket", entered, True, False),
        ("end_session", lambda c: accounts.end_session(c, someone, session), True, False),
        ("claim", lambda c: timer_queries.claim(c, timer), True, False),
        ("close_consent", ended, True, False),
        ("expire_request", expired, True, False),
        ("withdraw_request", not_asked_any_more, True, False),
        ("insert_task", opened, True, False),
        ("close_tasks", ended_by_itself, True, False),
        ("take", taken, True, False),
        ("close", lambda c: tasks.close(c, about, "x"), True, False),
        ("call_off", lambda c: emergencies.call_off(c, alarm), True, False),
        ("close_emergency", lambda c: emergencies.close_emergency(c, alarm, someone, Outcome.FINE, ""), True, False),
        ("suspend", lambda c: residents.suspend(c, house.resident_id), True, False),
        ("resume", lambda c: residents.resume(c, house.resident_id), True, False),
        ("count_uses", counted, [0], [600]),
        ("count_uses", given_back, -70, -60),
        ("ensure_plan", lambda c: scheduling.ensure_plan(c, house.zone_id, DAY + timedelta(days=9)), None, None),
        ("note_looks", lambda c: looks.note_looks(c, someone, [house.resident_id], Purpose.STATUS), None, None),
        ("set_timer", lambda c: timer_queries.set_timer(c, "y", order_id, at(20)), None, None),
        ("remember_place", lambda c: accounts.remember_place(c, b"p" * 16), None, None),
        ("add_numbers", lambda c: number_queries.add_numbers(c, someone, ["+8613800000009"]), None, None),
        ("count_quote", lambda c: bookings.count_quote(c, house.resident_id, DAY, by_desk=False), None, None),
        ("give_leases_back", lambda c: scheduling.give_leases_back(c, "another"), 4, 0),
    ]  # fmt: skip


async def _answered(house: House, attempt: Attempt) -> Any:
    try:
        async with house.city.owner.unit_of_work(SYSTEM) as connection:  # it waits as long as it takes
            return await attempt(connection)
    except DomainError as error:
        return error.code


async def _both(house: House, attempt: Attempt) -> tuple[Any, Any]:
    """Two at a barrier: the second asks when the first has written and not committed yet."""
    async with _asking(house) as first:
        one = await attempt(first)
        second = asyncio.create_task(_answered(house, attempt))
        await house.city.until_it_waits(second)
    return one, await second


async def test_of_two_at_a_barrier_one_is_answered_that_the_other_was_quicker(house: House):
    asked = int(await house.city.one("SELECT coalesce(max(asked), 0) FROM quotes_asked WHERE NOT by_desk"))
    for name, attempt, first, second in await _races(house):
        assert await _both(house, attempt) == (first, second), name
        if name not in {"count_uses", "count_quote"}:
            assert await _answered(house, attempt) == second, (name, "once only")
    assert await house.city.one("SELECT max(asked) FROM quotes_asked WHERE NOT by_desk") == asked + 2, "neither is lost"
    assert await house.city.one("SELECT count(*) FROM timers WHERE kind = 'y'") == 1


async def test_a_timer_waits_for_its_plan_before_it_is_taken(house: House):
    """Whoever holds the plan may move the timer: holding one and waiting for the other, both would wait for ever.

    And one that is moved while somebody is about to take it is left to its new time.
    """
    city, order_id = house.city, UUID(house.orders[0])
    async with _asking(house) as connection:
        await timer_queries.set_timer(connection, "hold_expiry", order_id, at(9))
        await connection.execute("UPDATE timers SET fired_at = now(), tries = 9 WHERE kind = 'hold_expiry'")
        await timer_queries.set_timer(connection, "hold_expiry", order_id, at(9))  # set again, it is to fire again
    async with city.owner.unit_of_work(SYSTEM) as other:
        await scheduling.lock_plan_of(other, order_id)
        firing = asyncio.create_task(fire_due(city.owner))
        await city.until_it_waits(firing)
        assert not firing.done()
        await other.execute("SELECT FROM timers WHERE subject_id = $1 FOR UPDATE NOWAIT", order_id)
        await timer_queries.set_timer(other, "hold_expiry", order_id, at(23))
    await firing
    assert (
        await city.one("SELECT fired_at FROM timers WHERE kind = 'hold_expiry' AND subject_id = $1", order_id) is None
    )


NEED_NONE: Final = {
    "insert_order": "a code somebody has is drawn anew: test_order_codes",
    "see_session": "once an hour: test_sign_in_sessions",
    "end_absence": "ends what is ended", "end_oldest_sessions": "ends what is ended", "end_other_sessions": "ends what is ended", "revoke_cards": "under the holder's lock",
    "lease_epoch": "test_a_commit_that_has_looked_at_its_epoch_keeps_other_leaders_away",
    "clear_timers": "leaves what is being fired", "open_consent": "under the consents' lock", "leave_home": "under the resident's lock",
    "tie_plans": "under both plans' locks", "finish_stops": "under the plan's lock", "finish_stops_as_told": "under the plan's lock",
    "keep_choice": "under the plan's lock", "keep_flags_of_the_crew": "under the plan's lock", "flag_records": "adds what is not there", "unflag_records": "takes off what is there",
}  # fmt: skip
_LOCKS: Final = re.compile(r"FOR (NO KEY )?UPDATE|FOR (KEY )?SHARE|advisory|ON CONFLICT")
_UPDATES: Final = re.compile(r"UPDATE \w+(?: (?:AS )?\w+)? SET (.*?) WHERE (.*?)(?:RETURNING|$)")


def _compares(sql: str) -> bool:
    """Whether a statement writes a column that it asks for: it takes somebody's word that it stands as it was read."""
    return any(
        set(re.findall(r"(\w+) =", found[1])) & set(re.findall(r"\w+", found[2])) for found in _UPDATES.finditer(sql)
    )


async def test_every_statement_that_locks_or_compares_is_met_by_two(house: House):
    met = {*await _locks(house), *(race[0] for race in await _races(house)), *NEED_NONE}
    found: set[str] = set()
    for path in BACKEND.rglob("*queries.py"):
        if "simulation" in path.parts:
            continue
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.AsyncFunctionDef):
                said = [n.value for n in ast.walk(function) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
                sql = " ".join(" ".join(said[1:]).split())
                found |= {function.name} if _LOCKS.search(sql) or _compares(sql) else set()
    assert found - met == set()
