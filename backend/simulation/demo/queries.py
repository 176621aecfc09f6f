"""All SQL of the invented city."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from backend.database.pool import Connection
from backend.database.rows import execute, execute_many, many, value

Rows = Sequence[tuple[Any, ...]]


async def is_seeded(connection: Connection) -> bool:
    """Whether the city stands already."""
    return await value(connection, "SELECT EXISTS (SELECT FROM zones)")


async def insert_zones(connection: Connection, rows: Rows) -> None:
    """(id, code, name, travel)."""
    await execute_many(
        connection,
        "INSERT INTO zones (id, code, name, travel_kind, travel) VALUES ($1, $2, $3, 'road_factor', $4)",
        list(rows),
    )


async def insert_places(connection: Connection, rows: Rows) -> None:
    """(id, longitude, latitude)."""
    await execute_many(connection, "INSERT INTO places (id, geometry, x, y) VALUES ($1, 'wgs84', $2, $3)", list(rows))


async def insert_providers(connection: Connection, rows: Rows) -> None:
    """(id, name, phone, stars, accepts by rule, offer expiry)."""
    await execute_many(
        connection,
        """INSERT INTO providers (id, name, phone, stars, auto_accept, offer_expiry_s)
           VALUES ($1, $2, $3, $4, $5, $6)""",
        list(rows),
    )


async def insert_provider_zones(connection: Connection, rows: Rows) -> None:
    """(provider, zone)."""
    await execute_many(connection, "INSERT INTO provider_zones (provider_id, zone_id) VALUES ($1, $2)", list(rows))


async def insert_facilities(connection: Connection, rows: Rows) -> None:
    """(id, provider, zone, place, kind, name, district, street, community)."""
    await execute_many(
        connection,
        """INSERT INTO facilities (id, provider_id, zone_id, place_id, kind, name, district_code, street_code,
                                   community_code)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)""",
        list(rows),
    )


async def insert_items(connection: Connection, rows: Rows) -> None:
    """(id, code, kind, name, English name)."""
    await execute_many(
        connection,
        "INSERT INTO catalogue_items (id, code, kind, name, name_en) VALUES ($1, $2, $3, $4, $5)",
        list(rows),
    )


async def insert_versions(connection: Connection, rows: Rows) -> None:
    """(id, item, price, slot length, acceptance, rules)."""
    await execute_many(
        connection,
        """INSERT INTO catalogue_versions (id, item_id, version, valid_from, price_fen, slot_s, acceptance, rules)
           VALUES ($1, $2, 1, '2020-01-01', $3, $4, $5, $6)""",
        list(rows),
    )


async def insert_seats(connection: Connection, rows: Rows) -> None:
    """(version, ability from, to, number, skills, duration, gender rule)."""
    await execute_many(
        connection,
        """INSERT INTO catalogue_seats (version_id, ability_from, ability_to, number, skills, duration_s, gender_rule)
           VALUES ($1, $2, $3, $4, $5, $6, $7)""",
        list(rows),
    )


async def insert_accounts(connection: Connection, rows: Rows) -> None:
    """(id, role, name, phone, provider)."""
    await execute_many(
        connection,
        """WITH made AS (INSERT INTO accounts (id, role, name, provider_id) VALUES ($1, $2, $3, $5))
           INSERT INTO account_numbers (account_id, phone) VALUES ($1, $4)""",
        list(rows),
    )


async def insert_numbers(connection: Connection, rows: Rows) -> None:
    """(account, phone): a number somebody has as well."""
    await execute_many(connection, "INSERT INTO account_numbers (account_id, phone) VALUES ($1, $2)", list(rows))


async def share_home(connection: Connection, resident_id: object, other_id: object) -> None:
    """Let a resident live where another one does."""
    await execute(
        connection,
        """UPDATE homes h SET place_id = o.place_id, address = o.address FROM homes o
           WHERE h.resident_id = $1 AND o.resident_id = $2""",
        resident_id, other_id,
    )  # fmt: skip


async def insert_contact_at_work(connection: Connection, resident_id: object, zone_id: object) -> None:
    """Make a care worker of the zone somebody to ring for a resident."""
    await execute(
        connection,
        """INSERT INTO resident_contacts (resident_id, name, phone, relation, emergency)
           SELECT $1, a.name, n.phone, 'child', false
           FROM workers w JOIN accounts a ON a.id = w.account_id JOIN account_numbers n ON n.account_id = a.id
           WHERE w.id IN (SELECT worker_id FROM shifts WHERE zone_id = $2) ORDER BY w.code LIMIT 1""",
        resident_id, zone_id,
    )  # fmt: skip


async def upsert_desk(
    connection: Connection, role: str, name: str, login: str, password_hash: str, totp: str, provider_id: UUID | None
) -> None:
    """A member of staff; each start of the demo gives them a new password."""
    await execute(
        connection,
        """INSERT INTO accounts (role, name, login, password_hash, totp_secret, provider_id)
           VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT (login) DO UPDATE SET password_hash = excluded.password_hash, totp_last_step = 0,
               totp_secret = excluded.totp_secret""",
        role, name, login, password_hash, totp, provider_id,
    )  # fmt: skip


async def insert_workers(connection: Connection, rows: Rows) -> None:
    """(id, account, provider, code, name, gender, mode, start place, end place)."""
    await execute_many(
        connection,
        """INSERT INTO workers (id, account_id, provider_id, code, name, gender, travel_mode, start_place_id,
                                end_place_id)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)""",
        list(rows),
    )


async def insert_skills(connection: Connection, rows: Rows) -> None:
    """(worker, skill, expiry)."""
    await execute_many(
        connection, "INSERT INTO worker_skills (worker_id, skill, expires_on) VALUES ($1, $2, $3)", list(rows)
    )


async def insert_shifts(connection: Connection, rows: Rows) -> None:
    """(worker, zone, day, from, to, break from, break to); a shift that stands already stays."""
    await execute_many(
        connection,
        """INSERT INTO shifts (worker_id, zone_id, plan_on, during, break_from, break_to, break_s)
           SELECT $1, $2, $3, tstzrange($4, $5), $6, $7, 1800
           WHERE NOT EXISTS (SELECT FROM shifts WHERE worker_id = $1 AND plan_on = $3)""",
        list(rows),
    )


class Roster(Struct, frozen=True, forbid_unknown_fields=True):
    """A worker and the zone they work in."""

    worker_id: UUID
    zone_id: UUID


async def roster(connection: Connection) -> list[Roster]:
    """Who works where, as on any earlier day."""
    return await many(connection, Roster, "SELECT DISTINCT worker_id, zone_id FROM shifts")


async def insert_residents(connection: Connection, rows: Rows) -> None:
    """(id, account, name, phone, gender, ability, gender wish, diet)."""
    await execute_many(
        connection,
        """INSERT INTO residents (id, account_id, name, phone, gender, ability_level, gender_wish, diet,
                                  ability_assessed_on)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '2026-01-15')""",
        list(rows),
    )


async def insert_search_keys(connection: Connection, rows: Rows) -> None:
    """(resident, key)."""
    await execute_many(connection, "INSERT INTO resident_search_keys (resident_id, key) VALUES ($1, $2)", list(rows))


async def insert_homes(connection: Connection, rows: Rows) -> None:
    """(resident, zone, place, address, district, street, community)."""
    await execute_many(
        connection,
        """INSERT INTO homes (resident_id, zone_id, place_id, address, district_code, street_code, community_code)
           VALUES ($1, $2, $3, $4, $5, $6, $7)""",
        list(rows),
    )


async def insert_contacts(connection: Connection, rows: Rows) -> None:
    """(resident, name, phone, relation)."""
    await execute_many(
        connection,
        """INSERT INTO resident_contacts (resident_id, name, phone, relation, emergency)
           VALUES ($1, $2, $3, $4, true)""",
        list(rows),
    )


async def insert_consents(connection: Connection, rows: Rows) -> None:
    """(resident, account, purpose)."""
    await execute_many(
        connection,
        """INSERT INTO consents (resident_id, account_id, phone, person, purpose, given_by, channel, evidence, text_version)
           SELECT $1, id, phone, name, $3, 'resident', 'app', 'demo', '1'
           FROM accounts JOIN account_numbers ON account_id = id WHERE id = $2""",
        list(rows),
    )


async def set_clock(connection: Connection, care_at: datetime, rate: float) -> None:
    """Care time runs from here at this rate, with no ceiling."""
    await execute(
        connection,
        """INSERT INTO care_clock (care_at, machine_at, rate, ceiling_at) VALUES ($1, now(), $2, '2300-01-01 00:00+00')
           ON CONFLICT (single) DO UPDATE SET care_at = excluded.care_at, machine_at = excluded.machine_at,
               rate = excluded.rate, ceiling_at = excluded.ceiling_at""",
        care_at, rate,
    )  # fmt: skip


class Person(Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody who signs in by phone, and whose day they live."""

    phone: str
    id: UUID
    zone_id: UUID


async def residents(connection: Connection) -> list[Person]:
    """Everybody who may book."""
    return await many(
        connection,
        Person,
        """SELECT r.phone, r.id, h.zone_id FROM residents r
           JOIN homes h ON h.resident_id = r.id AND h.current ORDER BY r.id""",
    )


async def workers(connection: Connection) -> list[Person]:
    """Everybody on the roster."""
    return await many(
        connection,
        Person,
        """SELECT DISTINCT ON (w.id) n.phone, w.id, s.zone_id
           FROM workers w JOIN account_numbers n ON n.account_id = w.account_id
           JOIN shifts s ON s.worker_id = w.id ORDER BY w.id""",
    )


class MealPoint(Struct, frozen=True, forbid_unknown_fields=True):
    """Where meals are fetched."""

    id: UUID
    zone_id: UUID


async def meal_points(connection: Connection) -> list[MealPoint]:
    """All of them."""
    return await many(connection, MealPoint, "SELECT id, zone_id FROM facilities WHERE kind = 'meal_point' ORDER BY id")


async def manual_providers(connection: Connection) -> list[UUID]:
    """Providers whose people answer offers themselves."""
    return [row["id"] for row in await connection.fetch("SELECT id FROM providers WHERE NOT auto_accept ORDER BY id")]


class NextStop(Struct, frozen=True, forbid_unknown_fields=True):
    """The first stop of one worker that is not done, as the worker's phone shows it."""

    worker_id: UUID
    order_id: UUID
    resident_id: UUID
    assignment_status: str
    kind: str
    x: float
    y: float
    from_at: datetime
    to_at: datetime
    window_to: datetime
    started: bool

    @property
    def sets_out(self) -> bool:
        """Whether the worker has not said yet that they are on their way."""
        return not self.started or (self.kind == "visit" and self.assignment_status == "accepted")


async def next_stops(connection: Connection, on: date) -> list[NextStop]:
    """What every worker has to do next; who has checked out or handed over goes on to the following stop."""
    return await many(
        connection,
        NextStop,
        """SELECT DISTINCT ON (s.worker_id) s.worker_id, s.order_id, o.resident_id, a.status AS assignment_status,
                  s.kind, p.x, p.y, lower(s.during) AS from_at, upper(s.during) AS to_at, o.window_to, s.started
           FROM stops s JOIN plans d ON d.id = s.plan_id JOIN places p ON p.id = s.place_id
           JOIN orders o ON o.id = s.order_id
           JOIN assignments a ON a.order_id = s.order_id AND a.worker_id = s.worker_id
                AND a.status IN ('accepted', 'en_route', 'checked_in')
           WHERE d.plan_on = $1 AND NOT EXISTS (
               SELECT FROM visit_records r WHERE r.order_id = s.order_id AND r.worker_id = s.worker_id
                   AND r.kind = CASE s.kind WHEN 'visit' THEN 'check_out' WHEN 'pickup' THEN 'pick_up'
                                ELSE 'hand_over' END)
           ORDER BY s.worker_id, lower(s.during)""",
        on,
    )


async def timers_due(connection: Connection) -> bool:
    """Whether a timer is due that has not fired."""
    return await value(
        connection, "SELECT EXISTS (SELECT FROM timers WHERE fired_at IS NULL AND due_at <= yinling_now())"
    )


async def orders_to_place(connection: Connection) -> bool:
    """Whether an order with a firm window waits for the dispatcher."""
    return await value(
        connection,
        "SELECT EXISTS (SELECT FROM orders WHERE status = 'placed' AND NOT window_soft)",
    )


async def offers_open(connection: Connection) -> bool:
    """Whether a provider is being asked."""
    return await value(connection, "SELECT EXISTS (SELECT FROM offers WHERE status = 'open')")


async def refuse_all_but_manual_providers(connection: Connection, resident_id: UUID) -> None:
    """The resident refuses the workers of every provider that accepts by rule."""
    await execute(
        connection,
        """UPDATE residents SET refused_workers = ARRAY(
               SELECT w.id FROM workers w JOIN providers p ON p.id = w.provider_id WHERE p.auto_accept)
           WHERE id = $1""",
        resident_id,
    )


async def forget_sessions(connection: Connection) -> None:
    """Nobody stays signed in to a city that is copied."""
    await execute(connection, "DELETE FROM live_tickets")
    await execute(connection, "DELETE FROM sign_in_codes")
    await execute(connection, "DELETE FROM sign_in_cards")
    await execute(connection, "DELETE FROM sessions")
