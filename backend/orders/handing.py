"""The resident's word on the worker's phone: after the care the phone is handed over, and the resident says how it was.

It stands as theirs only with four digits that are drawn when the care is over and shown on their own page alone: whoever
carries the visit out has never heard them. Everything pressed is kept; without digits the desk rings the resident.
"""

import secrets
from collections.abc import Callable
from typing import Final
from uuid import UUID

from msgspec import Struct

from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.orders import queries
from backend.orders.actions import move
from backend.orders.model import Actor, Command, Order, OrderStatus
from backend.rules.queries import limit
from backend.tasks import actions as tasks
from backend.tasks.model import Subject, TaskKind
from backend.visits import digits_queries
from backend.visits import evidence_queries as evidence
from backend.visits import queries as visits
from backend.visits.model import Channel, HandedWord, Side, Word
from backend.visits.plausibility import doubted

S = OrderStatus
_DIGITS: Final = 10_000
_WORDS: Final = {Word.WELL: "", Word.FAIR: "还可以", Word.OBJECTS: "有意见"}
"""What is kept as said: the words on the button, which the resident has read."""


class Heard(Struct, frozen=True):
    """What came of it: whether it stands as the resident's word, whether the digits were right, whether the desk rings them."""

    taken: bool
    digits_fit: bool | None
    rung: bool


async def begin(connection: Connection, order: Order, draw: Callable[[int], int] = secrets.randbelow) -> None:
    """The care is over: draw what the resident confirms their word with. `draw` picks a number below a limit."""
    await digits_queries.keep_word(connection, order.id, order.resident_id, f"{draw(_DIGITS):04d}")


async def hear(connection: Connection, principal: Principal, order_id: UUID, said: HandedWord) -> Heard:
    """Take what was pressed on a worker's phone as the resident's word.

    Digits are judged `door_digits_tries` times, then the desk is asked. A word that comes when the order has gone on is kept
    and changes nothing. Raises unknown_order (404) where the worker never was in the crew, not_allowed (403) where
    somebody else has carried the visit out.
    """
    worker_id = principal.worker_id
    if worker_id is None or principal.account_id is None:
        raise DomainError("not_allowed")
    async with as_the_platform(connection):
        if not await visits.had_seat(connection, order_id, worker_id):
            raise DomainError("unknown_order")
        order = await queries.order_for_update(connection, order_id)
        if not await evidence.came(connection, order_id, worker_id):
            raise DomainError("not_allowed", "Only whoever carried the visit out hands their phone over.")
        asked = order.status is S.AWAITING_ACCEPTANCE
        fit = None
        if asked and said.word is not None and said.digits is not None:
            tries = int(await limit(connection, "door_digits_tries", order.community_code))
            fit = await digits_queries.word_fits(connection, order_id, said.digits, tries)
        taken = bool(fit)
        await digits_queries.keep_handed(
            connection, order_id, worker_id, said.word, said.device_at, fit=fit, taken=taken
        )
        if taken and said.word is not None:
            await _stand(connection, order, said.word, principal.account_id)
        rung = asked and fit is None
        if rung:
            await tasks.open_task(connection, TaskKind.WORD_ASKED, about=Subject(order_id=order_id))
        return Heard(taken, fit, rung)


async def _stand(connection: Connection, order: Order, word: Word, account_id: UUID) -> None:
    """Let it be the resident's word; on somebody else's phone it does not make up for evidence that is missing."""
    objects = word is Word.OBJECTS
    await visits.insert_statement(
        connection, order.id, Side.RESIDENT, "disputed" if objects else "accepted", _WORDS[word], account_id,
        Channel.WORKERS_PHONE,
    )  # fmt: skip
    command, after, actor, reason = Command.ACCEPT_SERVICE, S.COMPLETED, Actor.RESIDENT, None
    if objects:
        command, after = Command.DISPUTE, S.DISPUTED
    elif doubted(order.flags):
        after, actor, reason = S.EXCEPTION, Actor.SYSTEM, "flagged"
    await move(
        connection, order, command, after, actor, provider_id=order.provider_id,
        workers=await evidence.who_came(connection, order.id), reason=reason,
    )  # fmt: skip


class Handing(Struct, frozen=True):
    """How the resident's word stands on a worker's phone: wrong digits were typed last, or the desk rings the resident."""

    wrong: bool
    rung: bool


async def read(connection: Connection, principal: Principal, order_id: UUID) -> Handing:
    """Read what came of it so far, for the phone of the crew. Raises unknown_order (404), not_allowed (403)."""
    if principal.worker_id is None:
        raise DomainError("not_allowed")
    async with as_the_platform(connection):
        if not await visits.had_seat(connection, order_id, principal.worker_id):
            raise DomainError("unknown_order")
        last = await digits_queries.handed(connection, order_id)
    return Handing(wrong=bool(last) and last[-1] is False, rung=None in last)
