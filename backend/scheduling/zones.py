"""Which zone somebody is about to lock, known before any lock is taken: whoever waits for a zone's plan stands in its line.

What is remembered only chooses a line. Were it old, somebody would stand in the wrong one, and nothing else.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from uuid import UUID

from backend.core.principal import SYSTEM
from backend.database.pool import Connection, Database
from backend.scheduling import queries

_MOST: Final = 50_000  # remembered; beyond that it is learnt anew


class Zones:
    """The zones of orders, offers and residents, looked up once each."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[UUID, UUID] = {}

    async def of_path(self, parameters: Mapping[str, Any]) -> UUID | None:
        """The zone of the order or the offer an address names."""
        if "order_id" in parameters:
            return await self.of_order(parameters["order_id"])
        return await self.of_offer(parameters["offer_id"]) if "offer_id" in parameters else None

    async def of_order(self, order_id: UUID) -> UUID | None:
        """The zone of an order, or None when there is no such order."""
        return await self._look_up(queries.zone_of_order, order_id)

    async def of_offer(self, offer_id: UUID) -> UUID | None:
        """The zone of the order an offer is about."""
        return await self._look_up(queries.zone_of_offer, offer_id)

    async def of_resident(self, resident_id: UUID) -> UUID | None:
        """The zone a resident lives in."""
        return await self._look_up(queries.zone_of_resident, resident_id)

    async def _look_up(self, query: Callable[[Connection, UUID], Awaitable[UUID | None]], subject: UUID) -> UUID | None:
        found = self._known.get(subject)
        if found is None:
            async with self._database.unit_of_work(SYSTEM) as connection:
                found = await query(connection, subject)
            if found is not None:
                if len(self._known) >= _MOST:
                    self._known.clear()
                self._known[subject] = found
        return found
