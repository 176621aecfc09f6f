"""Sign-in codes on their way: one signed HTTP request each to whoever turns them into messages.

A code is good for minutes and asked for again with one tap, so what is to be sent is kept nowhere: a process that stops
tries no further. Whether codes arrive is told to the desk.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from uuid import UUID

import httpx
import msgspec
import structlog

from backend.core.clock import machine_now

_WITHIN_S: Final = 5.0
_PAUSES_S: Final = (1.0, 3.0, 9.0, 27.0)
_LATER: Final = frozenset({408, 425, 429})
_TEXT: Final = "【银龄】登录数字 {code}，{minutes}分钟内有效。别告诉任何人，工作人员也不会问。"
log = structlog.get_logger()


class Message(msgspec.Struct, frozen=True):
    """One message; `id` stays the same when it is sent once more."""

    id: UUID
    to: str  # E.164
    text: str


def signature(key: str, timestamp: str, body: bytes) -> str:
    """Sign what is sent, as the receiver does too: HMAC-SHA256 of `timestamp.body`, so that an old request cannot be sent again."""
    return hmac.digest(key.encode(), timestamp.encode() + b"." + body, "sha256").hex()


class Sender:
    """Sends behind the answer of the request that asked for a code: how long it takes tells nobody who is registered.

    `told` hears whether a message was taken, and else why not.
    """

    def __init__(
        self, url: str, key: str, told: Callable[[str | None], Awaitable[None]], pauses_s: Sequence[float] = _PAUSES_S
    ) -> None:
        self._url, self._key, self._told, self._pauses_s = url, key, told, pauses_s
        self._client = httpx.AsyncClient(timeout=_WITHIN_S, trust_env=False) if url else None
        self._under_way: set[asyncio.Task[None]] = set()

    def send_code(self, challenge_id: UUID, phone: str, code: str, lifetime_s: int) -> None:
        """Begin to send a code."""
        text = _TEXT.format(code=code, minutes=lifetime_s // 60)
        sending = asyncio.create_task(self._send(Message(challenge_id, phone, text)))
        self._under_way.add(sending)
        sending.add_done_callback(self._under_way.discard)

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        await asyncio.gather(*self._under_way)

    async def close(self) -> None:
        """Try no further."""
        for sending in tuple(self._under_way):
            sending.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    async def _send(self, message: Message) -> None:
        why: str | None = "no sender is set"
        if self._client is not None:
            for pause_s in (*self._pauses_s, None):
                why = await self._once(self._client, message)
                if why is None or pause_s is None or why.startswith("refused"):
                    break
                await asyncio.sleep(pause_s)
        if why is not None:
            log.error("sign_in.code_not_sent", reason=why)
        await self._told(why)

    async def _once(self, client: httpx.AsyncClient, message: Message) -> str | None:
        """Try to send; None when it was taken, else why not. What is refused once is refused again."""
        body, timestamp = msgspec.json.encode(message), str(int(machine_now().timestamp()))
        headers = {
            "Content-Type": "application/json", "Idempotency-Key": str(message.id), "X-Yinling-Timestamp": timestamp,
            "X-Yinling-Signature": signature(self._key, timestamp, body),
        }  # fmt: skip
        try:
            answer = await client.post(self._url, content=body, headers=headers)
        except httpx.TransportError as error:
            return f"not reached: {type(error).__name__}"
        if answer.is_success:
            return None
        later = answer.is_server_error or answer.status_code in _LATER
        return f"{'not taken' if later else 'refused'}: status {answer.status_code}"
