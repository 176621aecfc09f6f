"""The command line starts a process the way it is meant to run."""

import gc
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backend import cli, config
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


def test_a_setting_in_a_file_is_read_without_its_byte_order_mark_or_refused_in_one_line(tmp_path: Path):
    """A mark before a secret would be part of it, and every signature another one."""
    secret, file = "x" * 40, tmp_path / "secret"
    file.write_bytes(b"\xef\xbb\xbf" + secret.encode() + b"\r\n")
    assert config.load({"YINLING_SECRET_KEY_FILE": str(file), "YINLING_DATABASE_URL": "x"}).secret_key == secret
    file.write_bytes(secret.encode("utf-16"))
    for path, why in ((file, "it is not UTF-8 text"), (tmp_path, "Is a directory"), (tmp_path / "no", "No such file")):
        with pytest.raises(
            config.SettingsError, match=f"YINLING_SECRET_KEY_FILE names a file that cannot be read: {why}"
        ):
            config.load({"YINLING_SECRET_KEY_FILE": str(path)})
