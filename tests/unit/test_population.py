"""The demo's people meet a platform that refuses, is slow or breaks: they say so in a line and go on."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest

from backend.simulation.clients import Api, RefusedError, Traffic
from backend.simulation.demo.city import Desk
from backend.simulation.demo.population import Pace, Population
from backend.simulation.demo.queries import MealPoint, Person

_SECRET = "JBSWY3DPEHPK3PXP" * 2
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\n{}"
_ANSWERS = {
    "refused": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}",
    "busy": _BUSY,
    "broken": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<html>oh!",
    "of another shape": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
    "cut": b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{",
    "silent": None,
}


@asynccontextmanager
async def _platform(answer: bytes | None) -> AsyncIterator[tuple[str, list[float]]]:
    """A server that gives one answer to everything, and when it was asked; None: it never answers."""
    asked: list[float] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            await reader.readuntil(b"\r\n\r\n")
            asked.append(asyncio.get_running_loop().time())
            if answer is not None:
                writer.write(answer)
                await writer.drain()
                writer.close()
        except (OSError, asyncio.IncompleteReadError):
            return

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()
        for writer in writers:
            writer.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(_ANSWERS))
async def test_people_survive_an_answer_that_is(kind: str):
    """`make demo` ended in a traceback when the first answers took longer than the people had patience."""
    lines: list[str] = []
    zone_id = uuid4()
    person = Person(phone="+8613900000000", id=uuid4(), zone_id=zone_id)
    desks = [Desk(role, role, "password", _SECRET) for role in ("operator", "provider")]
    pace = Pace(datetime(2030, 3, 12, 8, tzinfo=UTC), 20.0, ZoneInfo("Asia/Shanghai"))
    async with _platform(_ANSWERS[kind]) as (url, asked):
        people = Population(url, pace, random.Random(1), told=lines.append, patience_s=0.0, rest_s=0.05, answer_s=0.2)
        points = [MealPoint(id=uuid4(), zone_id=zone_id)]
        living = asyncio.create_task(people.live([person], [person], points, desks, 0.05))
        async with asyncio.timeout(30):
            while len({line.partition(":")[0] for line in lines}) < 3 or len(asked) < 9:
                assert not living.done(), living.exception()
                await asyncio.sleep(0.02)
        assert not living.done()
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)
    assert kind in {"broken", "of another shape"} or not any("nobody understands" in line for line in lines)
    assert all("\n" not in line and "+86" not in line for line in lines)


async def test_a_client_waits_as_long_as_it_is_asked_to_and_then_gives_up_with_a_reason():
    """A crowd that asks ten times a second keeps a starting platform from starting."""
    paused: list[float] = []

    async def pause(seconds: float) -> None:
        paused.append(seconds)

    async with _platform(_BUSY) as (url, asked), httpx.AsyncClient(base_url=url, trust_env=False) as http:
        api = Api(http, Traffic(), patience_s=1.5, clock=lambda: sum(paused), pause=pause)
        with pytest.raises(RefusedError) as refused:
            await api.get("/v1/orders")
    assert refused.value.failed
    assert paused == [1.0, 1.0], "as long as the platform asked to, as often as there is patience for"
    assert len(asked) == 3


async def test_a_client_nobody_answers_is_refused_and_not_broken():
    """Callers know one way in which asking fails."""
    async with _platform(None) as (url, _):
        people = Population(
            url, Pace(datetime(2030, 3, 12, 8, tzinfo=UTC), 1.0, ZoneInfo("UTC")), random.Random(1), answer_s=0.1
        )
        with pytest.raises(RefusedError, match="no_answer"):
            await Api(people._http, Traffic(), patience_s=0.0).get("/v1/orders")
        await people._http.aclose()
