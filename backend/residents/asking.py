"""Asking for a consent: whom it reaches, how often one may ask, and its end without an answer.

A stranger who types a number learns nothing of it: what they ask is kept and answered in the same words whoever has the
number or nobody, waits as long, and ends in silence. Only somebody the resident knows reaches them.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from backend.core.errors import DomainError
from backend.core.phone import e164
from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.database.timing import set_timer_once
from backend.events.catalogue import ConsentRequestChanged
from backend.events.outbox import emit
from backend.residents import request_queries as requests
from backend.residents.lifecycle import after_answers
from backend.residents.model import ConsentAsked, ConsentRequest, Held, Purpose
from backend.residents.request_queries import Concerned, Reached, Standing
from backend.rules.queries import EVERYWHERE, limit
from backend.tasks import actions as tasks
from backend.tasks.model import Subject, TaskKind

EXPIRY: Final = "consent_request_expiry"
_AGAIN_S: Final = 3600
_MOST: Final = 50


async def ask(connection: Connection, principal: Principal, wanted: ConsentAsked, area_code: str) -> ConsentRequest:
    """Ask a resident for consents, by themselves where they are signed in, else and if it is wished through an operator.

    Raises unknown_resident (404) for an id of whom has let nobody in, invalid_request, invalid_phone, already_asked,
    refused_lately, too_many_requests; none of them tells of a number or a name whether anybody has it.
    """
    account_id = _account(principal)
    name, phone = _typed(wanted, area_code)
    purposes = list(dict.fromkeys(wanted.purposes))
    async with as_the_platform(connection):
        await requests.lock_asker(connection, account_id)
        known: Reached | None = None
        if wanted.resident_id is not None:
            known = await requests.somebody_known(connection, account_id, wanted.resident_id)
            if known is None:
                raise DomainError("unknown_resident")
            name = known.name
            purposes = await _not_held(connection, account_id, known.resident_id, purposes)
        again_days = await limit(connection, "consent_request_again_days", EVERYWHERE)
        await _may_ask(connection, account_id, wanted.resident_id, (name, phone), purposes, again_days)
        if phone is not None:
            known = await requests.somebody_typed(connection, account_id, phone, name)
        if known and not await requests.may_reach(connection, account_id, known.resident_id, purposes, again_days):
            known = None  # asked or refused under another number: to say so would tell that both are one person's
        return await _keep(connection, account_id, known, wanted, (name, phone), purposes)


def _account(principal: Principal) -> UUID:
    if principal.account_id is None:
        raise DomainError("not_allowed")
    return principal.account_id


def _typed(wanted: ConsentAsked, area_code: str) -> tuple[str, str | None]:
    """Whom somebody asks as they typed it; nothing of it where they know them already."""
    by_name = wanted.phone is not None and wanted.name is not None
    if by_name is (wanted.resident_id is not None) or (wanted.phone is None) is not (wanted.name is None):
        raise DomainError("invalid_request", "Give either `resident_id`, or `phone` and `name`.")
    if wanted.phone is None or wanted.name is None:
        return "", None
    return wanted.name, e164(wanted.phone, area_code)


async def _not_held(
    connection: Connection, account_id: UUID, resident_id: UUID, purposes: list[Purpose]
) -> list[Purpose]:
    """What of it they have not been given yet. Raises invalid_request where that is nothing."""
    standing = {purpose for one in await requests.held(connection, account_id) if one.resident_id == resident_id for purpose in one.purposes}  # fmt: skip
    left = [purpose for purpose in purposes if purpose not in standing]
    if not left:
        raise DomainError("invalid_request", "They have agreed to this already.")
    return left


async def _may_ask(
    connection: Connection,
    account_id: UUID,
    named_id: UUID | None,
    sought: tuple[str, str | None],
    purposes: Sequence[Purpose],
    again_days: float,
) -> None:
    """Judge by what the asker has asked before, and knows: never by what there is behind a number."""
    name, phone = sought
    earlier = await requests.before(connection, account_id, named_id, phone, name, again_days)
    if any(one.waits for one in earlier):
        raise DomainError("already_asked")
    if any(not set(one.refused).isdisjoint(purposes) for one in earlier):
        raise DomainError("refused_lately")
    counted = await requests.counted(connection, account_id)
    most_open = await limit(connection, "consent_requests_open", EVERYWHERE)
    most_a_day = await limit(connection, "consent_requests_a_day", EVERYWHERE)
    if counted.open >= most_open or counted.a_day >= most_a_day:
        detail = "You have asked for as much as one may ask at a time."
        raise DomainError("too_many_requests", detail, retry_after_s=_AGAIN_S)


async def _keep(
    connection: Connection,
    account_id: UUID,
    known: Reached | None,
    wanted: ConsentAsked,
    sought: tuple[str, str | None],
    purposes: Sequence[Purpose],
) -> ConsentRequest:
    reached = known or await requests.as_themselves(connection, account_id)
    by_desk = wanted.by_desk or known is None or not await requests.is_signed_in(connection, known.resident_id)
    kept = await requests.insert_request(
        connection, account_id, reached, resident_id=known and known.resident_id, named_id=wanted.resident_id, sought=sought,
        purposes=purposes, by_desk=by_desk, valid_days=await limit(connection, "consent_request_valid_days", EVERYWHERE),
    )  # fmt: skip
    await set_timer_once(connection, EXPIRY, kept.id, kept.expires_at)
    await tell(connection, await requests.concerned(connection, kept.id))
    if known is not None and by_desk:
        await tasks.open_task(connection, TaskKind.CONSENT_ASKED, about=Subject(resident_id=known.resident_id))
    return await requests.request(connection, kept.id)


async def mine(connection: Connection, principal: Principal) -> list[ConsentRequest]:
    """List what somebody has asked for, the latest first."""
    async with as_the_platform(connection):
        return await requests.requests_of(connection, _account(principal), _MOST)


async def held(connection: Connection, principal: Principal) -> list[Held]:
    """List who has let somebody in, and for what: also for what lets them read no visit, such as booking alone."""
    async with as_the_platform(connection):
        return await requests.held(connection, _account(principal))


async def withdraw(connection: Connection, principal: Principal, request_id: UUID) -> ConsentRequest:
    """Ask no more. Raises unknown_request (404), already_closed (409) where it is answered or over."""
    account_id = _account(principal)
    async with as_the_platform(connection):
        if not await requests.asked_by(connection, account_id, request_id):
            raise DomainError("unknown_request")
        ended = await requests.withdraw_request(connection, account_id, request_id)
        if ended is None:
            raise DomainError("already_closed")
        await tell(connection, ended)
        return await requests.request(connection, request_id)


async def expire(connection: Connection, request_id: UUID) -> None:
    """A request that nobody has answered in time is over; where it had ended nothing happens."""
    if ended := await requests.expire_request(connection, request_id):
        await tell(connection, ended)


async def settle(
    connection: Connection, resident_id: UUID, account_id: UUID, purpose: Purpose, by: tuple[UUID | None, str, str]
) -> None:
    """A consent was given without being asked about it: whoever waits for it waits no longer."""
    if standing := await requests.request_for_purpose(connection, resident_id, account_id, purpose):
        await answered(connection, standing, ([purpose], []), by)


async def answered(
    connection: Connection,
    standing: Standing,
    answers: tuple[list[Purpose], list[Purpose]],
    by: tuple[UUID | None, str, str],
) -> None:
    """Keep answers to a request that is locked, and tell both sides."""
    given, refused = answers
    status = after_answers(standing.purposes, [*standing.given, *given], [*standing.refused, *refused])
    await tell(connection, await requests.keep_answer(connection, standing.id, answers, status, by))


async def tell(connection: Connection, about: Concerned) -> None:
    """Tell who asked and, where it reached somebody, whom they asked, each by themselves; the desk's task ends with the last."""
    accounts = [about.account_id, *([about.resident_account] if about.resident_account else [])]
    for account_id in accounts:
        told = ConsentRequestChanged(request_id=about.id, status=about.status.value, account_id=account_id)
        await emit(connection, told)
    if about.resident_id is not None and not await requests.desk_is_to_ask(connection, about.resident_id):
        about_them = Subject(resident_id=about.resident_id)
        await tasks.close_task(connection, TaskKind.CONSENT_ASKED, about_them, about.status.value)
