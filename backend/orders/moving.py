"""A resident moves: the home is another one from now on, and the desk is told what is still promised for the old one."""

from typing import Final
from uuid import UUID

from msgspec import Struct

from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.orders import queries
from backend.orders.model import Order
from backend.orders.model import OrderStatus as S
from backend.residents import actions as residents
from backend.residents.model import NewHome, ResidentCard

_TO_COME: Final = (S.HELD, S.PLACED, S.OFFERED, S.MANUAL, S.ACCEPTED, S.EN_ROUTE)


class Moved(Struct, frozen=True):
    """A resident with the new home, and the orders that still lead to an old one."""

    resident: ResidentCard
    elsewhere: list[Order]


async def move_home(connection: Connection, principal: Principal, resident_id: UUID, home: NewHome) -> Moved:
    """Register where a resident lives from now on; each open order for an old home is named, not moved.

    A crew has been promised for the old door and may be unable to reach the new one in time, so that somebody decides about
    each. Raises unknown_resident, unknown_zone, outside_zone, unreachable_place.
    """
    card = await residents.move_home(connection, principal, resident_id, home)
    async with as_the_platform(connection):
        elsewhere = await queries.to_former_homes(connection, resident_id, [status.value for status in _TO_COME])
    return Moved(card, elsewhere)
