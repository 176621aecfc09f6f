"""A server's data with the schema and the invented city in it: made once in a run of tests, and copied by whoever needs a server.

Fifty servers are started in a run; each would make the same schema, hash the same passwords and spell the same names.
"""

import asyncio
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from backend.core.principal import SYSTEM
from backend.database.migrate import upgrade
from backend.database.owner import open_as_owner
from backend.processes.embedded import Embedded
from tests.support.city import build
from tests.support.plan_versions import guard_versions
from tests.support.scratch import EMPTY, GUARDED, STORY, scratch_folder

_SHARED: Final = "YINLING_TESTS_PREPARED"  # where a run of tests keeps the data for all its processes


@contextmanager
def shared() -> Iterator[None]:
    """Let this process and those it starts use the same data."""
    folder = tempfile.mkdtemp(prefix="yinling-prepared-")
    os.environ[_SHARED] = folder
    try:
        yield
    finally:
        del os.environ[_SHARED]
        shutil.rmtree(folder, ignore_errors=True)


def prepare(data: Path) -> None:
    """Make a data folder there with three databases in it, to be started."""
    if (folder := os.environ.get(_SHARED)) is None:
        _make(data)
        return
    kept = Path(folder) / "data"
    with (Path(folder) / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            with scratch_folder("yinling-preparing-") as made:
                _make(made / "data")
                _copy(made / "data", unfinished := kept.with_name("unfinished"))
                unfinished.rename(kept)
    _copy(kept, data)


def _copy(one: Path, other: Path) -> None:
    subprocess.run(["cp", "-a", str(one), str(other)], check=True)  # the owner, too: PostgreSQL refuses root


def _make(data: Path) -> None:
    with (
        Embedded(data, durable=False) as server,
        ThreadPoolExecutor(1) as aside,
    ):  # whoever asks may have a loop already
        aside.submit(lambda: asyncio.run(_fill(server))).result()


async def _fill(server: Embedded) -> None:
    urls = await server.bootstrap(EMPTY)
    await asyncio.to_thread(upgrade, urls.owner)
    urls = await server.copy_database(EMPTY, STORY)
    await build(urls.owner)
    urls = await server.copy_database(STORY, GUARDED)
    owner = await open_as_owner(urls.owner)
    async with owner.unit_of_work(SYSTEM) as connection:
        await guard_versions(connection)
    await owner.close()


@contextmanager
def scratch_server(prefix: str) -> Iterator[Embedded]:
    """A server of one's own with the three databases, which waits for no disk."""
    with scratch_folder(prefix) as folder:
        prepare(folder / "data")
        with Embedded(folder / "data", durable=False) as running:
            yield running
