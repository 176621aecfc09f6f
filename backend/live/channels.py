"""The hub of one gateway process: from audience keys to sockets, with the latest events kept for those who return."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from backend.events.feed import Cursor, FeedRow
from backend.live.connection import QUEUE_LIMIT, Connection

KEPT: Final = 10_000
_REPLAY_LIMIT: Final = QUEUE_LIMIT // 2
_encode: Final = msgspec.json.Encoder().encode
_SHOWN_ON_THE_BOARD: Final = ("order.", "assignment.", "route.")


class _Frame:
    """One event on the wire; made once for each different set of keys its readers hold."""

    def __init__(self, row: FeedRow) -> None:
        self._row = row
        self._by_keys: dict[tuple[str, ...], str] = {}

    def text(self, keys: Sequence[str]) -> str:
        """The event with its keys cut down to those the reader holds."""
        made = self._by_keys.get(tuple(keys))
        if made is None:
            row = self._row
            wire = {
                "type": row.type,
                "v": row.v,
                "cursor": str(row.cursor),
                "at": row.at,
                "keys": keys,
                "data": row.data,
            }
            made = self._by_keys[tuple(keys)] = _encode(wire).decode()
        return made


class Hub:
    """Everybody who listens, and how far this process has read the feed."""

    def __init__(self, kept: int = KEPT) -> None:
        self.kept = kept
        self.position = Cursor(0, 0, 0)
        self.connections: set[Connection] = set()
        self._floor = self.position  # everything behind it is remembered
        self._recent: deque[FeedRow] = deque()
        self._channels: dict[str, set[Connection]] = {}
        self._board_is_stale = False

    def start(self, head: Cursor, rows: Sequence[FeedRow]) -> None:
        """Begin at the end of the feed, remembering `rows`, its newest; whoever listens already must refetch."""
        self._recent = deque(rows)
        self.position = rows[-1].cursor if rows else head
        self._floor = rows[0].cursor if len(rows) >= self.kept else Cursor(head.epoch, 0, 0)
        for connection in self.connections:
            connection.after = None
            connection.tell(self._place("reset", self.position))

    def join(self, connection: Connection, keys: frozenset[str], cursor: Cursor | None, head: Cursor) -> None:
        """Let a socket in: greet it, tell it what it missed since `cursor`, and from now on everything new.

        `head` is the end of the feed as the database knows it: another gateway may have read further than this one.
        """
        self.connections.add(connection)
        self.listen(connection, keys)
        missed = self._missed(keys, cursor, head)
        if missed is None:
            connection.tell(self._place("reset", self.position))
            return
        connection.after = cursor
        connection.tell(self._place("hello", cursor or self.position))
        for row in missed:
            connection.tell(_Frame(row).text([key for key in row.keys if key in keys]))

    def _missed(self, keys: frozenset[str], cursor: Cursor | None, head: Cursor) -> list[FeedRow] | None:
        """What a returning reader has not seen; None when we cannot know, or it is more than is worth sending."""
        if cursor is None:
            return []
        if cursor.epoch != self.position.epoch or cursor < self._floor or cursor > max(head, self.position):
            return None
        missed: list[FeedRow] = []
        for row in reversed(self._recent):
            if row.cursor <= cursor:
                break
            if not keys.isdisjoint(row.keys):
                missed.append(row)
                if len(missed) > _REPLAY_LIMIT:
                    return None
        return missed[::-1]

    def leave(self, connection: Connection) -> None:
        """Forget a socket."""
        self.listen(connection, frozenset())
        self.connections.discard(connection)

    def listen(self, connection: Connection, keys: frozenset[str]) -> None:
        """Change what a socket listens to."""
        for key in connection.keys - keys:
            sockets = self._channels[key]
            sockets.discard(connection)
            if not sockets:
                del self._channels[key]
        for key in keys - connection.keys:
            self._channels.setdefault(key, set()).add(connection)
        connection.keys = keys

    def deliver(self, rows: Iterable[FeedRow]) -> None:
        """Tell each event once to everybody who holds one of its keys."""
        for row in rows:
            self._remember(row)
            readers: dict[Connection, list[str]] = {}
            for key in row.keys:
                for connection in self._channels.get(key, ()):
                    readers.setdefault(connection, []).append(key)
            frame = _Frame(row)
            for connection, keys in readers.items():
                if connection.after is None or row.cursor > connection.after:
                    connection.tell(frame.text(keys))

    def _remember(self, row: FeedRow) -> None:
        self.position = row.cursor
        self._recent.append(row)
        if len(self._recent) > self.kept:
            self._floor = self._recent.popleft().cursor
        if row.type.startswith(_SHOWN_ON_THE_BOARD):
            self._board_is_stale = True

    def hint_to_boards(self) -> None:
        """Tell public boards that something changed since the last hint, and nothing about what."""
        if self._board_is_stale:
            self._board_is_stale = False
            for connection in self.connections:
                if connection.holder is None:
                    connection.tell(self._place("board.changed", self.position))

    def _place(self, kind: str, cursor: Cursor) -> str:
        return _encode({"type": kind, "cursor": str(cursor)}).decode()
