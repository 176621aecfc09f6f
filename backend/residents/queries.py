"""All SQL of residents, their homes and consents."""

from collections.abc import Sequence
from typing import Final, LiteralString
from uuid import UUID

from msgspec import Struct

from backend.core.errors import DomainError
from backend.database.pool import Connection
from backend.database.rows import execute, execute_many, many, maybe_one, one, value
from backend.residents.model import Consent, ConsentGiven, Contact, NewHome, NewResident, ResidentCard


class Given(Struct, frozen=True, forbid_unknown_fields=True):
    """A consent, and the account it is bound to; nobody who gives one is told which, or whether there is any."""

    id: UUID
    account_id: UUID | None


class ResidentForBooking(Struct, frozen=True, forbid_unknown_fields=True):
    """What a booking must know of a resident and the home."""

    id: UUID
    gender: str
    ability_level: int
    gender_wish: str
    refused_workers: list[UUID]
    suspended: bool
    home_id: UUID
    zone_id: UUID
    place_id: UUID
    district_code: str
    street_code: str
    community_code: str


async def resident_for_booking(connection: Connection, resident_id: UUID) -> ResidentForBooking:
    """The resident with the present home. Raises DomainError unknown_resident (404)."""
    found = await maybe_one(
        connection,
        ResidentForBooking,
        """SELECT r.id, r.gender, r.ability_level, r.gender_wish, r.refused_workers, r.suspended, h.id AS home_id,
                  h.zone_id, h.place_id, h.district_code, h.street_code, h.community_code
           FROM residents r JOIN homes h ON h.resident_id = r.id AND h.current WHERE r.id = $1""",
        resident_id,
    )
    if found is None:
        raise DomainError("unknown_resident")
    return found


async def area_of(connection: Connection, resident_id: UUID) -> str:
    """The community a resident lives in: which region's rules are theirs. Raises DomainError unknown_resident (404)."""
    found = await value(connection, "SELECT community_code FROM homes WHERE resident_id = $1 AND current", resident_id)
    if found is None:
        raise DomainError("unknown_resident")
    return found


_CARD: Final[LiteralString] = """SELECT r.id, r.name, r.phone, r.gender, r.ability_level, r.gender_wish, r.diet,
       h.address, h.zone_id, r.suspended FROM residents r JOIN homes h ON h.resident_id = r.id AND h.current """


async def resident_card(connection: Connection, resident_id: UUID) -> ResidentCard:
    """One resident the principal may see. Raises DomainError unknown_resident (404)."""
    found = await maybe_one(connection, ResidentCard, _CARD + "WHERE r.id = $1", resident_id)
    if found is None:
        raise DomainError("unknown_resident")
    return found


class ResidentName(Struct, frozen=True, forbid_unknown_fields=True):
    """What a resident is called."""

    id: UUID
    name: str


async def names(connection: Connection, resident_ids: Sequence[UUID]) -> list[ResidentName]:
    """What these residents are called, as far as the reader may know."""
    return await many(
        connection,
        ResidentName,
        "SELECT id, name FROM residents WHERE id = ANY ($1) ORDER BY name, id",
        list(resident_ids),
    )


async def insert_resident(connection: Connection, new: NewResident, account_id: UUID, phone: str) -> UUID:
    """The resident behind an account; the same one again breaks residents_once."""
    return await value(
        connection,
        """INSERT INTO residents (account_id, name, phone, gender, born_on, ability_level, ability_scheme,
                                  ability_assessed_on, gender_wish, diet)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id""",
        account_id, new.name, phone, new.gender, new.born_on, new.ability_level, new.ability_scheme, new.ability_assessed_on,
        new.gender_wish, new.diet,
    )  # fmt: skip


class Base(Struct, frozen=True, forbid_unknown_fields=True):
    """Where work in a zone begins: WGS-84 degrees."""

    x: float
    y: float


async def travel_kind(connection: Connection, zone_id: UUID) -> str | None:
    """How a zone knows its ways; None when there is no such zone."""
    return await value(connection, "SELECT travel_kind FROM zones WHERE id = $1", zone_id)


async def bases(connection: Connection, zone_id: UUID) -> list[Base]:
    """The places a zone works from: its facilities, and where workers with a shift in it set out and come back to."""
    return await many(
        connection,
        Base,
        """SELECT x, y FROM places WHERE geometry = 'wgs84' AND id IN (
               SELECT place_id FROM facilities WHERE zone_id = $1
               UNION SELECT unnest(ARRAY[start_place_id, end_place_id]) FROM workers
               WHERE id IN (SELECT worker_id FROM shifts WHERE zone_id = $1))""",
        zone_id,
    )


async def insert_home(connection: Connection, resident_id: UUID, home: NewHome) -> None:
    """The present home and its place on the map."""
    await execute(
        connection,
        """WITH place AS (INSERT INTO places (geometry, x, y) VALUES ('wgs84', $3, $4) RETURNING id)
           INSERT INTO homes (resident_id, zone_id, place_id, address, district_code, street_code, community_code)
           SELECT $1, $2, id, $5, $6, $7, $8 FROM place""",
        resident_id, home.zone_id, home.longitude, home.latitude, home.address, home.district_code, home.street_code,
        home.community_code,
    )  # fmt: skip


async def insert_contacts(connection: Connection, resident_id: UUID, contacts: Sequence[Contact]) -> None:
    """Add people to ring."""
    await execute_many(
        connection,
        "INSERT INTO resident_contacts (resident_id, name, phone, relation, emergency) VALUES ($1, $2, $3, $4, $5)",
        [(resident_id, one.name, one.phone, one.relation, one.emergency) for one in contacts],
    )


async def delete_contacts(connection: Connection, resident_id: UUID) -> None:
    """Take away everybody who is to be rung."""
    await execute(connection, "DELETE FROM resident_contacts WHERE resident_id = $1", resident_id)


async def contacts_of(connection: Connection, resident_id: UUID) -> list[Contact]:
    """List whom to ring, in an emergency first."""
    return await many(
        connection,
        Contact,
        """SELECT name, phone, relation, emergency FROM resident_contacts WHERE resident_id = $1
           ORDER BY emergency DESC, name, phone""",
        resident_id,
    )


async def insert_search_keys(connection: Connection, resident_id: UUID, keys: Sequence[str]) -> None:
    """The words a resident is found under."""
    await execute(
        connection,
        "INSERT INTO resident_search_keys (resident_id, key) SELECT $1, unnest($2::text[])",
        resident_id, list(keys),
    )  # fmt: skip


async def leave_home(connection: Connection, resident_id: UUID) -> None:
    """Where a resident lived until now is kept for the orders that were carried out there."""
    await execute(connection, "UPDATE homes SET current = false WHERE resident_id = $1 AND current", resident_id)


async def is_known(connection: Connection, resident_id: UUID) -> bool:
    """Tell whether there is such a resident."""
    return await value(connection, "SELECT EXISTS (SELECT FROM residents WHERE id = $1)", resident_id)


async def lock_resident(connection: Connection, resident_id: UUID) -> UUID:
    """Let one request at a time change a resident; returns the account. Raises DomainError unknown_resident (404)."""
    found = await value(connection, "SELECT account_id FROM residents WHERE id = $1 FOR NO KEY UPDATE", resident_id)
    if found is None:
        raise DomainError("unknown_resident")
    return found


async def suspend(connection: Connection, resident_id: UUID) -> bool:
    """Nothing new is served to a resident from now on; False where that was so already."""
    suspended = await value(
        connection,
        """UPDATE residents SET suspended = true, suspended_at = yinling_now() WHERE id = $1 AND NOT suspended
           RETURNING id""",
        resident_id,
    )
    return suspended is not None


async def resume(connection: Connection, resident_id: UUID) -> bool:
    """A resident is served again; False where they were not suspended."""
    resumed = await value(
        connection,
        "UPDATE residents SET suspended = false, suspended_at = NULL WHERE id = $1 AND suspended RETURNING id",
        resident_id,
    )
    return resumed is not None


async def set_phone(connection: Connection, resident_id: UUID, phone: str) -> None:
    """The number to ring."""
    await execute(connection, "UPDATE residents SET phone = $2 WHERE id = $1", resident_id, phone)


async def lock_consents(connection: Connection, resident_id: UUID) -> None:
    """Let one request at a time count and add consents of this resident."""
    await execute(connection, "SELECT pg_advisory_xact_lock(hashtextextended($1::text, 2))", str(resident_id))


async def consents_of_a_day(connection: Connection, resident_id: UUID) -> int:
    """How many consents a resident has given within the last 24 hours, those that have ended included."""
    return await value(
        connection,
        "SELECT count(*) FROM consents WHERE resident_id = $1 AND valid_from > now() - interval '1 day'",
        resident_id,
    )


async def open_consent(
    connection: Connection, resident_id: UUID, phone: str, given: ConsentGiven, channel: str
) -> Given:
    """Record a consent for a number; one that stands already stays as it is.

    One statement, whoever has the number or nobody. Of those behind the number it is for the one who is named; otherwise it
    waits until its owner says who they are.
    """
    return await one(
        connection,
        Given,
        """WITH takers AS (SELECT a.id, a.name, a.role FROM account_numbers n JOIN accounts a ON a.id = n.account_id
                           WHERE n.phone = $2 AND a.active AND a.role IN ('family', 'resident')
                             AND NOT EXISTS (SELECT FROM residents r WHERE r.id = $1 AND r.account_id = a.id)),
                owner AS (SELECT (SELECT id FROM takers WHERE name = $3 ORDER BY role DESC, id LIMIT 1) AS id),
                made AS (INSERT INTO consents (resident_id, account_id, phone, person, purpose, given_by, channel, evidence,
                                               text_version)
                         SELECT $1, owner.id, $2, $3, $4, 'resident', $5, $6, $7 FROM owner
                         ON CONFLICT DO NOTHING RETURNING id, account_id)
           SELECT id, account_id FROM made
           UNION ALL SELECT c.id, c.account_id FROM consents c, owner
           WHERE c.resident_id = $1 AND (c.phone = $2 AND c.person = $3 OR c.account_id = owner.id)
             AND c.purpose = $4 AND c.valid_to IS NULL
           LIMIT 1""",
        resident_id, phone, given.name, given.purpose.value, channel, given.evidence, given.text_version,
    )  # fmt: skip


async def close_consent(connection: Connection, resident_id: UUID, consent_id: UUID) -> Given | None:
    """End an open consent now; None when there is none."""
    return await maybe_one(
        connection,
        Given,
        """UPDATE consents SET valid_to = now() WHERE id = $1 AND resident_id = $2 AND valid_to IS NULL
           RETURNING id, account_id""",
        consent_id, resident_id,
    )  # fmt: skip


_CONSENT: Final[LiteralString] = """SELECT c.id, c.resident_id, c.person, coalesce(c.phone, '') AS phone, c.purpose,
       c.valid_from, c.valid_to, c.given_by, c.channel FROM consents c """


async def consent(connection: Connection, consent_id: UUID) -> Consent:
    """One consent."""
    return await one(connection, Consent, _CONSENT + "WHERE c.id = $1", consent_id)


async def consents_of(connection: Connection, resident_id: UUID) -> list[Consent]:
    """Every consent of a resident, the newest first."""
    return await many(connection, Consent, _CONSENT + "WHERE c.resident_id = $1 ORDER BY c.id DESC", resident_id)


async def consents_of_the_same(connection: Connection, resident_id: UUID, consent_id: UUID) -> list[Consent]:
    """The open consents for whoever an open one is for, itself among them: the same person under the same number."""
    return await many(
        connection,
        Consent,
        _CONSENT
        + """JOIN consents one ON one.id = $2 AND one.resident_id = $1 AND one.valid_to IS NULL
             WHERE c.resident_id = $1 AND c.valid_to IS NULL AND c.person = one.person AND c.phone IS NOT DISTINCT FROM one.phone
             ORDER BY c.id""",
        resident_id, consent_id,
    )  # fmt: skip
