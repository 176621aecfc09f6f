"""Row-level security table by table, in a city in which no table is empty: who sees strangers' rows, and who writes any."""

from typing import Any, Final
from uuid import uuid4

import asyncpg

from backend.core.principal import SYSTEM, Principal, Role
from tests.support.city import City, at

TO_ALL: Final = {
    "zones", "providers", "provider_zones", "facilities", "catalogue_items", "catalogue_versions", "catalogue_seats",
    "rule_parameters",
}  # fmt: skip
"""What stands in a shop window."""

TO_STAFF: Final = {
    "accounts", "residents", "homes", "resident_contacts", "consents", "workers", "worker_skills", "shifts", "leaves",
    "bookings", "orders", "offers", "visit_records", "assignments", "stops", "order_seats", "order_links", "offer_seats",
    "plans", "stop_orders", "places", "travel_matrices", "visit_statements", "account_numbers", "resident_search_keys",
    "desk_tasks",
}  # fmt: skip
"""What operators and supervisors see of everybody, and everybody else of themselves at most."""

TO_SUPERVISORS: Final = {"audit"}
TO_NOBODY_TOO: Final = {"care_clock", "alembic_version"}
"""The city's time is asked before anybody is known; which schema it is, is no secret. All others are the platform's own."""

ROLES: Final = (Role.RESIDENT, Role.FAMILY, Role.WORKER, Role.PROVIDER, Role.OPERATOR, Role.SUPERVISOR)
_TABLES: Final = """SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition
                    AND relnamespace = 'public'::regnamespace ORDER BY relname"""
MAY_INSERT: Final = {
    (Role.OPERATOR, table)
    for table in ("accounts", "residents", "homes", "resident_contacts", "resident_search_keys", "places")
}
"""Registering a resident is what a person writes in their own name; all else the platform writes for them."""


def stranger(role: Role) -> Principal:
    """Somebody of this role who is a party of nothing."""
    return Principal(role, account_id=uuid4(), resident_ids=(uuid4(),), provider_id=uuid4(), worker_id=uuid4())


async def _filled(city: City) -> list[str]:
    """A city with a row in every table; returns their names."""
    await city.sql("UPDATE providers SET auto_accept = true")
    operator, someone = await city.staff("operator"), await city.resident()
    for hour in (10, 14):
        order = await city.booked(operator, someone["id"], "rehab-home", at(hour), at(hour + 1), channel="phone")
    await city.dispatch()
    worker = await city.worker((await city.crew(order["id"]))[0]["worker_id"])
    assert (await worker.post(f"/v1/orders/{order['id']}/check-in", {})).status_code == 200
    await operator.post(f"/v1/orders/{order['id']}/unserved", {"reason": "x"})
    for statement in FILL:
        await city.sql(statement)
    tables = [table["relname"] for table in await city.sql(_TABLES)]
    empty = [table for table in tables if await city.one(f"SELECT count(*) FROM {table}") == 0]
    assert empty == [], "fill them: what is not there is hidden from nobody"
    return tables


FILL: Final = (
    "INSERT INTO desk_tasks (kind) VALUES ('feed_stalled')",
    "INSERT INTO leaves (worker_id, during, reason) SELECT id, '[2031-01-01,2031-01-02)', 'ill' FROM workers LIMIT 1",
    "INSERT INTO limits (key, full_until) VALUES (decode(repeat('00', 16), 'hex'), now())",
    "INSERT INTO live_tickets (token_hash, expires_at) VALUES ('t', now())",
    "INSERT INTO sign_in_codes (phone, code_hash, expires_at) VALUES ('+8613800000000', 'c', now())",
    "INSERT INTO sign_in_places (key) VALUES (decode(repeat('00', 16), 'hex'))",
    "INSERT INTO stop_orders (stop_id, order_id) SELECT id, order_id FROM stops WHERE order_id IS NOT NULL LIMIT 1",
    "INSERT INTO travel_matrices (zone_id, place_ids, seconds) SELECT id, '{}', '{}' FROM zones LIMIT 1",
    """INSERT INTO visit_statements (order_id, side, kind, words, said_by)
       SELECT o.id, 'worker', 'explained', 'x', a.id FROM orders o, accounts a LIMIT 1""",
    "INSERT INTO audit (actor_id, role, action, subject) SELECT id, role, 'assign', 'order' FROM accounts LIMIT 1",
)


async def _seen(city: City, who: Principal | None, tables: list[str]) -> set[str]:
    """The tables of which somebody sees a row. Asked as the owner, who is bound as everybody is and has every grant."""
    async with city.owner.unit_of_work(who) if who else city.owner.as_nobody() as connection:
        return {table for table in tables if await connection.fetchval(f"SELECT EXISTS (SELECT FROM {table})")}


_COLUMNS = """
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = 'public' AND is_generated = 'NEVER' ORDER BY ordinal_position
"""


async def test_a_stranger_of_any_role_sees_of_each_table_what_the_role_may_and_no_more(city: City):
    tables = await _filled(city)
    assert await _seen(city, SYSTEM, tables) == set(tables)
    assert await _seen(city, None, tables) == TO_NOBODY_TOO
    for role in ROLES:
        wanted = TO_ALL | TO_NOBODY_TOO
        wanted |= TO_STAFF if role in {Role.OPERATOR, Role.SUPERVISOR} else set()
        wanted |= TO_SUPERVISORS if role is Role.SUPERVISOR else set()
        assert await _seen(city, stranger(role), tables) == wanted, role
    parts = await city.sql("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'")
    assert await _seen(city, SYSTEM, [part["relname"] for part in parts]) == set(), "partitions asked for by name"


async def test_no_person_writes_a_row_of_others(city: City):
    """Neither a copy of one nor a change of one; grants apart, by the policies alone."""
    tables = [table for table in await _filled(city) if table != "alembic_version"]
    rows = {t: await city.one(f"SELECT to_jsonb(t) FROM {t} t LIMIT 1") for t in tables}
    written = await city.sql(_COLUMNS)
    columns = {t: ", ".join(row["column_name"] for row in written if row["table_name"] == t) for t in tables}
    for role in ROLES:
        for table in tables:
            column = max(columns[table].split(", "), key=len)  # not an id, which cannot be written at all
            changed = await _tries(city, stranger(role), f"UPDATE {table} SET {column} = {column}")
            assert changed in {"UPDATE 0", "refused"}, (role, table)
            assert await _tries(city, stranger(role), f"DELETE FROM {table}") in {"DELETE 0", "refused"}, (role, table)
            copied = await _tries(
                city,
                stranger(role),
                f"INSERT INTO {table} ({columns[table]}) OVERRIDING SYSTEM VALUE"
                f" SELECT {columns[table]} FROM jsonb_populate_record(NULL::{table}, $1)",
                rows[table],
            )
            assert copied == ("let in" if (role, table) in MAY_INSERT else "refused"), (role, table)


async def _tries(city: City, who: Principal, statement: str, *values: Any) -> str:
    try:
        async with city.owner.unit_of_work(who) as connection:
            return await connection.execute(statement, *values)
    except asyncpg.InsufficientPrivilegeError:
        return "refused"
    except asyncpg.IntegrityConstraintViolationError:
        return "let in"
