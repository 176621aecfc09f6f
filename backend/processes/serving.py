"""Serving an application with uvicorn, the same way for web and gateway."""

import asyncio
import contextlib
import socket
from typing import Any, Final

import uvicorn
from litestar import Litestar

from backend.processes.protocols import SocketProtocol

MESSAGE_LIMIT: Final = 64 * 1024
_BACKLOG: Final = 2048
_GRACE_S: Final = 2  # for requests in hand, once we are told to stop


class Server(uvicorn.Server):
    """The server, without its own signal handlers: how a process is stopped is the same for all of ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        """Leave signals alone."""
        yield


async def serve(app: Litestar, host: str, port: int, stop: asyncio.Event, *, send_buffer: int | None = None) -> None:
    """Serve until told to stop. `send_buffer` bounds what the kernel holds for one slow reader."""
    running = server(app)
    with listening(host, port, send_buffer) as listener:
        serving = asyncio.create_task(running.serve(sockets=[listener]))
        telling = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, telling}, return_when=asyncio.FIRST_COMPLETED)
        telling.cancel()
        running.should_exit = True
        await serving


def server(app: Litestar) -> Server:
    """The server itself, for callers that bring their own socket and end it with `should_exit`."""
    config = uvicorn.Config(
        app,
        loop="none",  # the caller's loop is running already
        http="httptools",
        ws=SocketProtocol,
        ws_max_size=MESSAGE_LIMIT,
        ws_per_message_deflate=False,  # small messages to many: not worth the memory
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_GRACE_S,
    )
    return Server(config)


def listening(host: str, port: int, send_buffer: int | None) -> socket.socket:
    """A socket that accepts connections; port 0 takes a free one."""
    family: Any = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if send_buffer is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)  # accepted sockets inherit it
    listener.bind((host, port))
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener
