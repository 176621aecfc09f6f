"""What completes a visit: the resident's word, silence where nothing is doubted, or a person who has looked at it.

A flag stands: silence completes nothing. The order becomes an exception, a task at the desk, which an operator who
entered none of its evidence resolves with a reason; a dispute is resolved the same way once both sides were heard.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal
from uuid import UUID

from msgspec import Struct

from backend.core.errors import DomainError
from backend.core.principal import Principal, Role
from backend.database.pool import Connection, as_the_platform
from backend.events.auditing import note
from backend.orders import queries
from backend.orders.actions import actor_of, move
from backend.orders.lifecycle import begin, require_step
from backend.orders.model import Actor, Command, Order, OrderStatus
from backend.visits import evidence_queries as evidence
from backend.visits import queries as visits
from backend.visits.model import WEAK, Record, Side, Statement
from backend.visits.plausibility import doubted

S = OrderStatus
C = Command
_FLAGGED: Final = "flagged"
_CREWS_SIDE: Final = frozenset({Side.PROVIDER, Side.WORKER})
_RESIDENTS_SIDE: Final = frozenset({Side.RESIDENT, Side.FAMILY})
_TO_REVIEW: Final = frozenset({S.EXCEPTION, S.DISPUTED})
_MAY_EXPLAIN: Final = frozenset({S.AWAITING_ACCEPTANCE, S.DISPUTED, S.EXCEPTION})

Outcome = Literal["completed", "rejected", "exception"]
Code = Literal[
    "resident_confirmed", "document_seen", "phone_or_position_wrong", "agreed_by_both", "not_carried_out",
    "carried_out_in_part", "made_up", "looked_at_further",
]  # fmt: skip
"""Why a person decided so, for counting; the reason in words stands beside it."""

_CODES: Final[Mapping[Outcome, frozenset[Code]]] = {
    "completed": frozenset(
        {"resident_confirmed", "document_seen", "phone_or_position_wrong", "agreed_by_both", "carried_out_in_part"}
    ),
    "rejected": frozenset({"document_seen", "agreed_by_both", "not_carried_out", "carried_out_in_part", "made_up"}),
    "exception": frozenset({"looked_at_further"}),
}
"""What may be counted as what: nothing that was made up is completed."""


class Review(Struct, frozen=True):
    """One task at the desk: the order, everything reported on it, and what each side said."""

    order: Order
    records: list[Record]
    statements: list[Statement]


class Heard(Struct, frozen=True):
    """What one side told the operator."""

    side: Side
    words: str


async def end_without_word(connection: Connection, order: Order, command: Command) -> Order:
    """Nobody objected, or nobody is asked: that completes the order, unless a flag stands."""
    if doubted(order.flags):
        return await _to(connection, order, command, S.EXCEPTION, Actor.SYSTEM, reason=_FLAGGED)
    if order.status is S.COMPLETED:
        return order
    return await _to(connection, order, command, S.COMPLETED, Actor.SYSTEM)


async def accept_service(connection: Connection, principal: Principal, order_id: UUID) -> Order:
    """The resident confirms what was done. Their word is kept; against evidence it does not stand alone.

    Nor does it make up for evidence that is missing where it comes by a telephone that is also one of the crew's: a care
    worker may be the resident's daughter. Raises own_evidence (403) for an operator who keyed in what the resident is said to confirm.
    """
    order = await _to_be_judged(connection, principal, order_id, C.ACCEPT_SERVICE)
    async with as_the_platform(connection):
        if principal.role is Role.OPERATOR and await _keyed_by(connection, principal, order_id):
            raise DomainError("own_evidence", current=order.status.value)
        await _keep(connection, principal, order, "accepted", "")
        own_phone = await visits.crew_shares_a_number(connection, order_id, principal.account_id)
        if doubted([flag for flag in order.flags if own_phone or flag not in WEAK]):
            return await _to(connection, order, C.ACCEPT_SERVICE, S.EXCEPTION, Actor.SYSTEM, reason=_FLAGGED)
        return await _to(connection, order, C.ACCEPT_SERVICE, S.COMPLETED, actor_of(principal, order.resident_id))


async def _keyed_by(connection: Connection, principal: Principal, order_id: UUID) -> bool:
    return principal.account_id is not None and await visits.keyed_by(connection, order_id, principal.account_id)


async def dispute(connection: Connection, principal: Principal, order_id: UUID, reason: str) -> Order:
    """The resident does not agree; a person will look at it."""
    order = await _to_be_judged(connection, principal, order_id, C.DISPUTE)
    async with as_the_platform(connection):
        await _keep(connection, principal, order, "disputed", reason)
        disputed = await _to(connection, order, C.DISPUTE, S.DISPUTED, actor_of(principal, order.resident_id))
        await note(connection, principal, "dispute", "order", order_id, reason)
        return disputed


async def _to_be_judged(connection: Connection, principal: Principal, order_id: UUID, command: Command) -> Order:
    """An order the principal may decide for and that waits for the resident's word, locked."""
    order = await queries.own_order(connection, principal, order_id)
    if not principal.acts_for(order.resident_id):
        raise DomainError("unknown_order")
    async with as_the_platform(connection):
        order = await queries.order_for_update(connection, order_id)
        begin(command, actor_of(principal, order.resident_id), order.status, order.kind)
        return order


async def explain(
    connection: Connection, principal: Principal, order_id: UUID, words: str, side: Side | None
) -> Statement:
    """Hear a side about a visit that waits for a decision; an operator writes down what somebody else said."""
    if (side is None) is (principal.role is Role.OPERATOR):
        raise DomainError(
            "invalid_request", "An operator says whose words these are; everybody else speaks for themselves."
        )
    await _see(connection, principal, order_id)
    async with as_the_platform(connection):
        order = await queries.order_for_update(connection, order_id)
        if order.status not in _MAY_EXPLAIN:
            raise DomainError("illegal_transition", current=order.status.value)
        return await _keep(connection, principal, order, "explained", words, side)


async def _see(connection: Connection, principal: Principal, order_id: UUID) -> None:
    """Only the parties of an order speak about it. Raises unknown_order (404), not_allowed (403) for who left its crew."""
    if principal.role is Role.WORKER:
        who = principal.worker_id
        async with as_the_platform(connection):
            if who is None or not await visits.had_seat(connection, order_id, who):
                raise DomainError("unknown_order")
            if not await evidence.came(connection, order_id, who):
                raise DomainError("not_allowed", "Only whoever carried the visit out speaks for its crew.")
        return
    order = await queries.own_order(connection, principal, order_id)
    if principal.role is not Role.PROVIDER and not principal.acts_for(order.resident_id):
        raise DomainError("unknown_order")


async def keep_words(connection: Connection, principal: Principal, order: Order, words: str) -> None:
    """Keep what the crew says of a visit when they stop it, beside what each side may say of it later."""
    await _keep(connection, principal, order, "explained", words)


async def _keep(
    connection: Connection, principal: Principal, order: Order, kind: str, words: str, side: Side | None = None
) -> Statement:
    if principal.account_id is None:
        raise DomainError("not_allowed")
    whose = side or (Side.RESIDENT if principal.role is Role.OPERATOR else _side_of(principal, order))
    return await visits.insert_statement(connection, order.id, whose, kind, words, principal.account_id)


def _side_of(principal: Principal, order: Order) -> Side:
    return Side.FAMILY if principal.is_family_of(order.resident_id) else Side(principal.role.value)


async def resolve(
    connection: Connection,
    principal: Principal,
    order_id: UUID,
    outcome: Outcome,
    code: Code,
    reason: str,
    heard: Sequence[Heard],
) -> Order:
    """An operator decides what a doubted or disputed visit was.

    Raises invalid_request (400) for a code that says another outcome, own_evidence (403) for whoever entered what the
    decision rests on, other_side_unheard (409) for a dispute of which only one side has spoken since it was opened,
    illegal_transition (409) with the state the order is in.
    """
    if principal.role is not Role.OPERATOR or principal.account_id is None:
        raise DomainError("not_allowed")
    if code not in _CODES[outcome]:
        raise DomainError("invalid_request", f"What is {outcome} is not counted as {code}.")
    async with as_the_platform(connection):
        order = await queries.order_for_update(connection, order_id)
        begin(C.RESOLVE, Actor.OPERATOR, order.status, order.kind)
        require_step(C.RESOLVE, order.status, OrderStatus(outcome), Actor.OPERATOR, order.kind)
        if await _keyed_by(connection, principal, order_id):
            raise DomainError("own_evidence", current=order.status.value)
        for said in heard:
            await _keep(connection, principal, order, "explained", said.words, said.side)
        if order.status is S.DISPUTED:
            sides = await visits.sides_heard(connection, order_id)
            if not (sides & _CREWS_SIDE and sides & _RESIDENTS_SIDE):
                raise DomainError("other_side_unheard", current=order.status.value)
        await note(connection, principal, "resolve", "order", order_id, f"{outcome}/{code}: {reason}")
        return await _to(connection, order, C.RESOLVE, OrderStatus(outcome), Actor.OPERATOR, reason=code)


async def _to(
    connection: Connection,
    order: Order,
    command: Command,
    after: OrderStatus,
    actor: Actor,
    *,
    reason: str | None = None,
) -> Order:
    return await move(
        connection, order, command, after, actor, provider_id=order.provider_id,
        workers=await evidence.who_came(connection, order.id), reason=reason,
    )  # fmt: skip


async def review(connection: Connection, order_id: UUID) -> Review:
    """One order with everything reported on it, for the desk. Raises unknown_order (404)."""
    order = await queries.order(connection, order_id)
    records, statements = await visits.records(connection, [order_id]), await visits.statements(connection, [order_id])
    return Review(order, records.get(order_id, []), statements.get(order_id, []))


async def reviews(connection: Connection, status: OrderStatus | None, after: UUID | None, limit: int) -> list[Review]:
    """The desk's tasks, the oldest order first."""
    statuses = [status] if status else sorted(_TO_REVIEW)
    orders = await queries.orders_to_review(connection, statuses, after, limit)
    names = [order.id for order in orders]
    records, statements = await visits.records(connection, names), await visits.statements(connection, names)
    return [Review(order, records.get(order.id, []), statements.get(order.id, [])) for order in orders]
