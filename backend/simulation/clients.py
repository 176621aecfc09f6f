"""What a phone or a browser does: requests that are safe to repeat, and a socket that resumes where it was cut."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx
import msgspec
from msgspec import Struct
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException

_RETRY_FOR_S: Final = 90.0
_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0
_BUSY: Final = frozenset({429, 500, 502, 503, 504})
Cursor = tuple[int, int, int]  # epoch, transaction, number


class RefusedError(Exception):
    """The platform said no, with one of its stable codes; status 0 when it gave no answer, however often it was asked."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code

    @property
    def failed(self) -> bool:
        """Whether the platform could not answer, or no longer knows who asks: nothing was decided."""
        return self.status == 0 or self.status >= 500 or self.status in {401, 429} or self.code == "unreadable"


class Traffic(Struct):
    """What the clients of one replay measured."""

    requests: int = 0
    retries: int = 0
    quote_ms: list[float] = []
    booking_ms: list[float] = []


class Session(Struct, frozen=True):
    """Who a client is signed in as."""

    token: str
    role: str
    account_id: str
    resident_id: str | None = None
    worker_id: str | None = None
    provider_id: str | None = None


class Api:
    """One person's way to the platform over HTTP. Lost connections are retried with the same Idempotency-Key."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        traffic: Traffic,
        patience_s: float = _RETRY_FOR_S,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`patience_s`: how long a request that fails is tried again, by `clock`; `pause` lies between two tries."""
        self._http = http
        self._patience_s = patience_s
        self._clock = clock
        self._pause = pause
        self.traffic = traffic
        self.session: Session | None = None

    async def sign_in_by_phone(self, phone: str) -> Session:
        """Ask for a code, which the demo shows, and use it."""
        challenge = await self.post("/v1/sign-in/codes", {"phone": phone})
        proof = {"challenge_id": challenge["challenge_id"], "code": challenge["demo_code"]}
        return self._signed_in(await self.post("/v1/sign-in/phone", proof))

    async def sign_in_by_password(self, login: str, password: str, code: Callable[[], str]) -> Session:
        """Sign in as an operator or provider; the one-time code is made at the moment it is used."""
        proof = {"login": login, "password": password, "totp": code()}
        return self._signed_in(await self.post("/v1/sign-in/password", proof))

    def _signed_in(self, answer: dict[str, Any]) -> Session:
        self.session = msgspec.convert(answer, Session)
        return self.session

    async def get(self, path: str, **query: str) -> Any:
        """Read something. Raises RefusedError."""
        return await self._ask("GET", path, None, query)

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        """Change something, once, however often the connection breaks. Raises RefusedError."""
        return await self._ask("POST", path, body, {})

    async def report(self, order_id: str, step: str, body: dict[str, Any]) -> dict[str, Any]:
        """Tell what was done at an order; it is stored in any case. Raises RefusedError when the order did not follow."""
        order: dict[str, Any] = await self.post(f"/v1/orders/{order_id}/{step}", body)
        if not order["report"]["counts"]:
            raise RefusedError(200, "not_followed", ", ".join(order["report"]["flags"]))
        return order

    async def check_before(self, order_id: str, at: str) -> None:
        """Measure what a service asks for before it begins, and find everything as it should be."""
        path = f"/v1/orders/{order_id}/pre-check"
        found = await self.get(path)
        if found["checks"] and not any(done["passed"] for done in found["done"]):
            await self.post(path, {"device_at": at, "answers": [_well(check) for check in found["checks"]]})

    async def tick_all(self, order_id: str, at: str) -> None:
        """Tick every line of a visit that is still to be done."""
        path = f"/v1/orders/{order_id}/checklist"
        found = await self.get(path)
        done = {tick["line"] for tick in found["ticks"] if tick["done"]}
        for line in found["lines"]:
            if line["code"] not in done:
                await self.post(path, {"line": line["code"], "device_at": at})

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None, query: dict[str, str]) -> Any:
        headers = {"Authorization": f"Bearer {self.session.token}"} if self.session else {}
        if method == "POST":
            headers |= {"Idempotency-Key": str(uuid.uuid4()), "Content-Type": "application/json"}
        content = None if body is None else msgspec.json.encode(body)
        give_up_at = self._clock() + self._patience_s
        while True:
            self.traffic.requests += 1
            pause = _PAUSE_S
            try:
                answer = await self._http.request(method, path, content=content, params=query, headers=headers)
            except httpx.HTTPError as error:
                if self._clock() > give_up_at:
                    raise RefusedError(0, "no_answer", type(error).__name__) from error
            else:
                if answer.is_success:
                    return _body(answer)
                refusal = _refusal(answer)
                again = answer.status_code in _BUSY or refusal.code == "request_in_progress"
                if not again or self._clock() > give_up_at:
                    raise refusal
                pause = _pause(answer)
            self.traffic.retries += 1
            await self._pause(pause)

    async def quote(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Ask for slots, measuring how long the answer takes."""
        began = time.monotonic()
        answer = await self.post("/v1/quotes", wish)
        self.traffic.quote_ms.append((time.monotonic() - began) * 1000)
        return answer

    async def book(self, slot: str, channel: str = "app") -> dict[str, Any]:
        """Take a slot up, measuring how long the answer takes."""
        began = time.monotonic()
        answer = await self.post("/v1/bookings", {"slot": slot, "channel": channel})
        self.traffic.booking_ms.append((time.monotonic() - began) * 1000)
        return answer


def _pause(answer: httpx.Response) -> float:
    """How long the platform asks to wait before trying again, within reason."""
    asked = answer.headers.get("Retry-After", "")
    return min(_LONGEST_PAUSE_S, float(asked)) if asked.isdecimal() and asked != "0" else _PAUSE_S


def _body(answer: httpx.Response) -> Any:
    if not answer.content:
        return None
    try:
        return msgspec.json.decode(answer.content)
    except msgspec.DecodeError as error:
        raise RefusedError(answer.status_code, "unreadable", "the answer is not JSON") from error


def _refusal(answer: httpx.Response) -> RefusedError:
    try:
        problem = msgspec.json.decode(answer.content)
    except msgspec.DecodeError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    return RefusedError(answer.status_code, str(problem.get("code", "?")), str(problem.get("detail", "")))


class Watcher:
    """One socket that is kept open, resumes by cursor, and remembers every event it got.

    `heard` is called with each event; `keys` is the audience the platform is judged by afterwards.
    """

    def __init__(self, api: Api, url: str, keys: tuple[str, ...], heard: Callable[[dict[str, Any]], None]) -> None:
        self.keys = keys
        self.connected = False
        self.first: Cursor | None = None
        self.last: Cursor | None = None
        self.received: list[tuple[int, int]] = []
        self.reconnects = 0
        self.resets = 0
        self._api = api
        self._url = url
        self._heard = heard

    async def watch(self) -> None:
        """Stay connected until cancelled."""
        while True:
            with contextlib.suppress(OSError, TimeoutError, WebSocketException, InvalidHandshake, RefusedError):
                await self._once()
            if self.connected:
                self.reconnects += 1
            self.connected = False
            await asyncio.sleep(_PAUSE_S)

    async def _once(self) -> None:
        ticket = await self._api.post("/v1/live/tickets", {})
        async with connect(self._url, max_queue=None, compression=None, open_timeout=10, proxy=None) as socket:
            cursor = ".".join(str(part) for part in self.last) if self.last else None
            await socket.send(msgspec.json.encode({"ticket": ticket["ticket"], "cursor": cursor}).decode())
            await self._listen(socket)

    async def _listen(self, socket: ClientConnection) -> None:
        async for text in socket:
            message = msgspec.json.decode(text)
            match message["type"]:
                case "hello":
                    self._at(message["cursor"])
                    self.connected = True
                    self._heard(message)  # whatever happened while the line was cut: look again
                case "reset":
                    self.resets += 1
                    self._at(message["cursor"])
                    self._heard(message)
                case "ping":
                    continue
                case _:
                    cursor = self._at(message["cursor"])
                    self.received.append(cursor[1:])
                    self._heard(message)

    def _at(self, cursor: str) -> Cursor:
        epoch, xid, number = (int(part) for part in cursor.split("."))
        place = (epoch, xid, number)
        if self.first is None:
            self.first = place
        self.last = place if self.last is None else max(self.last, place)
        return place


def _well(check: dict[str, Any]) -> dict[str, Any]:
    """An answer in the middle of a check's limits, or the first choice with which the visit may go on."""
    if check["kind"] == "number":
        return {"check": check["code"], "number": round((check["least"] + check["most"]) / 2, 1)}
    return {"check": check["code"], "choice": next(choice["code"] for choice in check["choices"] if choice["fits"])}
