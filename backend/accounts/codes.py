"""Signing in by telephone number: a code is sent, and proves whoever types it in."""

from typing import Final
from uuid import uuid4

from backend.accounts import number_queries, proofs, queries
from backend.accounts.actions import SigningIn, open_session
from backend.accounts.limits import Limiter, Rule, Use, refused, whom
from backend.accounts.model import Candidate, CodeProof, CodeSent, CodeWanted, Session, WhoAreYou
from backend.core.addresses import Address
from backend.core.errors import DomainError
from backend.core.phone import e164
from backend.core.principal import SYSTEM
from backend.database.pool import Connection

_CODE_LIFETIME_S: Final = 300
_CODE_TRIES: Final = 5

# Whoever waits for a code must not be kept waiting longer for asking again: no wait grows here.
_MINUTE: Final = Rule("codes of a number and address, one after the other", room=1, every_s=60, longest_s=0)
_HOUR: Final = Rule("codes of a number and address", room=5, every_s=720, longest_s=0)
_NUMBER: Final = Rule("codes of a number", room=10, every_s=8640, longest_s=0)
_ADDRESS: Final = Rule("unused codes of an address", room=60, every_s=10, longest_s=0)
_WRONG: Final = Rule("wrong codes of an address", room=30, every_s=10, longest_s=60)


def _budget(codes_an_hour: int) -> Rule:
    """What the city sends at most; a sixth of an hour's codes may go at once."""
    return Rule("codes in all", room=max(1, codes_an_hour // 6), every_s=3600 / codes_an_hour, longest_s=0)


def _place(limiter: Limiter, phone: str, address: Address) -> bytes:
    return limiter.key("place", phone, whom(address))


async def send_code(signing: SigningIn, address: Address, wanted: CodeWanted) -> CodeSent:
    """Start a sign-in by telephone number; known and unknown numbers get the same answer.

    Where the number has signed in from before, only its own limits count: strangers cannot use up its codes.
    The demo shows the code: no message is sent that anybody would have to pay for or be bothered by.
    Raises invalid_phone, too_many_requests.
    """
    limiter, settings = signing.limiter, signing.settings
    phone = e164(wanted.phone, settings.area_code)
    from_address = limiter.use(_ADDRESS, whom(address))
    own: list[Use] = []
    shared = [from_address]
    if not settings.demo:
        own = [limiter.use(_MINUTE, phone, whom(address)), limiter.use(_HOUR, phone, whom(address))]
        shared += [limiter.use(_NUMBER, phone), limiter.use(_budget(settings.codes_an_hour))]
    waits = await limiter.waits(*own, *shared)
    wait_s = max(0.0, *waits)
    if wait_s and await _is_known(signing, phone, address):
        wait_s = await limiter.take(*own)
    if wait_s:
        for use in (use for use, wait in zip(shared, waits[len(own) :], strict=True) if wait > 0):
            limiter.notice(use)
        raise refused(wait_s, "Too many codes were asked for; please wait.")
    challenge_id, code = uuid4(), proofs.new_code()
    stored = proofs.code_hash(settings.secret_key, challenge_id, code)
    async with signing.database.unit_of_work(SYSTEM) as connection:
        await queries.insert_code(connection, challenge_id, phone, stored, from_address.key, _CODE_LIFETIME_S)
    if settings.demo:
        return CodeSent(challenge_id, _CODE_LIFETIME_S, code)
    signing.sender.send_code(challenge_id, phone, code, _CODE_LIFETIME_S)
    return CodeSent(challenge_id, _CODE_LIFETIME_S)


async def _is_known(signing: SigningIn, phone: str, address: Address) -> bool:
    async with signing.database.unit_of_work(SYSTEM) as connection:
        return await queries.known_place(connection, _place(signing.limiter, phone, address))


async def sign_in_by_code(signing: SigningIn, address: Address, proof: CodeProof) -> Session | WhoAreYou:
    """Turn a right code into a session, or ask who it is where several people have the number.

    Raises sign_in_failed, too_many_requests.

    From an address that has sent too many wrong codes only codes that were asked for from there are looked at: whoever
    guesses at codes of others is refused, and whoever has got one of their own comes in.
    """
    limiter, code = signing.limiter, proofs.typed_code(proof.code)
    if code is None:
        raise DomainError("sign_in_failed")
    wrong, asked = limiter.use(_WRONG, whom(address)), limiter.use(_ADDRESS, whom(address))
    doubtful = await limiter.take(Use(wrong.rule, wrong.key, 0)) > 0
    async with signing.database.unit_of_work(SYSTEM) as connection:
        session = await _by_code(connection, signing, address, proof, code, asked.key if doubtful else None)
    if session is None:  # raised outside, so that the try stays counted
        wait_s = await limiter.take(wrong)
        if wait_s:
            limiter.notice(wrong)
            raise refused(wait_s, "Too many wrong codes came from your address.")
        raise DomainError("sign_in_failed")
    if isinstance(session, Session):
        await limiter.give_back(asked)
    return session


async def _by_code(
    connection: Connection, signing: SigningIn, address: Address, proof: CodeProof, code: str, only_from: bytes | None
) -> Session | WhoAreYou | None:
    tried = await queries.try_code(connection, proof.challenge_id, _CODE_TRIES, only_from)
    if tried is None:
        return None
    expected = proofs.code_hash(signing.settings.secret_key, proof.challenge_id, code)
    if not proofs.same(tried.code_hash, expected):
        return None
    await number_queries.lock_number(connection, tried.phone)
    people = await number_queries.behind(connection, tried.phone)
    if proof.who is None and len(people) > 1:  # the code is kept, and has one try less
        return WhoAreYou([Candidate(someone.id, someone.name, someone.role) for someone in people])
    chosen = next((someone for someone in people if proof.who in {None, someone.id}), None)
    await queries.use_code(connection, proof.challenge_id)
    if chosen is None:
        return None
    account_id = chosen.id
    if not chosen.has_account:
        account_id = await number_queries.insert_family(connection, chosen.name, tried.phone)
    await number_queries.take_up_consents(connection, tried.phone, account_id)
    await queries.remember_place(connection, _place(signing.limiter, tried.phone, address))
    return await open_session(connection, signing.settings, account_id, chosen.role, proof.device)
