"""The zones a dispatcher leads: taken by lease, lost without notice, so proved under lock before anything is written."""

import uuid
from contextlib import AbstractAsyncContextManager
from typing import Final
from uuid import UUID

from backend.core.principal import SYSTEM
from backend.database.pool import Connection, Database, Lane
from backend.scheduling import queries

LEASE_S: Final = 10.0


class LostZoneError(Exception):
    """Another dispatcher owns the zone by now; nothing was written."""


class Leases:
    """What one dispatcher leads at the moment."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._owner = uuid.uuid4().hex
        self._epochs: dict[UUID, int] = {}

    @property
    def zones(self) -> list[UUID]:
        """The zones led, as far as is known."""
        return list(self._epochs)

    async def renew(self) -> None:
        """Take or keep every zone that is free; a zone lost is dropped at once."""
        leases = await self._database.ask_as_nobody(lambda nobody: queries.lead_zones(nobody, self._owner, LEASE_S))
        self._epochs = {lease.zone_id: lease.epoch for lease in leases}

    async def give_back(self) -> None:
        """End our leases so that another dispatcher takes over at once."""
        async with self._database.unit_of_work(SYSTEM) as connection:
            await queries.give_leases_back(connection, self._owner)
        self._epochs.clear()

    def transaction(self, zone_id: UUID) -> AbstractAsyncContextManager[Connection]:
        """A transaction about one zone: all of them together take the connections of no other zone."""
        return self._database.unit_of_work(SYSTEM, Lane.COMMANDS, zone_id)

    async def prove(self, connection: Connection, zone_id: UUID) -> None:
        """Lock the lease against a change of leader before anything is written. Raises LostZoneError."""
        epoch = await queries.lease_epoch(connection, zone_id)
        if epoch is None or epoch != self._epochs.get(zone_id):
            self._epochs.pop(zone_id, None)
            raise LostZoneError
