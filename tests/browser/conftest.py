"""One Chromium for all tests of a process; what a test opened in it is closed with the test."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, expect

from tests.support import seen

expect.set_options(timeout=20_000)  # four browsers share two cores here: what is slow is not wrong


@pytest.fixture(scope="session")
async def started_chromium() -> AsyncIterator[Browser]:
    async with seen.started() as browser:
        yield browser


@pytest.fixture
async def chromium(started_chromium: Browser) -> AsyncIterator[Browser]:
    """Pages left open would go on asking a city that is gone."""
    yield started_chromium
    for context in started_chromium.contexts:
        await context.unroute_all(behavior="ignoreErrors")
        await context.close()
