"""uvicorn's protocols, with what a city needs of a connection."""

import random
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

_RESTART: Final = 1012
_SPREAD_S: Final = 1.5  # sockets are closed over this long when the process is told to stop
_LONGEST_PAUSE_MS: Final = 10_000


class SocketProtocol(WebSocketsSansIOProtocol):
    """A websocket that says when to come back: a thousand clients must not return as one."""

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
