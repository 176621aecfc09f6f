"""uvicorn's protocols with bounds: on the size of a request's head, on the time a request may take to arrive, on what waits.

httptools has no limit of its own: one endless header freezes the process, each chunk being put behind all before it.
"""

import random
from asyncio import BaseTransport, Transport
from http import HTTPStatus
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from backend.processes.connections import Connection, Connections, Limits
from backend.processes.turns import LEFT

_RESTART: Final = 1012
_SPREAD_S: Final = 1.5  # sockets are closed over this long when the process is told to stop
_LONGEST_PAUSE_MS: Final = 10_000


class State(ServerState):
    """What the protocols of one server share."""

    def __init__(self, open_connections: Connections) -> None:
        super().__init__()
        self.open_connections = open_connections


def hang_up(transport: Transport) -> None:
    """End a connection that has kept us waiting for too long: a request is told so, a socket is simply cut."""
    protocol = transport.get_protocol()
    if isinstance(protocol, HttpProtocol):
        protocol.refuse(HTTPStatus.REQUEST_TIMEOUT)
    else:
        transport.abort()


class _TooMuchError(Exception):
    """A request asks for more than any of ours does; httptools turns it into a refusal of the request."""


class _Answering:
    """What one answer needs of its connection: to be written while somebody is there, and to be read before the end."""

    def __init__(self, protocol: "HttpProtocol") -> None:
        self._protocol = protocol

    def write(self, data: bytes) -> None:
        """Send, unless they have hung up or all was said: uvicorn notices that for the latest of several requests only."""
        if self._protocol.is_open:
            self._protocol.transport.write(data)

    def is_closing(self) -> bool:
        """Whether nothing can be sent any more."""
        return not self._protocol.is_open

    def close(self) -> None:
        """All was said."""
        self._protocol.say_goodbye()


class HttpProtocol(HttpToolsProtocol):
    """One HTTP connection."""

    def __init__(self, config: Any, server_state: State, app_state: dict[str, Any], _loop: Any = None) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._open: Connections = server_state.open_connections
        self._limits: Limits = self._open.limits
        self._connection: Connection | None = None
        self._in_head = True
        self._head_bytes = 0  # of the request that has begun to come
        self._unread_bytes = 0
        self._upgraded = False
        self._leaving = False  # all is said, and the rest of the request is thrown away

    def connection_made(self, transport: BaseTransport) -> None:
        """Come in, or be cut off where there is no room."""
        super().connection_made(cast(Transport, transport))
        peer = self.client[0] if self.client else None
        self._connection = self._open.admit(self.transport, peer, self.loop.time())
        if self._connection is None:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Be forgotten."""
        self._open.leave(self.transport)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Hand on what came, of a head never more than its limit."""
        if self._leaving:
            self._throw_away(data)
            return
        if self._in_head and self._head_bytes == 0:
            self._begins()
        while data and self.is_open and not self._upgraded:
            room = self._limits.head_bytes - self._head_bytes if self._in_head else len(data)
            piece, data = data[:room], data[room:]
            self._head_bytes += len(piece) if self._in_head else 0
            super().data_received(piece)
            if self._in_head and self._head_bytes >= self._limits.head_bytes:
                self.refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    @property
    def _cycle(self) -> RequestResponseCycle | None:
        """The latest request, as uvicorn does not say in its types: none before the first."""
        return cast(RequestResponseCycle | None, self.cycle)

    def _is_idle(self) -> bool:
        """Whether nothing is being answered."""
        return self._cycle is None or self._cycle.response_complete

    def _begins(self) -> None:
        if self._connection is not None and self._is_idle():
            self._connection.wait(self.loop.time(), self._limits.head_s)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, of which nobody needs a hundred."""
        if len(self.headers) >= self._limits.headers:
            raise _TooMuchError
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer; the body may take longer than the head."""
        if len(self.pipeline) >= self._limits.pipelined:
            raise _TooMuchError
        self._in_head, self._head_bytes = False, 0
        if self._connection is not None and self._connection.waits_since is not None:
            self._connection.wait(self._connection.waits_since, self._limits.request_s)
        super().on_headers_complete()
        cycle = self._cycle
        if cycle is not None:
            cycle.transport = cast(Any, _Answering(self))
            cast(Any, self.scope)["extensions"] = {LEFT: lambda: cycle.disconnected}

    def on_body(self, body: bytes) -> None:
        """Take a part of the body; nobody reads it any more when the request was answered before."""
        super().on_body(body)
        if self._is_idle():
            self._throw_away(body)

    def _throw_away(self, data: bytes) -> None:
        """Count what came after the answer, and hang up on too much of it."""
        self._unread_bytes += len(data)
        if self._unread_bytes > self._limits.unread_bytes:
            self.transport.close()

    def on_message_complete(self) -> None:
        """The whole request is here: it is our turn."""
        super().on_message_complete()
        self._in_head, self._head_bytes = True, 0
        if self._connection is not None:
            self._connection.rest()
            if self._is_idle():
                self._connection.wait(self.loop.time(), self._limits.head_s)

    def on_response_complete(self) -> None:
        """It is the other side's turn again."""
        if self._leaving:
            self.server_state.total_requests += 1
            return
        super().on_response_complete()
        if self._in_head and not self.pipeline and self._connection is not None:
            self._connection.wait(self.loop.time(), self._limits.head_s)

    def handle_websocket_upgrade(self) -> None:
        """From here on it is a websocket."""
        self._upgraded = True
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read."""
        del msg
        self.refuse(HTTPStatus.BAD_REQUEST)

    def refuse(self, status: HTTPStatus) -> None:
        """Say why, unless another answer is on its way, and hang up."""
        if self.transport.is_closing():
            return
        if self._leaving:
            self.transport.close()
            return
        cycle = self._cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            self.transport.write(head.encode())
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        self.say_goodbye()

    @property
    def is_open(self) -> bool:
        """Whether an answer can still be sent."""
        return not (self._leaving or self.transport.is_closing())

    def say_goodbye(self) -> None:
        """Close, after a moment where the request has not come to its end.

        A connection closed on bytes nobody has read takes back the answer that was sent before (RFC 9112, 9.6).
        """
        if self._in_head and self._head_bytes == 0:
            self.transport.close()
        elif self.is_open:
            self._leaving = True
            self.transport.write_eof()
            if self._connection is not None:
                self._connection.wait(self.loop.time(), self._limits.goodbye_s)


class SocketProtocol(WebSocketsSansIOProtocol):
    """One websocket. When the process stops it says when to come back: a thousand clients must not return as one."""

    def __init__(self, config: Any, server_state: State, app_state: dict[str, Any], _loop: Any = None) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._open: Connections = server_state.open_connections
        self._limits: Limits = self._open.limits
        self._connection: Connection | None = None
        self._heard_bytes = 0.0
        self._heard_at = self.loop.time()

    def connection_made(self, transport: BaseTransport) -> None:
        """Take the connection over; it keeps us waiting until it says something."""
        super().connection_made(transport)
        self._connection = self._open.of(self.transport)
        self._wait()

    def _wait(self) -> None:
        if self._connection is not None:
            self._connection.wait(self.loop.time(), self._limits.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Be forgotten."""
        self._open.leave(self.transport)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Hear what a socket says, unless it talks all the time or never reads what it is answered."""
        now = self.loop.time()
        rate = self._limits.heard_bytes_s
        self._heard_bytes = max(0.0, self._heard_bytes - (now - self._heard_at) * rate) + len(data)
        self._heard_at = now
        talks = self._heard_bytes > 2 * self.config.ws_max_size + 10 * rate
        if talks or self.transport.get_write_buffer_size() > self._limits.stuck_bytes:
            self.transport.abort()
            return
        if self.handshake_complete and not self.close_sent and self._connection is not None:
            self._connection.rest()
        super().data_received(data)

    async def send(self, message: Any) -> None:
        """Send; once it is closed the other side has a moment to say goodbye."""
        await super().send(message)
        if message["type"] == "websocket.close":
            self._wait()

    def shutdown(self) -> None:
        """Close as in a restart, somewhere within the next moments; clients come back after the pause they are told."""
        if self.close_sent or not self.handshake_complete:
            super().shutdown()
        else:
            self.loop.call_later(random.uniform(0, _SPREAD_S), self._restart)

    def _restart(self) -> None:
        if self.close_sent or self.transport.is_closing():
            return
        reason = f"retry after {random.randrange(_LONGEST_PAUSE_MS)} ms"
        left: Any = {"type": "websocket.disconnect", "code": _RESTART, "reason": reason}
        self.queue.put_nowait(left)
        self.conn.send_close(_RESTART, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.close()
