"""Serving an application with uvicorn, the same way for web and gateway."""

import socket
from typing import Any, Final

import uvicorn
from litestar import Litestar

MESSAGE_LIMIT: Final = 64 * 1024
_BACKLOG: Final = 2048
_GRACE_S: Final = 5


async def serve(app: Litestar, host: str, port: int, *, send_buffer: int | None = None) -> None:
    """Serve until the process is told to stop. `send_buffer` bounds what the kernel holds for one slow reader."""
    with listening(host, port, send_buffer) as listener:
        await server(app).serve(sockets=[listener])


def server(app: Litestar) -> uvicorn.Server:
    """The server itself, for callers that bring their own socket and end it with `should_exit`."""
    config = uvicorn.Config(
        app,
        loop="none",  # the caller's loop is running already
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=MESSAGE_LIMIT,
        ws_per_message_deflate=False,  # small messages to many: not worth the memory
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_GRACE_S,
    )
    return uvicorn.Server(config)


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
