"""Settings, read once from the environment (`YINLING_*`, or `YINLING_*_FILE` for secrets)."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from backend.core.addresses import Network, networks

_SECRET_LENGTH = 32


class SettingsError(ValueError):
    """A setting is missing, malformed or unsafe; the message names the variable."""


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a process may be told from outside."""

    database_url: str
    owner_database_url: str | None = None
    database_connections: int | None = None  # at most so many for this process; empty: as many as it was made for
    redis_url: str | None = None
    host: str = "127.0.0.1"
    web_port: int = 8000
    gateway_port: int = 8001
    relay_port: int = 8002  # of this and the next only what watches over them asks: /health/ready and /metrics
    jobs_port: int = 8003
    gateway_url: str = "ws://127.0.0.1:8001/v1/live"
    allowed_origins: str = "http://127.0.0.1:8000,http://localhost:8000"
    city: str = "银龄市"
    hotline: Annotated[str, Meta(pattern="^[0-9+ -]{3,20}$")] = "12349"  # what every page tells people to ring
    time_zone: str = "Asia/Shanghai"
    area_code: Annotated[str, Meta(pattern="^(0[0-9]{2,3})?$")] = ""  # what a landline without one belongs to: 0512
    secret_key: str = ""
    sender_url: Annotated[str, Meta(pattern="^(https?://[^/]+.*)?$")] = ""  # who turns sign-in codes into messages
    sender_key: str = ""  # signs what is sent there
    demo: bool = False
    board_public: bool = False
    trusted_proxies: str = ""  # networks whose X-Forwarded-For or Forwarded is believed, such as 10.0.0.0/8,::1
    session_days: Annotated[float, Meta(gt=0, le=3650)] = 90.0  # of residents and families, from their last use
    session_days_workers: Annotated[float, Meta(gt=0, le=3650)] = 30.0  # the same of care workers
    session_hours_staff: Annotated[float, Meta(gt=0, le=168)] = 12.0  # of all desks, from signing in
    codes_an_hour: Annotated[int, Meta(ge=1, le=10**9)] = 3000  # sign-in codes to new places: each costs a message
    connections: int = 4000  # of one process; fewer where it may open fewer files
    connections_per_address: int = 400  # an office may share one address; at the bound whoever waits longest is closed
    requests_per_address_s: float = 50.0  # answered at this pace after a burst; more wait and are not refused
    policy: str = "best"
    dispatcher_improve_seconds: float = 2.0
    log_level: str = "info"

    @property
    def origins(self) -> frozenset[str]:
        """The origins a browser's websocket may come from."""
        return frozenset(origin.strip() for origin in self.allowed_origins.split(",") if origin.strip())

    @property
    def proxies(self) -> tuple[Network, ...]:
        """The networks our own proxies stand in."""
        return networks(self.trusted_proxies)


def _inside(name: str, path: str) -> str:
    """Read what a file holds, without the byte order mark some editors write before it."""
    try:
        return Path(path).read_text(encoding="utf-8-sig").strip()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise SettingsError(f"{name} names a file that cannot be read: {why}") from error


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings. Raises SettingsError with one plain line naming the variable."""
    source = os.environ if environment is None else environment
    found: dict[str, str] = {}
    for field in Settings.__struct_fields__:
        name = f"YINLING_{field.upper()}"
        if f"{name}_FILE" in source:
            found[field] = _inside(f"{name}_FILE", source[f"{name}_FILE"])
        elif source.get(name, "") != "":
            found[field] = source[name]
    try:
        settings = msgspec.convert(found, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"the YINLING_* settings do not fit: {error}") from error
    try:
        _ = settings.proxies
    except ValueError as error:
        raise SettingsError(f"YINLING_TRUSTED_PROXIES must name networks: {error}") from error
    if not settings.demo and len(settings.secret_key) < _SECRET_LENGTH:
        raise SettingsError(f"YINLING_SECRET_KEY must be at least {_SECRET_LENGTH} characters outside the demo")
    if settings.sender_url and len(settings.sender_key) < _SECRET_LENGTH:
        raise SettingsError(f"YINLING_SENDER_KEY must be at least {_SECRET_LENGTH} characters where a sender is set")
    if settings.demo and settings.host not in {"127.0.0.1", "localhost", "::1"}:
        raise SettingsError("the demo listens on loopback only; unset YINLING_HOST")
    return settings
