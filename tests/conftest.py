"""What tests share: one embedded server, one migrated template, and a fresh copy of it for each test that asks."""

import itertools
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import pytest
import structlog
from hypothesis import Phase, settings

from backend.database.pool import Database
from backend.processes.embedded import Embedded, Urls
from backend.processes.warming import use_kernels
from tests.support.city import City
from tests.support.platform import Running, running
from tests.support.prepared import scratch_server, shared
from tests.support.scratch import EMPTY, GUARDED, scratch_folder

_numbers = itertools.count()
use_kernels()
# what structlog does unless it is told otherwise draws each error in a frame with all its variables: seconds for each
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)

# tests speak to nobody but their own processes: a desktop's proxies and database servers are none of them
for _name in [name for name in os.environ if name.lower().endswith("_proxy") or name.startswith("PG")]:
    del os.environ[_name]

# whoever changes a line gets the days of the last one who did; `make properties` tries new ones, `make mutants` shrinks none
# how long one example takes says something of the machine, and nothing of the code
settings.register_profile("same", derandomize=True, database=None, deadline=None)
settings.register_profile("new", derandomize=False, deadline=None)
settings.register_profile("any", settings.get_profile("same"), phases=[Phase.explicit, Phase.generate])
settings.load_profile("same")


def pytest_configure(config: pytest.Config) -> None:
    """Who starts the workers keeps what their servers begin with."""
    if not hasattr(config, "workerinput"):
        kept = ExitStack()
        kept.enter_context(shared())
        config.add_cleanup(kept.close)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`make check` runs what is quick: unit and property tests, but those marked slow, which wait for `make test`."""
    for item in items:
        if item.path.parent.name in {"unit", "properties"} and not item.get_closest_marker("slow"):
            item.add_marker("quick")


@pytest.fixture(scope="session")
def server() -> Iterator[Embedded]:
    with scratch_server("yinling-test-") as started:
        yield started


@pytest.fixture
async def database_urls(server: Embedded) -> AsyncIterator[Urls]:
    name = f"test_{os.getpid()}_{next(_numbers)}"
    yield await server.copy_database(EMPTY, name)
    await server.drop_database(name)


@pytest.fixture
async def database(database_urls: Urls) -> AsyncIterator[Database]:
    opened = await Database.open(database_urls.app, size=12)
    yield opened
    await opened.close()


@pytest.fixture
async def city(server: Embedded, request: pytest.FixtureRequest) -> AsyncIterator[City]:
    """An invented city of the test's own; in the end it must be as the rules have it, but for what the test says it spoils."""
    name = f"city_{os.getpid()}_{next(_numbers)}"
    spoilt = [rule for mark in request.node.iter_markers("spoils") for rule in mark.args]
    async with City.open(await server.copy_database(GUARDED, name), spoilt=spoilt) as opened:
        yield opened
    await server.drop_database(name)


@pytest.fixture(scope="module")
async def running_city() -> AsyncIterator[Running]:
    """Every process of the platform around the invented city."""
    with scratch_folder("yinling-city-") as folder:
        async with running(folder) as started:
            yield started


@pytest.fixture(scope="session")
def redis_server() -> str:
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip("redis-server is not on the path: Redis tests are not run")
    return found
