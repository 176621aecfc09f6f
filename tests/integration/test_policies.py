"""Row-level security as a table: in a city in which no table is empty, which rows each kind of person sees, and writes.

Read from the database's own lists: a table, or a function that widens rights, that is not named here fails.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import pytest
from msgspec import Struct

from backend.accounts import proofs
from backend.accounts.actions import who_is
from backend.core.principal import SYSTEM, Principal, Role
from backend.database.pool import Connection, as_the_platform
from backend.processes.embedded import Embedded
from tests.support.city import City
from tests.support.households import LATE_MORNING, REHAB, House, two_houses
from tests.support.people import person
from tests.support.scratch import GUARDED

TO_ALL: Final = {
    "zones", "providers", "provider_zones", "facilities", "catalogue_items", "catalogue_versions", "catalogue_seats",
    "rule_parameters", "item_checks", "item_lines",
}  # fmt: skip
"""What stands in a shop window: read by whoever is signed in."""

TO_STAFF: Final = {
    "order_seats", "order_links", "offer_seats", "plans", "stop_orders", "places", "travel_matrices", "visit_statements",
    "resident_search_keys", "desk_tasks",
}  # fmt: skip
"""What operators and supervisors read, and nobody else a row of."""

OWN: Final = {
    "accounts": "id = {account}",
    "account_numbers": "account_id = {account}",
    "residents": "id = {resident}",
    "homes": "resident_id = {resident}",
    "resident_contacts": "resident_id = {resident}",
    "bookings": "resident_id = {resident}",
    "consents": "resident_id = {resident} OR account_id = {account}",
    "orders": "resident_id = {resident} OR provider_id = {provider}",
    "offers": "provider_id = {provider}",
    "workers": "provider_id = {provider} OR id = {worker}",
    "worker_skills": "worker_id = {worker}",
    "shifts": "worker_id = {worker}",
    "leaves": "worker_id = {worker}",
    "assignments": "worker_id = {worker}",
    "stops": "worker_id = {worker}",
    "visit_records": "worker_id = {worker}",
    "emergencies": "raised_by = {account}",
}
"""What staff read of everybody, and everybody else the rows that are about themselves, or about whoever lets them."""

OF_A_DOOR: Final = {
    "door_digits": "resident_id = {resident}",
    "consent_requests": "resident_id IN (SELECT id FROM residents WHERE account_id = {account})",
    "consent_looks": "resident_id IN (SELECT id FROM residents WHERE account_id = {account})",
    "pre_checks": """resident_id IN (SELECT id FROM residents WHERE account_id = {account})
        OR resident_id IN (SELECT resident_id FROM consents WHERE account_id = {account} AND purpose = 'reports')
        OR order_id IN (SELECT order_id FROM assignments WHERE worker_id = {worker} AND status = 'checked_in')""",
    "handed_words": "false",
    "visit_ticks": """order_id IN (SELECT id FROM orders WHERE provider_id = {provider})
        OR order_id IN (SELECT order_id FROM assignments WHERE worker_id = {worker} AND status = 'checked_in')""",
}
"""What the desk reads of everybody, and of themselves those at a door: a household its digits, which the crew is to be told;
of what was measured there the resident, whom they let read reports, and the crew while it is there; of what was done there
the order's provider and the same crew; and of what is asked for
of a resident, and of who looked, they themselves, not who asks or looks. A supervisor none of it."""
OWN_ONLY: Final = {
    "sessions": "account_id = {account}", "idempotency_keys": "account_id = {account}",
    "word_digits": """resident_id IN (SELECT id FROM residents WHERE account_id = {account})
        OR resident_id IN (SELECT resident_id FROM consents WHERE account_id = {account} AND purpose = 'book'
                           AND valid_from <= now() AND coalesce(valid_to > now(), true))""",
}  # fmt: skip
"""What not even the desk reads: a session, and the digits of whoever may confirm a visit."""
TO_SUPERVISORS: Final = {"audit"}
TO_NOBODY_TOO: Final = {"care_clock", "alembic_version"}
"""The city's time is asked before anybody is known; which schema it is, is no secret."""

OF_THE_PLATFORM: Final = {
    "events", "feed_epoch", "limits", "live_tickets", "quotes_asked", "roster_stamp", "sign_in_cards", "sign_in_codes", "sign_in_places",
    "timers", "zone_leases",
}  # fmt: skip
MAY_INSERT: Final = {"accounts", "residents", "homes", "resident_contacts", "resident_search_keys", "places"}
"""An operator registers residents in their own name; all else the platform writes for people."""

READERS: Final[Mapping[str, dict[str, str]]] = {
    "resident": {"resident": "resident"},
    "booker": {"resident": "resident"},
    "follower": {"resident": "resident"},
    "hears where only": {},  # consents to hear of places and reports open no row
    "reads reports": {},
    "former family": {},
    "family to come": {},
    "other family": {"resident": "neighbour"},
    "own provider": {"provider": "provider"},
    "other provider": {"provider": "other provider"},
    "own worker": {"worker": "worker"},
    "former worker": {"worker": "former worker"},  # replaced in the crew: their own rows, nothing of who came instead
    "other worker": {"worker": "other worker"},
    "dismissed worker": {},
    "operator": {},
    "supervisor": {},
    "ended session": {},
    "unused desk": {},
    "closed account": {},
    "nobody": {},
}
"""Whose rows each of them may read: by the resident, provider or worker they are or speak for."""

STAFF: Final = {"operator", "supervisor"}
WRITERS: Final = ("resident", "booker", "follower", "own provider", "own worker", *sorted(STAFF), "nobody")
SIGNED_OUT: Final = {"ended session", "unused desk", "closed account", "nobody"}
FAMILY: Final = {
    "former family": ("book", "now() - interval '2 days'", "now() - interval '1 second'"),
    "family to come": ("book", "now() + interval '1 hour'", "NULL"),
    "hears where only": ("location", "now() - interval '1 day'", "NULL"),
    "reads reports": ("reports", "now() - interval '1 day'", "NULL"),
}
_NONE: Final = UUID(int=0)
_TABLES: Final = """SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition
                    AND relnamespace = 'public'::regnamespace ORDER BY relname"""
_COLUMNS: Final = """
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = 'public' AND is_generated = 'NEVER' ORDER BY ordinal_position
"""


class Rich(Struct, frozen=True):
    """A city with a row in every table, the ids rows belong to, and the principals its readers' tokens give."""

    city: City
    ids: Mapping[str, UUID]
    accounts: Mapping[str, UUID]
    principals: Mapping[str, Principal | None]
    tables: list[str]

    def may_see(self, reader: str, table: str) -> str:
        """The rows of a table that a reader may see, as a condition."""
        if table in TO_NOBODY_TOO:
            return "true"
        if reader in SIGNED_OUT:
            return "false"
        if table in TO_ALL or (reader in STAFF and table in TO_STAFF | OWN.keys()):
            return "true"
        if table in OF_A_DOOR and reader == "operator":
            return "true"
        if table in TO_SUPERVISORS:
            return "true" if reader == "supervisor" else "false"
        return self.own(reader, table)

    def own(self, reader: str, table: str) -> str:
        """The rows of a table that are about a reader, as a condition."""
        whose = {key: self.ids[who] for key, who in READERS[reader].items()}
        known = {"account": self.accounts.get(reader, _NONE), "resident": _NONE, "provider": _NONE, "worker": _NONE}
        return ({**OWN, **OWN_ONLY, **OF_A_DOOR}.get(table) or "false").format(
            **{key: f"'{one}'" for key, one in {**known, **whose}.items()}
        )

    @asynccontextmanager
    async def as_reader(self, reader: str) -> AsyncIterator[Connection]:
        """Ask as the owner, who is bound as everybody is and has every grant."""
        who = self.principals[reader]
        async with self.city.owner.unit_of_work(who) if who else self.city.owner.as_nobody() as connection:
            yield connection


@pytest.fixture(scope="module")
async def rich(server: Embedded) -> AsyncIterator[Rich]:
    name = f"rich_{uuid4().hex[:12]}"
    async with City.open(await server.copy_database(GUARDED, name)) as city:
        yield await _fill(city)
    await server.drop_database(name)


async def _fill(city: City) -> Rich:
    here, there = await two_houses(city)
    for house in (here, there):
        operator = await city.staff("operator")
        order_id = await house.book(operator, REHAB, *LATE_MORNING)
        await city.dispatch()
        await house.accept(order_id)
        await house.report(order_id, "check-in")
    crew = [(await city.crew(house.orders[0]))[0]["worker_id"] for house in (here, there)]
    others = await city.sql(
        "SELECT id FROM workers WHERE provider_id = $1 AND id <> $2 ORDER BY code LIMIT 2", here.provider_id, crew[0]
    )
    former, dismissed = (row["id"] for row in others)
    ids = {
        "resident": here.resident_id, "neighbour": there.resident_id, "provider": here.provider_id,
        "other provider": there.provider_id, "worker": crew[0], "other worker": crew[1], "former worker": former,
        "dismissed worker": dismissed,
    }  # fmt: skip
    accounts = await _people(city, here, there, ids)
    for statement in FILL:
        await city.sql(statement)
    for worker_id in (former, dismissed):
        await city.sql(
            "INSERT INTO assignments (order_id, seat, worker_id, status, bound) VALUES ($1, 1, $2, 'replaced', true)",
            UUID(here.orders[0]), worker_id,
        )  # fmt: skip
    await city.sql("UPDATE workers SET active = false WHERE id = $1", dismissed)
    principals = {reader: await _principal(city, reader, accounts.get(reader)) for reader in READERS}
    await city.sql(
        """INSERT INTO idempotency_keys (account_id, route, key, request_hash, status, body)
           SELECT id, 'x', 'some key', 'h', 200, '' FROM accounts"""
    )
    tables = [row["relname"] for row in await city.sql(_TABLES)]
    empty = [table for table in tables if await city.one(f"SELECT count(*) FROM {table}") == 0]
    assert empty == [], "fill them: what is not there is hidden from nobody"
    return Rich(city, ids, accounts, principals, tables)


async def _people(city: City, here: House, there: House, ids: Mapping[str, UUID]) -> dict[str, UUID]:
    """The account of each reader who has one."""
    accounts = {**here.accounts, "other family": there.accounts["booker"], "own provider": here.accounts["provider"],
                "other provider": there.accounts["provider"]}  # fmt: skip
    del accounts["provider"]
    for name, (purpose, valid_from, valid_to) in FAMILY.items():
        accounts[name] = (await person(city.database, "family")).account_id
        await city.sql(
            f"""INSERT INTO consents (resident_id, account_id, purpose, given_by, channel, evidence, text_version,
                       valid_from, valid_to) VALUES ($1, $2, $3, 'resident', 'phone', 'x', '1', {valid_from}, {valid_to})""",
            here.resident_id, accounts[name], purpose,
        )  # fmt: skip
    for name, who in {
        "own worker": "worker",
        **{n: n for n in ids if n.endswith("r worker") or "dismissed" in n},
    }.items():
        accounts[name] = await city.one("SELECT account_id FROM workers WHERE id = $1", ids[who])
    for name in (*STAFF, "closed account", "unused desk"):
        role = name if name in STAFF else "operator"
        accounts[name] = await city.one(
            "INSERT INTO accounts (role, name, active) VALUES ($1, '某人', true) RETURNING id", role
        )
    accounts["ended session"] = here.accounts["resident"]
    await city.sql("INSERT INTO account_numbers (account_id, phone) SELECT id, '+86512' || row_number() OVER () FROM accounts"
                   " WHERE id NOT IN (SELECT account_id FROM account_numbers)")  # fmt: skip
    return accounts


FILL: Final = (
    "INSERT INTO word_digits (order_id, resident_id, digits) SELECT id, resident_id, '0417' FROM orders",
    """INSERT INTO handed_words (order_id, worker_id, word, digits_fit, taken)
       SELECT o.id, w.id, 'well', true, true FROM orders o, LATERAL (SELECT id FROM workers LIMIT 1) w""",
    """INSERT INTO visit_ticks (order_id, worker_id, line, done, offline, counts)
       SELECT o.id, w.id, 'mat', true, false, true FROM orders o, LATERAL (SELECT id FROM workers LIMIT 1) w""",
    """INSERT INTO consent_looks (resident_id, account_id, purpose, hour, looked_at)
       SELECT r.id, a.id, 'status', '2030-03-12 08:00+08', '2030-03-12 08:01+08' FROM residents r, accounts a WHERE a.role = 'family'
       ON CONFLICT DO NOTHING""",
    """INSERT INTO consent_requests (account_id, person, phone, sought, named_id, resident_id, purposes, by_desk, expires_at)
       SELECT a.id, 'x', 'x', 'x', r.id, r.id, '{book}', true, '2050-01-01' FROM residents r, LATERAL (SELECT id FROM accounts LIMIT 1) a""",
    """INSERT INTO pre_checks (order_id, resident_id, worker_id, offline, answers, outside, missing, counts)
       SELECT o.id, o.resident_id, w.id, false, '{}', '{}', '{}', true FROM orders o, LATERAL (SELECT id FROM workers LIMIT 1) w""",
    "INSERT INTO desk_tasks (kind) VALUES ('feed_stalled')",
    "INSERT INTO emergencies (raised_by, role) SELECT id, 'family' FROM accounts",
    "INSERT INTO leaves (worker_id, during, reason) SELECT id, '[2031-01-01,2031-01-02)', 'sick' FROM workers",
    "INSERT INTO resident_contacts (resident_id, name, phone, relation) SELECT id, '某人', '+8613800000000', '邻居' FROM residents",
    "INSERT INTO limits (key, full_until) VALUES (decode(repeat('00', 16), 'hex'), now())",
    "INSERT INTO live_tickets (token_hash, expires_at) VALUES ('t', now())",
    "INSERT INTO sign_in_codes (phone, code_hash, expires_at) VALUES ('+8613800000000', 'c', now())",
    """INSERT INTO sign_in_cards (account_id, token_hash, digits_hash, printed_by, expires_at)
       SELECT id, sha256('t'), sha256('d'), id, now() FROM accounts LIMIT 1""",
    "INSERT INTO sign_in_places (key) VALUES (decode(repeat('00', 16), 'hex'))",
    "INSERT INTO stop_orders (stop_id, order_id) SELECT id, order_id FROM stops WHERE order_id IS NOT NULL LIMIT 1",
    "INSERT INTO travel_matrices (zone_id, place_ids, seconds) SELECT id, '{}', '{}' FROM zones LIMIT 1",
    "INSERT INTO timers (kind, subject_id, due_at) VALUES ('x', uuidv7(), '2050-01-01')",
    "INSERT INTO order_links (before_id, after_id, min_gap_s, gap_from) SELECT a.id, b.id, 0, 'end' FROM orders a, orders b WHERE a.id < b.id",
    """INSERT INTO visit_statements (order_id, side, kind, words, said_by)
       SELECT o.id, 'worker', 'explained', 'x', a.id FROM orders o, accounts a LIMIT 1""",
    "INSERT INTO audit (actor_id, role, action, subject) SELECT id, role, 'assign', 'order' FROM accounts",
)


async def _principal(city: City, reader: str, account_id: UUID | None) -> Principal | None:
    """Who a reader is by the token they bring; None who is not signed in, or no longer."""
    if account_id is None:
        return None
    token, ended = proofs.new_token(), "now()" if reader == "ended session" else "NULL"
    unused = "now() - interval '4 hours 1 second'" if reader == "unused desk" else "now()"
    await city.sql(
        f"""INSERT INTO sessions (token_hash, account_id, expires_at, revoked_at, last_seen_at, idle_s)
            VALUES ($1, $2, now() + interval '1 hour', {ended}, {unused}, 14400)""",
        proofs.token_hash(token), account_id,
    )  # fmt: skip
    if reader == "closed account":
        await city.sql("UPDATE accounts SET active = false WHERE id = $1", account_id)
    found = await who_is(city.database, token)
    return found and found.principal


def test_every_table_is_named_once(rich: Rich):
    named = [*TO_ALL, *TO_STAFF, *OWN, *OWN_ONLY, *OF_A_DOOR, *TO_SUPERVISORS, *TO_NOBODY_TOO, *OF_THE_PLATFORM]
    assert sorted(named) == rich.tables


def test_whoever_is_not_signed_in_any_more_is_nobody(rich: Rich):
    assert {reader for reader, who in rich.principals.items() if who is None} == SIGNED_OUT


async def test_each_reader_sees_of_each_table_the_rows_that_are_theirs_and_no_other(rich: Rich):
    """A stranger's row is there in each of them, and a row of their own in each that has one for their kind."""
    rows: dict[tuple[str, str], set[str]] = {}
    found: set[tuple[str, str]] = set()
    for reader in READERS:
        async with rich.as_reader(reader) as connection:
            for table in rich.tables:
                rows[reader, table] = set(await _rows(connection, table))
    async with rich.city.owner.unit_of_work(SYSTEM) as connection:
        for (reader, table), seen in rows.items():
            condition = rich.may_see(reader, table)
            wanted = set(await _rows(connection, table, condition))
            assert seen == wanted, (reader, table, len(seen), len(wanted))
            if condition not in {"true", "false"}:
                assert len(wanted) < await connection.fetchval(f"SELECT count(*) FROM {table}"), (
                    table,
                    "no stranger's",
                )
            if wanted and reader not in STAFF | SIGNED_OUT:
                found.update((table, key) for key in {"account", *READERS[reader]})
    keys = {(table, key) for table, own in {**OWN, **OWN_ONLY, **OF_A_DOOR}.items() for key in ("account", "resident", "provider", "worker")
            if f"{{{key}}}" in own}  # fmt: skip
    assert keys <= found, "a row of their own would be hidden from them"


async def _rows(connection: Connection, table: str, condition: str = "true") -> list[str]:
    rows = await connection.fetch(f"SELECT tableoid::text || ctid::text AS row FROM {table} WHERE {condition}")
    return [row["row"] for row in rows]


async def test_partitions_asked_for_by_name_show_nobody_a_row(rich: Rich):
    parts = await rich.city.sql("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'")
    async with rich.city.owner.unit_of_work(SYSTEM) as connection:
        assert [part for part in parts if await connection.fetchval(f"SELECT count(*) FROM {part['relname']}")] == []


async def test_no_person_writes_a_row_of_anybody(rich: Rich):
    """Neither changes nor takes one away, of their own neither, nor adds a copy of a stranger's; by the policies alone."""
    written = await rich.city.sql(_COLUMNS)
    columns = {t: [row["column_name"] for row in written if row["table_name"] == t] for t in rich.tables}
    copies: dict[tuple[str, str], Any] = {}
    for reader in WRITERS:
        for table in set(rich.tables) - {"alembic_version"}:
            own = rich.own(reader, table) if table != "audit" else f"actor_id = '{rich.accounts.get(reader, _NONE)}'"
            if (table, own) not in copies:
                copies[table, own] = await rich.city.one(
                    f"SELECT to_jsonb(t) FROM {table} t ORDER BY coalesce({own}, false) LIMIT 1"
                )
            names = ", ".join(columns[table])
            column = max(columns[table], key=len)  # not an id, which cannot be written at all
            async with rich.as_reader(reader) as connection:
                # a constant: to read the column would need the right to see the row, too
                changed = await _tried(connection, f"UPDATE {table} SET {column} = NULL")
                assert changed in {"UPDATE 0", "refused"}, (reader, table)
                assert await _tried(connection, f"DELETE FROM {table}") in {"DELETE 0", "refused"}, (reader, table)
                added = await _tried(
                    connection,
                    f"INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE"
                    f" SELECT {names} FROM jsonb_populate_record(NULL::{table}, $1)",
                    copies[table, own],
                )
                may = reader == "operator" and table in MAY_INSERT
                assert added == ("let in" if may else "refused"), (reader, table)


async def test_nobody_notes_a_deed_under_another_role(rich: Rich):
    for reader, who in rich.principals.items():
        if who is not None:
            role = next(role for role in Role if role not in {who.role, Role.SYSTEM})
            async with rich.as_reader(reader) as connection:
                noted = "INSERT INTO audit (actor_id, role, action, subject) VALUES ($1, $2, 'assign', 'order')"
                assert await _tried(connection, noted, who.account_id, who.role.value) == "INSERT 0 1", reader
                assert await _tried(connection, noted, who.account_id, role.value) == "refused", reader


async def _tried(connection: Connection, statement: str, *values: Any) -> str:
    """Try a statement and take it back."""
    attempt = connection.transaction()
    await attempt.start()
    try:
        return await connection.execute(statement, *values)
    except asyncpg.InsufficientPrivilegeError:
        return "refused"
    except asyncpg.IntegrityConstraintViolationError:
        return "let in"
    finally:
        await attempt.rollback()


WIDENS: Final = {
    "session_by_token": "SELECT session_by_token('x')",
    "count_uses": "SELECT count_uses(ARRAY[decode(repeat('01', 16), 'hex')], ARRAY[1]::smallint[], ARRAY[1], ARRAY[1], ARRAY[1], true)",
    "lead_zones": "SELECT lead_zones('x', 1)",
    "prepare_partition": "SELECT prepare_partition(parent, first) FROM missing_partitions(7) LIMIT 1",
    "raise_roster_stamp": "UPDATE leaves SET reason = NULL",  # by its trigger, also where no row is changed
    "account_for_resident": "SELECT account_for_resident('某人', '+8613800000001')",
    "take_up_consents": "SELECT take_up_consents('+8613800000001', uuidv7())",
}
"""Functions that do something in the platform's name, and how each is called."""


async def test_whatever_acts_in_the_platforms_name_leaves_its_caller_who_they_are(rich: Rich):
    """One that forgets whom it was called by opens every table to whoever called it, for the rest of the transaction."""
    named = await rich.city.sql(
        "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace ORDER BY 1"
    )
    assert [row["proname"] for row in named] == sorted(WIDENS)
    for reader in ("resident", "operator", "nobody"):
        role = who.role.value if (who := rich.principals[reader]) else ""
        async with rich.as_reader(reader) as connection:
            for name, statement in WIDENS.items():
                attempt = connection.transaction()
                await attempt.start()
                try:
                    await connection.execute(statement)
                    assert await connection.fetchval("SELECT app_role()") == role, (reader, name)
                    assert name != "account_for_resident" or reader == "operator", reader
                except asyncpg.InsufficientPrivilegeError:
                    assert (name, reader) != ("account_for_resident", "operator")
                finally:
                    await attempt.rollback()
            if who:
                async with as_the_platform(connection):
                    assert await connection.fetchval("SELECT app_role()") == "system"
                assert await connection.fetchval("SELECT app_role()") == role


TWICE: Final[dict[str, tuple[str, str, str]]] = {
    "accounts_login_once": ("accounts WHERE login IS NOT NULL", "id = uuidv7()", "login = 'new'"),
    "assignments_one_active": ("assignments WHERE status = 'checked_in'", "id = uuidv7()", "status = 'replaced'"),
    "catalogue_items_code_once": ("catalogue_items", "id = uuidv7()", "code = 'new'"),
    "catalogue_versions_once": ("catalogue_versions", "id = uuidv7()", "version = 99"),
    "consents_one_open": ("consents WHERE account_id IS NOT NULL AND valid_to IS NULL", "id = uuidv7(); phone = '+861'", "valid_to = now()"),
    "consents_one_open_by_number": ("consents WHERE phone = '+862'", "id = uuidv7(); account_id = NULL", "valid_to = now()"),
    "consent_requests_one_open": ("consent_requests", "id = uuidv7()", "status = 'refused'; ended_at = now()"),
    "desk_tasks_one_open": ("desk_tasks", "id = uuidv7()", "closed_at = now()"),
    "homes_one_current": ("homes WHERE current", "id = uuidv7()", "current = false"),
    "offers_one_open": ("offers WHERE status = 'open'", "id = uuidv7()", "status = 'expired'"),
    "orders_code_once": ("orders", "id = uuidv7()", "code = '0'"),
    "plans_one_a_day": ("plans", "id = uuidv7()", "plan_on = '2031-01-01'"),
    "residents_account_once": ("residents", "id = uuidv7(); name = 'new'", "account_id = $1"),
    "residents_once": ("residents", "id = uuidv7(); account_id = $1", "born_on = '1930-01-01'"),
    "sessions_token_once": ("sessions", "id = uuidv7()", "token_hash = 'new'"),
    "shifts_apart": ("shifts", "id = uuidv7()", "during = tstzrange(upper(during), upper(during) + interval '1 second')"),
    "sign_in_cards_digits_once": ("sign_in_cards", "id = uuidv7(); account_id = $1; token_hash = sha256('x')", "digits_hash = sha256('x')"),
    "sign_in_cards_one_open": ("sign_in_cards", "id = uuidv7(); token_hash = sha256('x'); digits_hash = sha256('x')", "used_at = now()"),
    "sign_in_cards_token_once": ("sign_in_cards", "id = uuidv7(); account_id = $1; digits_hash = sha256('x')", "token_hash = sha256('x')"),
    "stops_worker_once": ("stops WHERE active", "id = uuidv7(); started = NOT started", "active = false"),
    "timers_once": ("timers", "id = uuidv7()", "kind = 'new'"),
    "workers_account_once": ("workers", "id = uuidv7(); code = 'new'", "account_id = $1"),
    "workers_code_once": ("workers", "id = uuidv7(); account_id = $1", "code = 'new'"),
    "zones_code_once": ("zones", "id = uuidv7()", "code = 'new'"),
}  # fmt: skip
"""By the rule that lets something be once only: a row, by what else its copy differs, and what lets the copy in."""
_ONCE: Final = """SELECT c.relname AS rule, t.relname AS of_table, i.indisprimary AS key FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
    WHERE (i.indisunique OR i.indisexclusion) AND t.relnamespace = 'public'::regnamespace AND NOT t.relispartition"""


async def _copied(connection: Connection, rich: Rich, source: str, *changes: str) -> str:
    """Add a copy of a row with some columns changed, and take it back; tells the rule it breaks."""
    table = source.split(maxsplit=1)[0]
    written = await rich.city.sql(_COLUMNS)
    names = [row["column_name"] for row in written if row["table_name"] == table]
    changed = dict(part.split(" = ", 1) for change in changes for part in change.split("; "))
    values = ", ".join(f"({changed.get(name, name)})" for name in names)
    attempt = connection.transaction()
    await attempt.start()
    try:
        spare = await connection.fetchval("INSERT INTO accounts (role, name) VALUES ('family', 'x') RETURNING id")
        values = values.replace("$1", f"'{spare}'::uuid")
        await connection.execute(
            f"INSERT INTO {table} ({', '.join(names)}) OVERRIDING SYSTEM VALUE SELECT {values} FROM {source} LIMIT 1"
        )
    except (asyncpg.UniqueViolationError, asyncpg.ExclusionViolationError) as error:
        return str(error.constraint_name)
    else:
        return ""
    finally:
        await attempt.rollback()


async def test_what_may_be_once_only_is_refused_the_second_time_and_let_in_beside_it(rich: Rich):
    """Whoever comes first: the database itself decides between two who have not seen each other."""
    await rich.city.sql(
        "UPDATE consents SET phone = '+862' WHERE id = (SELECT id FROM consents WHERE valid_to IS NULL LIMIT 1)"
    )
    await rich.city.sql("UPDATE offers SET status = 'open' WHERE id = (SELECT id FROM offers LIMIT 1)")
    rules = await rich.city.sql(_ONCE)
    assert sorted(row["rule"] for row in rules if not row["key"]) == sorted(TWICE)
    assert {row["of_table"] for row in rules if row["key"]} == set(rich.tables), "a table without a key"
    async with rich.city.owner.unit_of_work(SYSTEM) as connection:
        for row in rules:
            if row["key"]:
                broken = await _copied(connection, rich, row["of_table"])
                assert broken.endswith("_pkey") or broken == "alembic_version_pkc", row["of_table"]
        for rule, (source, other, beside) in TWICE.items():
            assert await _copied(connection, rich, source, other) == rule
            assert await _copied(connection, rich, source, other, beside) == "", rule
