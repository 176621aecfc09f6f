"""The command line starts a process the way it is meant to run."""

import gc
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from backend import cli
from backend.processes.stopping import Stop


@pytest.fixture
def _collector() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.usefixtures("_collector")
def test_a_process_does_not_search_what_was_imported_for_rings(monkeypatch: pytest.MonkeyPatch):
    seen: list[int] = []

    async def run(_settings: Any, _stop: Any) -> None:
        seen.extend((gc.get_freeze_count(), gc.get_threshold()[0]))

    class Deaf(Stop):
        def listen(self) -> None:
            """The signals of the tests' own process are left alone."""

    room = SimpleNamespace(run=run, set_up=lambda *_: None, Stop=Deaf)
    monkeypatch.setattr(cli, "_settings", lambda: SimpleNamespace(log_level="warning"))
    monkeypatch.setattr(cli, "_room", lambda _name: room)
    assert cli.main(["relay"]) == 0
    frozen, young = seen
    assert frozen > 1000
    assert young > 10_000
