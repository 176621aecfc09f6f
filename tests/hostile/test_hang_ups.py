"""Clients that hang up in the middle of anything: a train enters a tunnel, a browser is closed. None of it is our error."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from backend.processes.embedded import Embedded
from tests.support.effort import effort
from tests.support.hostile import HELLO, raw
from tests.support.processes import started
from tests.support.scratch import GUARDED

_JSON = b"Host: a\r\nContent-Type: application/json\r\n"
_BODY = json.dumps({"phone": "13912345678"}).encode()
_SOCKET = (
    b"GET /v1/live HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
_TICKET = b'{"ticket": "nobody has it"}'
_OPENING = b"\x81" + bytes([0x80 | len(_TICKET)]) + b"\0\0\0\0" + _TICKET  # one masked text frame

HANG_UPS = {
    "in a head": b"POST /v1/sign-in/codes HTTP/1.1\r\nHost: a\r\nContent-Ty",
    "before a body": b"POST /v1/sign-in/codes HTTP/1.1\r\n" + _JSON + b"Content-Length: 500\r\n\r\n",
    "in a body": b"POST /v1/sign-in/codes HTTP/1.1\r\n" + _JSON + b"Content-Length: 500\r\n\r\n" + _BODY,
    "in a chunk": b"POST /v1/sign-in/codes HTTP/1.1\r\n" + _JSON + b"Transfer-Encoding: chunked\r\n\r\n40\r\n" + _BODY,
    "in a body nobody reads": b"POST /v1/quotes HTTP/1.1\r\n" + _JSON + b"Content-Length: 500\r\n\r\n" + _BODY,
    "before an answer": b"POST /v1/sign-in/codes HTTP/1.1\r\n"
    + _JSON
    + b"Content-Length: %d\r\n\r\n" % len(_BODY)
    + _BODY,
    "before a long answer": b"GET /v1/openapi.json HTTP/1.1\r\nHost: a\r\n\r\n",
    "before many answers": HELLO * 20,
    "before a handshake": _SOCKET,
    "before a first message": _SOCKET + _OPENING[:9],
    "after a first message": _SOCKET + _OPENING,
    "with a frame nobody can read": _SOCKET + b"\xff\xff\xff\xff",
    "in a handshake": _SOCKET[:-30],
}


@pytest.fixture(scope="module")
async def url(server: Embedded) -> AsyncIterator[str]:
    name = f"hang_ups_{uuid4().hex}"
    yield (await server.copy_database(GUARDED, name)).app
    await server.drop_database(name)


async def _hangs_up(address: str, said: bytes, pause_s: float, *, politely: bool) -> None:
    """Say so much, wait, and be gone: with a goodbye of the line, or cut."""
    async with raw(address) as line:
        await line.say(said)
        await asyncio.sleep(pause_s)
        if politely:
            line.writer.write_eof()
            await line.everything(within=1)


@pytest.mark.parametrize("which", ["web", "gateway"])
async def test_who_hangs_up_in_the_middle_leaves_no_error_in_the_log(which: str, url: str, tmp_path: Path):
    """An operator who is woken by errors must be able to believe them."""
    log = tmp_path / "log"
    with log.open("wb") as written:
        async with started(which, url, log=written, log_level="info") as one:
            await one.answers("/health/live")
            for said in HANG_UPS.values():
                for pause_s in (0.0, 0.02, 0.2)[: effort(2, 3)]:
                    times = effort(3, 30)
                    await asyncio.gather(
                        *(_hangs_up(one.address, said, pause_s, politely=n % 3 == 0) for n in range(times))
                    )
            await one.answers("/health/live")
            code, _ = await one.told_to_stop()
    assert code == 0
    lines = log.read_text().splitlines()
    assert [line for line in lines if not line.startswith("{")] == [], "no traceback"
    told = [json.loads(line) for line in lines]
    assert [line for line in told if line["level"] not in {"info", "debug"}] == []
    if which == "web":
        left = [line for line in told if line["event"] == "web.left"]
        assert left
        assert all(line["route"] == "/v1/sign-in/codes" and "trace" not in line for line in left)
