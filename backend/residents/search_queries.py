"""All SQL by which the desk finds residents: by whoever has a number, by name, by the end of a number."""

import sys
from typing import Final, LiteralString

from backend.database.pool import Connection
from backend.database.rows import many
from backend.residents.model import Found

_MOST: Final = 30

_CARD: Final[
    LiteralString
] = """SELECT r.id, r.name, r.phone, r.gender, r.ability_level, r.gender_wish, r.diet, h.address,
           h.zone_id, r.suspended, """
_HOMES: Final[LiteralString] = " FROM residents r JOIN homes h ON h.resident_id = r.id AND h.current "
_FOUND: Final[LiteralString] = _CARD + "'[]'::jsonb AS callers" + _HOMES


async def by_number(connection: Connection, phone: str, most: int = _MOST) -> list[Found]:
    """Everybody whom somebody with this number may speak for: themselves first, then by name.

    A number without an extension finds those behind its extensions, too: an exchange shows only the number itself.
    """
    return await many(
        connection,
        Found,
        """WITH speaking (resident_id, name, by_right, relation, purpose, rank) AS (
               SELECT r.id, r.name, 'resident', NULL, NULL, 0 FROM residents r WHERE r.phone = $1 OR r.phone ~>=~ $2 AND r.phone ~<~ $3
               UNION SELECT r.id, r.name, 'resident', NULL, NULL, 0
                     FROM account_numbers n JOIN residents r ON r.account_id = n.account_id
                     WHERE n.phone = $1 OR n.phone ~>=~ $2 AND n.phone ~<~ $3
               UNION SELECT c.resident_id, c.name, 'contact', c.relation, NULL, 2 FROM resident_contacts c
                     WHERE c.phone = $1 OR c.phone ~>=~ $2 AND c.phone ~<~ $3
               UNION SELECT c.resident_id, c.person, 'consent', NULL, c.purpose, 1 FROM consents c
                     WHERE c.valid_to IS NULL AND c.account_id IS NULL AND (c.phone = $1 OR c.phone ~>=~ $2 AND c.phone ~<~ $3)
               UNION SELECT c.resident_id, c.person, 'consent', NULL, c.purpose, 1
                     FROM account_numbers n JOIN consents c ON c.account_id = n.account_id AND c.valid_to IS NULL
                     WHERE n.phone = $1 OR n.phone ~>=~ $2 AND n.phone ~<~ $3),
           one_each AS (
               SELECT resident_id, name, min(rank) AS rank, max(relation) AS relation,
                      (array_agg(by_right ORDER BY rank))[1] AS by_right,
                      coalesce(jsonb_agg(DISTINCT purpose) FILTER (WHERE purpose IS NOT NULL), '[]') AS purposes
               FROM speaking GROUP BY resident_id, name),
           callers AS (
               SELECT resident_id, min(rank) AS rank, jsonb_agg(jsonb_build_object('name', name, 'by_right', by_right,
                          'relation', relation, 'purposes', purposes) ORDER BY rank, name) AS callers
               FROM one_each GROUP BY resident_id) """
        + _CARD
        + "w.callers"
        + _HOMES
        + "JOIN callers w ON w.resident_id = r.id ORDER BY w.rank, r.name, r.id LIMIT $4",
        phone, *_beginning(f"{phone};ext="), most,
    )  # fmt: skip


async def by_key(connection: Connection, key: str, most: int = _MOST) -> list[Found]:
    """Residents whose name, pinyin or initials begin so; whole words first."""
    return await many(
        connection,
        Found,
        """WITH matching AS (SELECT resident_id, bool_or(key = $1) AS whole FROM resident_search_keys
                             WHERE key ~>=~ $1 AND key ~<~ $2 GROUP BY resident_id) """
        + _FOUND
        + "JOIN matching m ON m.resident_id = r.id ORDER BY m.whole DESC, r.name, r.id LIMIT $3",
        *_beginning(key), most,
    )  # fmt: skip


async def by_phone_tail(connection: Connection, digits: str, most: int = _MOST) -> list[Found]:
    """Residents one of whose numbers ends so, before its extension if it has one."""
    return await many(
        connection,
        Found,
        """WITH matching AS (
               SELECT id AS resident_id FROM residents WHERE phone_tail ~>=~ $1 AND phone_tail ~<~ $2
               UNION SELECT r.id FROM account_numbers n JOIN residents r ON r.account_id = n.account_id
                     WHERE n.phone_tail ~>=~ $1 AND n.phone_tail ~<~ $2) """
        + _FOUND
        + "JOIN matching m ON m.resident_id = r.id ORDER BY r.name, r.id LIMIT $3",
        *_beginning(digits[::-1]), most,
    )  # fmt: skip


def _beginning(text: str) -> tuple[str, str]:
    """Between which texts lies whatever begins so, the second left out; LIKE finds it too, but reads the whole table.

    A function that is not leakproof is asked behind row-level security, and only rows that were let through: no index.
    """
    return text, text + chr(sys.maxunicode)
