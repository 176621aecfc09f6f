"""`yinling watch`: somebody's events as they happen, and the reference for clients of the live feed.

What a client has to do is here in the order it has to do it: sign in, fetch a ticket, open the socket, send the ticket
with the last cursor, take events in, and come back after a jittered pause when the line is cut.
"""

import argparse
import asyncio
import contextlib
import random
import sys
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from backend.core.codes import grouped

_LONGEST_PAUSE_S: Final = 30.0
_FIRST_PAUSE_S: Final = 0.5
_SILENCE_S: Final = 60.0  # the server pings every 20 s; a longer silence is a dead line
_REFUSED_ORIGIN, _REFUSED_TICKET, _BAD_MESSAGE = 4403, 4401, 4400
Place = tuple[int, ...]


class GaveUpError(Exception):
    """Trying again would not help; the message says why."""


def place(cursor: str) -> Place:
    """A cursor as something that can be compared: epoch, transaction, number."""
    return tuple(int(part) for part in cursor.split("."))


def proxied(url: str) -> bool:
    """Whether a desktop's proxy may stand between: not before a platform on this machine, which it cannot see."""
    return urlsplit(url).hostname not in {"127.0.0.1", "::1", "localhost"}


class Watch:
    """One reader of the live feed. `cursor` is the last place it has seen, to be kept by whoever wants to resume."""

    def __init__(self, http: httpx.AsyncClient, phone: str, cursor: str | None = None) -> None:
        self.cursor = cursor
        self._http = http
        self._phone = phone
        self._token: str | None = None
        self._failures = 0

    async def sign_in(self) -> None:
        """Get a session with a one-time code; the demo shows the code, otherwise it is asked for."""
        asked = _answer(await self._http.post("/v1/sign-in/codes", json={"phone": self._phone}))
        code = asked.get("demo_code") or (await asyncio.to_thread(input, "Code: ")).strip()
        proof = {"challenge_id": asked["challenge_id"], "code": code}
        self._token = _answer(await self._http.post("/v1/sign-in/phone", json=proof))["token"]

    async def run(self, show: "Show") -> None:
        """Show every event once, for as long as there is a server. Raises GaveUpError."""
        while True:
            try:
                await self._one_line(show)
            except ConnectionClosed as error:
                code = error.rcvd.code if error.rcvd else 1006
                if code in {_REFUSED_ORIGIN, _BAD_MESSAGE}:
                    raise GaveUpError(f"the gateway refused us with {code}") from error
                show.note(f"the line was closed with {code}")
            except (WebSocketException, httpx.TransportError, OSError) as error:
                show.note(f"no line: {type(error).__name__}")
            await asyncio.sleep(self._pause())

    def _pause(self) -> float:
        """Somewhere between nothing and a limit that doubles, so that a thousand clients do not return as one."""
        self._failures += 1
        return random.uniform(0, min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**self._failures))

    async def _one_line(self, show: "Show") -> None:
        ticket = await self._ticket()
        proxy = True if proxied(ticket["url"]) else None
        async with connect(ticket["url"], compression=None, proxy=proxy) as socket:
            await socket.send(msgspec.json.encode({"ticket": ticket["ticket"], "cursor": self.cursor}).decode())
            while True:
                async with asyncio.timeout(_SILENCE_S):
                    message = msgspec.json.decode(await socket.recv())
                self._take(message, show)

    async def _ticket(self) -> Any:
        """A ticket for one socket; a session that has ended meanwhile is opened anew."""
        if self._token is None:
            await self.sign_in()
        answer = await self._http.post("/v1/live/tickets", json={}, headers={"Authorization": f"Bearer {self._token}"})
        if answer.status_code == 401:
            await self.sign_in()
            return await self._ticket()
        if answer.status_code >= 500 or answer.status_code == 429:
            raise OSError(answer.status_code)
        return _answer(answer)

    def _take(self, message: dict[str, Any], show: "Show") -> None:
        kind = message["type"]
        if kind == "ping":
            return
        if kind == "hello":
            self._failures = 0
            self.cursor = self.cursor or message["cursor"]
            show.note(f"connected at {message['cursor']}")
            return
        if kind == "reset":
            self._failures = 0
            self.cursor = message["cursor"]
            show.note("reset: fetch what you show again (GET /v1/orders), then go on from here")
            return
        if self.cursor is not None and place(message["cursor"]) <= place(self.cursor):
            return  # seen before the line was cut
        self.cursor = message["cursor"]
        show.event(message)


class Show:
    """Where events go: lines for people, or JSON for programs."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def note(self, text: str) -> None:
        """Something about the line itself; on standard error, so that the events stay a clean stream."""
        sys.stderr.write(f"# {text}\n")

    def event(self, message: dict[str, Any]) -> None:
        """One event."""
        if self._as_json:
            line = msgspec.json.encode(message).decode()
        else:
            data = message["data"]
            facts = [
                f"{name}={data[name]}" for name in ("code", "before", "version", "seat", "reason") if data.get(name)
            ]
            subject = (
                grouped(data.get("code") or "")
                or data.get("order_id")
                or data.get("worker_id")
                or data.get("resident_id")
                or ""
            )
            line = f"{message['at'][:19]}  {message['type']:<26} {subject}  {' '.join(facts[1:])}".rstrip()
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def _answer(answer: httpx.Response) -> Any:
    if answer.is_success:
        return answer.json()
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    raise GaveUpError(f"{answer.status_code} {problem.get('code', '')}: {problem.get('detail', 'no explanation')}")


async def _watch(phone: str, url: str, cursor: str | None, show: Show) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=10, trust_env=proxied(url)) as http:
        watch = Watch(http, phone, cursor)
        try:
            await watch.run(show)
        finally:
            if watch.cursor:
                show.note(f"to go on from here: --cursor {watch.cursor}")


def main(arguments: Sequence[str]) -> int:
    """Parse the arguments and watch until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="yinling watch", description="Follow somebody's events as they happen.")
    parser.add_argument("--as", dest="phone", required=True, metavar="PHONE", help="whose events")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="where the platform is (%(default)s)")
    parser.add_argument("--cursor", help="go on from this place in the feed")
    parser.add_argument("--json", action="store_true", help="print events as JSON lines")
    given = parser.parse_args(arguments)
    with contextlib.suppress(KeyboardInterrupt):
        try:
            asyncio.run(_watch(given.phone, given.url, given.cursor, Show(as_json=given.json)))
        except (GaveUpError, httpx.TransportError) as error:
            sys.stderr.write(f"{error or type(error).__name__}\n")
            return 1
    return 0
