"""Limits shared by all processes: leaking buckets in Redis where the city has one, otherwise in the database.

A bucket takes `room` uses at once and one more every `every_s`. Nobody's address, number or login is stored, only an
HMAC of it. Counting costs one short statement and holds nothing while anybody waits.
"""

import hashlib
import hmac
import time
from collections.abc import Sequence
from math import ceil
from typing import Final

import structlog
from msgspec import Struct
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from backend.accounts import queries
from backend.core.addresses import Address, counted
from backend.core.errors import DomainError
from backend.database.pool import Database

_REDIS_WITHIN_S: Final = 0.05
_REDIS_AGAIN_AFTER_S: Final = 1.0  # a Redis that did not answer is left alone for so long, and the database asked
_KEY_BYTES: Final = 16
_TELL_AGAIN_S, _TOLD_AT_MOST = 300.0, 10_000
log = structlog.get_logger()

_COUNT_USES: Final = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local together, refused, full, waits = ARGV[1] == '1', false, {}, {}
for n, key in ipairs(KEYS) do
  local at = 1 + (n - 1) * 4
  local uses, every, room = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  full[n] = math.max(tonumber(redis.call('GET', key) or '0'), now)
  waits[n] = full[n] - now + every - room
  refused = refused or (uses >= 0 and waits[n] > 0)
end
for n, key in ipairs(KEYS) do
  local at = 1 + (n - 1) * 4
  local uses, every = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local room, cap = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local new = full[n]
  if uses < 0 then
    new = new - every
  elseif uses > 0 and waits[n] > 0 then
    new = math.max(new, math.min(new + every, now + room - every + cap))
  elseif uses > 0 and not (together and refused) then
    new = new + every
  end
  if new > now then
    redis.call('SET', key, string.format('%.6f', new), 'PX', math.ceil((new - now) * 1000))
  else
    redis.call('DEL', key)
  end
  waits[n] = tostring(waits[n])
end
return waits
"""


class Rule(Struct, frozen=True):
    """How often something may happen. `longest_s` bounds the wait of whoever goes on trying all the same."""

    name: str
    room: int
    every_s: float
    longest_s: float


class Use(Struct, frozen=True):
    """One thing to count: under which rule, for whom, and whether to count it (1), look only (0) or give it back (-1)."""

    rule: Rule
    key: bytes
    times: int = 1


class Limiter:
    """Counts uses for every process of the city."""

    def __init__(self, database: Database, secret_key: str, redis_url: str | None = None) -> None:
        self._database = database
        self._secret = secret_key.encode()
        self._redis: Redis | None = None
        self._redis_from = 0.0
        self._told: dict[bytes, float] = {}
        if redis_url:
            self._redis = Redis.from_url(
                redis_url,
                socket_timeout=_REDIS_WITHIN_S,
                socket_connect_timeout=_REDIS_WITHIN_S,
                retry=Retry(NoBackoff(), 0),  # the database is asked instead, at once
            )

    async def close(self) -> None:
        """Let go of Redis."""
        if self._redis is not None:
            await self._redis.aclose()

    def key(self, *parts: str | bytes) -> bytes:
        """What stands for somebody in a table: nothing to read without the server's secret."""
        text = b"\0".join(part.encode() if isinstance(part, str) else part for part in parts)
        return hmac.digest(self._secret, b"limit\0" + text, hashlib.sha256)[:_KEY_BYTES]

    def use(self, rule: Rule, *who: str | bytes, times: int = 1) -> Use:
        """A use of a rule by somebody; without `who`, by everybody together."""
        return Use(rule, self.key(rule.name, *who), times)

    async def take(self, *uses: Use) -> float:
        """Count all of these or, where one is full, none; returns the seconds to wait, 0 when they were counted."""
        return max([0.0, *await self.waits(*uses)])

    async def waits(self, *uses: Use) -> list[float]:
        """The same, with the wait of each; nothing was counted unless all are zero or less."""
        return await self._count(uses, together=True)

    async def each(self, *uses: Use) -> list[bool]:
        """Count each of these for itself; returns which had room."""
        return [wait <= 0 for wait in await self._count(uses, together=False)]

    async def give_back(self, *uses: Use) -> None:
        """Uncount what turned out to be honest."""
        await self._count([Use(use.rule, use.key, -1) for use in uses if use.times], together=False)

    def notice(self, use: Use) -> None:
        """Tell operators that a limit is full, once in five minutes each, without saying for whom."""
        now = time.monotonic()
        if now < self._told.get(use.key, 0.0):
            return
        if len(self._told) >= _TOLD_AT_MOST:
            self._told.clear()
        self._told[use.key] = now + _TELL_AGAIN_S
        log.warning("sign_in.many_tries", kind=use.rule.name, count=use.rule.room)

    async def _count(self, uses: Sequence[Use], *, together: bool) -> list[float]:
        if not uses:
            return []
        if self._redis is not None and time.monotonic() >= self._redis_from:
            try:
                return await self._in_redis(self._redis, uses, together=together)
            except (RedisError, OSError) as error:
                self._redis_from = time.monotonic() + _REDIS_AGAIN_AFTER_S
                log.warning("limits.lost_redis", error=type(error).__name__)
        return await self._database.ask_as_nobody(
            lambda nobody: queries.count_uses(
                nobody,
                [use.key for use in uses],
                [use.times for use in uses],
                [use.rule.every_s for use in uses],
                [use.rule.room * use.rule.every_s for use in uses],
                [use.rule.longest_s for use in uses],
                together=together,
            )
        )

    async def _in_redis(self, redis: Redis, uses: Sequence[Use], *, together: bool) -> list[float]:
        rows = [(u.times, u.rule.every_s, u.rule.room * u.rule.every_s, u.rule.longest_s) for u in uses]
        keys = [f"yinling:limit:{use.key.hex()}" for use in uses]
        arguments = [int(together), *(figure for row in rows for figure in row)]
        return [float(wait) for wait in await redis.eval(_COUNT_USES, len(keys), *keys, *arguments)]


def whom(address: Address) -> str:
    """What stands for an address in a key."""
    return counted(address)


def refused(wait_s: float, detail: str) -> DomainError:
    """The refusal of somebody who has to wait: it says how long, in whole seconds."""
    return DomainError("too_many_requests", detail, retry_after_s=max(1, ceil(wait_s)))
