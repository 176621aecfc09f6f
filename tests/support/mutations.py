"""Valid requests of every route, and thousands of ways to spoil one: types, bounds, bytes, addresses, headers, encodings."""

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from msgspec import Struct

WITHIN_S: Final = 30
ODD: Final[tuple[Any, ...]] = (
    None, "null", "", " ", "\0", "a\0b", "\x7f", "\ud800", "王" * 3000, "x" * 5000, "NaN", "1e9", "-1", "true", "[]", "{}",
    0, -1, 1, 1.5, -0.0, 2**31, 2**63, -(2**63) - 1, 10**40, 1e308, -1e308, 5e-324, True, False, [], {}, [[[]]], {"": {}},
    [None] * 200, {"a": 1}, "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-23:59",
    "2030-03-12T10:00:00", "2030-06-30T23:59:60Z", "2030-02-30T00:00:00Z", "2030-03-12T25:00:00Z", "-0001-01-01T00:00:00Z",
    "2030-03-12 10:00:00+08:00", "1900000000", 1_900_000_000, "2030-03-12", "0001-01-01", "9999-12-31",
    "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "not-a-uuid", "'; DROP TABLE orders; --",
    "../../etc/passwd", "{{7*7}}", "<script>", "％００", "+8613800138000", "13800138000" * 10, "١٢٣",
)  # fmt: skip
RAW: Final = (
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e999",
    b"00",
    b"0x10",
    b"'x'",
    b"\xff\xfe",
    b'"\\ud800"',
    b'"\xed\xa0\x80"',
    b"undefined",
)
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "FOO", "get")
PIECES: Final = (
    "%00",
    "%ff",
    "%C0%AF",
    "..",
    ".",
    "%2e%2e%2f",
    "%",
    "%zz",
    "%u0041",
    "a" * 2000,
    "%E7%8E%8B",
    "null",
    "{x}",
    "'",
    "%0d%0aX:1",
    "*",
    "~",
    ";a=b",
    "%5c",
    "\x7f",
)
QUERIES: Final = ("x=1", "limit=0", "limit=1e3", "limit=101", "limit=-1", "cursor=null", "cursor=", "status=x", "status=placed&status=placed",
                  "on=", "on=0001-01-01", "on=9999-12-31", "on=20300312", "on=2030-02-30", "lang=%ff", "=", "&&", "a" * 3000, "zone_id=1", "%00=%00", "limit=%31", "on=2030-03-12%00", ";", "on[]=1")  # fmt: skip
HEADERS: Final = (
    ("Content-Type", "text/plain"), ("Content-Type", "application/x-www-form-urlencoded"), ("Content-Type", "multipart/form-data; boundary=x"),
    ("Content-Type", "application/json; charset=utf-16"), ("Content-Type", ""), ("Content-Type", ";;;"), ("Content-Type", "application/x-msgpack"),
    ("Idempotency-Key", ""), ("Idempotency-Key", "x" * 300), ("Idempotency-Key", "é" * 10), ("Authorization", "Bearer"),
    ("Authorization", "Bearer \xff"), ("Authorization", "Basic Og=="), ("Cookie", "yinling_session=x; =; ;;"), ("Cookie", "a" * 3000),
    ("Origin", "http://["), ("Origin", "null"), ("Host", "["), ("Host", "a b"), ("Host", ""), ("X-Forwarded-For", "1.1.1.1, \xff"),
    ("X-Forwarded-For", "unknown"), ("Forwarded", 'for="_x"'), ("Accept", "text/xml"), ("Accept", ";q=x"), ("Accept-Encoding", "br;q=2"),
    ("Accept-Language", "*" * 500), ("If-Match", "*"), ("If-None-Match", "*"), ("If-Modified-Since", "never"), ("Range", "bytes=-1-"),
    ("Content-Encoding", "gzip"), ("Expect", "200-ok"), ("Connection", "Upgrade"), ("TE", "x"), ("X-HTTP-Method-Override", "DELETE"),
)  # fmt: skip


class Wanted(Struct):
    """A request as it will be written."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    query: str = ""
    chunked: str = ""
    http: bool = True  # whether it is still HTTP: what is not, the server may refuse without a problem, or hang up on

    def copy(self) -> "Wanted":
        return Wanted(self.method, self.path, list(self.headers), self.body, self.query, self.chunked, self.http)

    def written(self) -> bytes:
        target = self.path + (f"?{self.query}" if self.query else "")
        lines = [f"{self.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers)]
        lines.append("Connection: close")
        if self.chunked:
            lines.append(f"Transfer-Encoding: {self.chunked}")
            body = f"{len(self.body):x}\r\n".encode() + self.body + b"\r\n0\r\n\r\n" if self.body else b"0\r\n\r\n"
        else:
            lines.append(f"Content-Length: {len(self.body)}")
            body = self.body
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


class Answered(Struct, frozen=True):
    """What came back; status 0: the line was closed without an answer."""

    status: int
    headers: dict[str, str]
    body: bytes


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at] if at else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += _places(inner, (*at, key))
    return found


def _json(request: Wanted, change: Callable[[Any, Any], None], rng: random.Random) -> None:
    """Change one place of the body, where it still is JSON with anything in it."""
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return
    places = _places(body)
    if not places:
        return
    *way, last = rng.choice(places)
    holder = body
    for key in way:
        holder = holder[key]
    change(holder, last)
    request.body = json.dumps(body).encode()


def _value(request: Wanted, rng: random.Random) -> None:
    _json(request, lambda holder, key: holder.__setitem__(key, rng.choice(ODD)), rng)


def _missing(request: Wanted, rng: random.Random) -> None:
    _json(request, lambda holder, key: holder.__delitem__(key), rng)


def _unknown(request: Wanted, rng: random.Random) -> None:
    def add(holder: Any, _: Any) -> None:
        if isinstance(holder, dict):
            holder[rng.choice(("more", "", "__class__", "id", "x" * 500))] = rng.choice(ODD)
        else:
            holder.append(rng.choice(ODD))

    _json(request, add, rng)


def _duplicate(request: Wanted, rng: random.Random) -> None:
    text = request.body
    if text.startswith(b"{") and len(text) > 2:
        first = text[1:].partition(b",")[0].rstrip(b"}")
        request.body = b"{" + first + b"," + text[1:]


def _bytes(request: Wanted, rng: random.Random) -> None:
    body = bytearray(request.body or b"{}")
    match rng.randrange(6):
        case 0:
            body[rng.randrange(len(body))] = rng.randrange(256)
        case 1:
            del body[rng.randrange(len(body)) :]
        case 2:
            at = rng.randrange(len(body))
            body[at:at] = rng.choice(RAW)
        case 3:
            body = bytearray(b"\xef\xbb\xbf") + body
        case 4:
            depth = rng.choice((50, 5000, 30000))
            body = bytearray(rng.choice((b"[", b'{"a":'))[:5] * depth)[:60_000]
        case _:
            body = bytearray(rng.choice((b"", b"null", b"[]", b'"x"', b"0", b" " * 1000, b"x" * 70_000)))
    request.body = bytes(body)


def _path(request: Wanted, rng: random.Random) -> None:
    parts = request.path.split("/")
    at = rng.randrange(1, len(parts)) if len(parts) > 1 else 0
    match rng.randrange(6):
        case 0:
            parts[at] = rng.choice(PIECES)
        case 1:
            parts.insert(at, rng.choice(PIECES))
        case 2:
            parts[at] = "".join(f"%{byte:02x}" for byte in parts[at].encode())
        case 3:
            parts[at] = parts[at].upper()
        case 4:
            del parts[at]
        case _:
            parts.append("")
    request.path = "/".join(parts) or "/"
    request.http = request.http and request.path.startswith("/") and request.path.isprintable()


def _query(request: Wanted, rng: random.Random) -> None:
    request.query = "&".join(filter(None, (request.query, rng.choice(QUERIES))))


def _method(request: Wanted, rng: random.Random) -> None:
    request.method = rng.choice(METHODS)
    request.http = request.http and request.method not in {"FOO", "get"}


def _header(request: Wanted, rng: random.Random) -> None:
    name, value = rng.choice(HEADERS)
    request.http = request.http and name not in {"Host", "Connection", "Expect"} and value.isascii()
    if rng.random() < 0.7:
        request.headers = [header for header in request.headers if header[0].lower() != name.lower()]
    request.headers.append((name, value))


def _header_gone(request: Wanted, rng: random.Random) -> None:
    if len(request.headers) > 1:
        del request.headers[rng.randrange(1, len(request.headers))]


def _encoding(request: Wanted, rng: random.Random) -> None:
    request.chunked = rng.choice(
        ("chunked", "chunked", "chunked", "gzip, chunked", "identity", "chunked, chunked", "x")
    )
    request.http = request.http and request.chunked == "chunked"


SPOIL: Final = (
    _value,
    _value,
    _value,
    _missing,
    _unknown,
    _duplicate,
    _bytes,
    _path,
    _path,
    _query,
    _method,
    _header,
    _header,
    _header_gone,
    _encoding,
)


def mutated(request: Wanted, ids: list[str], rng: random.Random) -> Wanted:
    """The request spoilt in one to three ways; now and then it names somebody else's things, or is left as it is."""
    spoilt = request.copy()
    if rng.random() < 0.15:
        parts = spoilt.path.split("/")
        for at, part in enumerate(parts):
            if _is_id(part):
                parts[at] = rng.choice([*ids, str(UUID(int=rng.getrandbits(128)))])
        spoilt.path = "/".join(parts)
    for _ in range(rng.choice((0, 1, 1, 1, 1, 2, 2, 3))):
        rng.choice(SPOIL)(spoilt, rng)
    return spoilt


def _is_id(part: str) -> bool:
    try:
        return str(UUID(part)) == part
    except ValueError:
        return False


async def ask(address: tuple[str, int], request: Wanted) -> Answered:
    """Write the bytes as they are and read what comes; a line closed early is an answer too."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(request.written())
        async with asyncio.timeout(WITHIN_S):
            raw = await reader.read()
    except ConnectionError:
        return Answered(0, {}, b"")
    finally:
        writer.close()
    head, _, body = raw.partition(b"\r\n\r\n")
    if not head:
        return Answered(0, {}, b"")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answered(int(first.split(" ")[1]), headers, body)


def address_of(template: str, ids: dict[str, str]) -> str:
    """A path of the interface with these ids in it."""
    for name, value in ids.items():
        template = template.replace("{" + name + "}", quote(value))
    return template
