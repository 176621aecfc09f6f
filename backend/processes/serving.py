"""Serving an application with uvicorn, the same way for web and gateway."""

import asyncio
import contextlib
import logging
import resource
import socket
from collections.abc import Generator, Sequence
from typing import Any, Final

import uvicorn
from litestar import Litestar

from backend.config import Settings
from backend.core.addresses import Network
from backend.processes.connections import Connections, Limits
from backend.processes.protocols import HttpProtocol, SocketProtocol, State, hang_up
from backend.processes.turns import Pace, Turns

MESSAGE_LIMIT: Final = 64 * 1024
_BACKLOG: Final = 2048
_TICKS_A_LOOK: Final = 10  # uvicorn's tick is a tenth of a second
_KEEP_ALIVE_S: Final = 5  # between two requests
_PING_S, _PONG_S = 20.0, 20.0  # a socket whose other end is gone is noticed within 40 s
_FILES: Final = 65_536
_OTHER_FILES: Final = 128  # what a process has open besides its connections
_GRACE_S: Final = 2  # for requests in hand, once we are told to stop


class Server(uvicorn.Server):
    """The server with bounds on its connections, and without its own signal handlers: all our processes stop in one way."""

    def __init__(self, config: uvicorn.Config, limits: Limits, proxies: Sequence[Network]) -> None:
        super().__init__(config)
        self.open_connections = Connections(limits, proxies)
        self.server_state = State(self.open_connections)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals alone."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Once a second, close whoever has kept us waiting for too long."""
        if counter % _TICKS_A_LOOK == 0:
            for connection in self.open_connections.overdue(asyncio.get_running_loop().time()):
                hang_up(connection.transport)
        return await super().on_tick(counter)


async def serve(
    app: Litestar, settings: Settings, port: int, stop: asyncio.Event, *, send_buffer: int | None = None
) -> None:
    """Serve until told to stop. `send_buffer` bounds what the kernel holds for one slow reader."""
    limits = Limits(
        connections=min(settings.connections, _open_files() - _OTHER_FILES),
        per_address=settings.connections_per_address,
    )
    pace = Pace(per_s=settings.requests_per_address_s, burst=round(3 * settings.requests_per_address_s))
    running = server(app, limits, pace, settings.proxies)
    host = settings.host
    with listening(host, port, send_buffer) as listener:
        serving = asyncio.create_task(running.serve(sockets=[listener]))
        telling = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, telling}, return_when=asyncio.FIRST_COMPLETED)
        telling.cancel()
        running.should_exit = True
        await serving


def _open_files() -> int:
    """How many files the system lets this process open, raised as far as it may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(soft, wanted)


def server(
    app: Litestar, limits: Limits | None = None, pace: Pace | None = None, proxies: Sequence[Network] = ()
) -> Server:
    """The server itself, for callers that bring their own socket and end it with `should_exit`."""
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # what strangers send must not fill the log
    config = uvicorn.Config(
        Turns(app, pace or Pace(), proxies),
        loop="none",  # the caller's loop is running already
        http=HttpProtocol,
        ws=SocketProtocol,
        ws_max_size=MESSAGE_LIMIT,
        ws_ping_interval=_PING_S,
        ws_ping_timeout=_PONG_S,
        ws_per_message_deflate=False,  # small messages to many: not worth the memory
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )
    return Server(config, limits or Limits(), proxies)


def listening(host: str, port: int, send_buffer: int | None) -> socket.socket:
    """A socket that accepts connections; port 0 takes a free one."""
    family: Any = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small packets at once (TCP_NODELAY) only on sockets that say they are TCP; else the body of each answer
    # waits up to 40 ms behind its headers, until the client's delayed acknowledgement comes
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if send_buffer is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)  # accepted sockets inherit it
    listener.bind((host, port))
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener
