"""Signing in with a printed card: for whoever cannot type a code, or whom no message reaches."""

from typing import Final
from uuid import UUID

from backend.accounts import card_queries, proofs
from backend.accounts.actions import SigningIn, open_session
from backend.accounts.limits import Rule, refused, whom
from backend.accounts.model import CardProof, Session, SignInCard
from backend.core.addresses import Address
from backend.core.errors import DomainError
from backend.core.principal import SYSTEM, Role
from backend.database.pool import Connection, as_the_platform

_WRONG: Final = Rule("wrong cards of an address", room=30, every_s=10, longest_s=60)
# Digits are few enough to be guessed at from many addresses at once; what the picture holds is not, and stays open to all.
_GUESSED: Final = Rule("wrong digits of cards in all", room=300, every_s=10, longest_s=0)


async def print_card(
    connection: Connection, secret_key: str, account_id: UUID | None, printed_by: UUID, lifetime_h: float
) -> SignInCard:
    """A card for a resident or family; the one printed before is good for nothing any more.

    Its two proofs are shown once and never stored. Raises no_account for anybody a code alone would not let in.
    """
    token, digits = proofs.new_token(), proofs.new_card_digits()
    async with as_the_platform(connection):
        if account_id is None or not await card_queries.lock_holder(connection, account_id):
            raise DomainError("no_account")
        await card_queries.revoke_cards(connection, account_id)
        expires_at = await card_queries.insert_card(
            connection, account_id, proofs.token_hash(token), proofs.card_digits_hash(secret_key, digits), printed_by, lifetime_h
        )  # fmt: skip
    return SignInCard(token, digits, expires_at)


async def sign_in_by_card(signing: SigningIn, address: Address, proof: CardProof) -> Session:
    """Turn a card into a session, once. Raises sign_in_failed, too_many_requests.

    Digits are counted before they are looked at, so that many tries at once are counted as well.
    """
    found = proofs.typed_card(signing.settings.secret_key, proof.card)
    if found is None:  # a slip of the hand: nobody guesses with it
        raise DomainError("sign_in_failed")
    limiter, proof_hash = signing.limiter, found.stored
    wrong = limiter.use(_WRONG, whom(address))
    counted = [wrong, limiter.use(_GUESSED)] if found.by_digits else []
    waits = await limiter.waits(*counted)
    if (wait_s := max([0.0, *waits])) > 0:
        for use in (use for use, wait in zip(counted, waits, strict=True) if wait > 0):
            limiter.notice(use)
        raise refused(wait_s, "Too many wrong cards were tried.")
    async with signing.database.unit_of_work(SYSTEM) as connection:
        session = await _by_card(connection, signing, proof_hash, proof.device)
    if session is None:
        if not counted and (wait_s := await limiter.take(wrong)):
            limiter.notice(wrong)
            raise refused(wait_s, "Too many wrong cards were tried.")
        raise DomainError("sign_in_failed")
    await limiter.give_back(*counted)
    return session


async def _by_card(connection: Connection, signing: SigningIn, proof_hash: bytes, device: str | None) -> Session | None:
    account_id = await card_queries.use_card(connection, proof_hash)
    if account_id is None:
        return None
    role = await card_queries.role_of_holder(connection, account_id)
    if role is None:
        return None
    return await open_session(connection, signing.settings, account_id, Role(role), device)
