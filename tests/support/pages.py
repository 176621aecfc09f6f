"""Pages as a browser without script uses them: its cookies are kept, and forms are sent as they stand on the page."""

from contextlib import AsyncExitStack
from html.parser import HTMLParser
from typing import Self
from uuid import UUID

import httpx

from backend.accounts import proofs
from tests.support.city import City
from tests.support.people import client_of


class Forms(HTMLParser):
    """The fields of every form of a page, by the form's address; buttons by name; and all that the page says."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str]] = {}
        self.buttons: list[tuple[str, str, str]] = []
        self.links: list[str] = []
        self.said = ""
        self._action = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        of = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._action = of["action"]
            self.found.setdefault(self._action, {})
        elif tag == "input":
            self.found[self._action][of["name"]] = of.get("value", "")
        elif tag == "button" and "name" in of:
            self.buttons.append((self._action, of["name"], of.get("value", "")))
        elif tag == "a":
            self.links.append(of.get("href", ""))

    def handle_data(self, data):
        self.said += data


async def send(client: httpx.AsyncClient, answer: httpx.Response, action: str, **typed: str) -> httpx.Response:
    """Send one form of a page that was answered, with what is typed into it or the button that is pressed."""
    return await client.post(action, data={**Forms(answer.text).found[action], **typed})


class Browsers:
    """Browsers of several people, closed together."""

    def __init__(self, city: City) -> None:
        self._city = city
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def of(self, account_id: UUID) -> httpx.AsyncClient:
        """A browser in which somebody has signed in."""
        token = proofs.new_token()
        await self._city.sql(
            "INSERT INTO sessions (token_hash, account_id, expires_at) VALUES ($1, $2, now() + interval '1 hour')",
            proofs.token_hash(token), account_id,
        )  # fmt: skip
        browser = await self.stranger()
        browser.cookies.set("yinling_session", token, domain=self._city.http.base_url.host)
        return browser

    async def stranger(self) -> httpx.AsyncClient:
        """A browser of nobody: it says where its forms come from."""
        address = self._city.http.base_url
        browser = await self._open.enter_async_context(client_of(address, timeout=20, follow_redirects=True))
        browser.headers.update({"Origin": str(address).rstrip("/"), "Accept": "text/html"})
        return browser
