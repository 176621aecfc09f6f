"""Headers every answer carries, refusals included."""

from typing import Final
from urllib.parse import urlsplit

from litestar.types import Message, Scope

from backend.config import Settings

_FIXED: Final = (
    (b"x-content-type-options", b"nosniff"),
    # under `no-referrer` a browser says of our own forms that they come from nowhere
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), payment=()"),
)
_NOT_KEPT: Final = (b"cache-control", b"no-store")  # care data stays out of every cache
_HSTS: Final = (b"strict-transport-security", b"max-age=31536000")


def headers_for(settings: Settings) -> list[tuple[bytes, bytes]]:
    """What every answer carries: the page policy names the gateway, and TLS is demanded outside the demo."""
    gateway = urlsplit(settings.gateway_url)
    policy = (
        f"default-src 'self'; connect-src 'self' {gateway.scheme}://{gateway.netloc}; img-src 'self' data:; style-src-attr 'unsafe-inline'; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    fixed = [*_FIXED, (b"content-security-policy", policy.encode())]
    if not settings.demo:
        fixed.append(_HSTS)
    return fixed


async def add_headers(message: Message, scope: Scope) -> None:
    """Add them to an answer that is about to be sent."""
    if message["type"] == "http.response.start":
        headers = [*message.get("headers", ()), *scope["litestar_app"].state.headers]
        if scope["path"].startswith("/v1/") and not any(name == _NOT_KEPT[0] for name, _ in headers):
            headers.append(_NOT_KEPT)
        message["headers"] = headers
