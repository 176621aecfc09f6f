"""The listening socket of web, gateway, relay and jobs."""

import asyncio
import socket

import pytest

from backend.processes.serving import listening


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_small_answers_are_sent_at_once(host: str):
    """A body that is held back until the headers before it are acknowledged comes forty milliseconds late, each time."""
    at_once: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def met(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        at_once.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    try:
        listener = listening(host, 0, None)
    except OSError:
        assert host == "::1", "a machine without IPv6"
        return
    async with await asyncio.start_server(met, sock=listener):
        _, writer = await asyncio.open_connection(host, listener.getsockname()[1])
        assert await at_once
        writer.close()
