"""What is measured before a service begins: kept whatever it says, and read by those whose business it is.

It moves no order. Who finds somebody unfit measures again or stops the visit; who goes on all the same has that looked at
by a person when they check out.
"""

from uuid import UUID

from msgspec import Struct

from backend.core.errors import DomainError
from backend.core.principal import Principal, Role
from backend.database.pool import Connection, as_the_platform
from backend.orders import queries
from backend.orders.checklists import is_there
from backend.orders.late import read_again
from backend.residents import looks
from backend.residents.model import Purpose
from backend.visits import check_queries
from backend.visits import queries as visits
from backend.visits.checks import ItemCheck, Measured, PreCheck, judge
from backend.visits.model import Flag, Moment


class PreChecks(Struct, frozen=True):
    """What is asked before a visit's service, and what was measured so far, as far as the reader may know it."""

    checks: list[ItemCheck]
    done: list[PreCheck]


class Found(Struct, frozen=True):
    """What came of measuring: the service may begin, or which checks are outside their limits or were left out."""

    id: UUID
    passed: bool
    outside: list[str]
    missing: list[str]


async def read(connection: Connection, principal: Principal, order_id: UUID) -> PreChecks:
    """Read what is asked and what was measured.

    Raises unknown_order (404) for whoever is no party of the visit, not_allowed for whoever is no worker any more.
    """
    family_of: UUID | None = None
    if principal.role is Role.WORKER:
        if principal.worker_id is None:
            raise DomainError("not_allowed")
        async with as_the_platform(connection):
            if not await visits.had_seat(connection, order_id, principal.worker_id):
                raise DomainError("unknown_order")
    else:
        family_of = (await queries.own_order(connection, principal, order_id)).resident_id
    done = await check_queries.done(connection, order_id)  # as the reader: each row says who may
    async with as_the_platform(connection):
        if done and family_of is not None:
            await looks.seen(connection, principal, [family_of], Purpose.REPORTS)
        return PreChecks(await check_queries.checks_of(connection, order_id), done)


async def measure(connection: Connection, principal: Principal, order_id: UUID, said: Measured) -> Found:
    """Keep what a worker measured, and tell what is outside its limits.

    A check-out that had come before it is read again. Raises unknown_order (404) where the worker never was in the crew,
    invalid_request (400) for a service before which nothing is measured.
    """
    if principal.worker_id is None:
        raise DomainError("not_allowed")
    if said.offline and said.device_at is None:
        raise DomainError("invalid_request", "What is sent later says in device_at when it was measured.")
    async with as_the_platform(connection):
        if not await visits.had_seat(connection, order_id, principal.worker_id):
            raise DomainError("unknown_order")
        order = await queries.order_for_update(connection, order_id)
        checks = await check_queries.checks_of(connection, order_id)
        if not checks:
            raise DomainError("invalid_request", "Nothing is measured before this service.")
        there = await is_there(connection, order_id, principal.worker_id, offline=said.offline)
        answers = said.by_check()
        judged = judge(checks, answers)
        moment = Moment(await queries.care_now(connection), said.device_at, said.offline)
        stored = await check_queries.insert(
            connection, order_id, principal.worker_id, moment, answers, judged, counts=there
        )
        if Flag.NO_PRE_CHECK in order.flags:
            await read_again(connection, order, await visits.limits(connection, order.community_code))
        return Found(stored, judged.passed, judged.outside, judged.missing)
