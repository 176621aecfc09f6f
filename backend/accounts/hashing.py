"""Hashing passwords, a few at once: slow on purpose, so a crowd must not take the machine from everybody else.

There are two lanes with one thread each. Whoever brings a valid one-time password has a lane of their own, so that a
crowd of strangers, however large, keeps no desk from signing in.
"""

import asyncio
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from backend.accounts import proofs
from backend.core.errors import DomainError

_WAITING: Final = {False: 8, True: 32}  # tries in a lane, those being hashed included
_LONGEST_S: Final = 5.0  # until a try is begun; a machine that is too busy for that says so
_RETRY_AFTER_S: Final = 2
_NICER: Final = 5


def _step_back() -> None:
    """Let strangers' tries give way to everything else; Linux keeps a priority for each thread."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICER)


class Hashing:
    """The lanes of one process."""

    def __init__(self) -> None:
        self._lanes = {False: ThreadPoolExecutor(1, "hashing", _step_back), True: ThreadPoolExecutor(1, "hashing")}
        self._waiting = dict.fromkeys(_WAITING, 0)
        self._counting = threading.Lock()
        self._lanes[False].submit(proofs.nobodys_hash)  # before the first stranger asks: it would take longer for them

    def close(self) -> None:
        """End the threads without waiting for what they hash."""
        for lane in self._lanes.values():
            lane.shutdown(wait=False, cancel_futures=True)

    def has_room(self, *, proven: bool) -> bool:
        """Whether a try would be hashed now or soon."""
        return self._waiting[proven] < _WAITING[proven]

    async def password_fits(self, stored: str | None, password: str, *, proven: bool) -> bool:
        """Whether the password is right; as slow when none is stored. Raises too_many_requests when the wait is too long.

        Never call it inside a transaction: it waits for the lane.
        """
        if not self.has_room(proven=proven):
            raise _busy()
        self._count(proven, 1)
        job = self._lanes[proven].submit(proofs.password_fits, stored, password)
        job.add_done_callback(lambda _: self._count(proven, -1))  # also when the caller hung up meanwhile
        fits = asyncio.wrap_future(job)
        try:
            done, _ = await asyncio.wait({fits}, timeout=_LONGEST_S)
            if not done and job.cancel():  # False once it has begun: then its answer is waited for
                raise _busy()
            return await fits
        finally:
            job.cancel()  # the caller may have hung up while it waited in line

    def _count(self, proven: bool, by: int) -> None:
        with self._counting:
            self._waiting[proven] += by


def _busy() -> DomainError:
    return DomainError("too_many_requests", "Many people sign in just now.", retry_after_s=_RETRY_AFTER_S)
